"""Annotation against annotation."""

# ruff: noqa: PYI061, UP006, UP035, UP045 -- the old spellings are among what is tested
from __future__ import annotations

import dataclasses
import enum
import inspect
import pathlib
import typing
from collections import abc
from typing import (
    Annotated,
    Any,
    Callable,
    Generic,
    List,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
)

import numpy as np
import pandas as pd
import pydantic
import pytest
from omegaconf import DictConfig, ListConfig
from typing_extensions import TypeAliasType

from turnout.types import Relation, relate

PROVEN, CHECK, REFUSED = Relation.PROVEN, Relation.CHECK, Relation.REFUSED

T = TypeVar("T")
Number = TypeVar("Number", bound=float)
Either = TypeVar("Either", int, str)
UserId = NewType("UserId", int)
Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | int | None")
Names = TypeAliasType("Names", list[str])


class Base:
    pass


class Derived(Base):
    pass


class Other:
    pass


class Shape(abc.Sized):
    pass


class Closes(Protocol):
    def close(self) -> None: ...


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Settings:
    lr: float


class Model(pydantic.BaseModel):
    lr: float


class Options(TypedDict):
    lr: float


class Pair(NamedTuple):
    left: int
    right: str


class Box(Generic[T]):
    pass


@pytest.mark.parametrize(
    ("produced", "wanted"),
    [
        (int, Any),
        (Any, Any),
        (int, object),
        (None, inspect.Parameter.empty),
        (int, None),
        (int, int),
        (bool, int),
        (int, int | str),
        (int | str, str | int),
        (int, Optional[int]),
        (type(None), Optional[int]),
        (Derived, Base),
        (list[int], list),
        (List[int], list[int]),
        (list[bool], abc.Sequence[int]),
        (list[int], abc.Iterable),
        (list[int], list[int | str]),
        (list, abc.Iterable[Any]),
        (tuple[int, int], tuple[int, ...]),
        (tuple[int, bool], abc.Sequence[int]),
        (tuple[int, str], tuple[int | None, str]),
        (dict[str, int], abc.Mapping[str, int]),
        (dict[str, int], abc.Iterable[str]),
        (dict, abc.Mapping[Any, Any]),
        (str, abc.Sequence[str]),
        (Literal["a"], str),
        (Literal["a"], Literal["a", "b"]),
        (Literal["a", None], Optional[str]),
        (UserId, int),
        (UserId, UserId),
        (Annotated[int, "unit"], int),
        (int, Annotated[int, ["unhashable"]]),
        (int, T),
        (bool, Either),
        (Names, list[str]),
        (np.float64, float),
        (np.float32, float),
        (np.int64, int),
        (np.bool_, bool),
        (np.str_, str),
        (pathlib.Path, pathlib.PurePath),
        (pd.DataFrame, pd.DataFrame),
        (Pair, tuple),
        (Callable[[int], int], abc.Callable),
        (type[int], type),
        (Box[int], Box),
        (DictConfig, DictConfig),
        (Level, int),
    ],
)
def test_proven(produced, wanted):
    assert relate(produced, wanted) is PROVEN
    assert relate(produced, wanted) is PROVEN  # from memory


@pytest.mark.parametrize(
    ("produced", "wanted"),
    [
        (Any, int),
        (object, int),
        (inspect.Parameter.empty, int),
        (None, int),
        ("Unresolved", int),
        (int, "Unresolved"),
        (int, float),
        (bool, float),
        (int, complex),
        (np.int64, float),
        (np.number, float),
        (Base, Derived),
        (int | str, int),
        (Optional[int], int),
        (list, list[int]),
        (list[Any], list[int]),
        (list[int], list[float]),
        (list[int], tuple[int, ...]),
        (list[int], tuple[int, int]),
        (tuple[int, ...], tuple[int, int]),
        (list[int], set[int]),
        (abc.Sequence[int], list[int]),
        (abc.Iterable[int], list),
        (dict[str, int], dict[str, float]),
        (str, pathlib.Path),
        (str, Color),
        (int, Level),
        (str, Literal["a"]),
        (str, Optional[pathlib.Path]),
        (Other, Closes),
        (int, Closes),
        (Other, Shape),
        (DictConfig, dict),
        (DictConfig, dict[str, int]),
        (DictConfig, abc.Mapping),
        (DictConfig, Settings),
        (DictConfig, Model),
        (DictConfig, Options),
        (DictConfig, Pair),
        (DictConfig, Optional[Settings]),
        (ListConfig, list),
        (ListConfig, list[int]),
        (ListConfig, tuple[int, ...]),
        (ListConfig, set[int]),
        (dict, DictConfig),
        (list, ListConfig),
        (dict, Settings),
        (dict[str, float], Model),
        (Options, Settings),
        (abc.Mapping, Settings),
        (Callable[[int], int], Callable[[str], int]),
        (abc.Iterator[int], abc.Iterator[str]),
        (Box, Box[int]),
        (dict[str, Json], Json),
    ],
)
def test_check(produced, wanted):
    assert relate(produced, wanted) is CHECK
    assert relate(produced, wanted) is CHECK


@pytest.mark.parametrize(
    ("produced", "wanted"),
    [
        (str, int),
        (str, float),
        (float, int),
        (int, str),
        (int, bytes),
        (type(None), int),
        (Base, Other),
        (pd.DataFrame, float),
        (pd.DataFrame, pd.Series),
        (np.ndarray, pd.DataFrame),
        (np.float32, int),
        (np.datetime64, float),
        (int | str, bytes),
        (str, int | float),
        (list[int], list[str]),
        (list[int], int),
        (list[str], tuple[int, ...]),
        (tuple[int, str], tuple[int, int]),
        (tuple[int, str], tuple[int]),
        (tuple[int], list[int]),
        (set[int], list[int]),
        (dict[str, int], dict[int, int]),
        (dict[str, int], list[int]),
        (list[int], abc.Mapping[str, int]),
        (float, abc.Iterable[float]),
        (int, abc.Callable),
        (str, abc.Sequence[int]),
        (pathlib.Path, str),
        (float, Level),
        (Literal["a"], Literal["b"]),
        (Literal["a"], int),
        (int, Literal["a"]),
        (Literal[1], Literal[True]),
        (DictConfig, int),
        (DictConfig, list[int]),
        (ListConfig, dict),
        (ListConfig, str),
        (DictConfig, ListConfig),
        (str, Settings),
        (str, Model),
        (Settings, Model),
        (int, Options),
        (UserId, str),
        (str, Number),
        (Number, int),
        (bytes, Either),
    ],
)
def test_refused(produced, wanted):
    assert relate(produced, wanted) is REFUSED
    assert relate(produced, wanted) is REFUSED


def test_a_class_with_its_own_idea_of_instances_is_checked():
    class Meta(type):
        def __instancecheck__(cls, value):
            return True

    class Anything(metaclass=Meta):
        pass

    assert relate(Base, Anything) is CHECK


def test_annotations_that_cannot_be_compared_are_told_apart_by_their_parts():
    def many(item):
        return list[Annotated[item, np.array([1, 2])]]

    assert relate(many(int), many(int)) is PROVEN
    assert relate(many(int), many(str)) is REFUSED


def test_names_that_stay_unresolved_prove_nothing():
    later = typing.ForwardRef("Later")
    assert relate(later, int) is CHECK
    assert relate(list[later], list[int]) is CHECK
