"""A workflow as a program: what ``python main.py`` and ``turnout run`` have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from turnout.api import Run, prepare
from turnout.dsl import Workflow
from turnout.errors import ConfigError, RunFailed

if TYPE_CHECKING:
    from turnout.config.composed import Composed


def main(workflow: Workflow[..., Any], argv: Sequence[str] | None = None) -> None:
    """Run a workflow as a program: a Hydra application with turnout's environments.

    Ends the process with status 0 done, 1 the run failed, 2 usage or config, 3 the plan was
    refused, 130 cancelled.

    Args:
        workflow: what to run.
        argv: the command line's arguments; those of this process by default.
    """
    if os.environ.get("TURNOUT_WORKER"):
        # A worker imports the script for its tasks; an unguarded call must not run it again.
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
    from turnout.config.app import compose_main

    if not isinstance(workflow, Workflow):
        raise ConfigError(f"turnout.main takes a workflow, not {workflow!r}")
    return compose_main(workflow, Program(workflow, until, pdb), argv=argv, report=show)


class Program:
    """One job of the program: plans and runs the workflow, and gives its objective.

    Launchers that use other processes pickle it.
    """

    def __init__(self, workflow: Workflow[..., Any], until: str, pdb: bool) -> None:
        self.workflow = workflow
        self.until = until
        self.pdb = pdb

    def __call__(self, composed: Composed) -> Any:
        """Run the job of this config; the summary goes to stderr, the result to stdout."""
        from turnout.api.objective import objective
        from turnout.observe.progress import progress_for
        from turnout.observe.result import result_text

        progress = progress_for(sys.stderr)
        execution = prepare(
            self.workflow,
            composed,
            until=self.until,
            observers=[progress],
            log=lambda line: print(line, file=sys.stderr),
        )
        progress.where = os.path.relpath(execution.home)
        run: Run[Any] = Run(execution.run_id, execution=execution)
        execution.execute()
        try:
            execution.raise_failure(run)
        except RunFailed as failure:
            from turnout.observe.failure import show_failure

            # Made here, where the graph is known; shown by `show`, after Hydra is done.
            report = show_failure(failure, execution.plan.graph)
            if self.pdb and failure.__cause__ is not None:
                import pdb

                print(report, file=sys.stderr)
                report = ""
                pdb.post_mortem(failure.__cause__.__traceback__)
            failure._report = report  # type: ignore[attr-defined]
            raise
        text = result_text(run.outputs)
        if text:
            print(text, flush=True)
        return objective(run, composed.turnout.objective)


def show(error: BaseException) -> None:
    """Tell the user why the program ends."""
    from turnout.observe.failure import show_error

    report = getattr(error, "_report", None)
    text = show_error(error) if report is None else report
    if text:
        print(text, file=sys.stderr)
