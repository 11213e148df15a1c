"""Constants of a graph that are no JSON scalars.

A `Value` keeps the object as it is and turns it into text only when the graph is written,
so that a large constant is never copied by a run in this process.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import itertools
from typing import Any, Final

from turnout.errors import EncodeError
from turnout.graph.refs import importable, resolve
from turnout.graph.tags import NotPlain, home, tagged, untagged


class _Unset:
    """The one marker for "not made yet"; it stays that one object when pickled."""

    def __reduce__(self) -> str:
        return "_UNSET"


_UNSET: Final = _Unset()
_BRIEF: Final = 4096
"""Characters of a constant that a brief graph keeps at most."""


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
            EncodeError: the object cannot be pickled.
        """
        if self._encoded is None:
            self._encoded = _encode(self._object)
        return self._encoded

    def brief(self) -> tuple[str, str]:
        """As `encoded` if that is short and takes no pickling; else a description of it."""
        if self._encoded is None:
            if _left(self._object, _BRIEF) <= 0 and importable(self._object) is None:
                return ("shown", f"<{type(self._object).__name__}>")
        elif len(self._encoded[1]) > _BRIEF:
            return ("shown", f"<{len(self._encoded[1])} characters of {self._encoded[0]}>")
        return self.encoded

    def show(self) -> str:
        """Text for people; pickled content is never decoded for it."""
        if self._object is not _UNSET:
            return repr(self._object)
        assert self._encoded is not None
        codec, text = self._encoded
        if codec == "json":
            return repr(self.object)
        return "<object>" if codec == "pickle" else text

    def __eq__(self, other: builtins.object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        if self._object is not _UNSET and self._object is other._object:
            return True  # without encoding what may be large
        try:
            return self.encoded == other.encoded
        except EncodeError:
            return False

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __repr__(self) -> str:
        return f"Value({self._object!r})" if self._encoded is None else f"Value{self._encoded!r}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Value, (_UNSET, self.encoded))


def _encode(obj: Any) -> tuple[str, str]:
    import json

    try:
        return ("json", json.dumps(tagged(obj, _tagged_record), separators=(",", ":")))
    except NotPlain:
        pass
    ref = importable(obj) if callable(obj) else None
    if ref is not None:
        return ("ref", ref)
    import base64

    import cloudpickle

    try:
        payload = cloudpickle.dumps(obj, protocol=5)
    except Exception as error:  # pickling runs the object's own code
        raise EncodeError(
            f"a constant of type {type(obj).__name__} cannot be written into a graph, for it "
            f"cannot be pickled: {error}; make it inside a task"
        ) from error
    return ("pickle", base64.b85encode(payload).decode("ascii"))


def _decode(codec: str, text: str) -> Any:
    if codec == "json":
        import json

        return untagged(json.loads(text), _untagged_record)
    if codec == "ref":
        return resolve(text)
    if codec == "pickle":
        import base64
        import pickle

        return pickle.loads(base64.b85decode(text))
    if codec == "shown":
        raise ValueError(f"a constant, {text}, was described in this graph and not kept")
    raise ValueError(f"unknown codec {codec!r} for a constant of a graph")


def _tagged_record(obj: Any) -> list[Any]:
    """Dataclasses and named tuples field by field: their pickles depend on the process.

    Raises:
        NotPlain: it is neither, its class cannot be imported, or there is more to it than fields.
    """
    cls = type(obj)
    ref, names = importable(cls), _fields(cls)
    if ref is None or names is None or getattr(obj, "__dict__", {}).keys() - set(names):
        raise NotPlain
    try:
        parts = [getattr(obj, name) for name in names]
    except AttributeError:
        raise NotPlain from None
    return ["record", [ref, [tagged(part, _tagged_record) for part in parts]]]


def _untagged_record(tag: str, content: Any) -> Any:
    if tag != "record":
        raise ValueError(f"unknown tag {tag!r} in a constant of a graph")
    cls = resolve(content[0])
    parts = [untagged(part, _untagged_record) for part in content[1]]
    if issubclass(cls, tuple):
        return cls._make(parts)
    # As pickle does it: the class's own constructor has run once already.
    made = cls.__new__(cls)
    for name, part in zip(_fields(cls) or (), parts, strict=True):
        builtins.object.__setattr__(made, name, part)
    return made


def _fields(cls: type) -> tuple[str, ...] | None:
    """The fields of a class that is no more than its fields."""
    if issubclass(cls, tuple):
        return getattr(cls, "_fields", None)
    if not dataclasses.is_dataclass(cls):
        return None
    for name in ("__reduce__", "__reduce_ex__", "__getstate__"):
        method = getattr(cls, name)
        if method is not getattr(builtins.object, name) and method.__module__ != "dataclasses":
            return None
    return tuple(f.name for f in dataclasses.fields(cls))


def _left(obj: Any, allowed: int) -> int:
    """What is left of an allowance of characters, roughly, after plain data; 0 for all else."""
    kind = type(obj)
    if kind in (list, tuple, set, frozenset, dict):
        parts = itertools.chain(*obj.items()) if kind is dict else obj
        for part in parts:
            allowed = _left(part, allowed)
            if allowed <= 0:
                break
        return allowed
    if kind is str or kind is bytes:
        return allowed - len(obj)
    plain = kind in (bool, int, float, complex, type(None)) or isinstance(obj, enum.Enum)
    return allowed - 8 if plain or home(kind) in ("datetime", "pathlib") else 0
