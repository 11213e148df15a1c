"""Decides predicates once the values they compare exist."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from turnout.graph import Predicate
from turnout.worker.describe import describe

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    name: getattr(operator, name) for name in ("lt", "le", "eq", "ne", "ge", "gt")
}


def holds(predicate: Predicate, value: Callable[[Any], Any]) -> bool:
    """Whether a predicate is true.

    >>> holds(("and", ("gt", 3, 2), ("not", ("eq", 1, 2))), lambda leaf: leaf)
    True
    """
    operation = predicate[0]
    if operation == "and":
        return holds(predicate[1], value) and holds(predicate[2], value)
    if operation == "or":
        return holds(predicate[1], value) or holds(predicate[2], value)
    if operation == "not":
        return not holds(predicate[1], value)
    if operation == "true":
        return bool(value(predicate[1]))
    left, right = value(predicate[1]), value(predicate[2])
    try:
        return bool(_COMPARE[operation](left, right))
    except Exception as error:
        error.__turnout__ = {"compared": (describe(left), describe(right))}  # type: ignore[attr-defined]
        raise
