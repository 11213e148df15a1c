"""How far a call has come that runs elsewhere, as its worker tells: attempts, and their limit."""

from __future__ import annotations

from turnout.backend.call import Attempt, Call, Completion, Status, Summary, Ticket
from turnout.errors import TaskTimeout
from turnout.worker.wire import Began


class Progress:
    """The attempts of a call.

    Attributes:
        call: the call.
        attempt: number of the attempt under way.
        since: when that began, on its worker's clock; ``None`` before the worker has told.
        failed: attempts of this call that failed so far.
    """

    __slots__ = ("attempt", "call", "failed", "since")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.attempt = call.attempt
        self.since: float | None = None
        self.failed: tuple[Attempt, ...] = ()

    def began(self, told: Began) -> None:
        """An attempt begins."""
        self.attempt = told.number
        self.since = told.since
        self.failed += told.failed

    @property
    def deadline(self) -> float | None:
        """When the attempt has taken too long; ``None`` while that cannot be said."""
        timeout = self.call.options.timeout
        if timeout is None or self.since is None:
            return None
        return self.since + timeout

    def timed_out(self, ticket: Ticket, now: float) -> Completion:
        """The call's end, when an attempt took longer than it may."""
        assert self.since is not None
        timeout = self.call.options.timeout
        error = TaskTimeout(
            f"node {self.call.id!r}: attempt {self.attempt} took longer than its timeout of "
            f"{timeout:g} s"
        )
        seconds = now - self.since
        last = Attempt(self.attempt, error, seconds, False)
        summary = Summary(seconds=seconds, attempts=(*self.failed, last))
        return Completion(ticket, Status.TIMED_OUT, None, summary, error)
