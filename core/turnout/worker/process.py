"""A worker process: takes calls from the driver that started it until that says no more.

It is started by `turnout.worker.child`, which writes what it reads and reads what it writes.
Imports are few: what a call does not need is not loaded.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
from collections.abc import Sequence
from typing import Any

from turnout.worker import frames, wire
from turnout.worker.host import Host


def main(requests: Any, replies: int, lifeline: int) -> None:
    """Serve a driver until it closes ``requests``; ends this process.

    Args:
        requests: a buffered reader.
        replies: the descriptor answers are written to.
        lifeline: a descriptor that is closed when the driver goes away, however it does.
    """
    for fd in (requests.fileno(), replies, lifeline):
        os.set_inheritable(fd, False)
    _ignore_interrupts()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, write_through=False)  # type: ignore[union-attr]
    setup = frames.receive(requests)
    if setup is None:
        os._exit(0)
    _end_with(lifeline)
    gc.freeze()  # what has been imported so far stays; the user's modules are looked through
    worker = Worker(setup, replies)
    gc.enable()
    worker.say(wire.ready())
    while (message := frames.receive(requests)) is not None:
        worker.take(message)
    _leave()


class Worker:
    """The worker's side of the conversation.

    Args:
        setup: the first message.
        replies: where answers go.
    """

    def __init__(self, setup: Sequence[frames.Bytes], replies: int) -> None:
        self._replies = replies
        self._lock = threading.Lock()
        self._host = Host(setup, lambda said: self.say(wire.logged(said)))

    def say(self, message: wire.Message) -> None:
        """Send the driver a message; threads of a task may log while it ends."""
        with self._lock:
            frames.send(self._replies, message)

    def take(self, message: Sequence[frames.Bytes]) -> None:
        """Do what a message says."""
        said = pickle.loads(message[0])
        word = said[0]
        if word == "call":
            self.say(wire.ended(*self._host.run(message, self.say)))
        elif word == "task":
            self._host.learn(message)
        elif word == "set":
            os.environ.update(said[1])


def _ignore_interrupts() -> None:
    """Ctrl-C is for the driver. A handler, not SIG_IGN: processes that tasks start inherit that."""
    import signal

    signal.signal(signal.SIGINT, lambda *_: None)


def _end_with(lifeline: int) -> None:
    """End this process and those its tasks started when the driver goes away."""
    if sys.platform == "linux":
        import fcntl

        # The kernel ends the group even while C code keeps Python from running.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)

    def watch() -> None:
        import signal

        os.read(lifeline, 1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="turnout-lifeline", daemon=True).start()


def _leave() -> None:
    """End at once, but not without what was registered to happen at the end.

    Taking all objects apart, as Python does on its way out, would take longer than many a run.
    """
    import atexit

    try:
        if "turnout.worker.asynchronous" in sys.modules:
            from turnout.worker.asynchronous import close

            close()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(0)
