"""Runs the body of a dynamic task: it gets plain values and returns a graph."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from turnout.backend.call import Call
from turnout.dsl import trace as tracing
from turnout.dsl.finish import finish
from turnout.dsl.reach import check_identity
from turnout.dsl.results import judge
from turnout.dsl.trace import Trace, Traced
from turnout.errors import TypeMismatch
from turnout.graph import Binding
from turnout.types.foreign import is_config

if TYPE_CHECKING:
    from turnout.dsl import Task

# Values this small are cheaper as constants than as handles.
_BY_VALUE: Final = (bool, int, float, complex, str, bytes, type(None))
_SMALL: Final = 100
_SHORT: Final = 1000


def expand(task: Task[..., Any], kwargs: dict[str, Any], call: Call) -> Traced:
    """The graph a dynamic body builds from these arguments.

    An argument that is handed on unchanged becomes an input of the graph, so that the engine
    passes its handle and not the value. What is small, or the call's own copy, goes as a value.

    Raises:
        GraphError: the body cannot be compiled.
        TypeMismatch: what it returns does not fit its annotation.
    """
    check_identity(task)
    trace = Trace(task.name, within=call.id)
    trace.body = task.fn
    own = _own(call)
    trace.handed = _Handed({k: v for k, v in kwargs.items() if k not in own and not _by_value(v)})
    token = tracing.start(trace)
    try:
        result = task.call(kwargs)
    finally:
        tracing.stop(token)
    proven = _check(task, result, call)
    params = task.spec(task.key).params
    graph = finish(trace, result, ref=task.spec(task.key).ref, params=params)
    return Traced(
        graph=graph,
        tasks=trace.tasks,
        annotations=trace.annotations,
        returns=Any if proven else task.returns,
    )


class _Handed(dict[int, Binding]):
    """Bindings of the arguments that may go by handle, by identity of the value.

    A list or dict the body has changed is no longer in it: the handle gives what it was.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({id(value): ("input", name) for name, value in values.items()})
        # Items are kept, and not their ids, which others have once they are gone.
        self._before = {
            id(value): (value, [*_items(value)])
            for value in values.values()
            if isinstance(value, (list, dict, set))
        }

    def __contains__(self, key: object) -> bool:
        if not super().__contains__(key):
            return False
        value, before = self._before.get(key, ((), ()))  # type: ignore[call-overload]
        now = [*_items(value)]
        return len(now) == len(before) and all(map(operator.is_, now, before))


def _items(value: Any) -> Iterable[Any]:
    return [*value, *value.values()] if isinstance(value, dict) else value


def _own(call: Call) -> set[str]:
    """The parameters that got a copy of their own, which the body may change."""
    if call.shapes is None:
        return set()
    return {name for name, shape in zip(call.names, call.shapes, strict=True) if shape[0] == "own"}


def _by_value(value: Any) -> bool:
    """Whether a value goes as a constant: parts of a config, and what is plain and small."""
    return is_config(type(value)) or _room(value, _SMALL) >= 0


def _room(value: Any, room: int) -> int:
    """What is left of the room for plain items; negative where a value does not fit in."""
    kind = type(value)
    if kind in _BY_VALUE:
        return room - 1
    if kind not in (list, tuple, dict) or len(value) > room:
        return -1
    room -= 1
    for item in _items(value):
        room = -1 if type(item) in (str, bytes) and len(item) > _SHORT else _room(item, room)
        if room < 0:
            break
    return room


def _check(task: Task[..., Any], result: Any, call: Call) -> bool:
    """Whether the annotations prove that the result fits."""
    where = f"result of node {call.id!r}"
    misfit, proven = judge(result, task.returns)
    if misfit is not None:
        raise TypeMismatch(where, misfit.wanted, misfit.found)
    return proven
