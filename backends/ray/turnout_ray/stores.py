"""Whether the machines of a cluster see the store of a run, asked before anything runs there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

import ray
from ray.exceptions import RayError

from turnout import spi

_PATIENCE: Final = 20.0
_AT_MOST: Final = 32
"""How many machines are asked; any other tells when it first uses the store."""


def see_to_store(info: spi.RunInfo, log: Callable[[str], None]) -> None:
    """Ask a worker on each machine, this one excepted where the store is a path.

    Raises:
        PlanError: a machine does not see it; all of those asked are told.
    """
    asked = {_ask(node, info): host for host, node in _machines(info.store)}
    if not asked:
        return
    ready, late = ray.wait([*asked], num_returns=len(asked), timeout=_PATIENCE)
    problems = []
    for ref in ready:
        try:
            problem = ray.get(ref)
        except RayError:
            continue  # what keeps it from running keeps the tasks, which tell it with their names
        if problem:
            problems.append(problem)
    for ref in late:
        ray.cancel(ref)
        log(f"machine {asked[ref]!r} has not said whether it sees the store; its tasks will")
    if problems:
        raise spi.PlanError(problems)


def _machines(store: str) -> list[tuple[str, str]]:
    """Host and one node of each machine to be asked."""
    found: dict[str, str] = {}
    for node in ray.nodes():
        if node["Alive"]:
            found.setdefault(node["NodeManagerHostname"], node["NodeID"])
    if "://" not in store:
        found.pop(socket.gethostname(), None)
    return [*found.items()][:_AT_MOST]


def _ask(node: str, info: spi.RunInfo) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return _unreached.options(scheduling_strategy=there, name="store").remote(info)


_unreached: Final[Any] = ray.remote(num_cpus=0, max_retries=0)(spi.unreached)
