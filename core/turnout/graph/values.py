"""Constants of a graph that are no JSON scalars.

A `Value` keeps the object as it is and turns it into text only when the graph is written,
so that a large constant is never copied by a run in this process.
"""

from __future__ import annotations

import base64
import builtins
import json
from typing import Any, Final

from turnout.graph.refs import importable, resolve
from turnout.graph.tags import NotPlain, tagged, untagged


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
        """Codec name and text: ``json`` for plain data, ``ref`` for what has a name, ``pickle``.

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

    def __eq__(self, other: builtins.object) -> bool:
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
