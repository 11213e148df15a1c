"""Annotations and values as short text for messages."""

from __future__ import annotations

import builtins
import enum
import inspect
import types
import typing
from collections import abc
from collections.abc import Sequence
from typing import Any, Final

from turnout.types.foreign import kin

_REPR_LIMIT: Final = 40
_SCALARS: Final = (bool, int, float, complex, str, bytes)


def show(annotation: Any) -> str:
    """An annotation as a reader would write it, without module names.

    >>> show(typing.Optional[int]), show(dict[str, list[float]]), show(inspect.Parameter.empty)
    ('int | None', 'dict[str, list[float]]', 'Any')
    """
    if annotation is inspect.Parameter.empty or annotation is Any:
        return "Any"
    if annotation is None or annotation is types.NoneType:
        return "None"
    if annotation is Ellipsis:
        return "..."
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, typing.ForwardRef):
        return annotation.__forward_arg__
    if isinstance(annotation, list):
        return f"[{', '.join(map(show, annotation))}]"
    origin = typing.get_origin(annotation)
    return _name(annotation) if origin is None else _generic(annotation, origin)


def _generic(annotation: Any, origin: Any) -> str:
    args = typing.get_args(annotation)
    if origin is typing.Annotated:
        return show(args[0])
    if origin is typing.Union or origin is types.UnionType:
        return " | ".join(dict.fromkeys(map(show, args)))
    if origin is typing.Literal:
        return f"Literal[{', '.join(_literal(arg) for arg in args)}]"
    if origin is tuple and not args:
        return "tuple" if annotation is typing.Tuple else "tuple[()]"  # noqa: UP006  (as above)
    name = "Callable" if origin is abc.Callable else _name(origin)
    return f"{name}[{', '.join(map(show, args))}]" if args else name


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, enum.Enum) else repr(value)


def _name(thing: Any) -> str:
    names = (getattr(thing, key, None) for key in ("__qualname__", "__name__", "_name"))
    name = next(filter(None, names), None)
    if not isinstance(name, str):
        return repr(thing)
    name = name.rpartition("<locals>.")[2]
    # numpy has a ``bool`` that is not the one everybody thinks of.
    foreign = getattr(thing, "__module__", "builtins") != "builtins" and hasattr(builtins, name)
    return f"{thing.__module__}.{name}" if foreign else name


def describe(value: Any) -> str:
    """What a value is: its type, and for scalars the value, shortened.

    >>> describe("abc"), describe(None), describe([1])
    ("str 'abc'", 'None', 'list')
    """
    if value is None:
        return "None"
    cls = type(value)
    if isinstance(value, enum.Enum):
        # A combination of flags has a name only if the class gives it one.
        return f"{_name(cls)}.{getattr(value, '_name_', None) or value.value}"
    if cls in _SCALARS or kin(cls) is not None:
        plain = value if cls in _SCALARS else value.item()
        return f"{_name(cls)} {_short(plain)}"
    return f"class {_name(value)}" if isinstance(value, type) else _name(cls)


def _short(value: Any) -> str:
    if isinstance(value, str | bytes) and len(value) > _REPR_LIMIT:
        return f"{value[: _REPR_LIMIT - 10]!r}..."
    if isinstance(value, int) and value.bit_length() > 4 * _REPR_LIMIT:
        return f"of {value.bit_length()} bits"
    return repr(value)


class Found(str):
    """What was found where something else was expected: text that knows its place in the value.

    >>> Found.of(None).inside("[2]").inside("['a']")
    "None at ['a'][2]"
    """

    __slots__ = ("place", "what")

    what: str
    place: str

    def __new__(cls, what: str, place: str = "") -> typing.Self:
        """What was found, and where in the value: ``[3]``, ``['key']``, ``.field`` or a chain."""
        text = f"{what} at {place.removeprefix('.')}" if place else what
        found = super().__new__(cls, text)
        found.what = what
        found.place = place
        return found

    @classmethod
    def of(cls, value: Any) -> Found:
        """A value that does not fit."""
        return cls(describe(value))

    def inside(self, place: str) -> Found:
        """The same, seen from the container: ``[3]``, ``['key']`` or ``.field``."""
        return Found(self.what, place + self.place)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Found, (self.what, self.place))


def telling(value: Any, found: Sequence[Found]) -> Found:
    """Of what the members of a union found, the one that says more than "another class"."""
    plain = Found.of(value)
    more = [one for one in found if one != plain]
    return more[0] if len(more) == 1 else plain
