"""Messages through a pipe: each a list of byte strings, with their lengths in front."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import Any, Final, Protocol

Bytes = bytes | bytearray | memoryview

_COUNT: Final = struct.Struct("!I")
_TOGETHER = 1 << 16
_AT_ONCE = 512  # below the smallest IOV_MAX in use, 1024


class _Source(Protocol):
    def read(self, size: int) -> bytes: ...
    def readinto(self, buffer: Any) -> int: ...


def send(fd: int, message: Sequence[Bytes]) -> None:
    """Write a message; waits until the pipe has taken all of it.

    Raises:
        OSError: nobody reads any more.
    """
    sizes = [memoryview(part).nbytes for part in message]
    head = struct.pack(f"!I{len(sizes)}Q", len(sizes), *sizes)
    if len(head) + sum(sizes) <= _TOGETHER:
        _write(fd, [memoryview(b"".join([head, *message]))])
        return
    _write(fd, [memoryview(head), *[memoryview(part).cast("B") for part in message]])


def _write(fd: int, parts: list[memoryview]) -> None:
    parts = [part for part in parts if part.nbytes]
    while parts:
        written = os.writev(fd, parts[:_AT_ONCE])
        done = 0
        while done < len(parts) and written >= parts[done].nbytes:
            written -= parts[done].nbytes
            done += 1
        del parts[:done]
        if written:
            parts[0] = parts[0][written:]


def receive(source: _Source) -> list[bytearray] | None:
    r"""Read a message, waiting for it; ``None`` at the end of the pipe.

    >>> import io
    >>> receive(io.BytesIO(bytes(3) + b"\x01" + bytes(7) + b"\x02hi"))
    [bytearray(b'hi')]
    """
    count = source.read(_COUNT.size)
    if len(count) < _COUNT.size:
        return None
    number = _COUNT.unpack(count)[0]
    lengths = source.read(8 * number)
    if len(lengths) < 8 * number:
        return None
    message = [bytearray(size) for size in struct.unpack(f"!{number}Q", lengths)]
    for part in message:
        if part and source.readinto(part) < len(part):
            return None
    return message


class Reader:
    """Reads messages from a pipe as they come, never waiting.

    Args:
        fd: the pipe's read end, which is set to not block.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._lengths = False
        self._message: list[bytearray] | None = None
        self._filled = 0
        self._buffer = bytearray(_COUNT.size)
        self._view = memoryview(self._buffer)

    def read(self) -> tuple[list[list[bytearray]], bool]:
        """The messages that have come, and whether the other end is closed."""
        messages: list[list[bytearray]] = []
        while True:
            try:
                count = os.readv(self._fd, [self._view])
            except BlockingIOError:
                return messages, False
            if count == 0:
                return messages, True
            self._view = self._view[count:]
            if not self._view:
                message = self._next()
                if message is not None:
                    messages.append(message)

    def _expect(self, buffer: bytearray) -> None:
        self._buffer, self._view = buffer, memoryview(buffer)

    def _next(self) -> list[bytearray] | None:
        """Go on after the expected bytes have come; gives a message when it is whole."""
        if self._message is not None:
            self._filled += 1
        elif self._lengths:
            sizes = struct.unpack(f"!{len(self._buffer) // 8}Q", self._buffer)
            self._message = [bytearray(size) for size in sizes]
            self._filled = 0
        else:
            self._lengths = True
            self._expect(bytearray(8 * _COUNT.unpack(self._buffer)[0]))
            return None
        while self._filled < len(self._message) and not self._message[self._filled]:
            self._filled += 1
        if self._filled < len(self._message):
            self._expect(self._message[self._filled])
            return None
        message, self._message, self._lengths = self._message, None, False
        self._expect(bytearray(_COUNT.size))
        return message
