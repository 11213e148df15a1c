"""Predicates: comparisons of what exists only at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnout.dsl.frames import location
from turnout.dsl.inputs import Input
from turnout.dsl.inputs import annotation_of as annotation_of_input
from turnout.dsl.known import OPEN
from turnout.dsl.promise import Output, Promise, name_of
from turnout.errors import GraphError
from turnout.types import Relation, relate, show

if TYPE_CHECKING:
    from turnout.dsl.trace import Trace


class Predicate(Promise):
    """A comparison, decided at run time; combine predicates with ``&``, ``|``, ``~``."""

    __slots__ = ("_turnout_predicate", "_turnout_trace")

    def __init__(self, trace: Trace, predicate: tuple[Any, ...]) -> None:
        self._turnout_trace = trace
        self._turnout_predicate = predicate

    def __and__(self, other: Any) -> Predicate:
        return _joined("and", self, as_predicate(other, self._turnout_trace))

    def __rand__(self, other: Any) -> Predicate:
        return _joined("and", as_predicate(other, self._turnout_trace), self)

    def __or__(self, other: Any) -> Predicate:
        return _joined("or", self, as_predicate(other, self._turnout_trace))

    def __ror__(self, other: Any) -> Predicate:
        return _joined("or", as_predicate(other, self._turnout_trace), self)

    def __invert__(self) -> Predicate:
        return Predicate(self._turnout_trace, ("not", self._turnout_predicate))

    def __bool__(self) -> bool:
        missing = _open_input(self._turnout_predicate, self._turnout_trace)
        if missing is not None:
            self._turnout_trace.fix(missing, "value", OPEN)
        raise GraphError(
            "a comparison of task outputs has no value while the graph is built; "
            "use conditional(...).if_(...), and & | ~ in place of and, or, not",
            location=location(),
        )

    def __repr__(self) -> str:
        return f"<predicate {self._turnout_predicate!r}>"


def as_predicate(value: Any, trace: Trace) -> Predicate:
    """A predicate from a predicate, or from what is a boolean itself.

    Raises:
        GraphError: the value is neither, or belongs to another workflow.
    """
    kind = type(value)
    if kind is Predicate:
        if value._turnout_trace is not trace:
            raise GraphError(
                f"{value!r} belongs to workflow {value._turnout_trace.name!r} and is used in "
                f"{trace.name!r}; compare the values there",
                location=location(),
            )
        return value  # type: ignore[no-any-return]
    if kind is Output or kind is Input:
        annotation = value._turnout_annotation if kind is Output else annotation_of_input(value)
        if relate(annotation, bool) is Relation.REFUSED:
            name = repr(name_of(value)) if kind is Output else repr(value)
            raise GraphError(
                f"{name} is {show(annotation)}, not a boolean; compare it with something",
                location=location(),
            )
        return Predicate(trace, ("true", trace.take_apart(value)))
    if kind is bool:
        return Predicate(trace, ("true", ("const", value)))
    raise GraphError(
        f"a condition is a comparison of task outputs or a boolean output, not {value!r}; "
        "for a value known at launch use a plain if",
        location=location(),
    )


def compare(trace: Trace, operation: str, left: Any, right: Any) -> Predicate:
    """The predicate for ``left <operation> right``; inputs stay projected."""
    return Predicate(trace, (operation, trace.take_apart(left), trace.take_apart(right)))


def _joined(operation: str, left: Predicate, right: Predicate) -> Predicate:
    return Predicate(
        left._turnout_trace, (operation, left._turnout_predicate, right._turnout_predicate)
    )


def _open_input(predicate: tuple[Any, ...], trace: Trace) -> tuple[str | int, ...] | None:
    """An input without a value among what is compared, unless it is bound to a task's output."""
    if predicate[0] == "input":
        path = predicate[1:]
        return path if path[0] not in trace.bound and trace.value_at(path) is OPEN else None
    if predicate[0] in ("output", "const", "value"):
        return None
    for part in predicate[1:]:
        found = _open_input(part, trace) if isinstance(part, tuple) else None
        if found is not None:
            return found
    return None
