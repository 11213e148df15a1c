"""Annotation against annotation: what a graph can prove before anything runs."""

from __future__ import annotations

import dataclasses
import enum
import typing
from abc import ABCMeta
from collections import abc
from inspect import isabstract
from typing import Any, Final

from turnout.types.foreign import (
    is_config,
    is_dict_config,
    is_list_config,
    is_named_tuple,
    is_open_scalar,
    is_path,
    is_pydantic,
    kin,
)
from turnout.types.forms import NONE, Form, Kind, form
from turnout.types.marks import Mark, has_mark


class Relation(enum.Enum):
    """How values of one annotation stand to another annotation."""

    PROVEN = "every value fits as it is"
    CHECK = "a value may fit, or may have to be converted"
    REFUSED = "no value can fit"


PROVEN: Final = Relation.PROVEN
CHECK: Final = Relation.CHECK
REFUSED: Final = Relation.REFUSED

TOWER: Final[dict[type, tuple[type, ...]]] = {float: (int,), complex: (int, float)}
"""What PEP 484 lets pass for a float and for a complex."""

_MEMO: dict[tuple[Any, Any], Relation] = {}
# Notebooks define their classes again and again; a memo must not keep all of them alive.
_MEMO_LIMIT: Final = 8192

# What instances of these can do is known, abstract classes included.
_SCALARS: Final = (int, float, complex, str, bytes, NONE)
_CONTAINERS: Final = (list, tuple, set, frozenset, dict)


def relate(produced: Any, wanted: Any) -> Relation:
    """How values that fit one annotation stand to another annotation.

    Args:
        produced: the annotation of where the value comes from; ``None`` or
            `inspect.Parameter.empty` if there is none.
        wanted: the annotation of where it goes to.

    >>> relate(bool, int), relate(int, float), relate(str, int)
    (<Relation.PROVEN: ...>, <Relation.CHECK: ...>, <Relation.REFUSED: ...>)
    """
    try:
        return _MEMO[produced, wanted]
    except KeyError:
        pass
    except TypeError:
        return _relate(produced, wanted)
    if len(_MEMO) >= _MEMO_LIMIT:
        _MEMO.clear()
    # An annotation may contain itself; seen from inside, it is still to be checked.
    _MEMO[produced, wanted] = CHECK
    try:
        found = _relate(produced, wanted)
    except RecursionError:
        found = CHECK
    _MEMO[produced, wanted] = found
    return found


def _relate(produced: Any, wanted: Any) -> Relation:
    target = form(wanted)
    if target.kind is Kind.ANY:
        return PROVEN
    source = form(produced)
    if Kind.UNKNOWN in (source.kind, target.kind) or source.kind is Kind.ANY:
        return CHECK
    if has_mark(produced, Mark.CLAIMED):
        return REFUSED if relate(source.annotation, target.annotation) is REFUSED else CHECK
    if _same(source.annotation, target.annotation):
        return PROVEN
    if source.kind is Kind.UNION:
        of_all = _parts if has_mark(produced, Mark.EACH) else _every
        return of_all(relate(member, wanted) for member in source.args)
    if source.kind is Kind.LITERAL:
        return _every(_literal_value(value, target) for value in source.args)
    if target.kind is Kind.UNION:
        return _best(relate(source.annotation, member) for member in target.args)
    if target.kind is Kind.LITERAL:
        kinds = (relate(source.annotation, type(value)) for value in target.args)
        return REFUSED if _best(kinds) is REFUSED else CHECK
    return _forms(source, target)


def _same(produced: Any, wanted: Any) -> bool:
    try:
        return bool(produced == wanted)
    except Exception:  # extras of `Annotated` may compare as arrays do
        return produced is wanted


def _every(relations: typing.Iterable[Relation]) -> Relation:
    """What holds for a value that may be any of several."""
    seen = set(relations)
    return seen.pop() if len(seen) == 1 else CHECK


def _best(relations: typing.Iterable[Relation]) -> Relation:
    """What holds for a value that may go to any of several."""
    seen = set(relations)
    return PROVEN if PROVEN in seen else CHECK if CHECK in seen else REFUSED


def _parts(relations: typing.Iterable[Relation]) -> Relation:
    """What holds for a value all of whose parts must fit."""
    seen = set(relations)
    return REFUSED if REFUSED in seen else CHECK if CHECK in seen else PROVEN


def _literal_value(value: Any, target: Form) -> Relation:
    if target.kind is Kind.UNION:
        return _best(_literal_value(value, form(member)) for member in target.args)
    if target.kind is not Kind.LITERAL:
        return relate(type(value), target.annotation)
    same = any(type(value) is type(other) and value == other for other in target.args)
    return PROVEN if same else REFUSED


def _forms(source: Form, target: Form) -> Relation:
    whole = relate_classes(source.cls, target.cls)
    if whole is REFUSED or target.kind is Kind.CLASS:
        return whole
    if target.kind is Kind.ITEMS:
        return _parts((whole, _items(source, target.args[0])))
    if target.kind is Kind.TUPLE:
        return _tuple(source, target)
    if target.kind is Kind.MAPPING:
        args = source.args if source.kind is Kind.MAPPING else (Any, Any)
        pairs = zip(args, target.args, strict=True)
        return _parts((whole, *(relate(part, other) for part, other in pairs)))
    return CHECK


def _items(source: Form, wanted: Any) -> Relation:
    if source.kind in (Kind.ITEMS, Kind.MAPPING):
        return relate(source.args[0], wanted)
    if source.kind is Kind.TUPLE:
        return _parts(relate(part, wanted) for part in source.args)
    for container, item in ((str, str), (bytes, int)):
        if issubclass(source.cls, container):
            return relate(item, wanted)
    return relate(Any, wanted)


def _tuple(source: Form, target: Form) -> Relation:
    if source.kind is Kind.TUPLE:
        if len(source.args) != len(target.args):
            return REFUSED
        pairs = zip(source.args, target.args, strict=True)
        return _parts(relate(part, other) for part, other in pairs)
    if source.kind is Kind.ITEMS:
        item = source.args[0]
        return _parts((CHECK, *(relate(item, other) for other in target.args)))
    return CHECK


def relate_classes(produced: type, wanted: type) -> Relation:
    """How instances of one class stand to another class."""
    if is_config(produced) and not is_config(wanted):
        return _config(produced, wanted)
    if _derived(produced, wanted):
        return PROVEN
    plain = kin(produced)
    if plain is not None and _derived(plain, wanted):
        return PROVEN
    if _convertible(plain or produced, wanted) or _derived(wanted, produced):
        return CHECK
    if plain is not None or _mine(produced, _SCALARS):
        return CHECK if _protocol(wanted) else REFUSED
    if wanted.__module__ == "collections.abc" and _mine(produced, _CONTAINERS):
        return REFUSED
    if any(_open(cls) for cls in (produced, wanted)):
        return CHECK
    return REFUSED


def _derived(cls: type, base: type) -> bool:
    if base in cls.__mro__:
        return True
    try:
        return issubclass(cls, base)
    except TypeError:  # a protocol that cannot be asked
        return False


def _mine(cls: type, classes: tuple[type, ...]) -> bool:
    return any(_derived(cls, base) for base in classes)


def _open(cls: type) -> bool:
    """Whether a class says so little that an unrelated class may have instances of it."""
    asked = type(cls).__instancecheck__
    custom = asked not in (type.__instancecheck__, ABCMeta.__instancecheck__)
    return (
        isabstract(cls)
        or _protocol(cls)
        or is_open_scalar(cls)
        or (custom and not is_pydantic(cls))
    )


def _protocol(cls: type) -> bool:
    return bool(getattr(cls, "_is_protocol", False))


def _convertible(produced: type, wanted: type) -> bool:
    """Whether `turnout.types.convert` can make one from the other."""
    if wanted in TOWER:
        return any(issubclass(produced, kind) for kind in TOWER[wanted])
    written = issubclass(produced, str) or is_path(produced)
    if written and hasattr(wanted, "__turnout_from_text__"):
        return True
    if issubclass(produced, str):
        return issubclass(wanted, enum.Enum) or is_path(wanted)
    if issubclass(wanted, enum.Enum):
        return any(isinstance(member.value, produced) for member in wanted)
    if issubclass(produced, list):
        return wanted in (tuple, set, frozenset) or is_list_config(wanted)
    if issubclass(produced, abc.Mapping) or produced is abc.Mapping:
        return is_record(wanted) or is_dict_config(wanted)
    return False


def _config(produced: type, wanted: type) -> Relation:
    """A config container is made plain for everything that does not ask for one."""
    if is_dict_config(produced):
        fits = _derived(dict, wanted) or is_record(wanted)
    else:
        fits = any(_derived(plain, wanted) for plain in (list, tuple, set, frozenset))
    return CHECK if fits or _open(wanted) or not is_made(produced) else REFUSED


def is_made(cls: type) -> bool:
    """Whether a config class is one that values have, not a base of both."""
    return is_dict_config(cls) or is_list_config(cls)


def is_record(cls: type) -> bool:
    """Whether a class has named fields that a mapping can fill in."""
    return dataclasses.is_dataclass(cls) or is_pydantic(cls) or is_named_tuple(cls)
