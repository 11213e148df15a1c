"""``turnout run``: a workflow as a Hydra application, without a script of its own."""

from __future__ import annotations

from collections.abc import Sequence

import click

from turnout.cli.completion import complete_overrides, complete_target


@click.command(
    "run",
    short_help="Run a workflow.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
)
@click.argument("target", metavar="FILE_OR_MODULE:WORKFLOW", shell_complete=complete_target)
@click.argument(
    "overrides",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[OVERRIDES]...",
    shell_complete=complete_overrides,
)
@click.option("-m", "--multirun", is_flag=True, help="Run a sweep over the values given.")
@click.option("--until", metavar="NODE", default="", help="End after this node.")
@click.option("--pdb", is_flag=True, help="Open the debugger where a task fails.")
def command(target: str, overrides: Sequence[str], multirun: bool, until: str, pdb: bool) -> int:
    """Run a workflow.

    OVERRIDES are Hydra's, such as `model.C=1`. Hydra's own options work too, such as `--cfg job`
    and `--info`; `execution_environment=NAME` says where to run.
    """
    from turnout.cli.target import load_workflow
    from turnout.program import run_program

    workflow = load_workflow(target)
    argv = [*overrides, *(["--multirun"] if multirun else [])]
    return run_program(workflow, argv, until=until, pdb=pdb)
