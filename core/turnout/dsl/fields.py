"""Parts of annotations: what an attribute, item or field of a promise is known to be."""

from __future__ import annotations

import dataclasses
import types
from collections import abc
from typing import Any, Final, Union, get_args, get_origin

from turnout.types import Mark, claimed, has_mark, hints, show
from turnout.types.foreign import is_named_tuple
from turnout.types.forms import strip

_SCALARS: Final = (bool, int, float, complex, str, bytes)
_NONE: Final = type(None)
_CONTAINERS: Final = (list, tuple, set, frozenset, abc.Sequence, abc.Iterable, abc.Collection)
_MAPPINGS: Final = (dict, abc.Mapping, abc.MutableMapping)


class NoPart(Exception):
    """An annotation has no such part; the message says why."""


def output_fields(annotation: Any) -> dict[str | int, Any] | None:
    """Fields of a type that has several outputs: tuple, NamedTuple or dataclass; else ``None``.

    >>> output_fields(tuple[int, str]), output_fields(list[int])
    ({0: <class 'int'>, 1: <class 'str'>}, None)
    """
    annotation = strip(annotation)
    if get_origin(annotation) is tuple:
        args = get_args(annotation)
        return dict(enumerate(args)) if args and Ellipsis not in args else None
    cls = get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return None
    if dataclasses.is_dataclass(cls):
        known = hints(cls)
        return {f.name: known.get(f.name, Any) for f in dataclasses.fields(cls)}
    if is_named_tuple(cls):
        known = hints(cls)
        return {name: known.get(name, Any) for name in cls._fields}  # type: ignore[attr-defined]
    return None


def unpacked(annotation: Any) -> dict[str | int, Any] | None:
    """The fields of what Python can unpack: `output_fields`, but of no dataclass."""
    plain = strip(annotation)
    if dataclasses.is_dataclass(get_origin(plain) or plain):
        return None
    fields = output_fields(plain)
    return fields and {key: _like(annotation, part) for key, part in fields.items()}


def attribute_of(annotation: Any, name: str) -> Any:
    """The annotation of an attribute, ``Any`` where nothing is known.

    Raises:
        NoPart: there can be no such attribute, or it is a method.
    """
    return _like(annotation, _attribute(strip(annotation), name))


def _attribute(annotation: Any, name: str) -> Any:
    if _is_union(annotation):
        return _union([attribute_of(member, name) for member in _members(annotation)])
    fields = output_fields(annotation)
    if fields is not None and name in fields:
        return fields[name]
    cls = get_origin(annotation) or annotation
    if cls is None or cls is _NONE:
        raise NoPart(f"has no field {name!r}, for it is None")
    if not isinstance(cls, type):
        return Any
    if callable(getattr(cls, name, None)):
        key = f"; its key is written [{name!r}]" if issubclass(cls, _MAPPINGS) else ""
        raise NoPart(f"has no value yet whose method {name!r} could be called{key}")
    if fields is not None or cls in _SCALARS:
        raise NoPart(f"has no field {name!r}; its fields: {_listed(fields)}")
    if cls in (list, tuple, set, frozenset):
        raise NoPart(f"has no field {name!r}, for it is {show(annotation)}")
    return hints(cls).get(name, Any)


def item_of(annotation: Any, key: str | int) -> Any:
    """The annotation of an item, ``Any`` where nothing is known.

    Raises:
        NoPart: there can be no such item.
    """
    return _like(annotation, _item(strip(annotation), key))


def _item(annotation: Any, key: str | int) -> Any:
    if _is_union(annotation):
        return _union([item_of(member, key) for member in _members(annotation)])
    fields = output_fields(annotation)
    cls, args = get_origin(annotation) or annotation, get_args(annotation)
    if fields is not None:
        if dataclasses.is_dataclass(cls):
            raise NoPart(f"is a dataclass and has no items; its fields: {_listed(fields)}")
        if not isinstance(key, int):
            raise NoPart(f"has no item {key!r}; its fields: {_listed(fields)}")
        if not -len(fields) <= key < len(fields):
            raise NoPart(f"has {len(fields)} items, so no item {key}")
        return list(fields.values())[key]
    if annotation in _SCALARS and annotation is not str and annotation is not bytes:
        raise NoPart(f"is {annotation.__name__} and has no items")
    if annotation is None or annotation is _NONE:
        raise NoPart("is None and has no items")
    if cls in _MAPPINGS and len(args) == 2:
        return args[1]
    if cls in _CONTAINERS and args and isinstance(key, int):
        return args[0]
    return Any


def items_of(annotation: Any) -> Any:
    """The annotation of the items of something that may be mapped over.

    Raises:
        NoPart: it can be no list.
    """
    return _like(annotation, _items(strip(annotation)))


def _items(annotation: Any) -> Any:
    if _is_union(annotation):
        found = []
        for member in _members(annotation):
            try:
                found.append(items_of(member))
            except NoPart:
                continue
        if not found:
            raise NoPart("no list")
        return _union(found)
    cls, args = get_origin(annotation) or annotation, get_args(annotation)
    if cls is tuple and args and Ellipsis not in args:
        return _union(list(args))
    if cls in _CONTAINERS:
        return args[0] if args else Any
    if isinstance(cls, type):
        record = dataclasses.is_dataclass(cls) and not issubclass(cls, abc.Sequence)
        if record or cls in (*_SCALARS, _NONE) or issubclass(cls, _MAPPINGS):
            raise NoPart("no list")
    return Any


def union_of(annotations: list[Any]) -> Any:
    """The union of annotations; ``Any`` if one of them is, or there are none."""
    return _union(annotations) if annotations else Any


def _like(whole: Any, part: Any) -> Any:
    """A part's annotation: what is claimed of the whole is claimed of it."""
    return claimed(part) if has_mark(whole, Mark.CLAIMED) else part


def _listed(fields: dict[str | int, Any] | None) -> str:
    return ", ".join(map(str, fields or ())) or "none"


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _members(annotation: Any) -> list[Any]:
    """The members of a union; ``None`` among others is left to the run."""
    members = [member for member in get_args(annotation) if member is not _NONE]
    return members or [_NONE]


def _union(annotations: list[Any]) -> Any:
    if any(annotation is Any for annotation in annotations):
        return Any
    try:
        return Union[tuple(annotations)]  # noqa: UP007  (made from a tuple)
    except TypeError:
        return Any
