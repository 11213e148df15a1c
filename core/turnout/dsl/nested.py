"""Workflows inside workflows: specialised by what they fix, and called when a run fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from turnout.dsl.arguments import Instantiate, holds_promise, parts
from turnout.dsl.frames import line_of, location
from turnout.dsl.inputs import Input
from turnout.dsl.known import OPEN, holds_open, kind_of
from turnout.dsl.promise import Output, name_of
from turnout.dsl.task import Task
from turnout.dsl.trace import OpenInput, Trace, bound_text
from turnout.errors import ConfigError, GraphError
from turnout.graph import NodeId, Path, TaskNode, WorkflowNode
from turnout.types import Relation, claimed, convert, relate, show

if TYPE_CHECKING:
    from turnout.dsl.workflow import Workflow

_DEEPEST: Final = 100


def place(
    workflow: Workflow[..., Any], trace: Trace, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Output:
    """A node for a workflow inside another, specialised by what its body fixes.

    Raises:
        GraphError: the arguments do not fit, or the body steers on a task's output.
    """
    try:
        bound = workflow.signature.bind(*args, **kwargs)
    except TypeError as error:
        raise GraphError(f"workflow {workflow.name!r}: {error}", location=location()) from None
    bound.apply_defaults()
    given: dict[str, Any] = dict(bound.arguments)
    if trace.depth >= _DEEPEST:
        raise GraphError(
            f"workflow {workflow.name!r} is called inside itself without end", location=location()
        )
    inner = Trace(workflow.name, parent=trace)
    try:
        graph = workflow.graph_of(inner, _values(workflow, given, inner))
    except OpenInput as error:
        outer = given.get(str(error.path[0]))
        error.path = (*outer._turnout_path, *error.path[1:]) if type(outer) is Input else ()
        raise
    for (path, what), fixed in inner.fixed.items():
        _fix_outer(trace, given.get(str(path[0])), path[1:], what, fixed.line)
    returns = inner.returned if workflow.returns is Any else workflow.returns
    if not inner.proven:
        returns = claimed(returns)
    return trace.add_workflow(workflow.name, graph, list(given.items()), returns)


def failure_node(
    workflow: Workflow[..., Any], handler: Task[..., Any] | Workflow[..., Any], trace: Trace
) -> TaskNode | WorkflowNode:
    """The node of a failure handler: it takes inputs by name, and ``error`` as text.

    Raises:
        GraphError: the handler needs what the workflow does not have.
    """
    args: list[tuple[str, Any]] = []
    for name, parameter in handler.signature.parameters.items():
        if name in workflow.signature.parameters or name == "error":
            args.append((name, ("input", name)))
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            raise GraphError(
                f"on_failure={handler.name} needs {name!r}, which workflow {workflow.name!r} does "
                "not have; a failure handler takes the workflow's inputs by name, and 'error'",
                location=line_of(workflow.fn),
            )
    node_id = NodeId("on_failure")
    if isinstance(handler, Task):
        options = handler.node_options
        return TaskNode(id=node_id, task=trace.use_task(handler), args=tuple(args), options=options)
    values = {name: trace.values_given.get(name, OPEN) for name, _ in args}
    inner = Trace(handler.name, parent=trace)
    inner.bound = {
        "error": "the failure, which has no value while the graph is built; use it inside a task"
    }
    graph = handler.graph_of(inner, values)
    for (path, what), fixed in inner.fixed.items():
        if path[0] in trace.values_given:
            trace.fix(path, what, trace.value_at(path), fixed.line)
    return WorkflowNode(id=node_id, workflow=trace.share(handler.name, graph), args=tuple(args))


def _values(workflow: Workflow[..., Any], given: Mapping[str, Any], inner: Trace) -> dict[str, Any]:
    """What is known of the arguments at launch, converted; what tasks will give is `OPEN`."""
    values: dict[str, Any] = {}
    bound: dict[str, str] = {}
    for name, value in given.items():
        known = _known(value)
        wanted = workflow.hints.get(name)
        if holds_open(known):
            source = _first_output(value)
            if source is not None:
                bound[name] = bound_text(source)
        elif wanted is not None and known is not None:
            try:
                known = convert(known, wanted, f"parameter {name!r} of workflow {workflow.name!r}")
            except (TypeError, ConfigError) as error:
                raise GraphError(str(error), location=location()) from None
        for part, hint in parts(value, wanted) if wanted is not None else ():
            if relate(part._turnout_annotation, hint) is Relation.REFUSED:
                raise GraphError(
                    f"workflow {workflow.name!r}: parameter {name!r} expects {show(hint)}, "
                    f"found {show(part._turnout_annotation)} from {name_of(part)!r}",
                    location=location(),
                )
        values[name] = known
    inner.bound = bound
    return values


def _known(value: Any) -> Any:
    """What is known of an argument at launch, with `OPEN` for every output in it."""
    kind = type(value)
    if kind is Input:
        return value._turnout_value
    if kind is Output or kind is Instantiate:
        return OPEN
    if kind in (list, tuple):
        return kind([_known(item) for item in value])
    if kind is dict:
        return {key: _known(item) for key, item in value.items()}
    return OPEN if holds_promise(value) else value


def _first_output(value: Any) -> Output | None:
    if type(value) is Output:
        return value
    parts_of = value.values() if type(value) is dict else value
    if type(value) in (list, tuple, dict):
        for part in parts_of:
            found = _first_output(part)
            if found is not None:
                return found
    return None


def _fix_outer(trace: Trace, value: Any, rest: Path, what: str, line: str) -> None:
    """What an inner workflow fixes of an outer input is fixed in the outer one too."""
    for position, key in enumerate(rest):
        if type(value) is Input:
            path = (*value._turnout_path, *rest[position:])
            _fix_input(trace, path, what, line)
            return
        if type(value) not in (list, tuple, dict):
            return
        value = value[key]
    if type(value) is Input:
        _fix_input(trace, value._turnout_path, what, line)
    elif type(value) in (list, tuple, dict) and what == "value":
        for part in value.values() if type(value) is dict else value:
            _fix_outer(trace, part, (), what, line)


def _fix_input(trace: Trace, path: Path, what: str, line: str) -> None:
    try:
        value = trace.value_at(path)
    except (LookupError, AttributeError):
        return  # made by the conversion to the parameter's annotation: a default of its class
    if what == "keys" and kind_of(value) in ("scalar", "opaque"):
        what = "value"
    trace.fix(path, what, value, line)
