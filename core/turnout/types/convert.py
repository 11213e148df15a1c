"""Values made to fit an annotation, where they enter a task."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from turnout.errors import ConfigError, TypeMismatch
from turnout.types import configs
from turnout.types.check import checker, closest, exact_types, wrong_length
from turnout.types.foreign import is_config, is_dict_config, is_list_config, kin
from turnout.types.forms import Form, Kind, form
from turnout.types.misfit import Misfit
from turnout.types.records import record, typed_dict
from turnout.types.relate import TOWER, is_record
from turnout.types.show import Found, show

Convert: TypeAlias = Callable[[Any], Any]

_MEMO: dict[Any, Convert | None] = {}
_MEMO_LIMIT: Final = 8192


def convert(value: Any, annotation: Any, where: str) -> Any:
    """A value as an annotation wants it.

    A value that fits is given back as it is. Otherwise ints become floats; texts become paths and
    enum members; lists become tuples and sets; mappings become dataclasses, pydantic models,
    named tuples and typed dicts; and OmegaConf's containers become any of these, resolved and
    copied. Nothing else is converted: the text ``"1"`` is no int.

    Args:
        value: what a config, a caller or another task gave.
        annotation: what it must fit; ``None`` or `inspect.Parameter.empty` asks for nothing.
        where: what the value is, for messages: ``parameter 'C' of task 'train'``.

    Raises:
        TypeMismatch: the value neither fits nor can be converted.
        ConfigError: a config inside it has a missing value or a broken interpolation.

    >>> convert([1, 2], list[float], "parameter 'grid'")
    [1.0, 2.0]
    >>> convert("1", int, "parameter 'folds' of task 'split'")
    Traceback (most recent call last):
    turnout.errors.TypeMismatch: parameter 'folds' of task 'split': expected int, found str '1'
    """
    if type(value) is annotation:
        return value
    change = converter(annotation)
    if change is None:
        return value
    try:
        return change(value)
    except Misfit as misfit:
        raise TypeMismatch(where, misfit.expected or show(annotation), misfit.found) from (
            misfit.__cause__
        )
    except Exception as problem:
        text = configs.explain(problem)
        if text is None:
            raise
        raise ConfigError(f"{where}: {text}") from problem


def converter(annotation: Any) -> Convert | None:
    """The function that converts to an annotation; ``None`` where nothing is asked."""
    try:
        return _MEMO[annotation]
    except KeyError:
        pass
    except TypeError:
        return _compile(form(annotation))
    if len(_MEMO) >= _MEMO_LIMIT:
        _MEMO.clear()
    made: list[Convert | None] = []

    def itself(value: Any) -> Any:
        known = made[0]
        return value if known is None else known(value)

    # As in `check.checker`.
    _MEMO[annotation] = itself
    try:
        made.append(_compile(form(annotation)))
    except BaseException:
        _MEMO.pop(annotation, None)
        raise
    _MEMO[annotation] = made[0]
    return made[0]


def _compile(target: Form) -> Convert | None:
    match target.kind:
        case Kind.ANY | Kind.UNKNOWN:
            return None
        case Kind.CLASS:
            return _instance(target.cls)
        case Kind.UNION:
            return _union(target.args)
        case Kind.ITEMS:
            return _items(target.cls, target.args[0], target.annotation)
        case Kind.TUPLE:
            return _tuple(target.args)
        case Kind.MAPPING:
            return _mapping(target)
        case Kind.TYPED_DICT:
            return typed_dict(target.annotation, converter)
        case Kind.LITERAL | Kind.OTHER:
            return _fitting(target.annotation)


def _instance(cls: Any) -> Convert:
    if cls in TOWER:
        return _number(cls)
    if issubclass(cls, enum.Enum):
        return _member(cls)
    if issubclass(cls, pathlib.PurePath):
        return _path(cls)
    if is_record(cls):
        return record(cls, converter)
    if is_dict_config(cls):
        return _config(cls, dict)
    if is_list_config(cls):
        return _config(cls, list)
    if cls in (tuple, set, frozenset):
        return _items(cls, Any, cls)
    return _fitting(cls)


def _fitting(annotation: Any) -> Convert:
    """For what is only ever checked; a config container is made plain first."""
    test = checker(annotation)
    keep = isinstance(annotation, type) and is_config(annotation)

    def change(value: Any) -> Any:
        if not keep:
            value = configs.plain(value)
        found = None if test is None else test(value)
        if found is not None:
            raise Misfit(found)
        return value

    return change


def _number(cls: Any) -> Convert:
    test = checker(cls)
    assert test is not None
    lower = TOWER[cls]

    def change(value: Any) -> Any:
        if type(value) is cls:
            return value
        if isinstance(value, lower) and not isinstance(value, cls):
            # A scalar of numpy that is one of Python's numbers by birth stays what it is.
            if kin(type(value)) is not None:
                return value
            try:
                return cls(value)
            except OverflowError as problem:
                raise Misfit(Found.of(value)) from problem
        found = test(value)
        if found is not None:
            raise Misfit(found)
        return value

    return change


def _member(cls: type[enum.Enum]) -> Convert:
    kinds = {type(member.value) for member in cls}
    names = list(cls.__members__)
    known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")

    def change(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and value in cls.__members__:
            return cls[value]
        if type(value) in kinds or isinstance(value, str):
            try:
                return cls(value)
            except ValueError:
                pass
        raise Misfit(Found.of(value), f"{show(cls)} ({known})")

    return change


def _path(cls: type[pathlib.PurePath]) -> Convert:
    def change(value: Any) -> Any:
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, cls):
            return value
        raise Misfit(Found.of(value))

    return change


def _config(cls: type, source: type) -> Convert:
    def change(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, source):
            return configs.make(value)
        raise Misfit(Found.of(value))

    return change


def _union(members: tuple[Any, ...]) -> Convert:
    changes = [converter(member) for member in members]
    exact = frozenset().union(*map(_as_they_are, members))

    def change(value: Any) -> Any:
        if type(value) in exact:
            return value
        found: list[Found] = []
        made: list[Any] = []
        for one in changes:
            if one is None:
                return value
            try:
                result = one(value)
            except Misfit as misfit:
                found.append(misfit.found)
                continue
            if result is value:
                return value
            made.append(result)
        if made:
            return made[0]
        raise Misfit(closest(value, found))

    return change


def _as_they_are(annotation: Any) -> frozenset[type]:
    """Classes whose direct instances need no conversion, as far as that is known at a glance."""
    target = form(annotation)
    if target.kind is Kind.UNION:
        return frozenset().union(*map(_as_they_are, target.args))
    return exact_types(annotation) - frozenset(TOWER.get(target.cls, ()))


def _items(cls: Any, item: Any, annotation: Any) -> Convert:
    change_item, whole = converter(item), _fitting(annotation)
    test = checker(cls)
    exact = _as_they_are(item)

    def change(value: Any) -> Any:
        kind = type(value)
        if is_list_config(kind):
            made = _each(configs.items(value), change_item)
            return _fit(made if cls not in _FROM_LIST else _made(cls, made, value), test)
        if kind in _BUILTIN and (isinstance(value, cls) or kind is list and cls in _FROM_LIST):
            target = kind if isinstance(value, cls) else cls
            if change_item is None or exact.issuperset(map(type, value)):
                return value if target is kind else _made(target, value, value)
            made = _each(value, change_item)
            same = target is kind and all(a is b for a, b in zip(made, value, strict=True))
            return value if same else _made(target, made, value)
        return whole(value)

    return change


_FROM_LIST: Final = (tuple, set, frozenset)
_BUILTIN: Final = (list, tuple, set, frozenset)


def _each(values: Any, change: Convert | None, first: int = 0) -> list[Any]:
    if change is None:
        return [configs.plain(value) for value in values]
    made = []
    for index, value in enumerate(values, first):
        try:
            made.append(change(value))
        except Misfit as misfit:
            raise misfit.inside(f"[{index}]") from misfit.__cause__
    return made


def _made(cls: Any, items: Any, value: Any) -> Any:
    try:
        return cls(items)
    except TypeError as problem:  # a set of what cannot be hashed
        raise Misfit(Found.of(value)) from problem


def _fit(value: Any, test: Any) -> Any:
    found = None if test is None else test(value)
    if found is not None:
        raise Misfit(found)
    return value


def _tuple(parts: tuple[Any, ...]) -> Convert:
    changes = [converter(part) for part in parts]

    def change(value: Any) -> Any:
        items = configs.items(value) if is_list_config(type(value)) else value
        if not isinstance(items, list | tuple):
            raise Misfit(Found.of(value))
        if len(items) != len(changes):
            raise Misfit(wrong_length(value))
        made = []
        for index, (item, one) in enumerate(zip(items, changes, strict=True)):
            made += _each([item], one, index)
        same = isinstance(value, tuple) and all(a is b for a, b in zip(made, value, strict=True))
        return value if same else tuple(made)

    return change


def _mapping(target: Form) -> Convert:
    key, item = target.args
    change_key, change_item = converter(key), converter(item)
    exact_keys, exact_items = _as_they_are(key), _as_they_are(item)
    whole = _fitting(target.annotation)

    def change(value: Any) -> Any:
        kind = type(value)
        fresh = is_dict_config(kind) and issubclass(dict, target.cls)
        if not fresh and not (kind is dict and isinstance(value, target.cls)):
            return whole(value)
        given = configs.pairs(value) if fresh else value
        fits = (change_key is None or exact_keys.issuperset(map(type, given))) and (
            change_item is None or exact_items.issuperset(map(type, given.values()))
        )
        if fits and not fresh:
            return value
        made = dict(_pair(name, part, change_key, change_item) for name, part in given.items())
        same = not fresh and all(
            old is new and given[old] is made[new] for old, new in zip(given, made, strict=False)
        )
        return value if same and len(made) == len(given) else made

    return change


def _pair(
    name: Any, value: Any, change_key: Convert | None, change_item: Convert | None
) -> tuple[Any, Any]:
    try:
        key = name if change_key is None else change_key(name)
    except Misfit as misfit:
        raise Misfit(Found(f"key {misfit.found}"), misfit.expected) from misfit.__cause__
    if change_item is None:
        return key, configs.plain(value)
    try:
        return key, change_item(value)
    except Misfit as misfit:
        raise misfit.inside(f"[{name!r}]") from misfit.__cause__
