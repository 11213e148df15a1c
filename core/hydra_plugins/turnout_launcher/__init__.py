"""What Hydra discovers: the ``execution_environment`` entries of backends, and a launcher.

Hydra imports this module at the start of every application in the same Python, turnout's or
not. So it imports nothing of turnout's, and does nothing where turnout has not been imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.utils import JobReturn
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

_GROUP = "execution_environment"
_LAUNCHER = "hydra/launcher/turnout"
_GROUPS = {"": ["hydra", _GROUP], "hydra": ["launcher"], "hydra/launcher": []}


class TurnoutSearchPath(SearchPathPlugin):
    """Adds turnout's entries after the application's own files, which win over them."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the entries, in a process that uses turnout."""
        if "turnout" in sys.modules:
            search_path.append("turnout", "turnout://entries")


class TurnoutSource(ConfigSource):
    """One entry of ``execution_environment`` per installed backend, and ``hydra/launcher``'s."""

    @staticmethod
    def scheme() -> str:
        """What the paths of this source begin with."""
        return "turnout"

    def available(self) -> bool:
        """There is always something: the launcher."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is a group turnout has entries in."""
        path = config_path.strip("/")
        return path == _GROUP or path in _GROUPS

    def is_config(self, config_path: str) -> bool:
        """Whether the path is one of the entries."""
        path = config_path.strip("/").removesuffix(".yaml")
        group, _, name = path.rpartition("/")
        return path == _LAUNCHER or (group == _GROUP and name in _options())

    def load_config(self, config_path: str) -> ConfigResult:
        """The entry: a backend's schema, or the launcher."""
        path = config_path.strip("/").removesuffix(".yaml")
        if not self.is_config(path):
            raise ConfigLoadError(f"turnout has no config {config_path!r}")
        if path == _LAUNCHER:
            target = f"{__name__}.{TurnoutLauncher.__name__}"
            config = OmegaConf.create(
                {"_target_": target, "concurrency": None, "on_error": "continue"}
            )
        else:
            from turnout.config.environments import entry

            config = entry(path.rpartition("/")[2])
        return ConfigResult(
            provider=self.provider, path=self.full_path(), config=config, header={"package": None}
        )

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The names below a path."""
        path = config_path.strip("/")
        groups = _GROUPS.get(path, []) if results_filter != ObjectType.CONFIG else []
        if results_filter == ObjectType.GROUP:
            return groups
        if path == _GROUP:
            return _options()
        return ["turnout"] if path == "hydra/launcher" else groups


class TurnoutLauncher(Launcher):
    """``hydra/launcher=turnout``: the jobs of a sweep from this process.

    Args:
        concurrency: how many go on at most; unset is what their environment says.
        on_error: ``continue`` or ``stop`` after a job has failed.
    """

    def __init__(self, concurrency: int | None = None, on_error: str = "continue") -> None:
        super().__init__()
        self._concurrency = concurrency
        self._on_error = on_error

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what every job needs."""
        self._setup: dict[str, Any] = {
            "context": hydra_context,
            "task": task_function,
            "config": config,
            "concurrency": self._concurrency,
            "on_error": self._on_error,
        }

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch of jobs."""
        from turnout.config.launcher import launch

        return launch(job_overrides, initial_job_idx, **self._setup)


def _options() -> list[str]:
    from turnout.config.environments import options

    return options()
