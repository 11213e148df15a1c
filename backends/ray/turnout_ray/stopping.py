"""Ending calls that are under way.

Ray ends the whole driver, with "Tried to complete task that was not pending", where a task is
cancelled in the very moment in which its input comes, or in which it ends. So whatever ends by
itself is left to do so, consumers are cancelled before what they wait for, and those that may
be running are given a moment first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import ray
from ray.exceptions import RayError

from turnout_ray.ticket import RayTicket

_WINDOW: Final = 256
_MOMENT: Final = 0.02
_CHUNK: Final = 16
_LEAVE: Final = 2.0


class Stopper:
    """Ends calls, and hears out those that Ray ends by itself."""

    def __init__(self) -> None:
        self._fading: dict[Any, RayTicket] = {}

    def stop(self, tickets: Iterable[RayTicket]) -> None:
        """End calls; of what they still give nothing is wanted."""
        ours = sorted(tickets, key=lambda ticket: ticket.number)
        if not ours:
            return
        # Those sent first are those that run, as far as there are cores.
        resources = ray.cluster_resources()
        running = int(resources.get("CPU", 0)) + 1
        failing = _failing(ours)
        left = [ticket for ticket in ours if ticket not in failing]
        _cancel_waiting([ticket for ticket in ours if ticket in failing], running)
        eldest = {ticket.reply: ticket for ticket in _cancel_waiting(left, running)}
        if eldest:
            _, rest = ray.wait([*eldest], num_returns=len(eldest), timeout=_MOMENT)
            for reply in reversed(rest):
                _cancel(eldest[reply])
        self._fading.update((ticket.reply, ticket) for ticket in ours)

    def hear_out(self, seconds: float = 0.0) -> None:
        """Look at how calls ended that nobody waits for: Ray complains of errors not looked at."""
        if not self._fading:
            return
        asked = [*self._fading] if seconds else [*islice(self._fading, _WINDOW)]
        ended, _ = ray.wait(asked, num_returns=len(asked), timeout=seconds, fetch_local=False)
        for reply in ended:
            ticket = self._fading.pop(reply)
            try:
                ray.get(reply)
            except RayError:
                look_at_error(ticket)

    def close(self) -> None:
        """Take leave of what still ends."""
        self.hear_out(_LEAVE)
        self._fading.clear()


def look_at_error(ticket: RayTicket) -> None:
    """Look at the error that stands for a failed call's value: Ray complains of it otherwise."""
    value = ticket.value.ref
    if value is not None and value != ticket.reply:
        with contextlib.suppress(RayError):
            ray.get(value, timeout=_MOMENT)


def _failing(tickets: Sequence[RayTicket]) -> set[RayTicket]:
    """The calls that come to nothing by themselves, for an input that will not be."""
    failing: set[RayTicket] = set()
    for ticket in tickets:
        if any(need.bad or need in failing for need in ticket.needs):
            failing.add(ticket)
    return failing


def _cancel_waiting(tickets: list[RayTicket], running: int) -> list[RayTicket]:
    """Cancel those that have not begun, last ones first; gives the others."""
    left = list(tickets)
    while len(left) > running:
        first = max(running, len(left) - _CHUNK)
        replies = [ticket.reply for ticket in left[first - running :]]
        ended, _ = ray.wait(replies, timeout=0, fetch_local=False)
        if ended:
            break  # what comes next is about to begin
        for ticket in reversed(left[first:]):
            _cancel(ticket)
        del left[first:]
    return left


def _cancel(ticket: RayTicket) -> None:
    # Asking politely ends no task that sleeps, or computes outside of Python.
    with contextlib.suppress(RayError, ValueError):
        ray.cancel(ticket.reply, force=True)
