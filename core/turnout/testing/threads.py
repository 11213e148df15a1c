"""An executor of threads that takes pending handles: the reference for what may be sent ahead."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, NamedTuple

from turnout import spi
from turnout.graph.refs import resolve


@dataclass
class ThreadsConfig(spi.EnvironmentConfig):
    """Settings of the threads environment.

    Attributes:
        threads: how many tasks run at once.
    """

    backend: str = "threads"
    threads: int = 4


class Later(spi.Handle):
    """A value of this process that may not exist yet."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: Future[tuple[Any, str]] = Future()


class _Begun(NamedTuple):
    ticket: spi.Ticket


class _UpstreamFailedError(Exception):
    pass


class ThreadsExecutor(spi.Executor):
    """Runs calls on threads; a call whose inputs are pending starts when the last has come."""

    accepts_pending = True

    def __init__(self, session: spi.Session) -> None:
        self._tasks = session.tasks
        self._pool = ThreadPoolExecutor(session.config.threads, thread_name_prefix="turnout")
        self._events: SimpleQueue[_Begun | spi.Completion] = SimpleQueue()
        self._lock = threading.Lock()
        self._open: dict[spi.Ticket, bool] = {}  # whether it has begun
        self._unheard = 0
        self._closed = False

    def submit(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        """Start what can start; the rest follows its inputs."""
        tickets = []
        for call in calls:
            ticket = spi.Ticket(Later())
            tickets.append(ticket)
            self._open[ticket] = False
            self._unheard += 1
            pending = [leaf.future for leaf in call.leaves if type(leaf) is Later]
            _when_all_done(pending, partial(self._start, ticket, call))
        return tickets

    def _start(self, ticket: spi.Ticket, call: spi.Call) -> None:
        with self._lock:
            if not self._closed:
                # What is logged in the task belongs where the run belongs.
                context = copy_context()
                self._pool.submit(context.run, self._run, ticket, call)

    def _run(self, ticket: spi.Ticket, call: spi.Call) -> None:
        with self._lock:
            if ticket not in self._open:
                return
            self._open[ticket] = True
        leaves = [leaf.future if type(leaf) is Later else leaf for leaf in call.leaves]
        if any(isinstance(leaf, Future) and leaf.exception() is not None for leaf in leaves):
            self._end(ticket, spi.Completion(ticket, spi.Status.UPSTREAM_FAILED))
            return
        pairs = [leaf.result() if isinstance(leaf, Future) else (leaf, "") for leaf in leaves]
        task = self._tasks.get(call.task.key) or resolve(call.task.ref)
        values, digests = [value for value, _ in pairs], [digest for _, digest in pairs]

        def begins(*_: object) -> None:
            self._events.put(_Begun(ticket))

        try:
            outcome = spi.run_call(call, values, task, digests, begins)
        except BaseException as left:  # the task asked this thread to exit
            self._end(ticket, spi.Completion(ticket, spi.Status.LOST, error=left))
            return
        status, value, error, summary = outcome
        done = (value, summary.digest) if status is spi.Status.DONE else None
        self._end(ticket, spi.Completion(ticket, status, None, summary, error), done)

    def _end(
        self, ticket: spi.Ticket, end: spi.Completion, done: tuple[Any, str] | None = None
    ) -> None:
        with self._lock:
            if self._open.pop(ticket, None) is None:
                return
        assert isinstance(ticket.handle, Later)
        if done is not None:
            end = end._replace(handle=ticket.handle)
        self._events.put(end)
        if done is None:
            ticket.handle.future.set_exception(_UpstreamFailedError())
        else:
            ticket.handle.future.set_result(done)

    def wait_any(self, timeout: float | None = None) -> Sequence[spi.Completion]:
        """What has ended, after waiting for the first; beginnings are told on the way."""
        ends: list[spi.Completion] = []
        try:
            while self._unheard:
                event = self._events.get(block=not ends, timeout=None if ends else timeout)
                if isinstance(event, _Begun):
                    if self.on_start is not None:
                        self.on_start(event.ticket)
                    continue
                self._unheard -= 1
                ends.append(event)
        except Empty:
            pass
        return ends

    def cancel(self, tickets: Sequence[spi.Ticket]) -> None:
        """End what has not begun; a thread cannot be stopped."""
        for ticket in tickets:
            if self._open.get(ticket) is False:
                self._end(ticket, spi.Completion(ticket, spi.Status.CANCELLED))

    def fetch(self, handle: spi.Handle) -> Any:
        """The value itself."""
        assert isinstance(handle, Later)
        return handle.future.result()[0]

    def put(self, value: Any) -> spi.Handle:
        """The value by reference."""
        handle = Later()
        handle.future.set_result((value, ""))
        return handle

    def split(self, handle: spi.Handle, length: int) -> Sequence[spi.Handle] | None:
        """The items by reference."""
        return [self.put(item) for item in self.fetch(handle)]

    def release(self, handles: Sequence[spi.Handle]) -> None:
        """Forget the values."""
        for handle in handles:
            assert isinstance(handle, Later)
            handle.future = Future()

    def close(self) -> None:
        """Wait for the threads that are busy, and end all."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(cancel_futures=True)


def _when_all_done(futures: Sequence[Future[Any]], start: Any) -> None:
    left = len(futures)
    lock = threading.Lock()

    def one_done(_: Future[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            start()

    for future in futures:
        future.add_done_callback(one_done)
    if not futures:
        start()


class ThreadsBackend(spi.ExecutorBackend):
    """Threads of this process, for tests of what runs ahead and side by side.

    Register it with `turnout.testing.installed`.
    """

    name = "threads"
    summary = "threads of this process, sent ahead"
    schema = ThreadsConfig
    runs_at_once = 4
    capabilities: ClassVar = {
        "env_vars": spi.unsupported("threads share the variables of their process"),
        "image": spi.advisory("threads run with their process's own Python"),
        "interruptible": spi.advisory("a thread is not taken away"),
        "resources": spi.advisory("threads share what their process has"),
    }

    def open(self, session: spi.Session) -> spi.Executor:
        """A pool for one run."""
        return ThreadsExecutor(session)
