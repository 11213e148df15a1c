"""What a run says when it has ended: its nodes, how long each took, and where the record is."""

from __future__ import annotations

import time
from typing import Final

from turnout.backend.hooks import RunEvent
from turnout.observe.tally import CACHED, CANCELLED, FAILED, Row, Tally, duration_text, error_text

__all__ = ["summary"]

NOT_RUN: Final = "not run"

_COLOURS: Final = {"done": "32", "cached": "36", "failed": "31", "dim": "2", "bold": "1"}


def summary(
    tally: Tally, event: RunEvent, *, where: str = "", colour: bool = False, mark: str = ""
) -> str:
    """The closing lines of a run, without a line break at the end.

    Args:
        tally: what became of its nodes.
        event: its end.
        where: where the record of the run is kept.
        colour: whether to write ANSI colours.
        mark: what to write before each line.
    """

    def paint(text: str, style: str) -> str:
        code = _COLOURS.get(style)
        return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text

    seconds = (event.time or time.time()) - tally.began
    style = {"succeeded": "done", "failed": "failed"}.get(event.status, "bold")
    head = f"{event.workflow} {paint(event.status, style)}"
    head += f" on {event.environment} in {duration_text(seconds)}"
    tally.end()
    rows = tally.rows()
    counts: dict[str, int] = {}
    for row in rows:
        for status, count in row.counts.items():
            counts[status] = counts.get(status, 0) + count
    if event.status != "succeeded" and event.nodes > len(tally.entries):
        counts[NOT_RUN] = event.nodes - len(tally.entries)
    total = sum(counts.values())
    extras = [
        f"{counts[what]} {what}" for what in (CACHED, CANCELLED, FAILED, NOT_RUN) if what in counts
    ]
    head += f" ({', '.join([f'{total} node' + 's' * (total != 1), *extras])})"
    lines = [head]
    names = max((len(row.name) for row in rows), default=0)
    statuses = max((len(_status(row)) for row in rows), default=0)
    times = max((len(_seconds(row)) for row in rows), default=0)
    for row in rows:
        status = _status(row)
        kind = FAILED if row.counts.get(FAILED) else next(iter(row.counts))
        line = f"  {row.name:<{names}}  {paint(status, kind)}{' ' * (statuses - len(status))}"
        line += f"  {_seconds(row):>{times}}"
        if row.error is not None:
            line += f"  {paint(error_text(row.error, 100), FAILED)}"
        lines.append(line.rstrip())
    end = f"run {event.run_id}" if event.run_id else ""
    if where:
        end = f"{end}, recorded in {where}" if end else f"recorded in {where}"
    if end:
        lines.append(paint(end, "dim"))
    return "\n".join(mark + line for line in lines)


def _status(row: Row) -> str:
    if set(row.counts) == {CACHED}:
        return row.status
    if row.attempts > 1:
        most = "up to " if sum(row.counts.values()) > 1 else ""
        return f"{row.status}, {most}{row.attempts} attempts"
    return row.status


def _seconds(row: Row) -> str:
    if not row.seconds and set(row.counts) <= {CACHED, CANCELLED}:
        return ""
    total = " total" if sum(row.counts.values()) > 1 else ""
    return duration_text(row.seconds) + total
