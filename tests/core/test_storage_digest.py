from __future__ import annotations

import datetime as dt
import enum
import functools
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import threading
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from turnout.errors import EncodeError
from turnout.storage.digest import SCHEME, digest, is_canonical

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.tuples(st.integers(), st.text())
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
    ),
    max_leaves=20,
)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Bits(enum.Flag, boundary=enum.KEEP):
    A = 1


@dataclass
class Point:
    x: float
    y: float = 0.0


@dataclass
class Other:
    x: float
    y: float = 0.0


class Pair(NamedTuple):
    x: float
    y: float


class Model(pydantic.BaseModel):
    x: float
    y: float = 0.0


class Simple:
    def __init__(self, x: Any) -> None:
        self.x = x


class Opaque(Simple):
    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__


def reordered(value: Any) -> Any:
    """An equal value made another way: dicts and sets filled in the opposite order."""
    if isinstance(value, dict):
        return {reordered(k): reordered(v) for k, v in reversed(value.items())}
    if isinstance(value, set):
        return {reordered(item) for item in sorted(value, key=repr)}
    if isinstance(value, (list, tuple)):
        return type(value)(reordered(item) for item in value)
    return value


@given(PLAIN)
def test_equal_plain_values_have_equal_digests(value: Any) -> None:
    assert digest(value) == digest(reordered(value))
    assert is_canonical(value)
    assert re.fullmatch(SCHEME + "[0-9a-f]{32}", digest(value))


@given(PLAIN, PLAIN)
def test_different_plain_values_have_different_digests(one: Any, two: Any) -> None:
    assert (digest(one) == digest(two)) == (typed(one) == typed(two))


def typed(value: Any) -> Any:
    """The value with its types made part of it; every NaN is one."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind, frozenset((typed(k), typed(v)) for k, v in value.items())
    if isinstance(value, set):
        return kind, frozenset(map(typed, value))
    if isinstance(value, (list, tuple)):
        return kind, tuple(map(typed, value))
    return kind, repr(value)


DIFFERENT = [
    1,
    1.0,
    True,
    "1",
    b"1",
    bytearray(b"1"),
    None,
    "None",
    0.0,
    -0.0,
    float("nan"),
    float("inf"),
    1j,
    [1],
    (1,),
    {1},
    frozenset({1}),
    {1: 1},
    {1: 1.0},
    {1.0: 1},
    {"1": 1},
    [[1], []],
    [[], [1]],
    ["a,b"],
    ["a", "b"],
    ["a'b", ""],
    [],
    {},
    list(range(20)),
    tuple(range(20)),
    [float(i) for i in range(20)],
    [*range(19), True],
    10**5000,
    [10**5000] * 10,
    range(3),
    slice(1, 2),
    ...,
    Decimal("1.0"),
    Decimal("1.00"),
    OrderedDict(a=1, b=2),
    OrderedDict(b=2, a=1),
    defaultdict(list, a=1),
    defaultdict(dict, a=1),
    Counter("aab"),
    deque([1]),
    deque([1], maxlen=3),
    dt.date(2024, 1, 1),
    dt.datetime.fromisoformat("2024-01-01"),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC, fold=1),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    dt.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
    dt.timedelta(seconds=1),
    pathlib.Path("a"),
    pathlib.Path("a/b"),
    re.compile("a"),
    re.compile("a", re.IGNORECASE),
    Color.RED,
    Color.BLUE,
    Color,
    Bits.A,
    Bits(5),
    Bits(9),
    Point(1.0),
    Point(1),
    Point(1.0, 1.0),
    Other(1.0),
    Pair(1.0, 0.0),
    Model(x=1.0),
    Model(x=2.0),
    OmegaConf.create({"a": 1}),
    OmegaConf.create({"a": 2}),
    OmegaConf.create([1]),
    len,
    max,
    os.path.join,
    functools.partial(max, 1),
    functools.partial(max, 2),
    [1, 2].append,
    [3].append,
    np.float64(1.0),
    np.float32(1.0),
    np.dtype("f4"),
    np.array([1, 2]),
    np.array([[1, 2]]),
    np.array([1.0, 2.0]),
    np.array([1, 2], dtype="i4"),
    np.array([1, 2], dtype=">i4"),
    np.array(["a"]),
    np.array(["a"], dtype=object),
    np.array([1, "a"], dtype=object),
    np.array(["1", "a"], dtype=object),
    np.array([(1,)], dtype=[("a", "i4")]),
    np.array([(1,)], dtype=[("b", "i4")]),
    pd.Series([1, 2]),
    pd.Series([1, 2], name="a"),
    pd.Series([1, 2], index=[1, 2]),
    pd.Series([1, "a"]),
    pd.Series(["1", "a"], dtype=object),
    pd.Series(["1", "a"], dtype="string"),
    pd.Series([1, None], dtype="Int64"),
    pd.Series([1, 0], dtype="Int64"),
    pd.Series(["1", "a"], dtype="category"),
    pd.Series(pd.Categorical(["1", "a"], ["a", "1"])),
    pd.Series(pd.Categorical(["1", "a"], ordered=True)),
    pd.Series(pd.to_datetime(["2024-01-01"])),
    pd.Series(pd.to_datetime(["2024-01-01"])).dt.tz_localize("UTC"),
    pd.Series(pd.to_datetime(["2024-01-01"])).dt.tz_localize("Europe/Paris"),
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
    pd.DataFrame({"b": [3, 4], "a": [1, 2]}),
    pd.DataFrame({"a": [1, 2], "c": [3, 4]}),
    pd.DataFrame({"a": [1, 2], "b": [3, 4.0]}),
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"]),
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=pd.date_range("2024", periods=2)),
    pd.MultiIndex.from_tuples([(1, 2)]),
    pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]),
    pd.Timestamp("2024-01-01"),
    pd.NaT,
    pd.NA,
    pl.DataFrame({"a": [1, 2]}),
    pl.DataFrame({"a": [1.0, 2.0]}),
    pl.DataFrame({"a": [1, None]}),
    pl.DataFrame({"a": [[1], []]}),
    pl.Series("a", [1, 2]),
    pl.Series("b", [1, 2]),
    pl.Series("a", ["1", "2"]),
    pl.Series("a", [dt.date(2024, 1, 1)]),
]


def test_values_that_differ_in_anything_have_different_digests() -> None:
    seen: dict[str, Any] = {}
    for value in DIFFERENT:
        text = digest(value)
        assert is_canonical(value), value
        assert text == digest(value)
        assert text not in seen, (value, seen[text])
        seen[text] = value


def test_the_layout_in_memory_does_not_count() -> None:
    array = np.arange(6).reshape(2, 3)
    assert digest(array) == digest(np.asfortranarray(array))
    big = np.arange(4000.0)
    assert digest(big[::2].copy()) == digest(big[::2])
    frame = pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=["a", "b"])
    columns = pd.DataFrame({"a": [0.0, 2.0, 4.0], "b": [1.0, 3.0, 5.0]})
    assert digest(frame) == digest(columns)
    assert digest(pl.DataFrame({"a": [1, 2, 3]}).head(2)) == digest(pl.DataFrame({"a": [1, 2]}))


def test_the_fields_of_a_structured_scalar_count() -> None:
    overlapping: Any = {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]}
    kinds = ([("a", "i8")], [("b", "i8")], [("a", "f8")], overlapping, "V8")
    scalars = [np.zeros(1, np.dtype(kind))[0] for kind in kinds]
    assert all(map(is_canonical, scalars))
    assert len(set(map(digest, scalars))) == len(kinds)
    assert not is_canonical(np.zeros(1, [("a", "O")])[0])


def test_a_copy_of_a_frame_has_its_digest_and_a_change_another() -> None:
    frame = pd.DataFrame({"a": range(100), "b": [str(i) for i in range(100)]})
    before = digest(frame)
    assert digest(frame.copy()) == before
    frame.loc[50, "b"] = "other"
    assert digest(frame) != before


def test_none_and_nan_in_a_column_of_objects_differ() -> None:
    none = pd.Series(["a", None], dtype=object)
    nan = pd.Series(["a", float("nan")], dtype=object)
    assert digest(none) != digest(nan)


def test_a_config_counts_by_what_it_resolves_to() -> None:
    one = OmegaConf.create({"base": 1, "part": {"x": "${base}"}})
    two = OmegaConf.create({"base": 5, "part": {"x": 1}})
    assert digest(one.part) == digest(two.part)
    assert digest(OmegaConf.create({"x": "${gone}"})) != digest(OmegaConf.create({"x": 1}))
    assert is_canonical(OmegaConf.create({"x": "???"}))


def test_a_member_of_an_enum_counts_by_its_value() -> None:
    one, two, lock = (enum.Enum("Made", {"A": v}) for v in (1, 2, threading.Lock()))
    values: list[Any] = [one["A"], two["A"], lock["A"]]
    assert len(set(map(digest, values))) == 3
    assert all(map(is_canonical, values))


def test_what_was_set_beside_the_fields_of_a_dataclass_counts() -> None:
    point = Point(1.0)
    before = digest(point)
    point.extra = 1  # type: ignore[attr-defined]
    assert digest(point) != before


def test_other_objects_are_pickled_and_said_to_be() -> None:
    assert digest(Opaque(1)) != digest(Opaque(2))
    assert not is_canonical(Opaque(1))
    assert not is_canonical({"a": [Opaque(1)]})
    assert not is_canonical(np.array([Opaque(1)], dtype=object))


def test_an_object_that_is_only_its_attributes_counts_by_them() -> None:
    assert is_canonical(Simple({"a": 1}))
    assert digest(Simple({"a": 1})) == digest(Simple({"a": 1}))
    assert digest(Simple(1)) != digest(Simple(2))
    shared: Any = Simple(0)
    for _ in range(60):
        shared = Simple([shared, shared])
    assert digest(shared)
    shared.x.append(shared)
    assert not is_canonical(shared)
    for value in (Exception("a"), threading.local, functools.partial(max), iter([1])):
        assert digest(value)


def test_a_value_that_contains_itself_has_a_digest() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert digest(value) == digest(value)
    assert not is_canonical(value)


def test_what_cannot_be_pickled_has_no_digest() -> None:
    with pytest.raises(EncodeError, match=r"_thread\.lock"):
        digest([threading.Lock()])


def test_functions_count_by_their_code() -> None:
    def make(number: int) -> Any:
        return lambda x: x + number

    assert digest(make(1)) == digest(make(1))
    assert digest(make(1)) != digest(make(2))
    assert is_canonical(make(1))
    assert digest(functools.lru_cache(make)) != digest(functools.lru_cache(reordered))


class Scaled:
    def __init__(self, function: Any, factor: float, doc: str = "") -> None:
        functools.update_wrapper(self, function)
        self.factor = factor
        self.__doc__ = doc

    def __call__(self, x: float) -> Any:
        return self.factor * self.__wrapped__(x)  # type: ignore[attr-defined]


def test_a_wrapper_counts_by_what_it_wraps_and_by_its_own_state() -> None:
    assert digest(Scaled(reordered, 1)) != digest(Scaled(reordered, 2))
    assert digest(Scaled(reordered, 1)) != digest(Scaled(len, 1))
    assert digest(Scaled(reordered, 1)) == digest(Scaled(reordered, 1, "A docstring."))
    assert is_canonical(Scaled(reordered, 1))
    around = Scaled(reordered, 1)
    around.factor = around  # type: ignore[assignment]
    assert not is_canonical(around)


PROGRAM = textwrap.dedent(
    """
    import datetime, enum, pathlib
    import numpy as np, pandas as pd, polars as pl
    from turnout.storage.digest import digest
    words = ["turnout", "track", "train", "switch", "rail", "gauge", "signal", "yard", "depot"]
    values = [
        set(words), frozenset(words), {w: {v for v in words if v > w} for w in words},
        {"a": 1, None: 2, 3: [1.5, "x"]}, float("nan"), pathlib.Path("a/b"), "\\ud800",
        pd.DataFrame({"w": words, "n": range(9)}), pd.Series(words, dtype="category"),
        pl.DataFrame({"w": words}), np.arange(5000.0), lambda x: x in {"a", "b", "c"},
    ]
    print(*map(digest, values))
    """
)


def test_digests_are_the_same_in_another_process(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    made = {
        subprocess.run(
            [sys.executable, script],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(made) == 1
    assert len(set(made.pop().split())) == 12


def test_the_scheme_has_not_changed_unnoticed() -> None:
    # Stored results are found by these: a change of the scheme needs another SCHEME.
    value = {"a": [1, 2.5, None, True, "x"], "b": (b"y", {1, 2}), "c": dt.date(2024, 1, 1)}
    assert digest(value) == "d2d11a9f6794edde9df2e0eb7a437cbf6e"
    assert digest(np.arange(3, dtype="i8")) == "d2c58df10599bbbb25829b3eca6962daf3"
    assert digest(7) == "d29e287f590d2dcbbf387bfb70928e621d"
