"""Predicates: comparisons of what exists only at run time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from turnout.dsl.frames import location
from turnout.dsl.inputs import Input
from turnout.dsl.inputs import annotation_of as annotation_of_input
from turnout.dsl.known import OPEN
from turnout.dsl.promise import Output, Promise, name_of
from turnout.errors import GraphError
from turnout.graph import Binding
from turnout.graph.binding import leaves, path_text
from turnout.types import Relation, relate, show
from turnout.types.forms import strip

if TYPE_CHECKING:
    from turnout.dsl.trace import Trace

COMPARISONS: Final = ("lt", "le", "eq", "ne", "ge", "gt")


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
        trace = self._turnout_trace
        compared = list(_leaves(self._turnout_predicate))
        for leaf in compared:
            if (
                leaf[0] == "input"
                and leaf[1] not in trace.bound
                and trace.value_at(leaf[1:]) is OPEN
            ):
                trace.fix(leaf[1:], "value", OPEN)
        sources = [
            f"{path_text(leaf[1:])!r}, an output of task {trace.task_name(leaf[1])!r},"
            if leaf[0] == "output"
            else f"{path_text(leaf[1:])!r}"
            for leaf in compared
            if leaf[0] == "output" or (leaf[0] == "input" and leaf[1] in trace.bound)
        ]
        raise GraphError(
            f"a comparison of {' and '.join(dict.fromkeys(sources)) or 'constants'} has no value "
            "while the graph is built; to choose by it use conditional(...).if_(...), with & | ~ "
            "in place of and, or, not; for anything else compare inside a task or a @dynamic task",
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
    """The predicate for ``left <operation> right``; inputs stay projected.

    Raises:
        GraphError: what is compared has no order, as far as annotations and known values tell.
    """
    if operation not in ("eq", "ne"):
        _check_order(left, right)
    return Predicate(trace, (operation, trace.take_apart(left), trace.take_apart(right)))


def _check_order(left: Any, right: Any) -> None:
    kinds = [_compared_kind(side) for side in (left, right)]
    if None in kinds or kinds[0] == kinds[1]:
        return
    named = []
    for side in (left, right):
        name = repr(name_of(side)) if type(side) is Output else repr(side)
        named.append(f"{name} is {show(_compared_as(side))}")
    raise GraphError(f"{' and '.join(named)}, which have no order", location=location())


def _compared_as(side: Any) -> Any:
    if type(side) is Output:
        return side._turnout_annotation
    if type(side) is Input:
        value = side._turnout_value
        return annotation_of_input(side) if value is OPEN else type(value)
    return type(side)


def _compared_kind(side: Any) -> str | None:
    """What a value is ordered among: ``number``, ``str`` or ``bytes``; ``None`` if not known."""
    annotation = strip(_compared_as(side))
    if annotation in (bool, int, float):
        return "number"
    return annotation.__name__ if annotation in (str, bytes) else None


def _joined(operation: str, left: Predicate, right: Predicate) -> Predicate:
    return Predicate(
        left._turnout_trace, (operation, left._turnout_predicate, right._turnout_predicate)
    )


def _leaves(predicate: tuple[Any, ...]) -> Iterator[Binding]:
    """The leaves of everything a predicate compares."""
    for part in predicate[1:]:
        if part[0] in ("and", "or", "not", "true") or part[0] in COMPARISONS:
            yield from _leaves(part)
        else:
            yield from leaves(part)
