"""Progress as plain lines, for logs and pipes."""

from __future__ import annotations

import io
import time
from typing import Final, TextIO

from turnout.backend.hooks import NodeEvent, RunEvent
from turnout.observe.summary import summary
from turnout.observe.tally import Tally, duration_text, error_text

__all__ = ["PlainProgress"]

_AT_ONCE: Final = 60.0
_PER_SECOND: Final = 2.0
_BETWEEN_TOTALS: Final = 5.0


class PlainProgress:
    """Writes a line for each event, and totals instead where events come too fast to be read.

    The first 60 lines are written at once, and two more for each second that passes; what
    comes faster than that is counted, and told in one line every five seconds and at the end.
    Failures have an allowance of their own, so that successes never hide them.

    Args:
        stream: where to.
        mark: what to write before each line, to tell runs side by side apart.

    Attributes:
        where: where the record of the run is kept, for the closing line.
    """

    def __init__(self, stream: TextIO, mark: str = "") -> None:
        self.where = ""
        self._stream = stream
        self._mark = mark
        self._tally = Tally()
        self._usual = _Allowance()
        self._failures = _Allowance()
        self._told = 0.0
        self._untold = 0

    def run_started(self, event: RunEvent) -> None:
        """A run begins."""
        self._tally.run_started(event)
        self._told = time.monotonic()

    def node_started(self, event: NodeEvent) -> None:
        """A node runs for the first time."""
        self._tally.node_started(event)
        self._line(event, "started", self._usual)

    def node_failed(self, event: NodeEvent) -> None:
        """An attempt failed."""
        self._tally.node_failed(event)
        self._line(event, f"failed {_attempt(event)}: {error_text(event.error)}", self._failures)

    def node_retried(self, event: NodeEvent) -> None:
        """A further attempt begins."""
        self._tally.node_retried(event)
        self._line(event, f"tried again {_attempt(event)}", self._failures)

    def node_finished(self, event: NodeEvent) -> None:
        """A node has succeeded."""
        self._tally.node_finished(event)
        self._line(event, f"finished in {duration_text(event.seconds)}", self._usual)

    def node_cached(self, event: NodeEvent) -> None:
        """A node's result was found in the cache."""
        self._tally.node_cached(event)
        self._line(event, "cached", self._usual)

    def run_finished(self, event: RunEvent) -> None:
        """The run has ended."""
        self._tell_untold()
        text = summary(self._tally, event, where=self.where, mark=self._mark)
        # A report of the failure follows, unless other runs go on first.
        self._write(text + "\n" * (event.status == "failed" and not self._mark))

    def _line(self, event: NodeEvent, what: str, allowance: _Allowance) -> None:
        now = time.monotonic()
        if allowance.take(now):
            clock = time.strftime("%H:%M:%S", time.localtime(event.time or None))
            self._write(f"{clock} {self._mark}{event.node} {what}")
            return
        if not self._untold:
            self._told = now
        self._untold += 1
        if now - self._told >= _BETWEEN_TOTALS:
            self._told = now
            self._tell_untold()

    def _tell_untold(self) -> None:
        """Say how much has been left out, if anything has."""
        if not self._untold:
            return
        clock = time.strftime("%H:%M:%S")
        lines = f"{self._untold} line{'s' * (self._untold != 1)}"
        self._write(f"{clock} {self._mark}{_totals(self._tally)} ({lines} left out)")
        self._untold = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # A reader that went away, as `| head` does, is no reason to fail a run.
            self._stream = io.StringIO()


def _attempt(event: NodeEvent) -> str:
    of = f" of {event.attempts}" if event.attempts > 1 else ""
    return f"(attempt {event.attempt}{of})"


def _totals(tally: Tally) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in tally.counts.items() if count)
    return f"{counts or 'nothing done yet'}, {len(tally.running)} running"


class _Allowance:
    """How many lines may be written now: a bucket that fills with time."""

    __slots__ = ("_left", "_seen")

    def __init__(self) -> None:
        self._left = _AT_ONCE
        self._seen = 0.0

    def take(self, now: float) -> bool:
        if self._seen:
            self._left = min(_AT_ONCE, self._left + (now - self._seen) * _PER_SECOND)
        self._seen = now
        # What is left out counts too, so that a flood stays shut off until it has calmed down.
        self._left = max(self._left - 1.0, -_PER_SECOND * _BETWEEN_TOTALS)
        return self._left >= 0.0
