"""``turnout plan``: what would run, without running it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from turnout.cli.completion import complete_overrides, complete_target


@click.command("plan", short_help="Show what would run, with which inputs and options.")
@click.argument("target", metavar="FILE_OR_MODULE:WORKFLOW", shell_complete=complete_target)
@click.argument("overrides", nargs=-1, metavar="[OVERRIDES]...", shell_complete=complete_overrides)
@click.option("--until", metavar="NODE", default="", help="Plan a run that ends after this node.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(target: str, overrides: Sequence[str], until: str, as_json: bool) -> None:
    """Show what would run: nodes, inputs and options.

    It also tells what is fixed and by which line, which settings the environment takes as advice
    only, and which tasks depend on the whole config. A plan that would be refused ends with
    status 3 and all reasons. Nothing is connected to or written: whether a cluster and a store
    can be reached shows when it runs.
    """
    from turnout.api.prepare import plan_for
    from turnout.cli.target import load_workflow
    from turnout.config.args import compose_args
    from turnout.observe.render_plan import plan_facts, render_plan

    workflow = load_workflow(target)
    plan = plan_for(workflow, compose_args(workflow, overrides), until=until)
    if as_json:
        click.echo(json.dumps(plan_facts(plan), indent=2, default=str))
        return
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    click.echo(render_plan(plan, ascii_only=not encoding.startswith("utf")))
