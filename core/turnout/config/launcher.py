"""The jobs of a sweep, one after another in this process.

``turnout.on_error`` says what a failing job does: ``stop`` ends the sweep there, ``continue``
runs the others, and the sweep has failed in either case.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.utils import (
    JobReturn,
    JobStatus,
    configure_log,
    filter_overrides,
    run_job,
    setup_globals,
)
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from turnout.config import reserved
from turnout.errors import RunCancelled

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sweep:
    """What is noted while a sweep runs.

    Attributes:
        failures: what jobs failed with, in their order.
    """

    failures: list[Exception] = field(default_factory=list)


class JobFailed(Exception):
    """Carries what a job failed with out of the sweeper, which stops."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


def launch(
    job_overrides: Sequence[Sequence[str]],
    first: int,
    *,
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
) -> list[JobReturn]:
    """Run a batch of jobs; each return value is the job's objective, for the sweeper.

    Args:
        job_overrides: the overrides of each job.
        first: the number of the first of them.
        context: Hydra's loader and callbacks.
        task: the function to call; a `turnout.config.app.Job` notes failures.
        config: the sweep's own config.

    Raises:
        JobFailed: a job failed, and the sweep does not go on.
    """
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    sweep = getattr(task, "sweep", None) or Sweep()
    _log.info("Launching %d jobs", len(job_overrides))
    returns = []
    for number, overrides in enumerate(job_overrides, first):
        _log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
        done = _run(list(overrides), number, context=context, task=task, config=config)
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
        if done.status is JobStatus.FAILED:
            done = _failed(done, number, sweep)
        returns.append(done)
    return returns


def _run(
    overrides: list[str],
    number: int,
    *,
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
) -> JobReturn:
    job_config = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job_config):
        job_config.hydra.job.id = str(number)
        job_config.hydra.job.num = number
    return run_job(
        hydra_context=context,
        task_function=task,
        config=job_config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _failed(done: JobReturn, number: int, sweep: Sweep) -> JobReturn:
    error = done._return_value
    assert isinstance(error, Exception)
    sweep.failures.append(error)
    assert done.cfg is not None
    goes_on = OmegaConf.select(done.cfg, f"{reserved.NODE}.on_error") == "continue"
    if not goes_on or isinstance(error, RunCancelled):
        raise JobFailed(error)
    _log.error("job #%d failed: %s", number, error)
    # A sweeper reads every return value and would raise here; an objective of None is, to one
    # that optimises, a failed trial. The sweep itself still ends as failed.
    objective: Any = None
    return JobReturn(
        overrides=done.overrides,
        cfg=done.cfg,
        hydra_cfg=done.hydra_cfg,
        working_dir=done.working_dir,
        task_name=done.task_name,
        status=JobStatus.COMPLETED,
        _return_value=objective,
    )
