"""The driver's end of a worker process: starting it, talking to it, ending it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Final

from turnout.errors import PluginError
from turnout.worker.frames import Bytes, Reader, send

# The worker searches where the driver does, from its first import of turnout on. Garbage is not
# looked for while it starts: imports make objects that stay.
_START: Final = (
    "import gc,sys;"
    "gc.disable();"
    "f=open({requests},'rb');"
    "p=f.read(int.from_bytes(f.read(4),'big')).decode('utf-8','surrogateescape');"
    "sys.path[:]=p.split('\\0');"
    "from turnout.worker.process import main;"
    "main(f,{replies},{lifeline})"
)


class Child:
    """A worker process in a process group of its own.

    It waits for its first message, that of `Sender.setup`.

    Args:
        folder: the directory it works in.

    Attributes:
        pid: its process id.
        replies: descriptor to wait on for messages.
        ending: descriptor that can be read from when it has ended; ``None`` where there are no
            such descriptors.

    Raises:
        PluginError: this system cannot start one.
    """

    def __init__(self, folder: str) -> None:
        if not sys.executable or not hasattr(os, "writev"):
            raise PluginError("worker processes need a Python executable and a POSIX system")
        requests, self._requests = os.pipe()
        self.replies, replies = os.pipe()
        lifeline, self._lifeline = os.pipe()
        start = _START.format(requests=requests, replies=replies, lifeline=lifeline)
        # Warnings and optimisation are as in this process; the standard library does it so too.
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        try:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-c", start],
                stdin=subprocess.DEVNULL,
                pass_fds=(requests, replies, lifeline),
                cwd=folder,
                process_group=0,
            )
        except BaseException:
            for fd in (self._requests, self.replies, self._lifeline):
                os.close(fd)
            raise
        finally:
            for fd in (requests, replies, lifeline):
                os.close(fd)
        self.pid = self._process.pid
        self._reader = Reader(self.replies)
        self.ending: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self.ending = os.pidfd_open(self.pid)
        path = "\0".join(sys.path).encode("utf-8", "surrogateescape")
        self._write([len(path).to_bytes(4, "big") + path])

    def _write(self, parts: Iterable[bytes]) -> None:
        with contextlib.suppress(BrokenPipeError):
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(self._requests, view) :]

    def send(self, message: Sequence[Bytes]) -> None:
        """Send a message; if the process has ended, that will be told by waiting for it."""
        with contextlib.suppress(BrokenPipeError):
            send(self._requests, message)

    def read(self) -> tuple[list[list[bytearray]], bool]:
        """The messages that have come, and whether it has closed its end."""
        return self._reader.read()

    def how(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode
        if code is None:
            return "goes on"
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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        if self.ending is not None:
            # Not reaped yet, so that its id still stands for its process group.
            poll = select.poll()  # unlike select.select, it takes any number of open files
            poll.register(self.ending, select.POLLIN)
            return bool(poll.poll(max(seconds, 0) * 1000))
        try:
            self._process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def dispose(self) -> None:
        """End what is left of it, and let go of it."""
        self.signal(signal.SIGKILL)
        self._process.wait()
        self.finish()
        for fd in (self.replies, self._lifeline, self.ending):
            if fd is not None and fd >= 0:
                os.close(fd)
        self.replies = self._lifeline = -1
        self.ending = None


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
