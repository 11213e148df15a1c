"""What has become of each node of a run, kept from its events."""

from __future__ import annotations

import re
import time
from typing import Final, NamedTuple

from turnout.backend.hooks import NodeEvent, RunEvent

__all__ = ["Entry", "Row", "Tally", "duration_text", "error_text"]

RUNNING, DONE, CACHED, FAILED, RETRYING = "running", "done", "cached", "failed", "retrying"
CANCELLED = "cancelled"
STATUSES: Final = (DONE, CACHED, RUNNING, RETRYING, CANCELLED, FAILED)

_ITEM: Final = re.compile(r"^(.*)\[(\d+)\]$")
_LONG_MAP: Final = 4
_MOST_ROWS: Final = 40
_SAME_TASK: Final = 3


class Entry:
    """A node of the run.

    Attributes:
        node: its name in the run.
        task: the task's name.
        status: ``running``, ``done``, ``cached``, ``failed``, or ``retrying`` between attempts.
        began: when it started, in seconds since the epoch.
        seconds: how long it took.
        attempts: how many attempts were made.
        error: what its last failed attempt failed with.
    """

    __slots__ = ("attempts", "began", "error", "node", "seconds", "status", "task")

    def __init__(self, node: str, task: str, status: str, began: float) -> None:
        self.node = node
        self.task = task
        self.status = status
        self.began = began
        self.seconds = 0.0
        self.attempts = 1
        self.error: BaseException | None = None


class Row(NamedTuple):
    """A line of a table of nodes: one node, or several folded into one.

    Attributes:
        name: the node, or the nodes such as ``fit[0..199]``.
        counts: status and how many nodes have it.
        attempts: the most attempts any of them took.
        seconds: in total.
        error: a failure among them.
    """

    name: str
    counts: dict[str, int]
    attempts: int
    seconds: float
    error: BaseException | None

    @property
    def status(self) -> str:
        """The status as text, with numbers where several nodes are folded.

        >>> counts = {"done": 9, "failed": 1}
        >>> Row(name="fit[0..9]", counts=counts, attempts=1, seconds=2, error=None).status
        '9 done, 1 failed'
        """
        if sum(self.counts.values()) == 1:
            return next(iter(self.counts))
        told = [f"{self.counts[status]} {status}" for status in STATUSES if status in self.counts]
        return ", ".join(told)


class Tally:
    """The nodes of a run, in the order they were first heard of.

    Attributes:
        entries: by the node's name.
        running: those that run now.
        counts: how many are done, cached and failed.
        run: what the run said when it started.
        began: when that was, in seconds since the epoch.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.running: dict[str, Entry] = {}
        self.counts = dict.fromkeys((DONE, CACHED, FAILED), 0)
        self.run: RunEvent | None = None
        self.began = 0.0

    def run_started(self, event: RunEvent) -> None:
        """The run begins; what was known of an earlier one is forgotten."""
        self.entries.clear()
        self.running.clear()
        self.counts = dict.fromkeys((DONE, CACHED, FAILED), 0)
        self.run = event
        self.began = event.time or time.time()

    def node_started(self, event: NodeEvent) -> None:
        """A node runs."""
        entry = Entry(event.node, event.task, RUNNING, event.time or time.time())
        self.entries[event.node] = self.running[event.node] = entry

    def node_failed(self, event: NodeEvent) -> None:
        """An attempt failed; it counts as the node's end until a further one begins."""
        entry = self._entry(event)
        if entry.status != FAILED:
            self.counts[FAILED] += 1
        entry.status = FAILED
        entry.attempts = event.attempt
        entry.seconds += event.seconds
        entry.error = event.error
        self.running.pop(event.node, None)

    def node_retried(self, event: NodeEvent) -> None:
        """A further attempt begins."""
        entry = self._entry(event)
        if entry.status == FAILED:
            self.counts[FAILED] -= 1
        entry.status = RETRYING
        entry.attempts = event.attempt
        self.running[event.node] = entry

    def node_finished(self, event: NodeEvent) -> None:
        """A node has succeeded."""
        entry = self._entry(event)
        entry.status = DONE
        entry.seconds = event.seconds or entry.seconds
        entry.attempts = max(entry.attempts, event.attempt)
        self.counts[DONE] += 1
        self.running.pop(event.node, None)

    def node_cached(self, event: NodeEvent) -> None:
        """A node's result was found in the cache."""
        entry = self._entry(event)
        entry.status = CACHED
        self.counts[CACHED] += 1
        self.running.pop(event.node, None)

    def end(self) -> None:
        """The run is over: what still ran then was cancelled."""
        for entry in self.running.values():
            entry.status = CANCELLED
        self.running.clear()

    def _entry(self, event: NodeEvent) -> Entry:
        entry = self.entries.get(event.node)
        if entry is None:
            entry = Entry(event.node, event.task, RUNNING, event.time or time.time())
            self.entries[event.node] = entry
        return entry

    def rows(self) -> list[Row]:
        """The nodes for a table: long maps in one row, and never more than a screen of rows."""
        groups: dict[str, list[Entry]] = {}
        items = {entry.node: _ITEM.match(entry.node) for entry in self.entries.values()}
        maps = {match[1] for match in items.values() if match}
        for entry in self.entries.values():
            if entry.node in maps:
                continue  # its items stand for it
            match = items[entry.node]
            groups.setdefault(match[1] + "[" if match else entry.node, []).append(entry)
        rows: list[list[Entry]] = []
        for group in groups.values():
            rows += [group] if len(group) > _LONG_MAP else [[entry] for entry in group]
        if len(rows) > _MOST_ROWS:
            by_task: dict[str, list[Entry]] = {}
            for group in rows:
                by_task.setdefault(group[0].task or group[0].node, []).extend(group)
            rows = []
            for group in by_task.values():
                rows += [group] if len(group) >= _SAME_TASK else [[entry] for entry in group]
        told = [_row(group) for group in rows]
        if len(told) > _MOST_ROWS:
            kept = sorted(told, key=lambda row: (row.error is None, -row.seconds))[:_MOST_ROWS]
            names = {row.name for row in kept}
            rest = [group for group, row in zip(rows, told, strict=True) if row.name not in names]
            others = [entry for group in rest for entry in group]
            told = [row for row in told if row.name in names]
            told.append(_row(others, f"{len(others)} further nodes"))
        return told


def _row(group: list[Entry], name: str = "") -> Row:
    counts: dict[str, int] = {}
    for entry in group:
        counts[entry.status] = counts.get(entry.status, 0) + 1
    errors = [entry.error for entry in group if entry.status == FAILED and entry.error]
    return Row(
        name=name or _folded_name(group),
        counts=counts,
        attempts=max(entry.attempts for entry in group),
        seconds=sum(entry.seconds for entry in group),
        error=errors[0] if errors else None,
    )


def _folded_name(group: list[Entry]) -> str:
    if len(group) == 1:
        return group[0].node
    matches = [_ITEM.match(entry.node) for entry in group]
    stems = {match[1] if match else None for match in matches}
    if len(stems) == 1 and None not in stems:
        numbers = [int(match[2]) for match in matches if match]
        return f"{stems.pop()}[{min(numbers)}..{max(numbers)}]"
    return f"{group[0].task} ({len(group)} nodes)"


def duration_text(seconds: float) -> str:
    """A duration as people say it.

    >>> [duration_text(s) for s in (0.0002, 0.004, 0.31, 12.34, 75, 4000)]
    ['<1 ms', '4 ms', '0.31 s', '12.3 s', '1 min 15 s', '1 h 06 min']
    """
    if seconds < 0.0095:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0005 else "<1 ms"
    if seconds < 9.95:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def error_text(error: BaseException | None, width: int = 120) -> str:
    r"""An exception on one line, its type first.

    >>> error_text(ValueError("no\nrows"))
    'ValueError: no rows'
    """
    if error is None:
        return "failed"
    name = getattr(error, "type_name", "") or type(error).__name__
    message = " ".join(str(getattr(error, "text", "") or error).split())
    message = "".join(char if char.isprintable() else "?" for char in message)
    whole = f"{name.rpartition('.')[2]}: {message}" if message else name.rpartition(".")[2]
    return whole if len(whole) <= width else whole[: width - 1] + "…"
