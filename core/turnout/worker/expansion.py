"""Runs the body of a dynamic task: it gets plain values and returns a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnout.backend.call import Call
from turnout.dsl import trace as tracing
from turnout.dsl.arguments import holds_promise
from turnout.dsl.finish import finish
from turnout.dsl.promise import Output
from turnout.dsl.trace import Trace, Traced
from turnout.errors import TypeMismatch
from turnout.types import Relation, checker, relate, show

if TYPE_CHECKING:
    from turnout.dsl import Task

# Values this small are cheaper as constants than as handles.
_BY_VALUE = (bool, int, float, complex, str, bytes, type(None))


def expand(task: Task[..., Any], kwargs: dict[str, Any], call: Call) -> Traced:
    """The graph a dynamic body builds from these arguments.

    An argument that is handed on unchanged becomes an input of the graph, so that the engine
    passes its handle and not the value.

    Raises:
        GraphError: the body cannot be compiled.
        TypeMismatch: what it returns does not fit its annotation.
    """
    trace = Trace(task.name, within=call.id)
    trace.handed = {
        id(value): ("input", name) for name, value in kwargs.items() if type(value) not in _BY_VALUE
    }
    token = tracing.start(trace)
    try:
        result = task.call(kwargs)
    finally:
        tracing.stop(token)
    _check(task, result, call)
    params = task.spec(task.key).params
    graph = finish(trace, result, ref=task.spec(task.key).ref, params=params)
    return Traced(graph=graph, tasks=trace.tasks, annotations=trace.annotations)


def _check(task: Task[..., Any], result: Any, call: Call) -> None:
    where = f"result of node {call.id!r}"
    if type(result) is Output:
        produced = result._turnout_annotation
        if relate(produced, task.returns) is Relation.REFUSED:
            raise TypeMismatch(where, show(task.returns), show(produced))
    elif not holds_promise(result):
        check = checker(task.returns)
        found = check(result) if check is not None else None
        if found is not None:
            raise TypeMismatch(where, show(task.returns), found)
