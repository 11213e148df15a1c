"""A workflow as a program: what ``python main.py`` and ``turnout run`` have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from turnout.api import Run, prepare
from turnout.api.signals import ended_as_interrupted
from turnout.dsl import Workflow
from turnout.errors import ConfigError, RunFailed
from turnout.uncollected import uncollected

if TYPE_CHECKING:
    from turnout.config.composed import Composed
    from turnout.observe.sweep import SweepViews


def main(workflow: Workflow[..., Any], argv: Sequence[str] | None = None) -> None:
    """Run a workflow as a program: a Hydra application with turnout's environments.

    Ends the process with status 0 done, 1 the run failed, 2 usage or config, 3 the plan was
    refused, 130 cancelled.

    Args:
        workflow: what to run.
        argv: the command line's arguments; those of this process by default.
    """
    if os.environ.get("TURNOUT_WORKER"):
        # A worker imports the script for its tasks, and ``turnout run`` for its workflow; an
        # unguarded call must not run it again.
        return
    sys.exit(run_program(workflow, argv))


def run_program(
    workflow: Workflow[..., Any],
    argv: Sequence[str] | None = None,
    *,
    until: str = "",
    pdb: bool = False,
) -> int:
    """Run a workflow as a program; gives the exit status.

    Args:
        workflow: what to run.
        argv: the command line's arguments; those of this process by default.
        until: the node after which to end.
        pdb: whether to open the debugger where a task failed.
    """
    with uncollected():  # Hydra is large
        from turnout.config.app import compose_main

    if not isinstance(workflow, Workflow):
        raise ConfigError(f"turnout.main takes a workflow, not {workflow!r}")
    with ended_as_interrupted():
        return compose_main(workflow, Program(workflow, until, pdb), argv=argv, report=show)


class Program:
    """Plans and runs the workflow, once for each job, and gives the job's objective.

    Launchers that use other processes pickle it.
    """

    def __init__(self, workflow: Workflow[..., Any], until: str, pdb: bool) -> None:
        self.workflow = workflow
        self.until = until
        self.pdb = pdb
        self._views: SweepViews | None = None

    def __call__(self, composed: Composed) -> Any:
        """Run the job of this config; the summary goes to stderr, the result to stdout."""
        job = self.prepare(composed)
        job.execute()
        try:
            return job.objective()
        finally:
            job.tell()

    def task_names(self, composed: Composed) -> list[str]:
        """The tasks the workflow has with this config, for the shell's completion."""
        from turnout.api.prepare import input_values

        traced = self.workflow.trace(input_values(self.workflow, composed.inputs))
        return sorted({task.name for task in traced.tasks.values()})

    def prepare(self, composed: Composed, number: int | None = None) -> ProgramJob:
        """Plan the job of this config; one with a number may run beside others."""
        if number is None:
            from turnout.observe.progress import progress_for

            return ProgramJob(self, composed, progress_for(sys.stderr))
        if self._views is None:
            from turnout.observe.sweep import SweepViews

            self._views = SweepViews(sys.stderr)
        return ProgramJob(self, composed, self._views.view(number), self._views.mark(number))


class ProgramJob:
    """One run of the program; see `turnout.config.sweep.Prepared`."""

    def __init__(self, program: Program, composed: Composed, view: Any, mark: str = "") -> None:
        self._program = program
        self._names = composed.turnout.objective
        self._mark = mark
        execution = prepare(
            program.workflow, composed, until=program.until, observers=[view], log=self.log
        )
        view.where = os.path.relpath(execution.home)
        self._execution = execution
        self._run: Run[Any] = Run(execution.run_id, execution=execution)
        self.project = execution.project
        # Where a task's own environment is the workflow's too, the workflow's settings hold.
        found = [*execution.plan.rules.environments.values(), execution.plan.environment]
        self.environments = [
            (environment.backend, environment.config)
            for environment in {one.backend.name: one for one in found}.values()
        ]

    def log(self, line: str) -> None:
        """Show a line to the user."""
        print(self._marked(line), file=sys.stderr)

    def execute(self) -> None:
        """Run to the end; `objective` tells how it ended."""
        try:
            self._execution.execute()
        except Exception as error:
            self._execution.error = self._execution.error or error

    def cancel(self) -> None:
        """End the run."""
        self._execution.cancel()

    def interrupt(self, stays: bool | None) -> bool | None:
        """End the run as the user's interrupt does; see `turnout.config.sweep.Prepared`."""
        return self._execution.interrupt(stays)

    def tell(self) -> None:
        """Write the result to stdout, if there is one."""
        from turnout.observe.result import result_text

        result = self._execution.result
        if self._execution.error is not None or result is None or result.status != "succeeded":
            return
        text = result_text(self._run.outputs)
        if text:
            # Whoever reads a pipe gets what a sweep of jobs one after another writes.
            print(self._marked(text) if sys.stdout.isatty() else text, flush=True)

    def _marked(self, text: str) -> str:
        if not self._mark:
            return text
        return "\n".join(f"{self._mark}{line}".rstrip() for line in text.split("\n"))

    def objective(self) -> Any:
        """What a sweep optimises.

        Raises:
            RunFailed: the run failed; it carries the report that `show` shows.
            RunCancelled: the run was cancelled.
        """
        from turnout.api.objective import objective

        try:
            self._execution.raise_failure(self._run)
        except RunFailed as failure:
            from turnout.observe.failure import show_failure

            # Made here, where the graph is known; shown by `show`, after Hydra is done.
            report = show_failure(failure, self._execution.plan.graph)
            if self._program.pdb and failure.__cause__ is not None:
                print(report, file=sys.stderr)
                report = ""  # no job of a sweep runs beside others then, so it has no mark
                _debug(failure.__cause__)
            failure._report = self._marked(report)  # type: ignore[attr-defined]
            raise
        return objective(self._run, self._names)


def _debug(error: BaseException) -> None:
    """Open the debugger where an exception was raised."""
    import pdb

    from turnout.backend.registry import registry
    from turnout.worker.failures import is_rebuilt

    if error.__traceback__ is None:
        print("there is no traceback to open the debugger on", file=sys.stderr)
        return
    if is_rebuilt(error.__traceback__):
        print(
            "\nthe local variables stayed in the worker process; where the task runs in this one, "
            f"as with the usual settings of execution_environment={registry().default().name}, "
            "the debugger has them",
            file=sys.stderr,
        )
    pdb.post_mortem(error.__traceback__)


def show(error: BaseException) -> None:
    """Tell the user why the program ends."""
    from turnout.observe.failure import show_error

    report = getattr(error, "_report", None)
    text = show_error(error) if report is None else report
    if text:
        print(text, file=sys.stderr)
