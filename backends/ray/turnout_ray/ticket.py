"""A call on its way through Ray."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from turnout import spi
from turnout_ray.values import RayHandle

_numbers = count()


class RayTicket(spi.Ticket):
    """A call on its way.

    Args:
        progress: the call, and how far its attempts have come.
        value: what stands for the result.
        reply: reference of what the worker says in the end.
        needs: the calls whose results it takes, as far as they had not ended.

    Attributes:
        deadline: when the attempt under way has taken too long, on this process's clock.
        bad: whether the result will never come.
        number: counts the tickets of this process; consumers come after what they wait for.
    """

    __slots__ = ("bad", "deadline", "needs", "number", "progress", "reply", "value")

    def __init__(
        self, progress: spi.Progress, value: RayHandle, reply: Any, needs: Sequence[RayTicket]
    ) -> None:
        super().__init__(value)
        self.value = value
        self.progress = progress
        self.reply = reply
        self.needs = needs
        self.deadline: float | None = None
        self.bad = False
        self.number = next(_numbers)

    @property
    def call(self) -> spi.Call:
        """The call."""
        return self.progress.call

    @property
    def key(self) -> tuple[str, int]:
        """What the call is known by to its worker: its node, and its first attempt."""
        return self.call.id, self.call.attempt
