"""The plan: graph, inputs and environment, checked together, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from turnout.backend.base import ExecutorBackend
from turnout.backend.registry import choices
from turnout.errors import ConfigError, PlanError
from turnout.graph import Graph, TaskOptions
from turnout.plan.environment import Environment
from turnout.plan.inputs import Findings
from turnout.plan.layout import Layout, sources
from turnout.plan.missing import told_at_once
from turnout.plan.note import Note
from turnout.plan.rules import Rules
from turnout.plan.schedule import refuse_schedule
from turnout.plan.settings import for_unknown_tasks
from turnout.plan.steps import Program, Tree

if TYPE_CHECKING:
    from turnout.dsl import Traced


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would run, and how.

    Attributes:
        traced: the graph with its task objects.
        inputs: input values by parameter name.
        environment: where the run goes.
        rules: options, versions and capabilities of its nodes.
        program: the graph laid flat; empty for a compiler backend.
        layout: lays out the graphs that dynamic tasks bring.
        result: the tree of the run's result.
        notes: what the user should know before it runs.
        on_error: ``stop`` or ``continue``.
        until: the node after which the run ends, or ``""``.
    """

    traced: Traced
    inputs: Mapping[str, Any]
    environment: Environment
    rules: Rules
    program: Program
    layout: Layout
    result: Tree | None
    notes: tuple[Note, ...] = ()
    on_error: str = "stop"
    until: str = ""
    wanted: frozenset[int] | None = field(default=None)

    @property
    def graph(self) -> Graph:
        """The compiled workflow."""
        return self.traced.graph


def make_plan(
    traced: Traced,
    inputs: Mapping[str, Any],
    environment: Environment,
    *,
    resolve: Callable[[str], Environment],
    overrides: Mapping[str, TaskOptions] | None = None,
    on_error: str = "stop",
    until: str = "",
    notes: Iterable[Note] = (),
) -> Plan:
    """Check a traced workflow against its inputs and its environment.

    Args:
        traced: the workflow.
        inputs: values by parameter name, `turnout.dsl.known.OPEN` for one that has none.
        environment: where the run goes.
        resolve: finds the environment a task names.
        overrides: options the config gives to tasks, by task name.
        on_error: ``stop`` submits nothing further after a failure, ``continue`` runs all that
            does not depend on it.
        until: name of the node after which to end.
        notes: what was noticed before planning.

    Raises:
        ConfigError: the only problems are with inputs and names; all are told.
        PlanError: the environment cannot honour the graph; all problems are told.
    """
    graph = traced.graph
    rules = Rules(
        environment=environment,
        resolve=resolve,
        overrides=overrides or {},
        tasks=dict(traced.tasks),
    )
    executes = isinstance(environment.backend, ExecutorBackend)
    usage, settings = for_unknown_tasks(rules.overrides, rules.tasks.values())
    refused = rules.check(graph)
    refused += environment.backend.check(environment.config)
    refused += refuse_schedule(environment)
    layout = Layout(rules.annotations, rules.version, rules.options, workflows=traced.annotations)
    result = layout.add(graph, {name: ("const", value) for name, value in inputs.items()})
    if executes:
        missing = layout.findings.missing
        missing.add_required(graph.params, inputs)
        usage += missing.told(graph.params, graph.name)
    usage += layout.problems
    wanted: frozenset[int] | None = None
    if until and not executes:
        refused.append(
            f"{environment.name!r} drives the graph itself and runs all of it; a run that ends at "
            f"{until!r} is for environments driven from here"
        )
    elif until and not usage:
        result, wanted = _cut(layout.program, until)
    if refused:
        raise PlanError([*refused, *usage])
    if usage:
        raise told_at_once(usage, missing=bool(layout.findings.missing.readers))
    return Plan(
        traced=traced,
        inputs=inputs,
        environment=environment,
        rules=rules,
        program=layout.program if executes else Program(),
        layout=layout,
        result=result,
        notes=(*notes, *settings, *rules.notes, *_whole_config(layout.findings)),
        on_error=on_error,
        until=until,
        wanted=wanted,
    )


def _whole_config(findings: Findings) -> list[Note]:
    """Notes on tasks that depend on every key of a config because they take it whole."""
    return [
        Note(
            "whole config",
            node,
            f"node {node!r} takes the whole config as {parameter!r}, so it depends on all of its "
            "keys; pass a part of it",
        )
        for node, parameter in dict.fromkeys(findings.whole)
    ]


def _cut(program: Program, until: str) -> tuple[Tree | None, frozenset[int]]:
    """The steps a node or a sub-workflow needs, and the tree of its result.

    Raises:
        ConfigError: there is none of that name.
    """
    inside = f"{until}/"
    scope = next((scope for scope in program.scopes if scope.prefix == inside), None)
    todo = {step.index for step in program.steps if step.id == until}
    result: Tree | None = ("step", *todo)
    if scope is not None:
        result = scope.result
        todo = {step.index for step in program.steps if step.id.startswith(inside)}
    elif not todo:
        names = [step.id for step in program.steps]
        names += [scope.prefix[:-1] for scope in program.scopes if scope.prefix]
        raise ConfigError(f"there is no node {until!r}; {choices(until, names)}")
    if result is not None:
        todo.update(sources(result))
    wanted: set[int] = set()
    while todo:
        index = todo.pop()
        if index in wanted:
            continue
        wanted.add(index)
        found = program.steps[index]
        todo.update(found.needs)
        if found.guard is not None:
            todo.add(found.guard[0])
        for _, then, _ in found.cases or ():
            if then is not None:
                todo.update(sources(then))
    return result, frozenset(wanted)
