"""Constants of a graph that are no JSON scalars.

A `Value` keeps the object as it is and turns it into text only when the graph is written,
so that a large constant is never copied by a run in this process.
"""

from __future__ import annotations

import base64
import datetime
import enum
import json
import math
import pathlib
from collections.abc import Callable
from typing import Any, Final

from turnout.graph.refs import importable, resolve

SCALARS: Final = frozenset({bool, int, str, type(None)})


class _Unset:
    """The one marker for "not made yet"; it stays that one object when pickled."""

    def __reduce__(self) -> str:
        return "_UNSET"


_UNSET: Final = _Unset()


class Value:
    """A constant: an object, its encoded form, or both; each is made from the other on demand.

    Two values are equal when their encoded forms are.

    >>> Value({"b", "a"}) == Value({"a", "b"})
    True
    """

    __slots__ = ("_encoded", "_object")

    def __init__(self, obj: Any = _UNSET, encoded: tuple[str, str] | None = None) -> None:
        self._object = obj
        self._encoded = encoded

    @property
    def object(self) -> Any:
        """The object itself; decoded at first use if it came as text."""
        if self._object is _UNSET:
            assert self._encoded is not None
            self._object = _decode(*self._encoded)
        return self._object

    @property
    def encoded(self) -> tuple[str, str]:
        """Codec name and text: ``json`` for plain data, ``ref`` for what can be imported, ``pickle``.

        Raises:
            Exception: whatever pickling the object raises.
        """
        if self._encoded is None:
            self._encoded = _encode(self._object)
        return self._encoded

    def show(self) -> str:
        """Text for people; pickled content is never decoded for it."""
        if self._object is not _UNSET:
            return repr(self._object)
        assert self._encoded is not None
        codec, text = self._encoded
        return repr(self.object) if codec == "json" else text if codec == "ref" else "<object>"

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        if self._object is not _UNSET and self._object is other._object:
            return True  # without encoding what may be large
        return self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __repr__(self) -> str:
        return f"Value({self._object!r})" if self._encoded is None else f"Value{self._encoded!r}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Value, (_UNSET, self.encoded))


def _encode(obj: Any) -> tuple[str, str]:
    try:
        return ("json", json.dumps(tagged(obj), ensure_ascii=False, separators=(",", ":")))
    except NotPlain:
        pass
    ref = importable(obj) if callable(obj) else None
    if ref is not None:
        return ("ref", ref)
    import cloudpickle

    return ("pickle", base64.b85encode(cloudpickle.dumps(obj, protocol=5)).decode("ascii"))


def _decode(codec: str, text: str) -> Any:
    if codec == "json":
        return untagged(json.loads(text))
    if codec == "ref":
        return resolve(text)
    if codec == "pickle":
        import pickle

        return pickle.loads(base64.b85decode(text))
    raise ValueError(f"unknown codec {codec!r} for a constant of a graph")


class NotPlain(Exception):  # noqa: N818  (control flow of `tagged`)
    """Raised by `tagged` for what JSON with tags cannot hold."""


def tagged(obj: Any, other: Callable[[Any], Any] | None = None) -> Any:
    """Plain data as JSON: scalars as they are, everything else as ``[tag, content]``.

    Args:
        other: gives the ``[tag, content]`` of what this function does not know.

    Raises:
        NotPlain: something in it is no plain data; `untagged` gives back all else unchanged.
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
        return [kind.__name__, sorted(items, key=lambda item: json.dumps(item))]
    if kind is bytes:
        return ["bytes", obj.hex()]
    if kind is complex:
        return ["complex", [repr(obj.real), repr(obj.imag)]]
    if kind in (datetime.datetime, datetime.date, datetime.time):
        zone = getattr(obj, "tzinfo", None)
        if zone is None or zone is datetime.timezone.utc:
            if not getattr(obj, "fold", 0):
                return [kind.__name__, obj.isoformat()]
    elif kind is datetime.timedelta:
        return ["timedelta", [obj.days, obj.seconds, obj.microseconds]]
    elif isinstance(obj, pathlib.Path) and kind.__module__.startswith("pathlib"):
        return ["path", str(obj)]
    elif isinstance(obj, enum.Enum) and isinstance(obj.name, str):
        ref = importable(kind)
        if ref is not None:
            return ["enum", [ref, obj.name]]
    if other is not None:
        return other(obj)
    raise NotPlain


def untagged(data: Any, other: Callable[[str, Any], Any] | None = None) -> Any:
    """The data that `tagged` wrote; ``other`` is given the tags this function does not know."""
    if not isinstance(data, list):
        return data
    tag, content = data
    if tag == "float":
        return float(content)
    if tag == "list":
        return [untagged(item, other) for item in content]
    if tag in ("tuple", "set", "frozenset"):
        makers = {"tuple": tuple, "set": set, "frozenset": frozenset}
        return makers[tag](untagged(item, other) for item in content)
    if tag == "dict":
        return {untagged(key, other): untagged(item, other) for key, item in content}
    if tag == "bytes":
        return bytes.fromhex(content)
    if tag == "complex":
        return complex(float(content[0]), float(content[1]))
    if tag in ("datetime", "date", "time"):
        return getattr(datetime, tag).fromisoformat(content)
    if tag == "timedelta":
        return datetime.timedelta(*content)
    if tag == "path":
        return pathlib.Path(content)
    if tag == "enum":
        return getattr(resolve(content[0]), content[1])
    if other is not None:
        return other(tag, content)
    raise ValueError(f"unknown tag {tag!r} in a constant of a graph")
