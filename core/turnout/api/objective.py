"""What a sweep optimises: the outputs ``turnout.objective`` names, or the workflow's result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, get_origin

from turnout.api.run import Run
from turnout.backend.registry import choices
from turnout.dsl.fields import output_fields
from turnout.errors import ConfigError
from turnout.graph import TaskNode

if TYPE_CHECKING:
    from turnout.dsl import Workflow
    from turnout.plan import Plan, Step

_NAMELESS: Final = (bool, int, float, complex, str, bytes, list, tuple, set, type(None))


def objective(run: Run[Any], names: Sequence[str]) -> Any:
    """The workflow's result, or the outputs of these names; several as a tuple.

    A name is a field or key of the result, or else a node.

    Raises:
        ConfigError: there is no such output.
    """
    value = run.outputs
    if not names:
        return value
    found = tuple(_named(run, value, name) for name in names)
    return found[0] if len(found) == 1 else found


def _named(run: Run[Any], value: Any, name: str) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if not isinstance(value, Mapping) and hasattr(type(value), "__annotations__"):
        found = getattr(value, name, run)
        if found is not run:
            return found
    return run.output(name)


def check_objective(names: Sequence[str], workflow: Workflow[..., Any], plan: Plan) -> None:
    """Refuse names that no run of this plan can have; what only the run can tell is left to it.

    Raises:
        ConfigError: there is no such output, or the run would not keep it.
    """
    fields = None if plan.until else _fields(workflow, plan)
    if fields is None:
        return
    steps = {step.id: step for step in plan.layout.program.steps}
    keep = plan.environment.config.keep
    for name in names:
        if name in fields or _grows(name, steps):
            continue
        step = steps.get(_map_of(name))
        if step is None:
            raise ConfigError(
                f"turnout.objective: {name!r} is neither an output of workflow {workflow.name!r} "
                f"nor a node of it; {choices(name, [*fields, *steps])}"
            )
        if keep == "none" or (keep == "cached" and not step.options.cache):
            raise ConfigError(
                f"turnout.objective: the result of node {name!r} is not kept, for "
                f"execution_environment.keep is {keep!r}; return it from the workflow"
            )


def _fields(workflow: Workflow[..., Any], plan: Plan) -> Collection[str] | None:
    """The names of the result's parts; ``None`` where only the run can tell."""
    result = plan.graph.result
    if result is None or result[0] in ("const", "list", "tuple"):
        return ()
    if result[0] in ("dict", "config"):
        return [str(key) for key, _ in result[1]]
    if result[0] == "object":
        return [name for name, _ in result[2]]
    annotation = workflow.returns
    if annotation is Any and result[0] == "output" and len(result) == 2:
        node = plan.graph.node(result[1])
        if isinstance(node, TaskNode) and not node.mapped:
            annotation = plan.rules.tasks[node.task].returns
    parts = output_fields(annotation)
    if parts is not None:
        return [name for name in parts if isinstance(name, str)]
    return () if (get_origin(annotation) or annotation) in _NAMELESS else None


def _grows(name: str, steps: Mapping[str, Step]) -> bool:
    """Whether a name may be one of the nodes that a dynamic task brings."""
    owner = name.rpartition("/")[0]
    while owner:
        step = steps.get(_map_of(owner))
        if step is not None and step.spec is not None and step.spec.dynamic:
            return True
        owner = owner.rpartition("/")[0]
    return False


def _map_of(name: str) -> str:
    """The map an item belongs to; any other name as it is.

    >>> _map_of("fit[3]"), _map_of("fit")
    ('fit', 'fit')
    """
    head, bracket, number = name.rpartition("[")
    return head if bracket and number.endswith("]") and number[:-1].isdigit() else name
