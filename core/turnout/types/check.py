"""Value against annotation, at run time.

Every item of lists, tuples, sets and dicts is looked at, and the offending one is named. What
only a full type checker understands is left to beartype, which is imported on use.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

from turnout.errors import TypeMismatch
from turnout.types import check_parts as parts
from turnout.types.check_parts import Check
from turnout.types.foreign import is_named_tuple, kin
from turnout.types.forms import Form, Kind, form, strip
from turnout.types.hints import hints
from turnout.types.relate import TOWER
from turnout.types.show import Found, show, telling

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
    except TypeError:  # its extras cannot be hashed
        plain = strip(annotation)
        return _compile(form(annotation)) if plain is annotation else checker(plain)
    if len(_MEMO) >= _MEMO_LIMIT:
        _MEMO.clear()
    made: list[Check | None] = []

    def itself(value: Any) -> Found | None:
        known = made[0] if made else _compile(form(annotation))
        return None if known is None else known(value)

    # An annotation may contain itself: while it is compiled, this stands for its checker.
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


def exact_types(annotation: Any) -> frozenset[type]:
    """Classes whose direct instances fit an annotation, as far as that is known at a glance."""
    target = form(annotation)
    if target.kind is Kind.UNION:
        return frozenset().union(*map(exact_types, target.args))
    if target.kind is not Kind.CLASS or is_named_tuple(target.cls):
        return frozenset()
    return frozenset({target.cls, *TOWER.get(target.cls, ())})


def _compile(target: Form) -> Check | None:
    match target.kind:
        case Kind.ANY | Kind.UNKNOWN:
            return None
        case Kind.LITERAL:
            return _literal(target.args)
        case Kind.UNION:
            return _union(target.args)
        case Kind.CLASS if is_named_tuple(target.cls):
            return parts.named_tuple(target.cls, _instance(target.cls), _fields(target.cls))
        case Kind.CLASS:
            return _instance(target.cls)
        case Kind.TYPED_DICT:
            return parts.typed_dict(target.annotation, _fields(target.annotation))
        case Kind.TUPLE:
            return parts.fixed(tuple(map(checker, target.args)))
        case Kind.ITEMS:
            (item,) = target.args
            return parts.items(_instance(target.cls), checker(item), exact_types(item))
        case Kind.MAPPING:
            tests = tuple(map(checker, target.args))
            return parts.mapping(target.cls, tests, tuple(map(exact_types, target.args)))
        case Kind.OTHER:
            return _beartype(target.annotation)


def _fields(cls: Any) -> dict[str, Check]:
    tests = ((name, checker(annotation)) for name, annotation in hints(cls).items())
    return {name: test for name, test in tests if test is not None}


def _instance(cls: type) -> Check | None:
    try:
        isinstance(None, cls)
    except TypeError:  # a protocol that cannot be asked
        return None
    accepted = (cls, *TOWER.get(cls, ()))

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
        found = []
        for test in known:
            one = test(value)
            if one is None:
                return None
            found.append(one)
        return telling(value, found)

    return fits


def _beartype(annotation: Any) -> Check:
    known: list[Callable[[Any], bool]] = []

    def fits(value: Any) -> Found | None:
        if not known:
            known.append(_bearable(annotation))
        return None if known[0](value) else Found.of(value)

    return fits


def _bearable(annotation: Any) -> Callable[[Any], bool]:
    from beartype.door import is_bearable
    from beartype.roar import BeartypeException

    try:
        with warnings.catch_warnings():
            # It warns about old spellings, which are the user's to choose.
            warnings.simplefilter("ignore")
            is_bearable(None, annotation)
    except BeartypeException:  # nobody can check it, so nothing is checked
        return lambda _: True
    return lambda value: is_bearable(value, annotation)
