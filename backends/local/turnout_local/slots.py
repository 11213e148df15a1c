"""The processors and devices that the tasks of a run share."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import NamedTuple

# Sums of fractions such as ten times 0.1 must fill a slot and not miss it by a rounding error.
_ROUNDING = 1e-9


class Need(NamedTuple):
    """What a task asks for.

    Attributes:
        cpu: processors.
        gpu: devices.
    """

    cpu: float = 1.0
    gpu: float = 0.0


class Grant(NamedTuple):
    """What a task was given.

    Attributes:
        cpu: processors.
        devices: positions of its devices.
        share: how much of each device.
    """

    cpu: float
    devices: tuple[int, ...] = ()
    share: float = 1.0


class Slots:
    """What is free.

    Args:
        cpus: how many processors there are.
        gpus: how many devices there are.

    >>> slots = Slots(2, 1)
    >>> slots.take(Need(1, 1))
    Grant(cpu=1, devices=(0,), share=1.0)
    >>> slots.take(Need(1, 1)) is None
    True
    """

    def __init__(self, cpus: float, gpus: int) -> None:
        self._cpus = float(cpus)
        self._devices = [1.0] * gpus

    def take(self, need: Need, preferred: Iterable[tuple[int, ...]] = ()) -> Grant | None:
        """Take what a task asks for, if there is so much.

        Args:
            need: what it asks for.
            preferred: sets of devices that are better than others.
        """
        if need.cpu > self._cpus + _ROUNDING:
            return None
        share = need.gpu if need.gpu < 1 else 1.0
        found: tuple[int, ...] | None = ()
        if need.gpu > 0:
            found = self._find(math.ceil(need.gpu), share, preferred)
            if found is None:
                return None
        grant = Grant(need.cpu, found or (), share)
        self._change(grant, -1)
        return grant

    def give_back(self, grant: Grant) -> None:
        """Free what a task had."""
        self._change(grant, 1)

    def _find(
        self, count: int, share: float, preferred: Iterable[tuple[int, ...]]
    ) -> tuple[int, ...] | None:
        fit = [i for i, free in enumerate(self._devices) if free + _ROUNDING >= share]
        for devices in preferred:
            if len(devices) == count and all(i in fit for i in devices):
                return devices
        # The fullest device that has room, so that whole ones stay whole.
        fit.sort(key=lambda i: self._devices[i])
        return tuple(sorted(fit[:count])) if len(fit) >= count else None

    def _change(self, grant: Grant, sign: int) -> None:
        self._cpus += sign * grant.cpu
        for i in grant.devices:
            self._devices[i] += sign * grant.share


def device_names(gpus: int) -> list[str]:
    """What the devices are called in ``CUDA_VISIBLE_DEVICES``, of those this process may use."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in said.split(",") if name.strip()]
    return names[:gpus] if len(names) >= gpus else [str(i) for i in range(gpus)]
