"""Calls in this process; those with a timeout in a process that can be ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from turnout import spi

if TYPE_CHECKING:
    from turnout_local.pool import PoolExecutor


class LocalExecutor(spi.Executor):
    """Runs calls here, one after another; one that may take only so long goes to a child process.

    Args:
        session: the run.
    """

    def __init__(self, session: spi.Session) -> None:
        self._session = session
        self._here = spi.InlineExecutor(session.tasks)
        self._child: PoolExecutor | None = None

    def submit(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        self._here.on_start = self.on_start
        if self._child is None:
            for call in calls:
                if call.options.timeout is not None:
                    break
            else:
                return self._here.submit(calls)
        timed = [call.options.timeout is not None for call in calls]
        # Each step may find a value that cannot be sent; nothing has started before the last.
        here = [_here(call) for call in calls if call.options.timeout is None]
        there = [_there(call) for call in calls if call.options.timeout is not None]
        tickets_there = iter(self._submit_there(there))
        tickets_here = iter(self._here.submit(here))
        return [next(tickets_there) if aside else next(tickets_here) for aside in timed]

    def _submit_there(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        if not calls:
            return ()
        if self._child is None:
            from turnout_local.pool import PoolExecutor

            self._child = PoolExecutor(self._session, 1, slots=False)
        self._child.on_start = self.on_start
        return self._child.submit(calls)

    def wait_any(self, timeout: float | None = None) -> Iterable[spi.Completion]:
        if self._child is None:
            return self._here.wait_any(timeout)
        return self._here_and_there(self._child, timeout)

    def _here_and_there(
        self, child: PoolExecutor, timeout: float | None
    ) -> Iterator[spi.Completion]:
        for completion in self._here.wait_any(timeout):
            yield completion
            timeout = 0
        yield from child.wait_any(timeout)

    def cancel(self, tickets: Sequence[spi.Ticket]) -> None:
        self._here.cancel(tickets)
        if self._child is not None:
            self._child.cancel(tickets)

    def fetch(self, handle: spi.Handle) -> Any:
        return handle.value() if isinstance(handle, spi.Payload) else self._here.fetch(handle)

    def put(self, value: Any) -> spi.Handle:
        return self._here.put(value)

    def close(self) -> None:
        try:
            if self._child is not None:
                self._child.close()
        finally:
            self._here.close()


def _here(call: spi.Call) -> spi.Call:
    """The call with results of the child process as values of this one."""
    if not any(isinstance(leaf, spi.Payload) for leaf in call.leaves):
        return call
    leaves = tuple(
        spi.Ref(leaf.value(), leaf.digest) if isinstance(leaf, spi.Payload) else leaf
        for leaf in call.leaves
    )
    return call._replace(leaves=leaves)


def _there(call: spi.Call) -> spi.Call:
    """The call with values of this process to be sent."""
    if not any(isinstance(leaf, spi.Ref) for leaf in call.leaves):
        return call
    leaves = tuple(
        spi.Payload(leaf.value, digest=leaf.digest) if isinstance(leaf, spi.Ref) else leaf
        for leaf in call.leaves
    )
    return call._replace(leaves=leaves)
