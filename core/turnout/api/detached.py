"""Follows a run that a process elsewhere drives."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from turnout.api.errand import End, forget, name_of, read_end, read_events
from turnout.backend.base import Detached, ExecutorBackend
from turnout.engine import Result, Watch
from turnout.errors import WorkerLost
from turnout.storage.store import Store

if TYPE_CHECKING:
    from turnout.backend.base import Session
    from turnout.storage.records import NodeRow

_PAUSE = 0.3
_PRINTED = 1.0
"""How often to ask for events and for what has been printed, in seconds."""
_GRACE = 10
_CANCELLED = 100
"""How many pauses to wait for the end of a run whose process has gone, and of one to be ended."""


class Follower:
    """Stands where an `Engine` would: sends the run away, and tells what is heard of it.

    Args:
        errand: the run, packed.
        session: the run, as backends know it.
        backend: starts the process elsewhere.
        watch: is told what happens.
        started: is given the process once it has been started.
    """

    def __init__(
        self,
        errand: bytes,
        session: Session,
        backend: ExecutorBackend,
        watch: Watch,
        started: Callable[[Detached], None],
    ) -> None:
        self.result = Result()
        self.rows: tuple[NodeRow, ...] = ()
        self._errand = errand
        self._session = session
        self._backend = backend
        self._watch = watch
        self._started = started
        self._store = Store(session.info.store)
        self._seen = 0
        self._next = 0.0
        self._cancel = threading.Event()
        self._left = False

    def cancel(self) -> None:
        """End the run; may be called from another thread."""
        self._cancel.set()

    def interrupt(self, stays: bool | None) -> bool:
        """The user has interrupted what follows several runs, this one among them.

        Args:
            stays: whether those before this one go on; ``None`` for the first.

        Returns:
            Whether this one goes on.
        """
        if stays is None:
            stays = _stays(self._session.config.on_interrupt)
        self._left = stays
        self._cancel.set()
        return stays

    def run(self) -> Result:
        """Send the run away and follow it to its end.

        Raises:
            KeyboardInterrupt: the user interrupted; the run is cancelled, or goes on, as
                ``on_interrupt`` says.
        """
        run_id, store = self._session.info.run_id, self._session.info.store
        self._store.write(name_of(run_id, "errand"), self._errand)
        command = ("python", "-m", "turnout.api.drive", store, run_id)
        try:
            there = self._backend.detach(command, self._session)
        except BaseException:
            forget(self._store, run_id)
            raise
        self._started(there)
        try:
            self._follow(there)
        except KeyboardInterrupt:
            if _stays(self._session.config.on_interrupt):
                self.result.status = "running"
                raise KeyboardInterrupt(_goes_on(run_id)) from None
            there.cancel()
            self._await_end(there)
            self.result.status = "cancelled"
            forget(self._store, run_id)
            raise
        if self._left:
            self.result.status = "running"
            self._session.log(_goes_on(run_id))
        else:
            forget(self._store, run_id)
        return self.result

    def _follow(self, there: Detached) -> None:
        told = False
        patience = _GRACE
        while True:
            self._hear(there)
            end = read_end(self._store, self._session.info.run_id)
            if end is not None:
                self._hear(there, last=True)
                self._settle(end)
                return
            if there.state() != "running":
                patience -= 1
                if patience < 0:
                    break
            if self._cancel.wait(_PAUSE) and not told:
                if self._left:
                    return
                told = True
                there.cancel()
            elif told:
                threading.Event().wait(_PAUSE)
        self._hear(there, last=True)
        if told or there.state() == "cancelled":
            self.result.status = "cancelled"
            return
        self.result.status = "failed"
        self.result.error = WorkerLost(
            f"the process that drove run {self._session.info.run_id} has gone ({there.state()}) "
            "without saying how the run ended; what it printed tells why"
        )

    def _await_end(self, there: Detached) -> None:
        for _ in range(_CANCELLED):
            if there.state() != "running":
                return
            threading.Event().wait(_PAUSE)

    def _hear(self, there: Detached, last: bool = False) -> None:
        """Pass on what has been told, and now and then what has been printed."""
        now = time.monotonic()
        if now >= self._next or last:
            self._next = now + _PRINTED
            for line in there.output().splitlines():
                self._session.log(line)
        run_id = self._session.info.run_id
        while True:
            data = self._store.read(name_of(run_id, f"events/{self._seen + 1:08d}"))
            if data is None:
                return
            self._seen += 1
            for name, event in read_events(data):
                self._watch.tell(name, event)

    def _settle(self, end: End) -> None:
        from turnout.storage.codecs import decode
        from turnout.worker import failures

        self.rows = end.rows
        self.result.status, self.result.node = end.status, end.node
        if end.error is not None:
            self.result.error = failures.unpack(end.error)
        elif end.status == "succeeded":
            self.result.value = decode(end.codec, end.payload)


def _goes_on(run_id: str) -> str:
    return f"run {run_id} goes on; turnout.get_run({run_id!r}) follows it"


def _stays(on_interrupt: str) -> bool:
    """Whether the run goes on when the user interrupts the process that follows it."""
    if on_interrupt != "ask":
        return on_interrupt == "detach"
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("interrupted; [c]ancel the run, or [d]etach and let it go on? ")
    sys.stderr.flush()
    try:
        return input().strip().lower().startswith("d")
    except (EOFError, KeyboardInterrupt):
        return False
