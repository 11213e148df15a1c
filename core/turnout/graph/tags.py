"""Plain data as JSON that gives back the same types: scalars as they are, the rest tagged."""

from __future__ import annotations

import enum
import math
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
        import json

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
    if home(kind) == "datetime":
        return _tagged_time(obj, kind)
    if home(kind) == "pathlib":
        import pathlib

        return ["path", str(obj)] if isinstance(obj, pathlib.Path) else None
    if isinstance(obj, enum.Enum) and isinstance(obj.name, str):
        ref = importable(kind)
        return None if ref is None else ["enum", [ref, obj.name]]
    return None


def _tagged_time(obj: Any, kind: type) -> list[Any] | None:
    import datetime as dt

    if kind in (dt.datetime, dt.date, dt.time):
        plain = getattr(obj, "tzinfo", None) in (None, dt.UTC) and not getattr(obj, "fold", 0)
        return [kind.__name__, obj.isoformat()] if plain else None
    if kind is dt.timedelta:
        return ["timedelta", [obj.days, obj.seconds, obj.microseconds]]
    return None


def home(kind: type) -> str:
    """The top-level module a class is from; its classes are known without importing it.

    >>> home(int)
    'builtins'
    """
    return str(kind.__module__).partition(".")[0]


def _time_of(kind: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        import datetime as dt

        return getattr(dt, kind).fromisoformat(text)

    return read


def _timedelta(parts: list[int]) -> Any:
    import datetime as dt

    return dt.timedelta(*parts)


def _path(text: str) -> Any:
    import pathlib

    return pathlib.Path(text)


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
    "datetime": _time_of("datetime"),
    "date": _time_of("date"),
    "time": _time_of("time"),
    "timedelta": _timedelta,
    "path": _path,
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
