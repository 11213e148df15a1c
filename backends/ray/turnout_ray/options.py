"""What a task asks for, in Ray's words."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from turnout import spi


@dataclass(frozen=True)
class RayOptions:
    """Settings of one task for Ray alone: ``options={"ray": {...}}``.

    Attributes:
        scheduling_strategy: ``DEFAULT`` or ``SPREAD``; overrides the environment's.
        runtime_env: Ray's ``runtime_env`` for this task, over the environment's.
        resources: custom resources, name to amount; added to those of `turnout.Resources`.
        label_selector: labels a node must have, name to value.
        max_retries: overrides the environment's.
    """

    scheduling_strategy: str | None = None
    runtime_env: Mapping[str, Any] | None = None
    resources: Mapping[str, float] | None = None
    label_selector: Mapping[str, str] | None = None
    max_retries: int | None = None


_NAMES = [field.name for field in fields(RayOptions)]


def problems_of(config: Any, node: str, options: spi.TaskOptions) -> list[str]:
    """What cannot be done with a node's options, each in a sentence."""
    problems = []
    said = _said(options)
    for name in said:
        if name not in _NAMES:
            close = difflib.get_close_matches(name, _NAMES, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(_NAMES)}"
            problems.append(f"node {node!r}: options.ray has no {name!r}; {hint}")
    if said.get("scheduling_strategy", "SPREAD") not in (None, "DEFAULT", "SPREAD"):
        problems.append(f"node {node!r}: options.ray.scheduling_strategy is DEFAULT or SPREAD")
    wanted = options.resources
    if wanted is None or config.address is not None or "RAY_ADDRESS" in os.environ:
        return problems
    # What is started here does not grow: Ray would wait for ever.
    cores = config.num_cpus if config.num_cpus is not None else os.cpu_count() or 1
    for what, amount, there in (("cpu", wanted.cpu, cores), ("gpu", wanted.gpu, config.num_gpus)):
        if amount is not None and there is not None and amount > there:
            problems.append(
                f"node {node!r} asks for {amount:g} {what} and this machine's instance has "
                f"{there}; ask for less, or set execution_environment.num_{what}s"
            )
    return problems


def remote_options(config: Any, options: spi.TaskOptions) -> dict[str, Any]:
    """The arguments of ``ray.remote(...).options`` for a task."""
    said = RayOptions(**_said(options))
    asked: dict[str, Any] = {
        "max_retries": config.max_retries if said.max_retries is None else said.max_retries
    }
    wanted = options.resources or spi.Resources()
    custom = {**wanted.custom, **(said.resources or {})}
    where = {
        "num_cpus": wanted.cpu,
        "num_gpus": wanted.gpu,
        "memory": None if wanted.mem is None else spi.memory_bytes(wanted.mem),
        "accelerator_type": wanted.accelerator,
        "resources": custom or None,
        "label_selector": dict(said.label_selector or {}) or None,
        "scheduling_strategy": said.scheduling_strategy or config.scheduling_strategy,
    }
    asked |= {name: value for name, value in where.items() if value not in (None, "DEFAULT")}
    environment = dict(said.runtime_env or {})
    if options.image is not None and config.address is not None:
        environment["image_uri"] = options.image
    if environment:
        asked["runtime_env"] = environment
    return asked


def _said(options: spi.TaskOptions) -> dict[str, Any]:
    return dict((options.options or {}).get("ray") or {})
