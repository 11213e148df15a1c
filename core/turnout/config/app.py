"""The Hydra application behind `turnout.main`: what Hydra users type works, and ends well.

It does what ``@hydra.main`` does with two differences. A single run composes its config once,
not twice. And errors come back as exceptions, so that each ends as one message with the exit
status that fits it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus, _flush_loggers, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from turnout.config import places
from turnout.config.apart import take_apart
from turnout.config.composed import Composed, Workflow
from turnout.config.exits import CONFIG, DONE, FAILED, REFUSED, exit_status
from turnout.config.explain import explain
from turnout.config.inputs import described
from turnout.config.launcher import JobFailed
from turnout.config.leftovers import JobDirectory
from turnout.config.loader import Loader
from turnout.config.plain import running_job
from turnout.config.sweep import Prepared, Sweep
from turnout.errors import ConfigError, TurnoutError, raised_in_body

_log = logging.getLogger(__name__)

Report = Callable[[BaseException], None]


class Job:
    """The function Hydra calls for each job; other launchers send it to other processes.

    Attributes:
        sweep: what our launcher notes about a sweep; stays in this process.
        collects: whether garbage collection, off while composing, is to be on in jobs.
    """

    def __init__(
        self, workflow: Workflow, run: Callable[[Composed], Any], *, collects: bool = False
    ) -> None:
        self.workflow = workflow
        self.run = run
        self.sweep = Sweep()
        self.collects = collects

    def __call__(self, cfg: DictConfig) -> Any:
        """Do one job."""
        if self.collects:
            gc.enable()
        return self.run(take_apart(self.workflow, cfg, job=running_job()))

    @property
    def alone(self) -> bool:
        """Whether jobs never run beside others, for a debugger may open in each."""
        return bool(getattr(self.run, "pdb", False))

    @property
    def prepares(self) -> bool:
        """Whether `prepare` works: what runs the job can plan it first."""
        return hasattr(self.run, "prepare")

    def prepare(self, cfg: DictConfig, number: int | None = None) -> Prepared:
        """Plan one job; one with a number may run beside others, when Hydra is elsewhere."""
        if self.collects:
            gc.enable()
        beside = number is not None
        composed = take_apart(self.workflow, cfg, job=running_job(), pin_hydra=beside)
        prepared: Prepared = self.run.prepare(composed, number)  # type: ignore[attr-defined]
        return prepared

    def __reduce__(self) -> Any:
        return (Job, (self.workflow, self.run))


def compose_main(
    workflow: Workflow,
    run: Callable[[Composed], Any],
    *,
    argv: Sequence[str] | None = None,
    report: Report | None = None,
) -> int:
    """Run a workflow as a Hydra application.

    Args:
        workflow: whose file, config and signature the application is built around.
        run: does one job and returns its objective; called once, or once per job of a sweep.
            Its ``task_names``, if it has that, gives the shell the tasks to complete. One with
            ``pdb`` opens the debugger where that is true, and ``--pdb`` makes it so.
            Picklable if sweeps are to work with launchers that use other processes.
        argv: the command line's arguments; those of this process by default.
        report: shows an error to the user; by default its message goes to standard error.

    Returns:
        The exit status: 0 done, 1 the run failed, 2 usage or config, 3 the plan was refused,
        130 cancelled.

    Raises:
        BaseException: with ``HYDRA_FULL_ERROR=1``, whatever ended the run, as it was raised.
    """
    parser = get_args_parser()
    if hasattr(run, "pdb"):
        parser.add_argument(
            "--pdb", action="store_true", help="Open the debugger where a task fails"
        )
    args = parser.parse_intermixed_args(argv)  # overrides may stand on both sides of -m
    if getattr(args, "pdb", False):
        run.pdb = True  # type: ignore[attr-defined]  # asked above whether it has that
    # Composing makes tens of thousands of objects that stay; looking for garbage among them
    # costs a start several per cent.
    collects = gc.isenabled()
    gc.disable()
    try:
        task = Job(workflow, run, collects=collects)
        return _dispatch(workflow, task, parser, args)
    except BaseException as raised:
        if isinstance(raised, SystemExit) or os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        met = raised.error if isinstance(raised, _Failed) else raised
        if isinstance(met, BrokenPipeError) and not raised_in_body(met):
            _let_go_of_stdout()  # nobody reads it any more, as behind `| head`
            return FAILED
        error = _told_apart(raised)
        (report or _to_stderr)(error)
        return exit_status(error)
    finally:
        if collects:
            gc.enable()
        _flush_loggers()


class _Failed(Exception):
    """Carries what the job raised out of Hydra, told apart from what Hydra raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _App(Hydra):
    """Hydra's application, with one composition for a single run."""

    def once(self, config_name: str | None, task: Job, overrides: list[str]) -> None:
        """A single run, or the sweep that ``hydra.mode`` of the config asks for."""
        try:
            cfg = self.compose_config(
                config_name=config_name,
                overrides=overrides,
                with_log_configuration=True,
                run_mode=RunMode.RUN,
            )
        except Exception:
            # A sweep's overrides cannot be composed as a single run.
            if self.get_mode(config_name, overrides) != RunMode.MULTIRUN:
                raise
            return self.many(config_name, task, overrides)
        if cfg.hydra.mode == RunMode.MULTIRUN:
            return self.many(config_name, task, overrides)
        cfg.hydra.mode = RunMode.RUN
        directory = JobDirectory(cfg)
        callbacks = Callbacks(cfg)
        callbacks.on_run_start(config=cfg, config_name=config_name)
        done = run_job(
            hydra_context=HydraContext(config_loader=self.config_loader, callbacks=callbacks),
            task_function=task,
            config=cfg,
            job_dir_key="hydra.run.dir",
            job_subdir_key=None,
        )
        callbacks.on_run_end(config=cfg, config_name=config_name, job_return=done)
        if done.status is JobStatus.FAILED:
            error = done._return_value
            if exit_status(error) in (CONFIG, REFUSED) and done.hydra_cfg is not None:
                directory.remove(done.hydra_cfg)
            raise _Failed(error)
        return None

    def many(self, config_name: str | None, task: Job, overrides: list[str]) -> None:
        """A sweep."""
        try:
            self.multirun(config_name=config_name, task_function=task, overrides=overrides)
        except JobFailed as error:
            raise _Failed(error.error) from error
        except Exception as error:
            if task.sweep.failures:
                raise _failed(task.sweep) from error
            if _is_of_job(error):
                raise _Failed(error) from error
            if task.sweep.ended and not isinstance(error, TurnoutError):
                if task.sweep.unfit:
                    raise ConfigError(task.sweep.unfit) from error
                raise explain(error, what="the sweeper ends the sweep") from error
            raise
        finally:
            task.sweep.close()
        if task.sweep.failures:
            raise _failed(task.sweep)


def _failed(sweep: Sweep) -> _Failed:
    """What is raised where jobs have failed: what the first of them raised."""
    numbers = sorted(sweep.failures)
    told = ", ".join(f"#{number}" for number in numbers)
    _log.error("%d of %d jobs failed: %s", len(numbers), sweep.ended, told)
    return _Failed(sweep.failures[numbers[0]])


def _dispatch(
    workflow: Workflow,
    task: Job,
    parser: argparse.ArgumentParser,
    args: argparse.Namespace,
) -> int:
    asked = [
        flag
        for flag in ("run", "cfg", "multirun", "shell_completion", "info")
        if getattr(args, flag) not in (None, False)
    ]
    if len(asked) > 1:
        parser.error("say one of --run, --multirun, --cfg, --info and --shell-completion")
    if args.resolve and not args.cfg and not args.help:
        parser.error("--resolve goes with --cfg or --help")
    version.setbase(workflow.version_base)
    config_name: str | None = args.config_name or workflow.config_name
    if args.experimental_rerun is not None:
        from hydra.main import _get_rerun_conf

        try:
            task(_get_rerun_conf(args.experimental_rerun, args.overrides))
        except Exception as error:
            raise _Failed(error) from error
        return DONE
    search_path = places.search_path(workflow, args.config_path, args.config_dir)
    if args.shell_completion and hasattr(task.run, "task_names"):
        from turnout.config.completion import CompletingLoader

        # Every shell's script gives the line in this variable.
        typed = os.environ.get("COMP_LINE", "").rpartition(" ")[2]
        loader: Loader = CompletingLoader(search_path, workflow, task.run.task_names, typed)
    else:
        loader = Loader(search_path, described(workflow))
    app = _App(task_name=places.job_name(workflow), config_loader=loader)
    GlobalHydra.instance().initialize(app)
    try:
        overrides: list[str] = args.overrides
        if args.help:
            app.app_help(config_name, parser, args)
        elif args.hydra_help:
            app.hydra_help(config_name, parser, args)
        elif args.cfg:
            app.show_cfg(config_name, overrides, args.cfg, args.package, args.resolve)
        elif args.shell_completion:
            app.shell_completion(config_name, overrides)
        elif args.info:
            app.show_info(args.info, config_name, overrides)
        elif args.multirun:
            app.many(config_name, task, [*overrides, "hydra.mode=MULTIRUN"])
        else:
            app.once(config_name, task, overrides)
    finally:
        GlobalHydra.instance().clear()
    return DONE


def _is_of_job(error: Exception) -> bool:
    """Whether a sweeper met the error when it asked for a job's return value."""
    asked = JobReturn.return_value.fget.__code__  # type: ignore[attr-defined]
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is asked:
            return True
        traceback = traceback.tb_next
    return False


def _told_apart(raised: BaseException) -> BaseException:
    """The error to show: the job's own as it is, everything else as a `ConfigError`."""
    if isinstance(raised, _Failed):
        return raised.error
    if isinstance(raised, (KeyboardInterrupt, TurnoutError)):
        return raised
    try:
        explained = explain(raised)
    except KeyboardInterrupt as interrupt:
        return interrupt
    explained.__cause__ = raised
    return explained


def _let_go_of_stdout() -> None:
    """Python flushes it once more at the end, and would say that it cannot."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _to_stderr(error: BaseException) -> None:
    text = str(error) if isinstance(error, TurnoutError) else f"{type(error).__name__}: {error}"
    sys.stderr.write(f"error: {text}\n")
