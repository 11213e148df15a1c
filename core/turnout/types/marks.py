"""Annotations marked with what a graph knows beyond them."""

from __future__ import annotations

import enum
import typing
from collections.abc import Sequence
from typing import Annotated, Any


class Mark(enum.Enum):
    """What an annotation is marked with, inside `typing.Annotated`."""

    EACH = "each member of the union comes about, so that each must fit"
    CLAIMED = "the values have not been checked against the annotation"


def each_of(annotations: Sequence[Any]) -> Any:
    """The union of what comes about in several cases; ``Any`` if one of them is, or none is given.

    >>> from turnout.types import relate
    >>> relate(int | str, int), relate(each_of([int, str]), int)
    (<Relation.CHECK: ...>, <Relation.REFUSED: ...>)
    """
    if not annotations or any(one is Any for one in annotations):
        return Any
    members: list[Any] = []
    for one in annotations:
        inside = typing.get_args(one.__origin__) if has_mark(one, Mark.EACH) else ()
        members += inside or [one]
    try:
        union: Any = typing.Union[tuple(members)]  # noqa: UP007  (made from a tuple)
        return Annotated[union, Mark.EACH]
    except TypeError:
        return Any


def claimed(annotation: Any) -> Any:
    """An annotation of values that are still to be checked against it.

    >>> from turnout.types import relate
    >>> relate(int, int), relate(claimed(int), int)
    (<Relation.PROVEN: ...>, <Relation.CHECK: ...>)
    """
    try:
        return Any if annotation is Any else Annotated[annotation, Mark.CLAIMED]
    except TypeError:
        return Any


def has_mark(annotation: Any, mark: Mark) -> bool:
    """Whether an annotation is marked."""
    return any(one is mark for one in getattr(annotation, "__metadata__", ()))
