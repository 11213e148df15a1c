"""Conversions of containers, part by part.

A container whose parts all fit is given back as it is; otherwise a new one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from turnout.types import config_values as configs
from turnout.types.check_parts import wrong_length
from turnout.types.foreign import is_dict_config, is_list_config
from turnout.types.misfit import Misfit
from turnout.types.show import Found, telling

Convert: TypeAlias = Callable[[Any], Any]

FROM_LIST: Final = (tuple, set, frozenset)
"""What a list can be made into."""

_BUILTIN: Final = (list, *FROM_LIST)


def union(changes: Sequence[Convert | None], exact: frozenset[type]) -> Convert:
    """The first member that a value fits as it is, else the first it can be converted to.

    Args:
        changes: the conversion to each member.
        exact: classes whose direct instances fit one of the members.
    """

    def change(value: Any) -> Any:
        if type(value) in exact:
            return value
        misfits: list[Misfit] = []
        made: list[Any] = []
        for one in changes:
            try:
                result = value if one is None else one(value)
            except Misfit as misfit:
                misfits.append(misfit)
                continue
            if result is value:
                return value
            made.append(result)
        if made:
            return made[0]
        found = telling(value, [misfit.found for misfit in misfits])
        raise next((one for one in misfits if one.found is found), Misfit(found))

    return change


def items(cls: Any, change_item: Convert | None, exact: frozenset[type], whole: Convert) -> Convert:
    """A conversion of every item.

    Args:
        cls: the class of the container.
        change_item: the conversion of an item.
        exact: classes whose direct instances need none.
        whole: for containers that are only checked.
    """

    def change(value: Any) -> Any:
        kind = type(value)
        if is_list_config(kind) and issubclass(list, cls) | (cls in FROM_LIST):
            made = _each(configs.items(value), change_item)
            return made if issubclass(list, cls) else _made(cls, made, value)
        fits = isinstance(value, cls)
        if kind not in _BUILTIN or not (fits or (kind is list and cls in FROM_LIST)):
            return whole(value)
        if change_item is None or exact.issuperset(map(type, value)):
            return value if fits else _made(cls, value, value)
        made = _each(value, change_item)
        if fits and all(new is old for new, old in zip(made, value, strict=True)):
            return value
        return _made(kind if fits else cls, made, value)

    return change


def _each(values: Iterable[Any], change: Convert | None) -> list[Any]:
    return [_item(index, value, change) for index, value in enumerate(values)]


def _item(index: int, value: Any, change: Convert | None) -> Any:
    if change is None:
        return configs.plain(value)
    try:
        return change(value)
    except Misfit as misfit:
        raise misfit.inside(f"[{index}]") from misfit.__cause__


def _made(cls: Any, values: Iterable[Any], value: Any) -> Any:
    try:
        return cls(values)
    except TypeError as problem:  # a set of what cannot be hashed
        raise Misfit(Found.of(value)) from problem


def fixed(changes: Sequence[Convert | None]) -> Convert:
    """A conversion to a tuple, with one conversion per item."""

    def change(value: Any) -> Any:
        given = configs.items(value) if is_list_config(type(value)) else value
        if not isinstance(given, list | tuple):
            raise Misfit(Found.of(value))
        if len(given) != len(changes):
            raise Misfit(wrong_length(value))
        pairs = enumerate(zip(given, changes, strict=True))
        made = tuple(_item(index, part, one) for index, (part, one) in pairs)
        same = isinstance(value, tuple) and all(
            new is old for new, old in zip(made, value, strict=True)
        )
        return value if same else made

    return change


def mapping(
    cls: Any,
    changes: Sequence[Convert | None],
    exacts: Sequence[frozenset[type]],
    whole: Convert,
) -> Convert:
    """A conversion of every key and every value.

    Args:
        cls: the class of the mapping.
        changes: the conversion of a key, and of a value.
        exacts: for each of them, classes whose direct instances need none.
        whole: for mappings that are only checked.
    """
    (change_key, change_part), (exact_keys, exact_parts) = changes, exacts

    def change(value: Any) -> Any:
        kind = type(value)
        config = is_dict_config(kind)
        if not issubclass(dict, cls) or not (config or kind is dict):
            return whole(value)
        given = configs.pairs(value) if config else value
        keys_fit = change_key is None or exact_keys.issuperset(map(type, given))
        parts_fit = change_part is None or exact_parts.issuperset(map(type, given.values()))
        if keys_fit and parts_fit and not config:
            return value
        pairs = [_pair(key, part, change_key, change_part) for key, part in given.items()]
        same = not config and all(
            key is old_key and part is old_part
            for (key, part), (old_key, old_part) in zip(pairs, given.items(), strict=True)
        )
        return value if same else dict(pairs)

    return change


def _pair(
    key: Any, part: Any, change_key: Convert | None, change_part: Convert | None
) -> tuple[Any, Any]:
    try:
        new = key if change_key is None else change_key(key)
    except Misfit as misfit:
        raise Misfit(Found(f"key {misfit.found}"), misfit.expected) from misfit.__cause__
    if change_part is None:
        return new, configs.plain(part)
    try:
        return new, change_part(part)
    except Misfit as misfit:
        raise misfit.inside(f"[{key!r}]") from misfit.__cause__
