"""What goes to a cluster that is joined, and what is said where that does not work."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from turnout import spi

_PATIENCE: Final = 10.0

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of HTTP/2 begins (RFC 9113, 3.4): these words, and a frame of settings, empty."""
_SETTINGS: Final = 4
"""The type of the frame that a server begins with, the fourth byte of its nine."""

_PORTS: Final = (
    "a cluster's port is 6379, or 10001 after ray://, unless it was started with another; the "
    "dashboard's is for submit=true"
)

_EXCLUDES: Final = "RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES"

# What no task imports, what changes while a run goes on, and what holds secrets.
_STAYS_HERE = (
    ".git", ".turnout", ".env", ".env.*", ".venv", "venv", "outputs", "multirun", "__pycache__",
    "*.pyc", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", "node_modules",
)  # fmt: skip


def knock(address: str) -> None:
    """See that somebody answers as Ray does: Ray itself would try for a minute, or for ever.

    Raises:
        PluginError: nobody answers at an address of host and port, or not in gRPC.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    told = f"the Ray cluster at {address} cannot be joined"
    try:
        place = (host.strip("[]"), int(port))
        with socket.create_connection(place, timeout=_PATIENCE) as connection:
            answer = b"" if _is_encrypted() else _first_frame(connection)
    except OSError as error:
        raise spi.PluginError(
            f"{told}: nobody answers there ({error}); "
            "correct execution_environment.address, or start it"
        ) from error
    if not _is_encrypted() and (len(answer) < 4 or answer[3] != _SETTINGS):
        raise spi.PluginError(f"{told}: what answers there is no cluster\n{_PORTS}")


def _is_encrypted() -> bool:
    """Whether Ray's connections are, so that nothing can be asked in plain words."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _first_frame(connection: socket.socket) -> bytes:
    """The head of what a server of gRPC begins with; less, or other, of any other server."""
    connection.sendall(_PREFACE)
    head = b""
    while len(head) < 9 and (more := connection.recv(9 - len(head))):
        head += more
    return head


@contextmanager
def quietly() -> Iterator[None]:
    """Keep from the user what Ray says of sending a project, as far as it is no news."""
    for name in ("ray", "ray.dashboard.modules.dashboard_sdk"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if _EXCLUDES in os.environ:
        yield
        return
    # Ray warns of each directory that it excludes by itself; they are in `with_project`'s list.
    os.environ[_EXCLUDES] = ""
    try:
        yield
    finally:
        os.environ.pop(_EXCLUDES, None)


def with_project(environment: Mapping[str, Any], project: spi.Project) -> dict[str, Any]:
    """The environment with the user's files, unless it says itself where they come from."""
    if "working_dir" in environment:
        return dict(environment)
    excluded = [*_STAYS_HERE, *project.exclude, *environment.get("excludes", ())]
    return {**environment, "working_dir": os.fspath(project.root), "excludes": excluded}


def reason(where: str | None, error: Exception) -> str:
    """Why there is no connection, by what Ray has raised.

    Args:
        where: the address of a cluster; ``None`` where an instance was to be started.
        error: what Ray has raised.
    """
    text, traceback, rest = str(error).strip().partition("Traceback (most recent call last):")
    if traceback:  # one of Ray's own servers
        text += rest.splitlines()[-1]
    if "Version mismatch" in text:
        return (
            f"the Ray cluster at {where} and this process do not fit together: {text}\n"
            f"install the cluster's versions here, or these ones there"
        )
    if "exceeds" in text and ("package" in text.lower() or "size" in text.lower()):
        return (
            f"the project is too large to be sent to the cluster: {text}\n"
            "name what no task imports in [tool.turnout] exclude, or in .rayignore"
        )
    if where:
        return (
            f"the Ray cluster at {where} cannot be joined: {type(error).__name__}: {text}\n{_PORTS}"
        )
    return f"Ray does not start on this machine: {type(error).__name__}: {text}"
