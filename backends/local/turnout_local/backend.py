"""What the local environment does of what a pipeline can ask for, and its settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from turnout import spi


@dataclass
class LocalConfig(spi.EnvironmentConfig):
    """Settings of ``execution_environment=local``.

    Attributes:
        workers: how many worker processes run tasks, and how many ``cpu`` there are to share;
            unset runs them in this process.
        gpus: how many devices the workers share.
    """

    backend: str = "local"
    workers: int | None = None
    gpus: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.workers is not None and self.workers < 1:
            raise ValueError(
                f"execution_environment.workers is 1 or more, or null for this process; "
                f"not {self.workers}"
            )
        if self.gpus < 0:
            raise ValueError(f"execution_environment.gpus must not be negative, not {self.gpus}")


class LocalBackend(spi.ExecutorBackend):
    """What ``execution_environment=local`` stands for."""

    name = "local"
    summary = "this process, or worker processes of this machine"
    schema = LocalConfig
    is_default = True
    capabilities: ClassVar = {
        "timeout": spi.NATIVE,
        "resources": spi.advisory("tasks run one after another in this process; set workers=N"),
        "image": spi.advisory("tasks run with this machine's own Python"),
        "interruptible": spi.advisory("this machine is not taken away"),
    }

    def capability(self, name: str, config: Any = None) -> spi.Capability:
        if name == "resources" and config is not None and config.workers is not None:
            return spi.NATIVE
        return super().capability(name, config)

    def check(self, config: Any) -> Sequence[str]:
        if config.workers is not None and sys.platform == "win32":
            return ["execution_environment.workers needs Linux or macOS; leave it unset here"]
        if config.strict and config.gpus and config.workers is None:
            without_effect = f"execution_environment.gpus={config.gpus} has no effect"
            return [f"{without_effect} in this process (strict=true); set workers too"]
        return ()

    def refuse(self, config: Any, node: str, options: Any) -> Sequence[str]:
        wanted = options.resources
        if wanted is None or config.workers is None:
            return ()
        problems = []
        for what, amount, slots, setting in (
            ("cpu", wanted.cpu, config.workers, "workers"),
            ("gpu", wanted.gpu, config.gpus, "gpus"),
        ):
            if amount is not None and amount > slots:
                problems.append(
                    f"node {node!r} asks for {amount:g} {what} and there "
                    f"{'is' if slots == 1 else 'are'} {slots}; ask for less or set "
                    f"execution_environment.{setting}={-int(-amount // 1)}"
                )
        return problems

    def starts_ahead(self, config: Any) -> bool:
        return config.workers is not None

    def open(self, session: spi.Session) -> spi.Executor:
        config = session.config
        if config.workers is None:
            from turnout_local.inprocess import LocalExecutor

            return LocalExecutor(session)
        from turnout_local.pool import PoolExecutor

        return PoolExecutor(session, config.workers, config.gpus)


@spi.hookimpl
def turnout_backends() -> Sequence[spi.Backend]:
    """The local backend."""
    return [LocalBackend()]
