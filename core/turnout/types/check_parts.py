"""Checks of values that have parts: containers, and records of named fields."""

from __future__ import annotations

import typing
from collections import abc, deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from turnout.types.records import required_keys
from turnout.types.show import Found, describe

Check: TypeAlias = Callable[[Any], Found | None]

# Looking at the items of these takes nothing away from them and costs what it seems to cost:
# iterators are used up by it, and an array is a container only by the letter.
_COUNTED: Final = (list, tuple, set, frozenset, dict, deque, abc.Sequence, abc.Set, abc.Mapping)


def items(whole: Check | None, test: Check | None, quick: frozenset[type]) -> Check | None:
    """A check of every item.

    Args:
        whole: the check of the container itself.
        test: the check of an item.
        quick: classes whose direct instances need no test.
    """
    if test is None or whole is None:
        return whole

    def fits(value: Any) -> Found | None:
        found = whole(value)
        if found is not None or not isinstance(value, _COUNTED):
            return found
        # All characters of a text are alike.
        every = value[:1] if isinstance(value, str | bytes) else value
        return None if quick.issuperset(map(type, every)) else _first(every, test)

    return fits


def _first(values: Iterable[Any], test: Check) -> Found | None:
    """The first item that does not fit, with its place if it has one."""
    for index, item in enumerate(values):
        found = test(item)
        if found is not None:
            placed = not isinstance(values, abc.Set | abc.Mapping)
            return found.inside(f"[{index}]") if placed else Found(f"item {found}")
    return None


def wrong_length(value: typing.Sized) -> Found:
    """A container that has too many or too few items."""
    return Found(f"{describe(value)} of length {len(value)}")


def fixed(tests: tuple[Check | None, ...]) -> Check:
    """A check of a tuple with one test per item."""

    def fits(value: Any) -> Found | None:
        if not isinstance(value, tuple):
            return Found.of(value)
        if len(value) != len(tests):
            return wrong_length(value)
        for index, (item, test) in enumerate(zip(value, tests, strict=True)):
            found = test(item) if test is not None else None
            if found is not None:
                return found.inside(f"[{index}]")
        return None

    return fits


def mapping(
    cls: type, tests: tuple[Check | None, ...], quick: tuple[frozenset[type], ...]
) -> Check:
    """A check of every key and every value.

    Args:
        cls: the class of the mapping.
        tests: the check of a key, and of a value.
        quick: for each of them, classes whose direct instances need no test.
    """
    (key_test, value_test), (quick_keys, quick_values) = tests, quick

    def fits(value: Any) -> Found | None:
        if not isinstance(value, cls):
            return Found.of(value)
        given = typing.cast("abc.Mapping[Any, Any]", value)
        if key_test is not None and not quick_keys.issuperset(map(type, given)):
            for key in given:
                found = key_test(key)
                if found is not None:
                    return Found(f"key {found}")
        if value_test is None or quick_values.issuperset(map(type, given.values())):
            return None
        for key, part in given.items():
            found = value_test(part)
            if found is not None:
                return found.inside(f"[{key!r}]")
        return None

    return fits


def typed_dict(cls: Any, tests: dict[str, Check]) -> Check:
    """A check of a dict's keys and of the values that have a test."""

    def fits(value: Any) -> Found | None:
        if not isinstance(value, dict):
            return Found.of(value)
        for name in required_keys(cls):
            if name not in value:
                return Found(f"no value for {name!r}")
        for name, test in tests.items():
            found = test(value[name]) if name in value else None
            if found is not None:
                return found.inside(f"[{name!r}]")
        return None

    return fits


def named_tuple(cls: Any, whole: Check | None, tests: dict[str, Check]) -> Check:
    """A check of a named tuple's fields."""
    fields = {name: test for name, test in tests.items() if name in cls._fields}

    def fits(value: Any) -> Found | None:
        found = None if whole is None else whole(value)
        if found is not None:
            return found
        for name, test in fields.items():
            found = test(getattr(value, name))
            if found is not None:
                return found.inside(f".{name}")
        return None

    return fits
