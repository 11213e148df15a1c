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
    """A value kept in this process, with its digest where one has been taken."""

    __slots__ = ("digest", "value")

    def __init__(self, value: Any, digest: str = "") -> None:
        self.value = value
        self.digest = digest


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
        leaves = [leaf if isinstance(leaf, Held) else Held(leaf) for leaf in call.leaves]
        values, digests = [leaf.value for leaf in leaves], [leaf.digest for leaf in leaves]
        try:
            end = spi.run_call(call, values, self._tasks[call.task.key], digests)
        except BaseException as error:  # the task asked this thread to exit
            self._ended.put(spi.Completion(ticket, spi.Status.LOST, error=error))
            return
        done = end.status is spi.Status.DONE
        handle = Held(end.value, end.summary.digest) if done else None
        self._ended.put(spi.Completion(ticket, end.status, handle, end.summary, end.error))

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
