"""Workflows: functions whose body, run once with promises, is a graph."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from turnout.dsl import identity, inputs
from turnout.dsl import trace as tracing
from turnout.dsl.finish import finish
from turnout.dsl.frames import location
from turnout.dsl.inputs import OPEN, Input
from turnout.dsl.promise import Output
from turnout.dsl.task import Task, _annotation, _check_name, params_of, plain_run
from turnout.dsl.trace import ANY, Trace, Traced
from turnout.errors import GraphError
from turnout.graph import Graph, NodeId, Param, TaskNode, WorkflowNode
from turnout.graph.binding import path_text
from turnout.graph.refs import ref_of
from turnout.types import Relation, hints, relate, show

P = ParamSpec("P")
R = TypeVar("R")

WHOLE_CONFIG_NAMES = ("cfg", "config")


class Workflow(Generic[P, R]):
    """A function that places tasks. Calling it traces it and runs it here, without records.

    Attributes:
        fn: the function.
        name: what plans, records and messages call it.
        ref: ``module:qualname``.
        config_path: directory of its config, relative to the function's file.
        config_name: name of its primary config.
        version_base: Hydra's compatibility version.
        fixed: the inputs Python may use; ``None`` allows all.
        on_failure: the task or workflow called when a run fails.
        signature: the function's signature.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None = None,
        config_path: str | None = None,
        config_name: str | None = None,
        version_base: str | None = "1.3",
        fixed: Iterable[str] | None = None,
        on_failure: Task[..., Any] | Workflow[..., Any] | None = None,
    ) -> None:
        self.fn = fn
        self.name = name or fn.__name__
        _check_name(self.name)
        self.ref = ref_of(fn)
        self.config_path = config_path
        self.config_name = config_name
        self.version_base = version_base
        self.fixed = None if fixed is None else frozenset(fixed)
        self.on_failure = on_failure
        self.signature = inspect.signature(fn)
        functools.update_wrapper(self, fn)
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"workflow {self.name!r} names its parameters: {parameter}")

    @functools.cached_property
    def hints(self) -> dict[str, Any]:
        """Parameter name to annotation; those without one are left out."""
        found = hints(self.fn)
        return {
            name: _annotation(found[name])
            for name in self.signature.parameters
            if name in found and found[name] is not ANY
        }

    @functools.cached_property
    def returns(self) -> Any:
        """The return annotation, ``Any`` if there is none."""
        return _annotation(hints(self.fn).get("return", ANY))

    @functools.cached_property
    def params(self) -> tuple[Param, ...]:
        """The workflow's inputs as a graph knows them."""
        return tuple(
            param._replace(whole=self.takes_whole(param.name))
            for param in params_of(self.signature, self.hints)
        )

    def takes_whole(self, name: str) -> bool:
        """Whether a parameter receives the whole config, and not the key of its name."""
        import dataclasses

        if name not in WHOLE_CONFIG_NAMES:
            return False
        annotation = self.hints.get(name, ANY)
        return (
            annotation is ANY
            or getattr(annotation, "__name__", "") == "DictConfig"
            or (isinstance(annotation, type) and dataclasses.is_dataclass(annotation))
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = tracing.current()
        if trace is None:
            return cast("R", plain_run(self, args, kwargs))  # type: ignore[arg-type]
        return cast("R", self._place(trace, args, kwargs))

    def trace(self, values: Mapping[str, Any]) -> Traced:
        """Run the body once with promises for its inputs.

        Args:
            values: input values by parameter name; one left out takes its default, and is open
                if it has none.

        Raises:
            GraphError: the body cannot be compiled.
        """
        trace = Trace(self.name)
        graph = self._traced(trace, values)
        return Traced(
            graph=graph,
            tasks=trace.tasks,
            annotations=trace.annotations,
            fixed_values=trace.fixed_values,
        )

    def _traced(self, trace: Trace, values: Mapping[str, Any]) -> Graph:
        identity.check(self)
        trace.annotations[self.ref] = self.hints
        trace.allowed = self.fixed
        promises: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            if name in values:
                value = values[name]
            else:
                value = OPEN if parameter.default is parameter.empty else parameter.default
            promises[name] = inputs.known(trace, (name,), value)
        token = tracing.start(trace)
        try:
            by_position = [promises.pop(name) for name in self._positional_only]
            result = self.fn(*by_position, **promises)
            self._check_result(trace, result)
            trace.result_annotation = _result_annotation(result)
            handler = self._failure_node(trace)
        except TypeError as error:
            _name_inputs(error)
            raise
        finally:
            tracing.stop(token)
        return finish(trace, result, ref=self.ref, params=self.params, on_failure=handler)

    def _place(self, trace: Trace, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """A node for this workflow inside another, specialised by what its body fixes."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise GraphError(f"workflow {self.name!r}: {error}", location=location(2)) from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        values: dict[str, Any] = {}
        for name, value in given.items():
            known = _known_value(value)
            if known is not OPEN and name in self.hints and known is not None:
                known = self._fitting(name, known)
            values[name] = known
            if type(value) is Output and name in self.hints:
                produced = value._turnout_annotation
                if relate(produced, self.hints[name]) is Relation.REFUSED:
                    raise GraphError(
                        f"workflow {self.name!r}: parameter {name!r} expects "
                        f"{show(self.hints[name])}, found {show(produced)}",
                        location=location(2),
                    )
        inner = Trace(self.name, parent=trace)
        graph = self._traced(inner, values)
        for (path, what), fixed in inner.fixed.items():
            _fix_outer(trace, given.get(path[0]), path[1:], what, fixed.line)
        returns = self.returns if self.returns is not ANY else _annotation_of(inner, graph)
        return trace.add_workflow(self.name, graph, list(given.items()), returns)

    def _fitting(self, name: str, value: Any) -> Any:
        from turnout.types import convert

        try:
            return convert(value, self.hints[name], f"parameter {name!r} of workflow {self.name!r}")
        except TypeError as error:
            raise GraphError(str(error), location=location(2)) from None

    def _check_result(self, trace: Trace, result: Any) -> None:
        if type(result) is not Output or self.returns is ANY:
            return
        produced = result._turnout_annotation
        if relate(produced, self.returns) is Relation.REFUSED:
            raise GraphError(
                f"workflow {self.name!r} promises {show(self.returns)} and returns "
                f"{show(produced)} from {result._turnout_node!r}"
            )

    def _failure_node(self, trace: Trace) -> TaskNode | WorkflowNode | None:
        """The node of the failure handler: it takes inputs by name, and ``error`` as text."""
        handler = self.on_failure
        if handler is None:
            return None
        args = []
        for name, parameter in handler.signature.parameters.items():
            if name in self.signature.parameters:
                args.append((name, ("input", name)))
            elif name == "error":
                args.append((name, ("input", "error")))
            elif parameter.default is parameter.empty:
                raise GraphError(
                    f"on_failure={handler.name} needs {name!r}, which workflow {self.name!r} does "
                    "not have; a failure handler takes the workflow's inputs by name, and 'error'"
                )
        node_id = NodeId("on_failure")
        if isinstance(handler, Task):
            return TaskNode(id=node_id, task=trace.use_task(handler), args=tuple(args))
        inner = Trace(handler.name, parent=trace)
        graph = handler._traced(inner, {})
        return WorkflowNode(
            id=node_id, workflow=trace.share(handler.name, graph), args=tuple(args)
        )

    @functools.cached_property
    def _positional_only(self) -> tuple[str, ...]:
        parameters = self.signature.parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    def __reduce__(self) -> Any:
        return (_by_name, (self.ref,))


def _by_name(ref: str) -> Any:
    from turnout.graph.refs import resolve

    return resolve(ref)


def _known_value(value: Any) -> Any:
    """What is known of an argument of a sub-workflow at launch; `OPEN` for anything of a task."""
    kind = type(value)
    if kind is Input:
        return value._turnout_value
    if kind is Output:
        return OPEN
    if tracing.holds_promise(value):
        return OPEN
    return value


def _fix_outer(trace: Trace, value: Any, rest: tuple[Any, ...], what: str, line: str) -> None:
    """What an inner workflow fixes of an outer input is fixed in the outer one too."""
    if type(value) is not Input:
        return
    part: Any = value
    for key in rest:
        part = inputs.child_or_none(part, key)
        if type(part) is not Input:
            return
    trace.fix(part._turnout_path, what, part._turnout_value, line)


def _result_annotation(result: Any) -> Any:
    """The annotation of what a body returned, as far as its promises tell."""
    if type(result) is Output:
        return result._turnout_annotation
    if type(result) is tuple:
        return tuple.__class_getitem__(tuple(map(_result_annotation, result)))
    return ANY


def _annotation_of(inner: Trace, graph: Graph) -> Any:
    """The annotation of a graph's result where the workflow has none."""
    if graph.result is None:
        return type(None)
    return inner.result_annotation


def _name_inputs(error: TypeError) -> None:
    """Add a note that names the inputs which stood in the frames the error passed through."""
    found: dict[str, None] = {}
    traceback = error.__traceback__
    while traceback is not None:
        for value in list(traceback.tb_frame.f_locals.values()):
            if type(value) is Input:
                found[path_text(value._turnout_path)] = None
        traceback = traceback.tb_next
    paths = [path for path in found if "." in path or "[" in path] or list(found)
    if paths:
        error.add_note(
            f"inputs involved: {', '.join(paths)}; while the graph is built an input is a "
            f"promise: use turnout.fixed({paths[0]}) where its plain value is needed"
        )


@overload
def workflow(fn: Callable[P, R], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    config_path: str | None = None,
    config_name: str | None = None,
    version_base: str | None = "1.3",
    fixed: Iterable[str] | None = None,
    on_failure: Task[..., Any] | Workflow[..., Any] | None = None,
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...
def workflow(fn: Callable[..., Any] | None = None, /, **said: Any) -> Any:
    """Make a function a workflow.

    Args:
        name: what plans, records and messages call it; the function's name otherwise.
        config_path: directory of its Hydra config, relative to the function's file.
        config_name: name of its primary config, without ``.yaml``.
        version_base: Hydra's compatibility version.
        fixed: paths of inputs that Python may use in the body; fixing any other is an error.
        on_failure: a task or workflow to call when a run fails; it takes the workflow's inputs
            by name, and ``error`` as text.

    >>> from turnout.dsl import task
    >>> @task
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> @workflow
    ... def twice(x: int) -> int:
    ...     return double(double(x))
    >>> [node.id for node in twice.trace({"x": 1}).graph.nodes]
    ['double', 'double-2']
    """
    if fn is None:
        return functools.partial(Workflow, **said)
    return Workflow(fn)
