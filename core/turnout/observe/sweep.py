"""Progress of runs side by side: each line says which job of the sweep it is about."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TextIO

from turnout.backend.hooks import NodeEvent, RunEvent
from turnout.observe.live import LiveProgress
from turnout.observe.plain import PlainProgress
from turnout.observe.progress import is_live
from turnout.observe.summary import summary
from turnout.observe.tally import Tally

__all__ = ["SweepViews"]


class SweepViews:
    """The views of a sweep's jobs on one stream.

    Args:
        stream: where to; a terminal gets one live view of all jobs, all else plain lines.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = _LiveSweep(stream) if is_live(stream) else None

    def view(self, number: int) -> JobView | PlainProgress:
        """An observer for the run of one job."""
        if self._live is None:
            return PlainProgress(self._stream, self.mark(number))
        return JobView(self._live, self.mark(number))

    @staticmethod
    def mark(number: int) -> str:
        """What its lines begin with.

        >>> SweepViews.mark(3)
        '#3 '
        """
        return f"#{number} "


class JobView:
    """What one job's run tells the live view of all.

    Attributes:
        where: where the record of the run is kept, for the closing line.
    """

    def __init__(self, all_jobs: _LiveSweep, mark: str) -> None:
        self.where = ""
        self._all = all_jobs
        self._mark = mark
        self._tally = Tally()

    def run_started(self, event: RunEvent) -> None:
        """The run begins."""
        self._tally.run_started(event)
        self._all.begin(event)

    def node_started(self, event: NodeEvent) -> None:
        """A node runs for the first time."""
        self._tell("node_started", event)

    def node_failed(self, event: NodeEvent) -> None:
        """An attempt failed."""
        self._tell("node_failed", event)

    def node_retried(self, event: NodeEvent) -> None:
        """A further attempt begins."""
        self._tell("node_retried", event)

    def node_finished(self, event: NodeEvent) -> None:
        """A node has succeeded."""
        self._tell("node_finished", event)

    def node_cached(self, event: NodeEvent) -> None:
        """A node's result was found in the cache."""
        self._tell("node_cached", event)

    def run_finished(self, event: RunEvent) -> None:
        """The run has ended; its summary stays."""
        running = [f"{self._mark}{node}" for node in self._tally.running]
        text = summary(
            self._tally, event, where=self.where, colour=self._all.coloured, mark=self._mark
        )
        self._all.end(running, text)

    def _tell(self, what: str, event: NodeEvent) -> None:
        getattr(self._tally, what)(event)
        self._all.tell(what, event._replace(node=f"{self._mark}{event.node}"))


class _LiveSweep(LiveProgress):
    """One live view for the nodes of all jobs under way."""

    def __init__(self, stream: TextIO) -> None:
        self.coloured = "NO_COLOR" not in os.environ
        super().__init__(stream, colour=self.coloured)
        self._lock = threading.Lock()
        self._jobs = 0

    def begin(self, event: RunEvent) -> None:
        """A job's run begins; the first opens the view."""
        with self._lock:
            self._jobs += 1
            if self._jobs == 1:
                # How many nodes there will be is known of single runs only.
                self.run_started(event._replace(nodes=0))

    def tell(self, what: str, event: NodeEvent) -> None:
        """Something happened to a node."""
        with self._lock:
            getattr(self._tally, what)(event)

    def end(self, running: list[str], text: str) -> None:
        """A job's run has ended; the last closes the view."""
        with self._lock:
            for name in running:
                self._tally.running.pop(name, None)
            self._jobs -= 1
            last = self._jobs == 0
        if last:
            self.close()
        with contextlib.suppress(OSError, ValueError):
            self.write(text + "\n")

    def _totals(self, now: float) -> str:
        jobs = f"{self._jobs} job{'s' * (self._jobs != 1)} under way"
        return f"{jobs} · {super()._totals(now)}"
