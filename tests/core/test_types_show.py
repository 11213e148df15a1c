"""Annotations and values as text."""

# ruff: noqa: PYI061, UP006, UP035, UP045 -- the old spellings are among what is tested
from __future__ import annotations

import collections.abc
import enum
import inspect
import pickle
import typing
from typing import Annotated, Any, Callable, List, Literal, NewType, Optional, Tuple, TypeVar

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from turnout.types import describe, show
from turnout.types.show import Found

UserId = NewType("UserId", int)
T = TypeVar("T")


class Color(enum.Enum):
    RED = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Outer:
    class Inner:
        pass


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (pd.DataFrame, "DataFrame"),
        (np.bool_, "numpy.bool"),
        (Outer.Inner, "Outer.Inner"),
        (None, "None"),
        (type(None), "None"),
        (Any, "Any"),
        (inspect.Parameter.empty, "Any"),
        (object, "object"),
        ("Unresolved", "Unresolved"),
        (typing.ForwardRef("Later"), "Later"),
        (Optional[int], "int | None"),
        (int | str, "int | str"),
        (list[float], "list[float]"),
        (List[float], "list[float]"),
        (list, "list"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[int, str], "tuple[int, str]"),
        (tuple[()], "tuple[()]"),
        (Tuple, "tuple"),
        (dict[str, list[int] | None], "dict[str, list[int] | None]"),
        (Literal["a", 1, None], "Literal['a', 1, None]"),
        (Literal[Color.RED], "Literal[Color.RED]"),
        (Annotated[int, "unit"], "int"),
        (UserId, "UserId"),
        (T, "T"),
        (Callable[[int, str], float], "Callable[[int, str], float]"),
        (collections.abc.Callable[..., None], "Callable[..., None]"),
        (Callable, "Callable"),
        (type[int], "type[int]"),
        (collections.abc.Sequence[int], "Sequence[int]"),
        (typing.Iterable[int], "Iterable[int]"),
    ],
)
def test_annotations(annotation, text):
    assert show(annotation) == text


def test_local_classes_and_arrays():
    class Local:
        pass

    assert show(Local) == "Local"
    # Older versions of numpy write it out: ndarray[tuple[...], dtype[float64]].
    assert show(NDArray[np.float64]).lower().startswith("ndarray[")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "bool True"),
        (3, "int 3"),
        (0.5, "float 0.5"),
        ("abc", "str 'abc'"),
        (b"ab", "bytes b'ab'"),
        (np.float32(0.5), "float32 0.5"),
        (np.int64(3), "int64 3"),
        ([1, 2], "list"),
        (pd.DataFrame(), "DataFrame"),
        (np.zeros(3), "ndarray"),
        (Color.RED, "Color.RED"),
        (int, "class int"),
        (Outer.Inner(), "Outer.Inner"),
    ],
)
def test_values(value, text):
    assert describe(value) == text


def test_long_values_are_cut():
    assert len(describe("x" * 10_000)) < 60
    assert len(describe(10**10_000)) < 60
    assert describe(Rights.READ | Rights.WRITE).startswith("Rights.")


def test_found_knows_its_place_and_survives_pickling():
    found = Found.of("abc").inside("[3]").inside(".grid")
    again = pickle.loads(pickle.dumps(found))
    assert again == found == "str 'abc' at grid[3]"
    assert (again.what, again.place) == ("str 'abc'", ".grid[3]")
