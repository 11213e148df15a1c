"""An executor that runs calls in this process and thread, one after another, in order.

It is the reference of the executor interface: plain calls of a workflow use it, and so may any
backend that runs in-process.
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from turnout.backend.base import Executor
from turnout.backend.call import Attempt, Call, Completion, Handle, Status, Ticket, new_completion
from turnout.graph import TaskKey
from turnout.graph.refs import resolve
from turnout.worker.run import run_bare

_DONE: Final = Status.DONE
_clock = time.perf_counter


class Ref(Handle):
    """A value in this process, by reference.

    Attributes:
        value: the value itself.
        digest: its digest, if it has been taken.
    """

    __slots__ = ("digest", "value")

    def __init__(self, value: Any, digest: str = "") -> None:
        self.value = value
        self.digest = digest


class InlineExecutor(Executor):
    """Runs calls here when it is waited for.

    Args:
        tasks: task objects by key; others are imported.
    """

    def __init__(self, tasks: Mapping[TaskKey, Any]) -> None:
        self._tasks = tasks
        self._queue: deque[tuple[Ticket, Call]] = deque()

    def submit(self, calls: Sequence[Call]) -> Sequence[Ticket]:
        """Queue the calls."""
        tickets = []
        for call in calls:
            ticket = Ticket()
            tickets.append(ticket)
            self._queue.append((ticket, call))
        return tickets

    def wait_any(self, timeout: float | None = None) -> Iterator[Completion]:
        """Run what is queued, each call when the end of the one before it has been taken in.

        None is begun after ``timeout`` seconds.
        """
        end = float("inf") if timeout is None else _clock() + timeout
        while self._queue:
            yield self._run(self._queue.popleft())
            if _clock() > end:
                break

    def _run(self, queued: tuple[Ticket, Call]) -> Completion:
        ticket, call = queued
        spec = call.task
        task = self._tasks.get(spec.key)
        if task is None:
            task = resolve(spec.ref)
        leaves = call.leaves
        values: list[Any] = []
        for leaf in leaves:
            values.append(leaf.value if type(leaf) is Ref else leaf)  # noqa: PERF401
        digests: Sequence[str] = ()
        if call.version:
            digests = [leaf.digest if type(leaf) is Ref else "" for leaf in leaves]
        # A call whose result is cached makes no attempt, and so never starts.
        started = None
        if self.on_start is not None:
            started = functools.partial(self._begins, self.on_start, ticket)
        status, value, error, summary = run_bare(call, values, task, digests, started)
        handle = Ref(value, summary.digest) if status is _DONE else None
        return new_completion((ticket, status, handle, summary, error))

    @staticmethod
    def _begins(
        tell: Callable[[Ticket], None], ticket: Ticket, _number: int, _failed: Sequence[Attempt]
    ) -> None:
        tell(ticket)

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Drop queued calls; they complete as cancelled at the next wait."""
        dropped = set(map(id, tickets))
        self._queue = deque(item for item in self._queue if id(item[0]) not in dropped)

    def fetch(self, handle: Handle) -> Any:
        """The value itself."""
        assert isinstance(handle, Ref)
        return handle.value

    def put(self, value: Any) -> Handle:
        """The value by reference."""
        return Ref(value)

    def close(self) -> None:
        """Close the event loop that async tasks of this thread used."""
        self._queue.clear()
        import sys

        if "turnout.worker.asynchronous" in sys.modules:
            from turnout.worker.asynchronous import close

            close()
