"""``@workflow(fixed=...)``: that what it allows is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from turnout.backend.registry import choices
from turnout.dsl.known import OPEN, kind_of, record_fields
from turnout.errors import GraphError

_FIRST: Final = re.compile(r"[^.\[]+")


def check_allowed(
    allowed: Iterable[str], values: Mapping[str, Any], workflow: str, where: str
) -> None:
    """Refuse a path that no input begins with: neither a parameter, nor a key of one.

    Deeper down a config may have different keys from run to run, so nothing is asked there.

    Args:
        allowed: the paths.
        values: input values by parameter name.
        workflow: the workflow's name.
        where: its ``file:line``.

    Raises:
        GraphError: there is one; the message has the closest input.
    """
    if any(value is OPEN for value in values.values()):
        return  # it may be a key of that one
    known = {*values, *(str(key) for value in values.values() for key in _keys(value))}
    for path in sorted(allowed):
        first = _FIRST.match(path)
        name = path if first is None else first[0]
        if name not in known:
            raise GraphError(
                f"workflow {workflow!r} allows {path!r} to be fixed, and there is no such input; "
                f"{choices(name, known)}",
                location=where,
            )


def _keys(value: Any) -> Iterable[Any]:
    kind = kind_of(value)
    if kind == "record":
        return record_fields(value)
    return value.keys() if kind in ("config", "mapping") else ()
