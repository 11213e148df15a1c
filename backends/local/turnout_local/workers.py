"""One worker process as the pool sees it, and the call it has."""

from __future__ import annotations

from dataclasses import dataclass, field

from turnout import spi
from turnout_local.slots import Grant, Need


@dataclass(slots=True, eq=False)
class Entry:
    """A submitted call.

    Attributes:
        ticket: its ticket.
        parcel: what is sent.
        need: the slots it asks for.
        progress: how far it has come.
        grant: the slots it has.
    """

    ticket: spi.Ticket
    parcel: spi.Parcel
    need: Need
    progress: spi.Progress
    grant: Grant | None = None

    def timed_out(self, now: float) -> spi.Completion:
        """Its end, when an attempt took longer than it may."""
        return self.progress.timed_out(self.ticket, now)

    def lost(self, reason: str) -> spi.Completion:
        """Its end, when the worker went away."""
        error = spi.WorkerLost(f"node {self.progress.call.id!r}: its worker process {reason}")
        summary = spi.Summary(attempts=self.progress.failed)
        return spi.Completion(self.ticket, spi.Status.LOST, None, summary, error)

    def failed_with(self, error: BaseException) -> spi.Completion:
        """Its end, when it could not be tried."""
        last = spi.Attempt(self.progress.attempt, error, 0.0, False)
        summary = spi.Summary(attempts=(*self.progress.failed, last))
        return spi.Completion(self.ticket, spi.Status.FAILED, None, summary, error)

    def cancelled(self) -> spi.Completion:
        """Its end, when it was cancelled."""
        return spi.Completion(self.ticket, spi.Status.CANCELLED)


@dataclass(slots=True, eq=False)
class Worker:
    """A worker process.

    Attributes:
        child: the process.
        ready: whether it has told that it has started.
        entry: the call it has.
        devices: the devices it sees for good; ``None`` before its first call.
        known: the numbers of the tasks it has been told of.
    """

    child: spi.Child
    ready: bool = False
    entry: Entry | None = None
    devices: tuple[int, ...] | None = None
    known: set[int] = field(default_factory=set)

    def start(self, sender: spi.Sender, visible: list[str] | None) -> None:
        """Send it its call.

        Args:
            sender: knows the tasks.
            visible: names of the devices it may see; ``None`` leaves that as it is.
        """
        assert self.entry is not None
        number = self.entry.parcel.number
        if visible is not None:
            self.child.send(spi.variables({"CUDA_VISIBLE_DEVICES": ",".join(visible)}))
        if number not in self.known:
            self.known.add(number)
            self.child.send(sender.intro(number))
        self.child.send(self.entry.parcel.message)
