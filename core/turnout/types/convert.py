"""Values made to fit an annotation, where they enter a task."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any, Final

from turnout.errors import ConfigError, TypeMismatch
from turnout.types import config_values as configs
from turnout.types import convert_parts as parts
from turnout.types.check import checker, exact_types
from turnout.types.check_parts import Check
from turnout.types.convert_parts import Convert
from turnout.types.foreign import is_config, is_dict_config, is_list_config, is_path, kin
from turnout.types.forms import Form, Kind, form, strip
from turnout.types.misfit import Misfit
from turnout.types.records import record, typed_dict
from turnout.types.relate import TOWER, is_record
from turnout.types.show import Found, show

_MEMO: dict[Any, tuple[Any, Convert | None]] = {}
_MEMO_LIMIT: Final = 8192
_NAMES_SHOWN: Final = 8


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
        expected = misfit.expected or show(annotation)
        raise TypeMismatch(where, expected, misfit.found) from misfit.__cause__
    except Exception as problem:
        text = configs.explain(problem)
        if text is None:
            raise
        raise ConfigError(f"{where}: {text}") from problem


def converter(annotation: Any) -> Convert | None:
    """The function that converts to an annotation; ``None`` where nothing is asked."""
    try:
        known = _MEMO.get(annotation)
    except TypeError:  # its extras cannot be hashed
        plain = strip(annotation)
        return _compile(form(annotation)) if plain is annotation else converter(plain)
    if known is not None and _alike(known[0], annotation):
        return known[1]
    if len(_MEMO) >= _MEMO_LIMIT:
        _MEMO.clear()
    made: list[Convert | None] = []

    def itself(value: Any) -> Any:
        known = made[0] if made else _compile(form(annotation))
        return value if known is None else known(value)

    # As in `turnout.types.check.checker`.
    _MEMO[annotation] = (annotation, itself)
    try:
        made.append(_compile(form(annotation)))
    except BaseException:
        _MEMO.pop(annotation, None)
        raise
    _MEMO[annotation] = (annotation, made[0])
    return made[0]


def _alike(one: Any, other: Any) -> bool:
    """Whether two equal annotations are also written alike.

    Unions are equal in any order, but a value is converted to the first member that can be made.
    """
    if one is other:
        return True
    args, others = typing.get_args(one), typing.get_args(other)
    if not args:
        return bool(one == other)
    return len(args) == len(others) and all(map(_alike, args, others))


def _compile(target: Form) -> Convert | None:
    match target.kind:
        case Kind.ANY | Kind.UNKNOWN:
            return None
        case Kind.CLASS:
            return _instance(target.cls)
        case Kind.UNION:
            exact = frozenset().union(*map(_unchanged, target.args))
            return parts.union([converter(member) for member in target.args], exact)
        case Kind.TYPED_DICT:
            return typed_dict(target.annotation, converter)
        case Kind.TUPLE:
            return parts.fixed([converter(part) for part in target.args])
        case Kind.ITEMS:
            return _items(target.cls, target.args[0], target.annotation)
        case Kind.MAPPING:
            changes = [converter(part) for part in target.args]
            exacts = [_unchanged(part) for part in target.args]
            return parts.mapping(target.cls, changes, exacts, _fitting(target.annotation))
        case Kind.OTHER if is_record(target.cls):
            return record(target.cls, checker(target.annotation), converter)
        case Kind.LITERAL | Kind.OTHER:
            return _fitting(target.annotation)


def _instance(cls: Any) -> Convert:
    if cls in TOWER:
        return _number(cls)
    if issubclass(cls, enum.Enum):
        return _member(cls)
    if is_path(cls):
        return _path(cls, cls)
    from_text = getattr(cls, "__turnout_from_text__", None)
    if from_text is not None:
        return _path(cls, from_text)
    if is_record(cls):
        return record(cls, checker(cls), converter)
    if is_dict_config(cls):
        return _config(cls, dict)
    if is_list_config(cls):
        return _config(cls, list)
    return _items(cls, Any, cls) if cls in parts.FROM_LIST else _fitting(cls)


def _items(cls: type, item: Any, annotation: Any) -> Convert:
    return parts.items(cls, converter(item), _unchanged(item), _fitting(annotation))


def _unchanged(annotation: Any) -> frozenset[type]:
    """Classes whose direct instances need no conversion, as far as that is known at a glance."""
    target = form(annotation)
    if target.kind is Kind.UNION:
        return frozenset().union(*map(_unchanged, target.args))
    return exact_types(annotation) - frozenset(TOWER.get(target.cls, ()))


def _fitting(annotation: Any) -> Convert:
    """For what is only ever checked; a config container is made plain first."""
    test = checker(annotation)
    cls = annotation if isinstance(annotation, type) else object

    def change(value: Any) -> Any:
        kind = type(value)
        if not is_config(kind) or is_config(cls):
            return _checked(value, test)
        if test is not None and not issubclass(configs.plain_class(kind), cls):
            raise Misfit(Found.of(value))
        plain = configs.plain(value)
        try:
            return _checked(plain, test)
        except Misfit as misfit:
            raise Misfit(Found.of(value)) if misfit.found == Found.of(plain) else misfit from None

    return change


def _checked(value: Any, test: Check | None) -> Any:
    found = None if test is None else test(value)
    if found is not None:
        raise Misfit(found)
    return value


def _number(cls: Any) -> Convert:
    test = checker(cls)
    lower = TOWER[cls]

    def change(value: Any) -> Any:
        if type(value) is cls:
            return value
        # numpy's float64 is a float of Python's by birth, and stays what it is.
        if isinstance(value, lower) and kin(type(value)) is None:
            try:
                return cls(value)
            except OverflowError as problem:
                raise Misfit(Found.of(value)) from problem
        return _checked(value, test)

    return change


def _member(cls: type[enum.Enum]) -> Convert:
    kinds = {type(member.value) for member in cls}
    names = list(cls.__members__)
    known = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")

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


def _path(cls: type[Any], make: Callable[[str], Any]) -> Convert:
    def change(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, str) or is_path(type(value)):
            return make(str(value))
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
