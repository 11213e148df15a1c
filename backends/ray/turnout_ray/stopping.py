"""Ending calls that are under way.

Ray ends the whole driver, with "Tried to complete task that was not pending", where a task is
cancelled in the very moment in which its input comes, or in which it ends. So whatever ends by
itself is left to do so, consumers are cancelled before what they wait for, and those that may
be running are given a moment first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import ray
from ray.exceptions import RayError

from turnout_ray.ticket import RayTicket

_WINDOW: Final = 256
_MOMENT: Final = 0.02
_LEAVE: Final = 0.5


class Stopper:
    """Ends calls, and hears out those that Ray ends by itself."""

    def __init__(self) -> None:
        self._fading: dict[Any, RayTicket] = {}

    def stop(self, tickets: Iterable[RayTicket]) -> None:
        """End calls; of what they still give nothing is wanted."""
        left = self._without_failing(sorted(tickets, key=lambda ticket: ticket.number))
        if not left:
            return
        # Those sent first are those that run, as far as there are cores.
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        running = int(resources.get("CPU", 0)) + 1
        _cancel(left[running:])
        eldest = {ticket.reply: ticket for ticket in left[:running]}
        _, rest = ray.wait([*eldest], num_returns=len(eldest), timeout=_MOMENT)
        _cancel([eldest[reply] for reply in rest])
        self._fading.update((ticket.reply, ticket) for ticket in left)

    def _without_failing(self, tickets: list[RayTicket]) -> list[RayTicket]:
        """The calls that do not come to nothing by themselves, for an input that will not be."""
        failing: set[RayTicket] = set()
        for ticket in tickets:
            if any(need.bad or need in failing for need in ticket.needs):
                failing.add(ticket)
                self._fading[ticket.reply] = ticket
        return [ticket for ticket in tickets if ticket not in failing]

    def hear_out(self, seconds: float = 0.0) -> None:
        """Look at how calls ended that nobody waits for: Ray complains of errors not looked at."""
        if not self._fading:
            return
        asked = [*self._fading] if seconds else [*islice(self._fading, _WINDOW)]
        ended, _ = ray.wait(asked, num_returns=len(asked), timeout=seconds, fetch_local=False)
        for reply in ended:
            value = self._fading.pop(reply).value.ref
            try:
                ray.get(reply)
            except RayError:
                if value is not None and value != reply:
                    with contextlib.suppress(RayError):
                        ray.get(value)

    def close(self) -> None:
        """Take leave of what still ends."""
        self.hear_out(_LEAVE)
        self._fading.clear()


def _cancel(tickets: list[RayTicket]) -> None:
    for ticket in reversed(tickets):
        # Asking politely ends no task that sleeps, or computes outside of Python.
        with contextlib.suppress(RayError, ValueError):
            ray.cancel(ticket.reply, force=True)
