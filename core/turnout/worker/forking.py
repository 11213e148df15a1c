"""The driver's end of the process that worker processes are forked from."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from turnout.errors import PluginError
from turnout.worker.frames import NUMBER

# It searches where the driver does, from its first import of turnout on. Garbage is not looked
# for while that goes on: imports make objects that stay.
_START: Final = (
    "import gc,sys;"
    "gc.disable();"
    "f=open({orders},'rb');"
    "p=f.read(int.from_bytes(f.read(4),'big')).decode('utf-8','surrogateescape');"
    "sys.path[:]=p.split('\\0');"
    "from turnout.worker.parent import main;"
    "main(f,{answers},{pipes})"
)
_FAREWELL: Final = 1.0


class Pipes(NamedTuple):
    """The driver's ends of a worker's pipes.

    Attributes:
        requests: descriptor that messages are written to.
        replies: descriptor that messages are read from.
        lifeline: descriptor that is closed when the driver goes away.
    """

    requests: int
    replies: int
    lifeline: int


class Parent:
    """A process that imports what workers need and is forked, see `turnout.worker.parent`.

    Args:
        folder: the directory that it and its workers work in.
        count: how many times it is forked.

    Attributes:
        pipes: how each worker is spoken to.

    Raises:
        PluginError: this system cannot start one.
    """

    def __init__(self, folder: str, count: int) -> None:
        if not sys.executable or not hasattr(os, "writev"):
            raise PluginError("worker processes need a Python executable and a POSIX system")
        self.pipes: list[Pipes] = []
        self._wanted = count
        self._pids: list[int] = []
        self._asked: deque[int] = deque()
        self._codes: dict[int, int] = {}
        ours, theirs = _pipes("><" + "><>" * count)
        mine, answers, *each = theirs
        pipes = list(zip(each[::3], each[1::3], each[2::3], strict=True))
        # Warnings and optimisation are as in this process; the standard library does it so too.
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        start = _START.format(orders=mine, answers=answers, pipes=pipes)
        try:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-c", start],
                stdin=subprocess.DEVNULL,
                pass_fds=theirs,
                cwd=folder,
                process_group=0,
            )
        except BaseException:
            _close(ours)
            raise
        finally:
            _close(theirs)
        self._orders, self._answers, *each = ours
        self.pipes += map(Pipes, each[::3], each[1::3], each[2::3])
        path = "\0".join(sys.path).encode("utf-8", "surrogateescape")
        self._order(len(path).to_bytes(4, "big") + path)

    def pid(self, place: int) -> int:
        """A worker's process id, waiting for it; 0 if it has never been."""
        while len(self._pids) <= place and self._hear(None):
            pass
        return self._pids[place] if place < len(self._pids) else 0

    def status(self, pid: int, seconds: float | None) -> int | None:
        """A worker's exit status, negative for a signal, waiting so long for its end.

        ``None`` if it has not ended by then, or if nobody is left to ask. That of the parent for
        the process id 0, of workers that have never been.
        """
        if not pid:
            return self._process.wait(seconds)
        if pid not in self._codes and pid not in self._asked:
            self._asked.append(pid)
            self._order(NUMBER.pack(pid))
        until = None if seconds is None else time.monotonic() + seconds
        while pid not in self._codes:
            if not self._hear(None if until is None else until - time.monotonic()):
                return None
        return self._codes[pid]

    def fork_no_more(self, place: int) -> None:
        """See to it that a worker that has not been forked yet never is."""
        while len(self._pids) <= place and self._hear(0):
            pass
        if len(self._pids) <= place:
            self._process.kill()

    def let_go(self) -> None:
        """Say that a worker has ended and is not asked for any more; the last ends the parent."""
        self._wanted -= 1
        if self._wanted:
            return
        os.close(self._orders)
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)

    def _order(self, order: bytes) -> None:
        try:
            while order:
                order = order[os.write(self._orders, order) :]
        except BrokenPipeError:
            pass  # it is gone, which is what listening to it tells

    def _hear(self, seconds: float | None) -> bool:
        """Take the next number it tells, waiting so long for it; whether one came."""
        poll = select.poll()  # unlike select.select, it takes any number of open files
        poll.register(self._answers, select.POLLIN)
        if not poll.poll(None if seconds is None else max(seconds, 0) * 1000):
            return False
        told = os.read(self._answers, NUMBER.size)
        if not told:
            return False
        number = NUMBER.unpack(told)[0]
        if len(self._pids) < len(self.pipes):
            self._pids.append(number)
        else:
            self._codes[self._asked.popleft()] = number
        return True


def _pipes(directions: str) -> tuple[list[int], list[int]]:
    """Pipes: our ends and the other ends; ``>`` is written to by us, ``<`` read from."""
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for direction in directions:
            read, write = os.pipe()
            ours.append(write if direction == ">" else read)
            theirs.append(read if direction == ">" else write)
    except BaseException:
        _close(ours + theirs)
        raise
    return ours, theirs


def _close(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        os.close(fd)
