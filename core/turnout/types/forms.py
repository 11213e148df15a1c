"""The few shapes an annotation can have, once its spelling is taken away.

`typing.List[int]`, `list[int]` and `Annotated[list[int], ...]` are one `Form`. Everything else in
this package looks at forms, so that a new spelling is learned in one place.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import inspect
import types
import typing
from collections import abc
from typing import Any, Final

NONE: Final = type(None)

_ANYTHING: Final = (Any, object, inspect.Parameter.empty, None)
_QUALIFIERS: Final = frozenset(
    {"Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar"}
)
_ITEMS: Final = frozenset(
    {
        list,
        set,
        frozenset,
        collections.deque,
        abc.Collection,
        abc.Container,
        abc.Iterable,
        abc.MutableSequence,
        abc.MutableSet,
        abc.Reversible,
        abc.Sequence,
        abc.Set,
    }
)
_MAPPINGS: Final = frozenset(
    {
        dict,
        collections.OrderedDict,
        collections.defaultdict,
        abc.Mapping,
        abc.MutableMapping,
    }
)


class Kind(enum.Enum):
    """The shapes."""

    ANY = "nothing is asked"
    UNKNOWN = "nothing is known, such as a name that cannot be resolved"
    UNION = "one of the arguments"
    LITERAL = "one of the values"
    CLASS = "an instance of the class"
    TYPED_DICT = "a dict with given keys"
    ITEMS = "a container whose items all fit the one argument"
    TUPLE = "a tuple with one argument per item"
    MAPPING = "a mapping from the first argument to the second"
    OTHER = "what only a full checker understands; of the class, if it has one"


class Form(typing.NamedTuple):
    """An annotation without its spelling.

    Attributes:
        kind: the shape.
        cls: the class its values are instances of; ``object`` where none is known.
        args: annotations of the parts, or the values of a literal.
        annotation: the annotation, stripped of qualifiers and aliases.
    """

    kind: Kind
    cls: type = object
    args: tuple[Any, ...] = ()
    annotation: Any = None


def form(annotation: Any) -> Form:
    """The form of an annotation; ``None`` at the top means that there is no annotation.

    >>> form(typing.Optional[int]).args
    (<class 'int'>, <class 'NoneType'>)
    >>> form(tuple[int, ...]).kind is form(list[int]).kind is Kind.ITEMS
    True
    """
    plain = strip(annotation)
    if any(plain is thing for thing in _ANYTHING):
        return Form(Kind.ANY, annotation=plain)
    origin = typing.get_origin(plain)
    if origin is None:
        return _bare(plain)
    args = typing.get_args(plain)
    if origin is typing.Union or origin is types.UnionType:
        members = tuple(map(_part, args))
        if any(form(member).kind is Kind.ANY for member in members):
            return Form(Kind.ANY, annotation=plain)
        return Form(Kind.UNION, object, members, plain)
    if origin is typing.Literal:
        return Form(Kind.LITERAL, object, args, plain)
    if not isinstance(origin, type):
        return Form(Kind.UNKNOWN, annotation=plain)
    return _generic(origin, args, plain)


def strip(annotation: Any) -> Any:
    """The annotation behind qualifiers, `NewType`, aliases and type variables."""
    while True:
        origin = typing.get_origin(annotation)
        kind = type(annotation).__name__
        if origin is not None and qualifier(origin) is not None:
            annotation = _part(typing.get_args(annotation)[0])
        elif isinstance(annotation, typing.NewType):
            annotation = _part(annotation.__supertype__)
        elif isinstance(annotation, typing.TypeVar):
            annotation = _bound(annotation)
        elif isinstance(annotation, dataclasses.InitVar):
            annotation = _part(annotation.type)
        elif kind == "TypeAliasType":
            annotation = _part(annotation.__value__)
        elif type(origin).__name__ == "TypeAliasType":
            annotation = _aliased(origin, typing.get_args(annotation))
        else:
            return annotation


def qualifier(origin: Any) -> str | None:
    """The name of a qualifier such as `Required`, given what `typing.get_origin` gives."""
    if origin is typing.Annotated:
        return "Annotated"
    name = getattr(origin, "_name", None)
    return name if name in _QUALIFIERS else None


def _part(annotation: Any) -> Any:
    """``None`` inside an annotation is the type of ``None``."""
    return NONE if annotation is None else annotation


def _bound(variable: typing.TypeVar) -> Any:
    if variable.__constraints__:
        return typing.Union[variable.__constraints__]  # noqa: UP007  (built from a tuple)
    return Any if variable.__bound__ is None else variable.__bound__


def _aliased(alias: Any, args: tuple[Any, ...]) -> Any:
    try:
        return _part(alias.__value__[args])
    except TypeError:
        return typing.ForwardRef(alias.__name__)


def _bare(plain: Any) -> Form:
    if typing.is_typeddict(plain):
        return Form(Kind.TYPED_DICT, dict, (), plain)
    if getattr(plain, "_name", None) == "LiteralString":
        return Form(Kind.CLASS, str, (), str)
    if isinstance(plain, type):
        return Form(Kind.CLASS, plain, (), plain)
    return Form(Kind.UNKNOWN, annotation=plain)


def _generic(origin: type, args: tuple[Any, ...], plain: Any) -> Form:
    if origin is tuple:
        return _tuple(args, plain)
    if not args:
        return Form(Kind.CLASS, origin, (), origin)
    if origin in _ITEMS and len(args) == 1:
        return Form(Kind.ITEMS, origin, (_part(args[0]),), plain)
    if origin in _MAPPINGS and len(args) == 2:
        return Form(Kind.MAPPING, origin, tuple(map(_part, args)), plain)
    if typing.is_typeddict(origin):
        return Form(Kind.TYPED_DICT, dict, (), origin)
    return Form(Kind.OTHER, origin, args, plain)


def _tuple(args: tuple[Any, ...], plain: Any) -> Form:
    if plain is typing.Tuple:  # noqa: UP006  (the old spelling is what is asked about)
        return Form(Kind.CLASS, tuple, (), tuple)
    if len(args) == 2 and args[1] is Ellipsis:
        return Form(Kind.ITEMS, tuple, (_part(args[0]),), plain)
    if any(_unpacked(arg) for arg in args):
        return Form(Kind.OTHER, tuple, args, plain)
    return Form(Kind.TUPLE, tuple, tuple(map(_part, args)), plain)


def _unpacked(arg: Any) -> bool:
    return (
        bool(getattr(arg, "__unpacked__", False))
        or getattr(typing.get_origin(arg), "_name", None) == "Unpack"
    )
