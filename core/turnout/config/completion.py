"""What the shell completes below ``turnout.tasks``: the workflow's tasks, and their options."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from hydra.core.config_search_path import ConfigSearchPath
from omegaconf import DictConfig

from turnout.config import places, reserved
from turnout.config.apart import Job, take_apart
from turnout.config.composed import Composed, Workflow
from turnout.config.inputs import described
from turnout.config.loader import Loader
from turnout.graph.options import OPTION_NAMES

_WANTED: Final = f"{reserved.NODE}.tasks."


class CompletingLoader(Loader):
    """Composes for the shell's completion; a run's configs never have what it adds.

    Args:
        search_path: where configs are found.
        workflow: whose config is completed.
        tasks: gives the names of the tasks it has with a config.
        typed: the beginning of the override that is completed.
    """

    def __init__(
        self,
        search_path: ConfigSearchPath,
        workflow: Workflow,
        tasks: Callable[[Composed], Iterable[str]],
        typed: str,
    ) -> None:
        super().__init__(search_path, described(workflow))
        self._workflow = workflow
        self._tasks = tasks
        self._typed = typed

    def load_configuration(self, *args: Any, **kwargs: Any) -> DictConfig:
        """The config, with an entry for each task where those are asked for."""
        cfg: DictConfig = super().load_configuration(*args, **kwargs)
        if self._typed.startswith(_WANTED):
            # A config that is not finished may give no graph; and a body may print.
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                known = self._tasks(take_apart(self._workflow, cfg, job=Job.of(cfg.hydra)))
                said = cfg[reserved.NODE].tasks
                for name in known:
                    said[name] = {**dict.fromkeys(OPTION_NAMES), **said.get(name, {})}
        return cfg


def completions(
    workflow: Workflow,
    tasks: Callable[[Composed], Iterable[str]],
    said: Sequence[str],
    typed: str,
    *,
    sweeps: bool = False,
) -> list[str]:
    """What an override that begins so may be, without a Hydra application.

    Args:
        workflow: whose config is completed.
        tasks: gives the names of the tasks it has with a config.
        said: the overrides before it.
        typed: the beginning of the one that is completed.
        sweeps: whether they are a sweep's.
    """
    from hydra import version
    from hydra.core.utils import JobRuntime, setup_globals
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin

    version.setbase(workflow.version_base)
    setup_globals()
    JobRuntime.instance().set("name", places.job_name(workflow))
    loader = CompletingLoader(places.search_path(workflow), workflow, tasks, typed)
    line = " ".join([*(["--multirun"] if sweeps else []), *said, typed])
    found: list[str] = DefaultCompletionPlugin(loader)._query(workflow.config_name, line)
    return found
