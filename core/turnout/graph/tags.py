"""Plain data as JSON that gives back the same types: scalars as they are, the rest tagged."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import pathlib
from collections.abc import Callable
from typing import Any, Final

from turnout.graph.refs import importable, resolve

SCALARS: Final = frozenset({bool, int, str, type(None)})


class NotPlain(Exception):
    """Raised by `tagged` for what JSON with tags cannot hold."""


def tagged(obj: Any, other: Callable[[Any], Any] | None = None) -> Any:
    """Plain data as JSON: scalars as they are, everything else as ``[tag, content]``.

    Args:
        obj: the data.
        other: gives the ``[tag, content]`` of what this function does not know.

    Raises:
        NotPlain: something in it is no plain data; `untagged` gives back all else unchanged.

    >>> tagged({"C": (0.1, None)})
    ['dict', [['C', ['tuple', [0.1, None]]]]]
    """
    kind = type(obj)
    if kind in SCALARS:
        return obj
    if kind is float:
        return obj if math.isfinite(obj) else ["float", repr(obj)]
    if kind is list or kind is tuple:
        return [kind.__name__, [tagged(item, other) for item in obj]]
    if kind is dict:
        return ["dict", [[tagged(key, other), tagged(item, other)] for key, item in obj.items()]]
    if kind is set or kind is frozenset:
        items = [tagged(item, other) for item in obj]
        return [kind.__name__, sorted(items, key=json.dumps)]
    found = _tagged_leaf(obj, kind)
    if found is not None:
        return found
    if other is not None:
        return other(obj)
    raise NotPlain


def _tagged_leaf(obj: Any, kind: type) -> list[Any] | None:
    if kind is bytes:
        return ["bytes", obj.hex()]
    if kind is complex:
        return ["complex", [repr(obj.real), repr(obj.imag)]]
    if kind in (dt.datetime, dt.date, dt.time):
        plain = getattr(obj, "tzinfo", None) in (None, dt.UTC) and not getattr(obj, "fold", 0)
        return [kind.__name__, obj.isoformat()] if plain else None
    if kind is dt.timedelta:
        return ["timedelta", [obj.days, obj.seconds, obj.microseconds]]
    if isinstance(obj, pathlib.Path) and kind.__module__.startswith("pathlib"):
        return ["path", str(obj)]
    if isinstance(obj, enum.Enum) and isinstance(obj.name, str):
        ref = importable(kind)
        return None if ref is None else ["enum", [ref, obj.name]]
    return None


_SEQUENCES: Final[dict[str, Callable[[Any], Any]]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
_LEAVES: Final[dict[str, Callable[[Any], Any]]] = {
    "float": float,
    "bytes": bytes.fromhex,
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda parts: dt.timedelta(*parts),
    "path": pathlib.Path,
    "enum": lambda parts: getattr(resolve(parts[0]), parts[1]),
}


def untagged(data: Any, other: Callable[[str, Any], Any] | None = None) -> Any:
    """The data that `tagged` wrote.

    Args:
        data: what JSON gave.
        other: is given the tags this function does not know.

    Raises:
        ValueError: a tag nobody knows.

    >>> untagged(["dict", [["C", ["tuple", [0.1, None]]]]])
    {'C': (0.1, None)}
    """
    if not isinstance(data, list):
        return data
    tag, content = data
    if tag in _SEQUENCES:
        return _SEQUENCES[tag](untagged(item, other) for item in content)
    if tag == "dict":
        return {untagged(key, other): untagged(item, other) for key, item in content}
    if tag in _LEAVES:
        return _LEAVES[tag](content)
    if other is not None:
        return other(tag, content)
    raise ValueError(f"unknown tag {tag!r} in plain data")
