"""What a workflow returns, held against its return annotation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_origin

from turnout.dsl.arguments import annotation_of, fields_of, holds_promise
from turnout.dsl.fields import output_fields
from turnout.dsl.inputs import Input
from turnout.dsl.promise import Output, name_of
from turnout.graph.binding import path_text
from turnout.types import checker, relate, show
from turnout.types.relate import PROVEN, REFUSED


class Misfit(NamedTuple):
    """A part of a result that cannot fit.

    Attributes:
        wanted: what the annotation says of it.
        found: what it is, and where it comes from.
    """

    wanted: str
    found: str


def judge(result: Any, promised: Any) -> tuple[Misfit | None, bool]:
    """The first part of a result that cannot fit, and whether every part is proven to fit."""
    proven = True
    for part, wanted in _parts(result, promised):
        kind = type(part)
        if kind is not Output and not holds_promise(part):
            check = checker(wanted)
            found = None if check is None else check(part)
            if found is not None:
                return Misfit(show(wanted), found), False
            continue
        promise = kind is Output or kind is Input
        produced = annotation_of(part) if promise else kind
        relation = relate(produced, wanted)
        if relation is REFUSED:
            return Misfit(show(wanted), show(produced) + _source(part)), False
        proven &= relation is PROVEN and (promise or wanted is Any)
    return None, proven


def _source(part: Any) -> str:
    if type(part) is Output:
        return f" from {name_of(part)!r}"
    return f" from input {path_text(part._turnout_path)!r}" if type(part) is Input else ""


def _parts(result: Any, wanted: Any) -> Iterator[tuple[Any, Any]]:
    """The promises and constants in a result, each with the annotation it must fit.

    A structure that the annotation does not describe part by part is given as a whole.
    """
    kind = type(result)
    inside = None
    if kind is not Output and kind is not Input and holds_promise(result):
        inside = _inside(result, kind, wanted)
    if inside is None:
        yield result, wanted
        return
    for part, hint in inside:
        if type(part) is Output:
            yield part, hint
        else:
            yield from _parts(part, hint)


def _inside(result: Any, kind: type, wanted: Any) -> list[tuple[Any, Any]] | None:
    origin, args = get_origin(wanted), get_args(wanted)
    if kind is list and origin is list and args:
        return [(item, args[0]) for item in result]
    if kind is dict and origin is dict and len(args) == 2:
        pairs = [(key, args[0]) for key in result] + [(item, args[1]) for item in result.values()]
        return [(part, hint) for part, hint in pairs if hint is not Any]
    if kind is tuple and origin is tuple and args:
        hints = [args[0]] * len(result) if args[-1] is Ellipsis else [*args]
        return [*zip(result, hints, strict=True)] if len(hints) == len(result) else None
    fields = output_fields(wanted) if kind is (origin or wanted) else None
    if fields is None:
        return None
    return [(part, fields.get(name, Any)) for name, part in fields_of(result)]
