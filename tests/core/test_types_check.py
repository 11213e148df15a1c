"""Value against annotation."""

# ruff: noqa: UP006, UP035, UP045 -- the old spellings are among what is tested
from __future__ import annotations

import collections
import enum
import inspect
import pathlib
import sys
import threading
import typing
from collections import abc
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Callable,
    Generic,
    Iterable,
    Iterator,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Protocol,
    Sequence,
    TypedDict,
    TypeVar,
    runtime_checkable,
)

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from omegaconf import DictConfig, ListConfig, OmegaConf

from turnout.errors import TypeMismatch
from turnout.types import Relation, check, checker, convert, hints, relate, show

T = TypeVar("T")
UserId = NewType("UserId", int)


class TypeAliasType:
    """What the statement ``type Name = ...`` of Python 3.12 makes: it may mention itself."""

    def __init__(self, make):
        self.make = make

    @property
    def __value__(self):
        return self.make(self)


Json = TypeAliasType(lambda it: dict[str, it] | list[it] | int | None)
Tree = TypeAliasType(lambda it: int | list[it])


class Color(enum.Enum):
    RED = 1


class Base:
    pass


class Derived(Base):
    pass


class Options(TypedDict):
    depth: int
    names: NotRequired[list[str]]


class Pair(NamedTuple):
    left: int
    right: Optional[str] = None


@dataclass
class Settings:
    lr: float


class Closes(Protocol):
    def close(self) -> None: ...


@runtime_checkable
class Opens(Protocol):
    def open(self) -> None: ...


class Door:
    def open(self) -> None: ...


class Box(Generic[T]):
    pass


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 3),
        (int, True),
        (int, np.int64(3)),
        (int, np.bool_(True)),
        (bool, np.bool_(True)),
        (float, 3),
        (float, 0.5),
        (float, np.float32(0.5)),
        (float, np.float64(0.5)),
        (float, np.int8(3)),
        (complex, 3),
        (complex, np.complex64(1j)),
        (str, np.str_("a")),
        (Base, Derived()),
        (None.__class__, None),
        (Optional[int], None),
        (int | str, "a"),
        (float | None, np.float32(1)),
        (Literal["a", 1], 1),
        (Literal[1], np.int64(1)),
        (Literal[Color.RED], Color.RED),
        (Annotated[int, "unit"], 3),
        (UserId, 3),
        (list[int], []),
        (list[int], [1, True, np.int64(2)]),
        (list[float], [1, 0.5]),
        (list[list[int]], [[1], []]),
        (list[Any], [1, "a"]),
        (set[int], {1}),
        (frozenset[str], frozenset({"a"})),
        (tuple[int, ...], (1, 2)),
        (tuple[int, str], (1, "a")),
        (tuple[()], ()),
        (tuple[int, Any], (1, object())),
        (dict[str, int], {"a": 1}),
        (dict[str, Any], {"a": object()}),
        (dict[Any, int], {3: 1}),
        (abc.Mapping[str, int], collections.OrderedDict(a=1)),
        (Sequence[int], range(3)),
        (Sequence[str], "abc"),
        (Sequence[int], b"abc"),
        (Sequence[int], (1, 2)),
        (Iterable[str], {"a": 1}),
        (Iterable[float], np.zeros(3)),
        (collections.deque[int], collections.deque([1])),
        (Options, {"depth": 1}),
        (Options, {"depth": 1, "names": ["a"]}),
        (Pair, Pair(1)),
        (Settings, Settings(1)),
        (pd.DataFrame, pd.DataFrame()),
        (DictConfig, OmegaConf.create({"a": 1})),
        (ListConfig, OmegaConf.create([1])),
        (abc.Mapping[str, int], OmegaConf.create({"a": 1})),
        (Callable[[int], int], abs),
        (abc.Callable, abs),
        (type[Base], Derived),
        (Opens, Door()),
        (Box[int], Box()),
        (NDArray[np.float64], np.zeros(3)),
        (pathlib.PurePath, pathlib.Path("a")),
        (Json, {"a": [1, None, {"b": 2}]}),
        (Tree, [1, [2, [3]]]),
        (T, object()),
    ],
)
def test_fits(annotation, value):
    test = checker(annotation)
    assert test is None or test(value) is None
    check(value, annotation, "it")


@pytest.mark.parametrize(
    ("annotation", "value", "found"),
    [
        (int, "a", "str 'a'"),
        (int, 0.5, "float 0.5"),
        (int, np.float64(0.5), "float64 0.5"),
        (int, np.timedelta64(1, "s"), "timedelta64"),
        (bool, 1, "int 1"),
        (float, "0.5", "str '0.5'"),
        (float, 1j, "complex 1j"),
        (float, None, "None"),
        (Derived, Base(), "Base"),
        (type(None), 0, "int 0"),
        (Optional[int], "a", "str 'a'"),
        (int | str, None, "None"),
        (Optional[list[int]], [1, "a"], "str 'a' at [1]"),
        (list[int] | list[str], [1, "a"], "list"),
        (Literal["a"], "b", "str 'b'"),
        (Literal[1], True, "bool True"),
        (Annotated[int, ["unhashable"]], "a", "str 'a'"),
        (UserId, "a", "str 'a'"),
        (list[int], (1, 2), "tuple"),
        (list[int], [1, 2, 3, "a"], "str 'a' at [3]"),
        (list[Annotated[int, ["unhashable"]]], ["a"], "str 'a' at [0]"),
        (list[list[int]], [[], [1, None]], "None at [1][1]"),
        (dict[str, list[int]], {"a": [1, 2, None]}, "None at ['a'][2]"),
        (dict[str, int], {1: 1}, "key int 1"),
        (dict[str, int], [], "list"),
        (set[int], {"a"}, "item str 'a'"),
        (Iterable[str], {1: "a"}, "item int 1"),
        (tuple[int, ...], (1, "a"), "str 'a' at [1]"),
        (tuple[int, str], (1, 2), "int 2 at [1]"),
        (tuple[int, str], (1,), "tuple of length 1"),
        (tuple[int, str], [1, "a"], "list"),
        (Sequence[int], ["a"], "str 'a' at [0]"),
        (Sequence[int], "abc", "str 'a' at [0]"),
        (abc.Mapping[str, int], collections.OrderedDict(a="b"), "str 'b' at ['a']"),
        (Options, {}, "no value for 'depth'"),
        (Options, {"depth": 1, "names": [1]}, "int 1 at ['names'][0]"),
        (Options, [], "list"),
        (Pair, Pair("a"), "str 'a' at left"),
        (Pair, (1, "a"), "tuple"),
        (list[Pair], [Pair(1, 2)], "int 2 at [0].right"),
        (Settings, {"lr": 1}, "dict"),
        (pd.DataFrame, pd.Series(dtype=float), "Series"),
        (DictConfig, {"a": 1}, "dict"),
        (Callable[[int], int], 3, "int 3"),
        (type[Base], int, "class int"),
        (Opens, Base(), "Base"),
        (Iterator[int], [1], "list"),
        (NDArray[np.float64], np.zeros(3, dtype=int), "ndarray"),
        (Json, {"a": [1, {"b": "c"}]}, "str 'c' at ['a'][1]['b']"),
        (Tree, [1, [2, "a"]], "str 'a' at [1][1]"),
    ],
)
def test_does_not_fit(annotation, value, found):
    assert checker(annotation)(value).startswith(found)
    with pytest.raises(TypeMismatch) as caught:
        check(value, annotation, "output of task 'train'")
    assert caught.value.where == "output of task 'train'"
    assert caught.value.found.startswith(found)


@pytest.mark.parametrize(
    "annotation", [Any, object, None, inspect.Parameter.empty, "Unresolved", T, Optional[Any]]
)
def test_nothing_to_check(annotation):
    assert checker(annotation) is None
    check(object(), annotation, "it")


def test_the_message_reads_well():
    with pytest.raises(TypeMismatch) as caught:
        check("abc", float, "parameter 'test_size' of workflow 'pipeline'")
    assert str(caught.value) == (
        "parameter 'test_size' of workflow 'pipeline': expected float, found str 'abc'"
    )


def test_every_item_is_checked_however_long_the_list():
    values: list[Any] = [1] * 100_000
    assert checker(list[int])(values) is None
    values[77_777] = "a"
    assert checker(list[int])(values) == "str 'a' at [77777]"


def test_iterators_are_not_used_up():
    for annotation in (Iterable[int], Iterator[int], Iterable[str], typing.Generator):
        numbers = (number for number in range(3))
        checker(annotation)(numbers)
        assert list(numbers) == [0, 1, 2]


def test_a_protocol_that_cannot_be_asked_is_not_checked():
    assert checker(Closes) is None
    assert checker(list[Closes])([3]) is None


def test_what_nobody_can_check_is_let_through():
    class Odd(Generic[T]):
        pass

    unknown = typing.Concatenate[int, ...]
    test = checker(Callable[unknown, int])
    assert test is None or test(abs) is None
    assert checker(Odd[int])(Odd()) is None


def test_old_spellings_raise_no_warnings():
    assert checker(typing.Callable[[typing.List[int]], typing.Dict[str, int]])(abs) is None


def test_local_names_in_typed_dicts_and_not_required_as_text():
    class Late(TypedDict):
        depth: NotRequired[int]
        name: str

    assert checker(Late)({"name": "a"}) is None
    assert checker(Late)({"depth": 1}) == "no value for 'name'"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python has no such statement")
def test_aliases_and_type_parameters_as_statements():
    code = """if True:
        type Json = dict[str, Json] | list[Json] | int
        type Many[T] = list[T]
        def first[T: int](values: "Many[T]", raw: "Json", odd: "Unheard") -> "T": ...
    """
    names: dict[str, Any] = {}
    exec(code, names)
    found = hints(names["first"])
    assert found["odd"] is Any
    assert show(found["values"]) == "Many[T]"
    assert checker(found["values"])([1, "a"]) == "str 'a' at [1]"
    assert checker(found["raw"])({"a": [1, None]}) == "None at ['a'][1]"
    assert checker(found["return"])("a") == "str 'a'"
    assert relate(found["raw"], found["raw"]) is Relation.PROVEN
    assert convert([1, 2], dict[str, names["Json"]] | names["Many"][float], "it") == [1.0, 2.0]


def test_checkers_are_made_once():
    assert checker(list[int]) is checker(list[int])


def test_many_threads_may_ask_for_a_recursive_annotation():
    """A checker that is being made by another thread must already work."""
    failures: list[Any] = []
    names = [TypeAliasType(lambda it: int | list[it]) for _ in range(200)]
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def ask():
        for name in names:
            try:
                if checker(dict[str, list[name]])({"a": [1, [2, [3]]]}) is not None:
                    failures.append(name)
            except Exception as problem:
                failures.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(old)
    assert failures == []
