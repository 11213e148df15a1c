"""What a task asks for, in Ray's words."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from turnout import spi
from turnout_ray.labels import unreadable

_RAYS_OWN: Final = {"CPU": "cpu=...", "GPU": "gpu=...", "memory": "mem=..."}

_ACCELERATOR: Final = "accelerator_type:"
_NOT_IN_IMAGES: Final = ("pip", "uv", "conda", "py_executable", "container")


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

    def __post_init__(self) -> None:
        if self.scheduling_strategy not in (None, "DEFAULT", "SPREAD"):
            raise ValueError(
                f"scheduling_strategy is DEFAULT or SPREAD, not {self.scheduling_strategy!r}"
            )
        if self.max_retries is not None and self.max_retries < -1:
            raise ValueError("max_retries is a number of times, or -1 for as often as it takes")
        for problem in unreadable(self.label_selector or {}):
            raise ValueError(problem)
        negative = [name for name, amount in (self.resources or {}).items() if amount < 0]
        if negative:
            raise ValueError(f"resources must not be negative: {', '.join(negative)}")


def problems_of(config: Any, node: str, options: spi.TaskOptions) -> list[str]:
    """What cannot be done with a node's options, each in a sentence."""
    said = RayOptions(**_said(options))
    problems = list(_unfit_amounts(node, remote_options(config, options)))
    if said.runtime_env:
        from turnout_ray.runtime_env import problems_in

        where = f"node {node!r}: options.ray.runtime_env"
        problems += problems_in(said.runtime_env, where, of_task=True)
    if options.image is not None and joins(config):
        problems += _beside_the_image(config, node, said)
    if config.placement_group:
        problems += _beside_the_group(config, node, options)
    if not problems and not joins(config) and not _is_connected():
        problems += _more_than_there_is(config, node, options)
    return problems


def _beside_the_image(config: Any, node: str, said: RayOptions) -> Iterator[str]:
    """What Ray does outside of a container, so that its task would not have it."""
    for where, environment in (
        ("execution_environment.runtime_env", config.runtime_env),
        ("options.ray.runtime_env", said.runtime_env or {}),
    ):
        lost = [name for name in _NOT_IN_IMAGES if environment.get(name)]
        if lost:
            yield (
                f"node {node!r} has an image, in which {where} has no effect: {', '.join(lost)}; "
                "put what it needs into the image"
            )


def _unfit_amounts(node: str, asked: Mapping[str, Any]) -> Iterator[str]:
    """Amounts that Ray itself refuses, without a word of the node."""
    gpus = asked.get("num_gpus", 0)
    if gpus > 1 and gpus != int(gpus):
        yield f"node {node!r} asks for {gpus:g} gpu; above one, Ray gives whole devices only"
    for name, amount in asked.get("resources", {}).items():
        if name in _RAYS_OWN:
            yield f"node {node!r}: {name!r} is no custom resource; use Resources({_RAYS_OWN[name]})"
        elif amount > 1 and amount != int(amount):
            yield f"node {node!r} asks for {amount:g} {name}; above one, Ray gives whole ones only"


def _beside_the_group(config: Any, node: str, options: spi.TaskOptions) -> Iterator[str]:
    """What would run outside of the bundles reserved for the run, or fits into none."""
    asked = remote_options(config, options)
    if "scheduling_strategy" in asked:
        yield (
            f"node {node!r} would be placed by scheduling_strategy={asked['scheduling_strategy']}, "
            "outside of execution_environment.placement_group; set one of the two"
        )
        return
    wanted = {"CPU": 1, **amounts(asked)}
    bundles = config.placement_group["bundles"]
    if not any(all(one.get(name, 0) >= much for name, much in wanted.items()) for one in bundles):
        yield f"node {node!r} asks for {told(wanted)}, and no bundle of the group has that"


def bundles_too_large(config: Any) -> Iterator[str]:
    """What a placement group asks for and an instance that is started here does not have."""
    wanted: Counter[str] = Counter()
    for bundle in config.placement_group.get("bundles", ()):
        wanted.update(bundle)
    there = {"CPU": cores_of(config), "GPU": config.num_gpus, "memory": memory_here()}
    for name, much in wanted.items():
        if ":" in name or name == "object_store_memory":
            continue  # of nodes and models; Ray knows once it has started
        has = there.get(name, 0)
        if has is not None and much > has:
            yield (
                f"execution_environment.placement_group asks for {told({name: much})}, and the "
                f"instance that is started here has {told({name: has})}; ask for less, or set "
                "num_cpus or num_gpus"
            )


def told(amounts: Mapping[str, float]) -> str:
    """Amounts by Ray's names, in words.

    >>> told({"CPU": 2, "memory": 3 << 30, "accelerator_type:A100": 0.001})
    '2 CPU, 3 GiB of memory, a machine with A100'
    """
    words = []
    for name, much in amounts.items():
        if name == "memory":
            words.append(f"{much / (1 << 30):.3g} GiB of memory")
        elif name.startswith(_ACCELERATOR):
            words.append(f"a machine with {name.removeprefix(_ACCELERATOR)}")
        else:
            words.append(f"{much:g} {name}")
    return ", ".join(words)


def _more_than_there_is(config: Any, node: str, options: spi.TaskOptions) -> Iterator[str]:
    """What an instance that is started here does not have; it does not grow, so Ray would wait."""
    wanted = options.resources or spi.Resources()
    cores = 1.0 if wanted.cpu is None else wanted.cpu  # as Ray counts a task
    for what, amount in (("cpu", cores), ("gpu", wanted.gpu)):
        there = cores_of(config) if what == "cpu" else config.num_gpus
        if amount is not None and there is not None and amount > there:
            yield (
                f"node {node!r} asks for {amount:g} {what} and this machine's instance has "
                f"{there}; ask for less, or set execution_environment.num_{what}s"
            )
    memory = 0 if wanted.mem is None else spi.memory_bytes(wanted.mem)
    if memory > memory_here():
        yield (
            f"node {node!r} asks for {told({'memory': memory})} and this machine has "
            f"{told({'memory': memory_here()})}; ask for less, or set execution_environment.address"
        )
    custom = [*wanted.custom, *(_said(options).get("resources") or ())]
    if custom:
        yield (
            f"node {node!r} asks for {', '.join(map(repr, custom))}, and an instance started on "
            "this machine has no custom resources; set execution_environment.address to a "
            "cluster that has"
        )
    selector = _said(options).get("label_selector") or {}
    labels = [name for name, asked in selector.items() if _is_own(name) and asked[:1] != "!"]
    if labels:
        yield (
            f"node {node!r} asks for a machine with a label {labels[0]!r}, and an instance started "
            "on this machine has none; set execution_environment.address to a cluster that has"
        )


def _is_own(label: str) -> bool:
    """Whether a label is the users' own; Ray gives every node some."""
    return not label.startswith("ray.io/")


def cores_of(config: Any) -> int:
    """The cores of an instance that is started here."""
    return config.num_cpus if config.num_cpus is not None else os.cpu_count() or 1


def memory_here() -> int:
    """Bytes of memory of this machine; Ray's tasks have most of it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return sys.maxsize


def joins(config: Any) -> bool:
    """Whether the settings name a cluster, so that nothing is started."""
    if config.submit:
        return True
    if config.address is None:
        return os.environ.get("RAY_ADDRESS", "") not in ("", "local")
    return bool(config.address != "local")


def _is_connected() -> bool:
    """Whether this process has a connection already; asking does not import Ray."""
    found = sys.modules.get("ray")
    return bool(found is not None and found.is_initialized())


def amounts(asked: Mapping[str, Any]) -> dict[str, float]:
    """What `remote_options` asks for, in the words of Ray's nodes.

    >>> amounts({"num_cpus": 2, "resources": {"tpu": 1}, "max_retries": 3})
    {'CPU': 2, 'tpu': 1}
    """
    found = {
        name: asked[option]
        for option, name in (("num_cpus", "CPU"), ("num_gpus", "GPU"), ("memory", "memory"))
        if option in asked
    }
    if "accelerator_type" in asked:
        found[_ACCELERATOR + asked["accelerator_type"]] = 0.001
    return {**found, **asked.get("resources", {})}


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
    if options.image is not None and joins(config):
        environment["image_uri"] = options.image
    if environment:
        asked["runtime_env"] = environment
    return asked


def over(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """One ``runtime_env`` over another, as Ray itself would have it.

    >>> over({"pip": ["a"], "env_vars": {"A": "1"}}, {"env_vars": {"B": "2"}})
    {'pip': ['a'], 'env_vars': {'A': '1', 'B': '2'}}
    """
    both = {**outer, **inner}
    if "env_vars" in outer and "env_vars" in inner:
        both["env_vars"] = {**outer["env_vars"], **inner["env_vars"]}
    return both


def _said(options: spi.TaskOptions) -> dict[str, Any]:
    return dict((options.options or {}).get("ray") or {})
