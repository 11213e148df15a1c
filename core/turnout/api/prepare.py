"""From a composed config to a checked plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turnout.backend.base import ExecutorBackend
from turnout.backend.registry import registry
from turnout.config import environments
from turnout.dsl import Traced, Workflow
from turnout.dsl.known import OPEN
from turnout.dsl.trace import OpenInput
from turnout.errors import ConfigError, TypeMismatch, cause
from turnout.plan import Environment, Note, Plan, make_plan
from turnout.plan.missing import NoValue, steered_by, told_at_once
from turnout.uncollected import uncollected

if TYPE_CHECKING:
    from turnout.config.composed import Composed


def plan_for(workflow: Workflow[..., Any], composed: Composed, *, until: str = "") -> Plan:
    """Trace a workflow with its inputs and check the result against its environment.

    Raises:
        GraphError: the body cannot be compiled.
        ConfigError: inputs are missing or do not fit; all are told.
        PlanError: the environment cannot honour what the graph asks.
    """
    environment = Environment(
        name=composed.environment,
        backend=registry().backend(composed.settings.backend),
        config=composed.settings,
    )
    values = input_values(workflow, composed.inputs)
    notes = [
        Note("config", path, f"{path!r} is interpolated from a reserved node, and counts")
        for path in composed.borrowed
    ]
    try:
        with uncollected():
            plan = make_plan(
                _traced(workflow, values, environment),
                values,
                environment,
                resolve=environment_named,
                overrides=composed.turnout.tasks,
                on_error=composed.turnout.on_error,
                until=until,
                notes=notes,
            )
    except NoValue as error:
        if composed.advice:
            error.args = (f"{error}\n{composed.advice}",)
        raise
    if composed.turnout.objective:
        from turnout.api.objective import check_objective

        check_objective(composed.turnout.objective, workflow, plan)
    return plan


def _traced(
    workflow: Workflow[..., Any], values: Mapping[str, Any], environment: Environment
) -> Traced:
    """The graph; where our engine is to drive it, steering by what has no value is a missing input.

    A compiler's graph may have open inputs, so there it is the body that is wrong.
    """
    try:
        return workflow.trace(values)
    except OpenInput as error:
        if not error.path or not isinstance(environment.backend, ExecutorBackend):
            raise
        raise told_at_once(steered_by(error, workflow, values)) from cause(error)


def environment_named(name: str) -> Environment:
    """The environment a task names: a backend with its default settings.

    Raises:
        ConfigError: there is none of that name.
    """
    found, settings = environments.resolve(name)
    return Environment(name=found, backend=registry().backend(settings.backend), config=settings)


def input_values(workflow: Workflow[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter's value, converted to its annotation; `OPEN` where there is none.

    Raises:
        ConfigError: values do not fit; all are told.
    """
    from turnout.types import convert

    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, parameter in workflow.signature.parameters.items():
        value = given.get(name, parameter.default)
        if value is parameter.empty:
            value = OPEN
        elif name in given and name in workflow.hints and not _is_config(value):
            try:
                value = convert(value, workflow.hints[name], f"input {name!r}")
            except (TypeMismatch, ConfigError) as error:
                problems.append(str(error))
        values[name] = value
    if problems:
        raise ConfigError("\n".join(problems))
    return values


def _is_config(value: Any) -> bool:
    """A config stays a config while the graph is built: its missing values are no fault yet."""
    return type(value).__module__.startswith("omegaconf.")
