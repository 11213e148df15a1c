"""What goes to a cluster that is joined, and what is said where that does not work."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from turnout import spi
from turnout_ray.knocking import PORTS

_EXCLUDES: Final = "RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES"

# What no task imports, what changes while a run goes on, and what holds secrets.
_STAYS_HERE = (
    ".git", ".turnout", ".env", ".env.*", ".venv", "venv", "outputs", "multirun", "__pycache__",
    "*.pyc", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", "node_modules",
)  # fmt: skip


@contextmanager
def quietly(environment: Mapping[str, Any]) -> Iterator[None]:
    """Keep from the user what Ray says of sending a project, as far as it is no news.

    Args:
        environment: the settings' ``runtime_env``.
    """
    loggers = [logging.getLogger(name) for name in ("ray", "ray.dashboard.modules.dashboard_sdk")]
    levels = [logger.level for logger in loggers]
    # Ray warns of each directory that it excludes by itself. `with_project` names them all.
    ours = "working_dir" not in environment and _EXCLUDES not in os.environ
    if ours:
        os.environ[_EXCLUDES] = ""
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if ours:
            os.environ.pop(_EXCLUDES, None)


def with_project(environment: Mapping[str, Any], project: spi.Project) -> dict[str, Any]:
    """The environment with the user's files, unless it says itself where they come from."""
    if "working_dir" in environment:
        return dict(environment)
    excluded = [*_STAYS_HERE, *project.exclude, *environment.get("excludes", ())]
    return {**environment, "working_dir": os.fspath(project.root), "excludes": excluded}


def too_large(text: str) -> str:
    """What to do about a project that Ray does not take."""
    return (
        f"the project is too large to be sent to the cluster: {text}\n"
        "name what no task imports in [tool.turnout] exclude, or in .rayignore"
    )


def reason(where: str | None, error: Exception) -> str:
    """Why there is no connection, by what Ray has raised.

    Args:
        where: the address of a cluster; ``None`` where an instance was to be started.
        error: what Ray has raised.
    """
    text, traceback, rest = str(error).strip().partition("Traceback (most recent call last):")
    if traceback:  # one of Ray's own servers
        text += rest.rpartition("\n")[2]
    if "Version mismatch" in text:
        return (
            f"the Ray cluster at {where} and this process do not fit together: {text}\n"
            f"install the cluster's versions here, or these ones there"
        )
    if "exceeds" in text and ("package" in text.lower() or "size" in text.lower()):
        return too_large(text)
    if not where:
        return f"Ray does not start on this machine: {type(error).__name__}: {text}"
    told = f"the Ray cluster at {where} cannot be joined: {type(error).__name__}: {text}"
    return f"{told}\n{PORTS}" if isinstance(error, ConnectionError) else told
