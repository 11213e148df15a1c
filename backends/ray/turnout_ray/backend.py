"""What Ray does of what a pipeline can ask for, and its settings."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from turnout import spi
from turnout_ray.options import RayOptions, bundles_too_large, joins, problems_of

_STRATEGIES: Final = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")
_LEAST_STORE: Final = 75 << 20


@dataclass
class RayConfig(spi.EnvironmentConfig):
    """Settings of ``execution_environment=ray``.

    Attributes:
        address: the cluster to join: ``auto``, ``host:port`` or ``ray://host:port``; unset starts
            an instance on this machine for the run, unless the variable ``RAY_ADDRESS`` names one.
        namespace: Ray namespace of the run; unset is one of its own.
        num_cpus: cores of an instance that is started; unset is what the machine has.
        num_gpus: devices of an instance that is started; unset is what the machine has.
        object_store_memory: bytes of an instance's object store, or text such as ``"2Gi"``.
        dashboard: whether an instance that is started serves Ray's dashboard, and answers
            ``ray status`` and the like; without, it starts sooner, by a third with Ray 2.60.
        runtime_env: Ray's ``runtime_env`` for all tasks: ``pip``, ``conda``, ``env_vars`` and so
            on. The project itself is added where a cluster is joined.
        scheduling_strategy: where tasks go, ``DEFAULT`` or ``SPREAD``.
        placement_group: bundles of resources to be reserved for the run, such as
            ``{bundles: [{CPU: 2}, {CPU: 2}], strategy: SPREAD}``.
        max_retries: how often Ray runs a task again whose worker or node went away.
        submit: whether the run is driven on the cluster, as a Ray job, so that this process may
            go away. ``address`` is then the dashboard's, such as ``http://host:8265``, and
            ``store`` a place that both sides reach.
    """

    backend: str = "ray"
    address: str | None = None
    namespace: str | None = None
    num_cpus: int | None = None
    num_gpus: int | None = None
    object_store_memory: str | None = None
    dashboard: bool = False
    runtime_env: dict[str, Any] = field(default_factory=dict)
    scheduling_strategy: str = "DEFAULT"
    placement_group: dict[str, Any] = field(default_factory=dict)
    max_retries: int = 3
    submit: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        where = "execution_environment"
        if self.scheduling_strategy not in ("DEFAULT", "SPREAD"):
            raise ValueError(
                f"{where}.scheduling_strategy is DEFAULT or SPREAD, "
                f"not {self.scheduling_strategy!r}"
            )
        address = self.address
        if "@" in str(address):
            raise ValueError(
                f"{where}.address holds credentials, which would stand in logs and records; leave "
                "them out, and give them to Ray Jobs with the variable RAY_JOB_HEADERS"
            )
        if str(address).startswith(("http://", "https://")) and not self.submit:
            raise ValueError(
                f"{where}.address={address} is a dashboard's, for submit=true; to join a cluster "
                "give HOST:PORT or ray://HOST:PORT"
            )
        if self.submit and str(address).startswith("ray://"):
            raise ValueError(
                f"{where}.address={address} is for joining a cluster; with submit=true it is the "
                "dashboard's, such as http://HOST:8265"
            )
        place = str(address).removeprefix("ray://")
        if address not in (None, "auto", "local") and ":" not in place:
            raise ValueError(
                f"{where}.address is auto, HOST:PORT, ray://HOST:PORT or, with submit=true, the "
                f"dashboard's http://HOST:PORT; not {address!r}"
            )
        for name in ("num_cpus", "num_gpus", "max_retries"):
            amount = getattr(self, name)
            if amount is not None and amount < 0:
                raise ValueError(f"{where}.{name} must not be negative, not {amount}")
        if self.placement_group and not _is_group(self.placement_group):
            raise ValueError(
                f"{where}.placement_group takes bundles, as in {{bundles: [{{CPU: 2}}], strategy: "
                f"PACK}}, and a strategy, one of {', '.join(_STRATEGIES)}"
            )
        if self.placement_group and self.scheduling_strategy != "DEFAULT":
            raise ValueError(
                f"{where} sets placement_group and scheduling_strategy, which would place tasks "
                "outside of the group; set one of the two"
            )
        if self.object_store_memory is not None:
            asked = spi.memory_bytes(self.object_store_memory)
            if asked < _LEAST_STORE:
                raise ValueError(
                    f"{where}.object_store_memory={self.object_store_memory} is {asked} bytes; "
                    f"Ray needs 75Mi at least"
                )


class RayBackend(spi.ExecutorBackend):
    """What ``execution_environment=ray`` stands for."""

    name = "ray"
    summary = "tasks of a Ray cluster, started for the run or joined"
    schema = RayConfig
    task_options = RayOptions
    runs_at_once = 8
    capabilities: ClassVar = {
        "timeout": spi.NATIVE,
        "resources": spi.NATIVE,
        "options": spi.NATIVE,
        "image": spi.emulated("runtime_env.image_uri; the nodes of the cluster need podman"),
        "interruptible": spi.advisory("which machines are taken away is the cluster's business"),
    }

    def capability(self, name: str, config: Any = None) -> spi.Capability:
        if name == "image" and config is not None and not joins(config):
            return spi.advisory("an instance on this machine runs tasks with its own Python")
        return super().capability(name, config)

    def check(self, config: Any) -> Sequence[str]:
        # Importing it takes half a second; a folder of that name is no package with an origin.
        found = importlib.util.find_spec("ray")
        if found is None or found.origin is None:
            return ["Ray is not installed; pip install 'turnout[ray]'"]
        problems: list[str] = []
        dashboard = os.environ.get("RAY_ADDRESS", "").startswith("http")
        if dashboard and config.address is None and not config.submit:
            problems.append(
                "RAY_ADDRESS is a dashboard's, for submit=true; to join a cluster set "
                "execution_environment.address, to start an instance here set it to local"
            )
        if config.runtime_env:
            from turnout_ray.runtime_env import problems_in

            where = "execution_environment.runtime_env"
            problems += problems_in(config.runtime_env, where, of_task=False)
        if not joins(config):
            problems += bundles_too_large(config)
        return problems

    def doctor(self, config: Any, project: spi.Project) -> Iterator[spi.Check]:
        if self.check(config):
            yield from super().doctor(config, project)
            return
        from turnout_ray.doctor import checks

        yield from checks(config, project)

    def refuse(self, config: Any, node: str, options: Any) -> Sequence[str]:
        return problems_of(config, node, options)

    @contextmanager
    def shared(
        self, config: Any, project: spi.Project, log: Callable[[str], None]
    ) -> Iterator[None]:
        if config.submit:  # this process is connected to nothing
            yield
            return
        _show_all_that_is_printed()
        from turnout_ray import cluster

        cluster.enter(config, project, log)
        try:
            yield
        finally:
            cluster.leave()

    def elsewhere(self, config: Any) -> spi.EnvironmentConfig | None:
        if not config.submit:
            return None
        # The job is on the cluster already, with this runtime_env.
        there: RayConfig = replace(config, submit=False, address=None, runtime_env={})
        return there

    def detach(self, command: Sequence[str], session: spi.Session) -> spi.Detached:
        from turnout_ray.jobs import Job

        return Job.submitted(command, session)

    def find(self, config: Any, run_id: str) -> spi.Detached:
        from turnout_ray.jobs import Job

        return Job.found(config, run_id)

    def open(self, session: spi.Session) -> spi.Executor:
        _show_all_that_is_printed()
        from turnout_ray.executor import RayExecutor

        return RayExecutor(session)


def _is_group(said: Mapping[str, Any]) -> bool:
    """Whether this is a placement group as Ray wants it."""
    bundles = said.get("bundles")
    return (
        said.keys() <= {"bundles", "strategy"}
        and said.get("strategy", "PACK") in _STRATEGIES
        and isinstance(bundles, (list, tuple))
        and len(bundles) > 0
        and all(isinstance(one, Mapping) and one for one in bundles)
        and all(type(much) in (int, float) and much > 0 for one in bundles for much in one.values())
    )


def _show_all_that_is_printed() -> None:
    """Set what Ray reads when it is imported, unless the user has said otherwise."""
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    if not sys.stdout.isatty():
        os.environ.setdefault("RAY_COLOR_PREFIX", "0")


@spi.hookimpl
def turnout_backends() -> Sequence[spi.Backend]:
    """The Ray backend."""
    return [RayBackend()]
