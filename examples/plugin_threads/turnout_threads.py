"""Runs tasks in threads of this process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

from turnout import spi


@dataclass
class ThreadsConfig(spi.EnvironmentConfig):
    """Settings of ``execution_environment=threads``; `threads` is how many tasks run at once."""

    backend: str = "threads"
    threads: int = 4


class Held(spi.Handle):
    """A value kept in this process."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class ThreadsExecutor(spi.Executor):
    """Places the calls of one run on a thread pool."""

    def __init__(self, session: spi.Session) -> None:
        self._tasks = session.tasks
        self._pool = ThreadPoolExecutor(session.config.threads, thread_name_prefix="turnout")
        self._ended: SimpleQueue[spi.Completion] = SimpleQueue()
        self._under_way: dict[spi.Ticket, Future[None]] = {}

    def submit(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        tickets = [spi.Ticket() for _ in calls]
        for ticket, call in zip(tickets, calls, strict=True):
            self._under_way[ticket] = self._pool.submit(self._run, ticket, call)
        return tickets

    def _run(self, ticket: spi.Ticket, call: spi.Call) -> None:
        values = [leaf.value if isinstance(leaf, Held) else leaf for leaf in call.leaves]
        try:
            outcome = spi.run_call(call, values, self._tasks[call.task.key])
        except BaseException as error:  # the task asked this thread to exit
            self._ended.put(spi.Completion(ticket, spi.Status.LOST, error=error))
            return
        handle = Held(outcome.value) if outcome.status is spi.Status.DONE else None
        end = spi.Completion(ticket, outcome.status, handle, outcome.summary, outcome.error)
        self._ended.put(end)

    def wait_any(self, timeout: float | None = None) -> Sequence[spi.Completion]:
        ends: list[spi.Completion] = []
        try:
            while len(ends) < len(self._under_way):
                ends.append(self._ended.get(block=not ends, timeout=None if ends else timeout))
        except Empty:
            pass
        for end in ends:
            del self._under_way[end.ticket]
        return ends

    def cancel(self, tickets: Sequence[spi.Ticket]) -> None:
        for ticket in tickets:
            future = self._under_way.get(ticket)
            if future is not None and future.cancel():  # one that runs cannot be stopped
                self._ended.put(spi.Completion(ticket, spi.Status.CANCELLED))

    def fetch(self, handle: spi.Handle) -> Any:
        return handle.value

    def put(self, value: Any) -> spi.Handle:
        return Held(value)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class ThreadsBackend(spi.ExecutorBackend):
    """What ``execution_environment=threads`` stands for."""

    name = "threads"
    summary = "threads of this process"
    schema = ThreadsConfig
    capabilities: ClassVar = {
        "env_vars": spi.unsupported("threads share the variables of their process"),
    }

    def open(self, session: spi.Session) -> spi.Executor:
        return ThreadsExecutor(session)


@spi.hookimpl
def turnout_backends() -> Sequence[spi.Backend]:
    return [ThreadsBackend()]
