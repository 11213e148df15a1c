"""Value against annotation, at run time.

Every item of lists, tuples, sets and dicts is looked at, and the offending one is named. What
only a full type checker understands is left to beartype, which is imported on use.
"""

from __future__ import annotations

import typing
import warnings
from collections import abc, deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from turnout.errors import TypeMismatch
from turnout.types.foreign import is_named_tuple, kin
from turnout.types.forms import Form, Kind, form
from turnout.types.hints import hints
from turnout.types.relate import TOWER
from turnout.types.show import Found, describe, show

Check: TypeAlias = Callable[[Any], Found | None]

_MEMO: dict[Any, Check | None] = {}
_MEMO_LIMIT: Final = 8192


def checker(annotation: Any) -> Check | None:
    """A function that says what it found instead of the annotation, or ``None`` if a value fits.

    There is no checker (``None``) for an annotation that everything fits. Numbers follow the
    numeric tower of PEP 484 and numpy's scalars count as their Python kin.

    >>> check_list = checker(list[int])
    >>> check_list([1, 2]), check_list([1, None])
    (None, 'None at [1]')
    """
    try:
        return _MEMO[annotation]
    except KeyError:
        pass
    except TypeError:
        return _compile(form(annotation))
    if len(_MEMO) >= _MEMO_LIMIT:
        _MEMO.clear()
    made: list[Check | None] = []

    def itself(value: Any) -> Found | None:
        known = made[0]
        return None if known is None else known(value)

    # An annotation may contain itself: while it is compiled, its checker stands for itself.
    _MEMO[annotation] = itself
    try:
        made.append(_compile(form(annotation)))
    except BaseException:
        _MEMO.pop(annotation, None)
        raise
    _MEMO[annotation] = made[0]
    return made[0]


def check(value: Any, annotation: Any, where: str) -> None:
    """Refuse a value that does not fit an annotation.

    Args:
        value: what is checked.
        annotation: what it must fit.
        where: what the value is, for the message: ``output of task 'train'``.

    Raises:
        TypeMismatch: the value does not fit.

    >>> check("abc", float, "parameter 'C' of task 'train'")
    Traceback (most recent call last):
    turnout.errors.TypeMismatch: parameter 'C' of task 'train': expected float, found str 'abc'
    """
    test = checker(annotation)
    if test is not None:
        found = test(value)
        if found is not None:
            raise TypeMismatch(where, show(annotation), found)


def _compile(target: Form) -> Check | None:
    match target.kind:
        case Kind.ANY | Kind.UNKNOWN:
            return None
        case Kind.CLASS if is_named_tuple(target.cls):
            return _named_tuple(target.cls)
        case Kind.CLASS:
            return _instance(target.cls)
        case Kind.LITERAL:
            return _literal(target.args)
        case Kind.UNION:
            return _union(target.args)
        case Kind.ITEMS:
            return _items(target.cls, target.args[0])
        case Kind.TUPLE:
            return _tuple(target.args)
        case Kind.MAPPING:
            return _mapping(target.cls, *target.args)
        case Kind.TYPED_DICT:
            return _typed_dict(target.annotation)
        case Kind.OTHER:
            return _beartype(target.annotation)


def exact_types(annotation: Any) -> frozenset[type]:
    """Classes whose direct instances fit an annotation, as far as that is known at a glance."""
    target = form(annotation)
    if target.kind is Kind.UNION:
        return frozenset().union(*map(exact_types, target.args))
    if target.kind is not Kind.CLASS or is_named_tuple(target.cls):
        return frozenset()
    return frozenset({target.cls, *TOWER.get(target.cls, ())})


def _instance(cls: type) -> Check | None:
    try:
        isinstance(None, cls)
    except TypeError:  # a protocol that cannot be asked
        return None
    more = TOWER.get(cls, ())
    accepted = (cls, *more)

    def fits(value: Any) -> Found | None:
        if type(value) is cls or isinstance(value, accepted):
            return None
        plain = kin(type(value))
        if plain is not None and issubclass(plain, accepted):
            return None
        return Found.of(value)

    return fits


def _literal(values: tuple[Any, ...]) -> Check:
    def fits(value: Any) -> Found | None:
        cls = kin(type(value)) or type(value)
        if any(cls is type(other) and value == other for other in values):
            return None
        return Found.of(value)

    return fits


def _union(members: tuple[Any, ...]) -> Check | None:
    tests = [checker(member) for member in members]
    known = [test for test in tests if test is not None]
    if len(known) < len(tests):
        return None
    quick = frozenset().union(*map(exact_types, members))

    def fits(value: Any) -> Found | None:
        if type(value) in quick:
            return None
        found = [test(value) for test in known]
        return None if None in found else closest(value, found)

    return fits


def closest(value: Any, found: Iterable[Found | None]) -> Found:
    """Of what the members of a union found, the one that says most."""
    deep = [one for one in found if one is not None and one.place]
    return deep[0] if len(deep) == 1 else Found.of(value)


def _items(cls: type, item: Any) -> Check | None:
    whole = _instance(cls)
    test = checker(item)
    if test is None or whole is None:
        return whole
    quick = exact_types(item)

    def fits(value: Any) -> Found | None:
        if not isinstance(value, cls):
            return Found.of(value)
        if not isinstance(value, _COUNTED):
            return None
        # All characters of a text are alike.
        items = value[:1] if isinstance(value, str | bytes) else value
        return None if quick.issuperset(map(type, items)) else first_misfit(items, test)

    return fits


# Looking at the items of these takes nothing away from them and costs what it seems to cost:
# iterators are used up by it, and an array is a container only by the letter.
_COUNTED: Final = (list, tuple, set, frozenset, dict, deque, abc.Sequence, abc.Set, abc.Mapping)


def first_misfit(items: Iterable[Any], test: Check) -> Found | None:
    """The first item that does not fit, with its place."""
    for index, item in enumerate(items):
        found = test(item)
        if found is not None:
            return found.inside(f"[{index}]")
    return None


def wrong_length(value: typing.Sized) -> Found:
    """A container that has too many or too few items."""
    return Found(f"{describe(value)} of length {len(value)}")


def _tuple(parts: tuple[Any, ...]) -> Check:
    tests = tuple(checker(part) for part in parts)

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


def _mapping(cls: type, key: Any, item: Any) -> Check:
    key_test, item_test = checker(key), checker(item)
    quick_keys, quick_items = exact_types(key), exact_types(item)

    def fits(value: Any) -> Found | None:
        if not isinstance(value, cls):
            return Found.of(value)
        if key_test is not None and not quick_keys.issuperset(map(type, value)):
            for one in value:
                found = key_test(one)
                if found is not None:
                    return Found(f"key {found}")
        if item_test is None or quick_items.issuperset(map(type, value.values())):
            return None
        for one, part in value.items():
            found = item_test(part)
            if found is not None:
                return found.inside(f"[{one!r}]")
        return None

    return fits


def field_checks(cls: Any) -> dict[str, Check]:
    """The checkers of a class's fields, where a field has one."""
    tests = ((name, checker(annotation)) for name, annotation in hints(cls).items())
    return {name: test for name, test in tests if test is not None}


def _typed_dict(cls: Any) -> Check:
    tests = field_checks(cls)

    def fits(value: Any) -> Found | None:
        if not isinstance(value, dict):
            return Found.of(value)
        for name in sorted(cls.__required_keys__):
            if name not in value:
                return Found(f"no value for {name!r}")
        for name, test in tests.items():
            found = test(value[name]) if name in value else None
            if found is not None:
                return found.inside(f"[{name!r}]")
        return None

    return fits


def _named_tuple(cls: Any) -> Check:
    whole = _instance(cls)
    tests = {name: test for name, test in field_checks(cls).items() if name in cls._fields}

    def fits(value: Any) -> Found | None:
        if whole is not None and (found := whole(value)) is not None:
            return found
        for name, test in tests.items():
            found = test(getattr(value, name))
            if found is not None:
                return found.inside(f".{name}")
        return None

    return fits


def _beartype(annotation: Any) -> Check:
    known: list[Callable[[Any], bool]] = []

    def fits(value: Any) -> Found | None:
        if not known:
            known.append(_bearable(annotation))
        return None if known[0](value) else Found.of(value)

    return fits


def _bearable(annotation: Any) -> Callable[[Any], bool]:
    from beartype.door import TypeHint
    from beartype.roar import BeartypeException

    try:
        with warnings.catch_warnings():
            # It warns about old spellings, which are the user's to choose.
            warnings.simplefilter("ignore")
            hint: TypeHint[Any] = TypeHint(annotation)
            hint.is_bearable(None)
    except BeartypeException:  # nobody can check it, so nothing is checked
        return lambda value: True
    return hint.is_bearable
