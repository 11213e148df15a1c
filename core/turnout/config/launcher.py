"""The jobs of a sweep: one after another, or side by side where their environment takes several.

A job that fails leaves the others alone, unless ``hydra.launcher.on_error`` is ``stop``, and the
sweep has failed in either case. ``hydra.launcher.concurrency`` says how many jobs go on at most.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from hydra import version
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

from turnout.backend.registry import registry
from turnout.config import reserved
from turnout.config.apart import environment_of
from turnout.config.joblogs import keep_apart
from turnout.config.sweep import Prepared, Sweep, is_objective
from turnout.config.underway import LateCallbacks, UnderWay, Work
from turnout.errors import ConfigError, RunCancelled, TurnoutError

_log = logging.getLogger(__name__)

ALONE: Final = 1
_NOT_OPTIMISING: Final = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


class Preparing(Protocol):
    """A task function whose jobs can be planned first and run later; `turnout.config.app.Job`."""

    sweep: Sweep
    alone: bool

    def prepare(self, cfg: DictConfig, number: int | None = None) -> Prepared:
        """Plan a job; one with a number may run beside others."""


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
    concurrency: int | None = None,
    on_error: str = "continue",
) -> list[JobReturn]:
    """Run a batch of jobs; each return value is the job's objective, for the sweeper.

    Args:
        job_overrides: the overrides of each job.
        first: the number of the first of them.
        context: Hydra's loader and callbacks.
        task: the function to call; a `turnout.config.app.Job` notes failures, and can be run
            side by side.
        config: the sweep's own config.
        concurrency: how many jobs go on at most; unset is what their environment says.
        on_error: ``continue`` or ``stop`` after a job has failed.

    Raises:
        ConfigError: the concurrency is no number of jobs, or ``on_error`` neither word.
        JobFailed: a job failed, and the sweep does not go on.
    """
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        raise ConfigError(f"hydra.launcher.concurrency is a number from 1, not {concurrency!r}")
    if on_error not in reserved.ON_ERROR:
        words = " or ".join(reserved.ON_ERROR)
        raise ConfigError(f"hydra.launcher.on_error is {words}, not {on_error!r}")
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    _log.info("Launching %d jobs", len(job_overrides))
    batch = _Batch(context, task, config, concurrency, goes_on=on_error == "continue")
    try:
        for number, overrides in enumerate(job_overrides, first):
            batch.run(number, list(overrides))
        batch.wait(below=1)
    except BaseException as error:
        batch.cancel(interrupted=isinstance(error, KeyboardInterrupt))
        if batch.goes_on:
            raise KeyboardInterrupt("the sweep has ended; its jobs go on") from None
        raise
    return [batch.returns[number] for number in range(first, first + len(job_overrides))]


class _Batch:
    """Jobs that a sweeper wants back together."""

    def __init__(
        self,
        context: HydraContext,
        task: TaskFunction,
        config: DictConfig,
        concurrency: int | None,
        *,
        goes_on: bool,
    ) -> None:
        self.returns: dict[int, JobReturn] = {}
        self._context = context
        self._task = task
        self._job: Preparing | None = task if getattr(task, "prepares", False) else None  # type: ignore[assignment]
        self._config = config
        self._concurrency = concurrency
        self._goes_on = goes_on
        self._sweep: Sweep = getattr(task, "sweep", None) or Sweep()
        self._under_way = UnderWay()
        self._untold: dict[int, Prepared] = {}

    def run(self, number: int, overrides: list[str]) -> None:
        """Run a job, or begin it once there is room beside those under way."""
        job_config = self._context.config_loader.load_sweep_config(self._config, overrides)
        with open_dict(job_config):
            job_config.hydra.job.id = str(number)
            job_config.hydra.job.num = number
        room = self._room(job_config)
        self.wait(below=room)
        _log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
        if room == ALONE:
            done = self._run_job(job_config, self._task if self._job is None else self._alone)
            configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
            self._ended(number, done)
        else:
            assert self._job is not None
            self._begin(self._job, number, job_config, room)

    def wait(self, below: int) -> None:
        """Wait until fewer jobs than this are under way, and take in what has ended.

        Raises:
            JobFailed: one of them failed, and the sweep does not go on.
        """
        for work in self._under_way.ended(below):
            self._settle(work)

    def cancel(self, *, interrupted: bool) -> None:
        """End all that is under way, wait for that, and tell of what had succeeded."""
        for work in self._under_way.cancelled(interrupted=interrupted):
            work.finish()
            if work.prepared is not None:
                self._untold[work.number] = work.prepared
        for number in sorted(self._untold):
            self._untold.pop(number).tell()

    @property
    def goes_on(self) -> bool:
        """Whether jobs have been left alone, where they are driven elsewhere."""
        return self._under_way.goes_on

    # -- one after another ---------------------------------------------------------------------

    def _run_job(self, config: DictConfig, task: TaskFunction, **more: Any) -> JobReturn:
        return run_job(
            hydra_context=more.pop("context", self._context),
            task_function=task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            **more,
        )

    def _alone(self, cfg: DictConfig) -> Any:
        assert self._job is not None
        prepared = self._job.prepare(cfg)
        self._sweep.hold(prepared)
        prepared.execute()
        try:
            return prepared.objective()
        finally:
            prepared.tell()

    # -- side by side --------------------------------------------------------------------------

    def _room(self, config: DictConfig) -> int:
        """How many jobs may go on, this one among them; `ALONE` where it must be run by itself."""
        if self._job is None or self._job.alone or self._concurrency == ALONE:
            return ALONE
        try:
            _, settings = environment_of(config, config.hydra.runtime.choices)
            room = registry().backend(settings.backend).runs_at_once
        except TurnoutError:
            return ALONE  # the job itself will say what is wrong
        if room == ALONE:
            return ALONE
        job = config.hydra.job
        moves = not version.base_at_least("1.2") if job.chdir is None else job.chdir
        if moves or job.env_set:
            # The directory and the variables are the whole process's.
            what = "changes its directory" if moves else "sets environment variables"
            _log.info("A job that %s runs by itself", what)
            return ALONE
        return self._concurrency or room

    def _begin(self, job: Preparing, number: int, config: DictConfig, room: int) -> None:
        keep_apart()
        callbacks = LateCallbacks(self._context.callbacks)
        context = HydraContext(config_loader=self._context.config_loader, callbacks=callbacks)
        work = Work(number, room, callbacks)
        done = self._run_job(
            config, partial(work.prepare, job.prepare), context=context, configure_logging=False
        )
        work.done = done
        if done.status is JobStatus.COMPLETED:
            prepared = work.prepared
            assert prepared is not None
            by_itself = any(backend.runs_at_once == ALONE for backend, _ in prepared.environments)
            if by_itself or not self._sweep.holds(prepared):
                self.wait(below=1)
            try:
                self._sweep.hold(prepared)
            except Exception as error:
                done.status, done.return_value = JobStatus.FAILED, error
            else:
                self._under_way.start(work, here=by_itself)
                if by_itself:
                    self.wait(below=1)
                return
        self._settle(work)

    def _settle(self, work: Work) -> None:
        """A job that was begun has ended."""
        done = work.finish()
        if work.prepared is not None:
            self._untold[work.number] = work.prepared
        for number in sorted(self._untold):
            if self._under_way.before(number):
                break
            self._untold.pop(number).tell()
        self._ended(work.number, done)

    # -- ends ----------------------------------------------------------------------------------

    def _ended(self, number: int, done: JobReturn) -> None:
        self.returns[number] = done
        self._sweep.ended += 1
        if done.status is not JobStatus.FAILED:
            self._look_at(done.return_value)
            return
        error = done._return_value
        assert isinstance(error, Exception)
        self._sweep.failures[number] = error
        if not self._goes_on or isinstance(error, RunCancelled):
            raise JobFailed(error)
        _log.error("job #%d failed: %s", number, error)
        # A sweeper reads every return value and would raise here; an objective of None is, to one
        # that optimises, a failed trial. The sweep itself still ends as failed.
        done.status, done.return_value = JobStatus.COMPLETED, None

    def _look_at(self, objective: Any) -> None:
        """Warn, once, of what no sweeper can optimise, unless the sweeper does not optimise."""
        sweeper = str(OmegaConf.select(self._config, "hydra.sweeper._target_"))
        if self._sweep.unfit or sweeper == _NOT_OPTIMISING or is_objective(objective):
            return
        workflow = getattr(self._task, "workflow", None)
        who = "the job" if workflow is None else f"workflow {workflow.name!r}"
        self._sweep.unfit = (
            f"{who} gave {type(objective).__name__}, which is no objective for "
            f"{sweeper.rpartition('.')[2]}; say turnout.objective=NAME, an output or a node that "
            "is a number"
        )
        _log.warning(self._sweep.unfit)
