"""Whether somebody answers at an address as Ray does."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

from turnout import spi

_PATIENCE: Final = 10.0
_MOMENT: Final = 0.2
_AT_MOST: Final = 64
"""How often more is read of what is not needed; some servers never end."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of HTTP/2 begins (RFC 9113, 3.4): these words, and a frame of settings, empty."""
_SETTINGS: Final = 4
"""The type of the frame that a server begins with, the fourth byte of its nine."""

PORTS: Final = (
    "a cluster's port is 6379, or 10001 after ray://, unless it was started with another; the "
    "dashboard's is for submit=true"
)


def knock(address: str) -> None:
    """See that somebody answers as Ray does: Ray itself would try for a minute, or for ever.

    Raises:
        PluginError: nobody answers at an address of host and port, or not in gRPC.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or _is_on("RAY_grpc_enable_http_proxy"):
        return
    told = f"the Ray cluster at {address} cannot be joined"
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE)
    except (OSError, ValueError) as error:  # ValueError is of a name that cannot be one
        raise spi.PluginError(
            f"{told}: nobody answers there ({error}); "
            "correct execution_environment.address, or start it"
        ) from error
    with connection:
        if _is_on("RAY_USE_TLS"):
            return  # nothing can be asked in plain words
        answer = _first_frame(connection)
    if len(answer) < 4 or answer[3] != _SETTINGS:
        either = "" if answer else "it says nothing, or wants TLS (RAY_USE_TLS=1); "
        raise spi.PluginError(f"{told}: what answers there is no cluster\n{either}{PORTS}")


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, "0").lower() in ("1", "true")


def _first_frame(connection: socket.socket) -> bytes:
    """The head of what a server of gRPC begins with; less, or other, of any other server."""
    head = b""
    with contextlib.suppress(OSError):
        connection.sendall(_PREFACE)
        while len(head) < 9 and (more := connection.recv(9 - len(head))):
            head += more
        # Taken leave of with words unread, it would be told that the connection broke.
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_MOMENT)
        for _ in range(_AT_MOST):
            if not connection.recv(1024):
                break
    return head
