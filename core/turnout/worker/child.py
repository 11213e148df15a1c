"""The driver's end of worker processes: talking to them, ending them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence

from turnout.worker.forking import Parent
from turnout.worker.frames import Bytes, Reader, send


class Child:
    """A worker process in a process group of its own; `start` makes them.

    Attributes:
        replies: descriptor to wait on for messages. It can be read from, too, once nobody has the
            other end: the process and those it has forked.
    """

    def __init__(
        self, parent: Parent, place: int, requests: int, replies: int, lifeline: int
    ) -> None:
        self.replies = replies
        self._parent = parent
        self._place = place
        self._requests = requests
        self._lifeline = lifeline
        self._reader = Reader(replies)
        self._pid: int | None = None
        self._ending: int | None = None
        self._disposed = False

    @property
    def pid(self) -> int:
        """Its process id; 0 if it has never been. Waits until it is known."""
        if self._pid is None:
            self._pid = self._parent.pid(self._place)
        return self._pid

    @property
    def ending(self) -> int | None:
        """Descriptor that can be read from once it has ended.

        ``None`` where there are no such descriptors. Waits until its process id is known.
        """
        if self._ending is None and self.pid and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._ending = os.pidfd_open(self.pid)
        return self._ending

    def send(self, message: Sequence[Bytes]) -> None:
        """Send a message; if the process has ended, that will be told by waiting for it."""
        with contextlib.suppress(BrokenPipeError):
            send(self._requests, message)

    def read(self) -> tuple[list[list[bytearray]], bool]:
        """The messages that have come, and whether it has closed its end."""
        return self._reader.read()

    def how(self) -> str:
        """How the process ended, in words, waiting for its end; asked before `dispose`."""
        code = self._parent.status(self.pid, None)
        if code is None:
            return "ended, and nothing is left that knows how"
        if code >= 0:
            return f"left with exit status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = "; was the machine out of memory?" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"

    def finish(self) -> None:
        """Let it end by itself once it has done what it was given."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def signal(self, number: int) -> None:
        """Send a signal to the process and to what its tasks have started."""
        if self._pid is None:
            self._parent.fork_no_more(self._place)
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def wait(self, seconds: float | None) -> bool:
        """Wait for its end, for ever without ``seconds``; whether it came."""
        if self.ending is not None:
            poll = select.poll()  # unlike select.select, it takes any number of open files
            poll.register(self.ending, select.POLLIN)
            return bool(poll.poll(None if seconds is None else max(seconds, 0) * 1000))
        return not self.pid or self._parent.status(self.pid, seconds) is not None

    def dispose(self) -> None:
        """End what is left of it, and let go of it; again does nothing."""
        if self._disposed:
            return
        self.signal(signal.SIGKILL)
        self.wait(None)
        self.finish()
        for fd in (self.replies, self._lifeline, self._ending):
            if fd is not None:
                os.close(fd)
        self._disposed = True
        self._parent.let_go()


def start(folder: str, count: int) -> list[Child]:
    """Start worker processes, which then wait for their first message: that of `Sender.setup`.

    They are forks of one process, so many take hardly longer to start than one.

    Args:
        folder: the directory they work in.
        count: how many.

    Raises:
        PluginError: this system cannot start any.
    """
    parent = Parent(folder, count)
    return [Child(parent, place, *pipes) for place, pipes in enumerate(parent.pipes)]


def end(children: Sequence[Child], grace: float) -> None:
    """End processes: ask them to, wait so many seconds, and end those that stay.

    The processes their tasks have started are ended with them.
    """
    for child in children:
        child.signal(signal.SIGTERM)
    until = time.monotonic() + grace
    for child in children:
        child.wait(until - time.monotonic())
    for child in children:
        child.dispose()
