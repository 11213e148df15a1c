"""What tasks print, on its way to the driver's streams.

For processes whose output reaches nobody, or not in time. What other programs write, or code in C,
goes past Python's streams and stays with the process.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from typing import Any

Say = Callable[[str, str], None]


class Lines(io.TextIOBase):
    r"""A stream that gives whole lines to ``say`` while a call runs, and else to the stream it is.

    Args:
        name: ``stdout`` or ``stderr``.
        stream: the process's own.
        running: whether a call runs.
        say: takes the stream's name and text that ends with a line's end.

    >>> told = []
    >>> lines = Lines("stdout", sys.stdout, lambda: True, lambda name, text: told.append(text))
    >>> _ = lines.write("50 %\r100 %\r"), lines.write("done\nand "), lines.write("on")
    >>> lines.finish()
    >>> told
    ['done\n', 'and on\n']
    """

    def __init__(self, name: str, stream: Any, running: Callable[[], bool], say: Say) -> None:
        self._name = name
        self._stream = stream
        self._running = running
        self._say = say
        self._part = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Take text; a line that goes on is kept until it ends."""
        if not self._running():
            self._stream.write(text)  # some give no number
            return len(text)
        with self._lock:
            whole, end, rest = (self._part + text).rpartition("\n")
            self._part = _seen(rest) + "\r" * rest.endswith("\r")
            if end:
                self._say(self._name, "\n".join(map(_seen, whole.split("\n"))) + end)
        return len(text)

    def finish(self) -> None:
        """The call ends, and with it the line."""
        if not self._part:  # as nearly always, and a lock takes time
            return
        with self._lock:
            part, self._part = self._part, ""
        if part:
            self._say(self._name, _seen(part) + "\n")

    def flush(self) -> None:
        """What is kept here is a part of a line."""
        self._stream.flush()

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def isatty(self) -> bool:
        """Nobody looks at it as it is written."""
        return False

    def fileno(self) -> int:
        """The process's own, for other programs."""
        return int(self._stream.fileno())

    @property
    def buffer(self) -> Any:
        """The process's own, for bytes."""
        return self._stream.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        """As the process's own."""
        return str(self._stream.encoding)


def _seen(line: str) -> str:
    """What is left of a line that is written over again and again, as a progress bar's."""
    return line.rstrip("\r").rpartition("\r")[2]


def forward_prints(running: Callable[[], bool], say: Say) -> tuple[Lines, Lines]:
    """Put `Lines` in the place of this process's streams; gives both."""
    out = Lines("stdout", sys.stdout, running, say)
    err = Lines("stderr", sys.stderr, running, say)
    sys.stdout, sys.stderr = out, err
    return out, err
