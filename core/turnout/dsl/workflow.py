"""Workflows: functions whose body, run once with promises, is a graph."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from turnout.dsl import arguments, inputs
from turnout.dsl import trace as tracing
from turnout.dsl.finish import finish
from turnout.dsl.frames import line_of
from turnout.dsl.known import OPEN
from turnout.dsl.nested import failure_node, place
from turnout.dsl.reach import check_identity
from turnout.dsl.results import judge
from turnout.dsl.signatures import (
    Placeable,
    annotation,
    annotations_of,
    check_function,
    check_name,
    params_of,
)
from turnout.dsl.task import Task, plain_run
from turnout.dsl.trace import Trace, Traced
from turnout.errors import GraphError
from turnout.graph import Graph, Param
from turnout.graph.refs import ref_of, resolve
from turnout.types import hints
from turnout.types.foreign import is_dict_config
from turnout.uncollected import uncollected

P = ParamSpec("P")
R = TypeVar("R")

WHOLE_CONFIG_NAMES = ("cfg", "config")


class Workflow(Placeable, Generic[P, R]):
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
        check_function(fn, "workflow")
        if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn):
            raise TypeError(
                f"workflow {fn.__name__!r} only builds a graph, so it is a plain def that returns "
                "promises, no coroutine and no generator"
            )
        # First, for a function's own attributes must not stand in for those of the workflow.
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name: str = fn.__name__.strip("<>") if name is None else name
        check_name(self.name)
        self.ref = ref_of(fn)
        self.config_path = config_path
        self.config_name = config_name
        self.version_base = version_base
        if isinstance(fixed, str):
            raise TypeError(f"@workflow(fixed=...) takes a tuple of paths, not the text {fixed!r}")
        self.fixed = None if fixed is None else frozenset(fixed)
        if not isinstance(on_failure, (Task, Workflow, type(None))):
            raise TypeError(f"on_failure is a task or a workflow, not {on_failure!r}")
        self.on_failure = on_failure
        self.signature = inspect.signature(fn)
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(
                    f"workflow {self.name!r} takes {parameter}; a workflow names its parameters"
                )

    @functools.cached_property
    def hints(self) -> dict[str, Any]:
        """Parameter name to annotation; those without one are left out."""
        return annotations_of(self.fn, self.signature)

    @functools.cached_property
    def returns(self) -> Any:
        """The return annotation, ``Any`` if there is none."""
        return annotation(hints(self.fn).get("return", Any))

    @functools.cached_property
    def params(self) -> tuple[Param, ...]:
        """The workflow's inputs as a graph knows them."""
        return tuple(
            param._replace(whole=self.takes_whole(param.name))
            for param in params_of(self.signature, self.hints)
        )

    def takes_whole(self, name: str) -> bool:
        """Whether a parameter receives the whole config, and not the key of its name."""
        if name not in WHOLE_CONFIG_NAMES:
            return False
        said = self.hints.get(name, Any)
        if said is Any:  # unannotated
            return True
        return isinstance(said, type) and (is_dict_config(said) or dataclasses.is_dataclass(said))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: D102  (the function's)
        trace = tracing.current()
        if trace is None:
            return cast("R", plain_run(self, args, kwargs))
        return cast("R", place(self, trace, args, kwargs))

    def trace(self, values: Mapping[str, Any]) -> Traced:
        """Run the body once with promises for its inputs.

        Args:
            values: input values by parameter name; one left out takes its default, and is open
                if it has none.

        Raises:
            GraphError: the body cannot be compiled.
            Exception: whatever else the body raises, with a note on the promises involved.
        """
        trace = Trace(self.name)
        with uncollected():
            graph = self.graph_of(trace, values)
        return Traced(
            graph=graph,
            tasks=trace.tasks,
            annotations=trace.annotations,
            fixed_values=trace.fixed_values,
            returns=Any if trace.proven else self.returns,
        )

    def graph_of(self, trace: Trace, values: Mapping[str, Any]) -> Graph:
        """Run the body inside a new trace; gives its graph."""
        check_identity(self, self.signature.parameters)
        trace.annotations[self.ref] = trace.hints = self.hints
        trace.allowed = self.fixed
        trace.body = self.fn
        trace.values_given = {
            name: values.get(
                name, OPEN if parameter.default is parameter.empty else parameter.default
            )
            for name, parameter in self.signature.parameters.items()
        }
        where = line_of(self.fn)
        if self.fixed:
            from turnout.dsl.allowed import check_allowed

            check_allowed(self.fixed, trace.values_given, self.name, where)
        promises = {
            name: inputs.known(trace, (name,), value, where)
            for name, value in trace.values_given.items()
        }
        token = tracing.start(trace)
        try:
            by_position = [promises.pop(name) for name in self._positional_only]
            result = self.fn(*by_position, **promises)
            trace.proven = self._check_result(trace, result)
            trace.returned = arguments.annotation_of(result)
            handler = None
            if self.on_failure is not None:
                handler = failure_node(self, self.on_failure, trace)
            return finish(trace, result, ref=self.ref, params=self.params, on_failure=handler)
        except Exception as error:
            from turnout.dsl.explain import note_body

            note_body(error, self.name)
            raise
        finally:
            tracing.stop(token)

    def _check_result(self, trace: Trace, result: Any) -> bool:
        """Refuse a result that can never be what the annotation promises.

        Gives whether it is proven to be that.
        """
        promised = self.returns
        if promised is Any or trace.open_branches:
            return True
        misfit, proven = judge(result, promised)
        if misfit is not None:
            raise GraphError(
                f"workflow {self.name!r} promises {misfit.wanted} and returns {misfit.found}",
                location=line_of(self.fn),
            )
        return proven

    @functools.cached_property
    def _positional_only(self) -> tuple[str, ...]:
        parameters = self.signature.parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    def __reduce__(self) -> Any:
        return (resolve, (self.ref,))


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
def workflow(fn: Callable[..., Any] | None = None, /, **said: Any) -> Any:  # noqa: D417  (above)
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
