from __future__ import annotations

import datetime as dt
import enum
import io
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from turnout.backend import registry as plugins
from turnout.backend.hooks import hookimpl
from turnout.errors import EncodeError, PluginError
from turnout.storage.codecs import decode, encode, is_pickled

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes().map(lambda value: value.replace(fold=0))
    | st.times().map(lambda value: value.replace(fold=0))
    | st.timedeltas()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.text() | st.tuples(st.integers(), st.none()) | st.frozensets(st.integers())
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner)
        | st.sets(HASHABLE)
    ),
    max_leaves=12,
)


class Color(enum.Enum):
    RED = 1


class Mode(enum.StrEnum):
    FAST = "fast"


@dataclass
class Point:
    x: float
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    inner: Point
    color: Color = Color.RED


@dataclass
class Odd:
    x: int

    def __getstate__(self) -> dict[str, Any]:
        return {"x": 0}


class Pair(NamedTuple):
    left: Any
    right: Any


class Model(pydantic.BaseModel):
    name: str = pydantic.Field(alias="Name")
    rate: float = 0.5
    _seen: int = pydantic.PrivateAttr(default=3)


class Plain:
    def __init__(self) -> None:
        self.x = 1


def there_and_back(value: Any) -> Any:
    encoded = encode(value)
    return decode(encoded.codec, encoded.payload)


@given(PLAIN)
def test_plain_data_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    encoded = encode(value)
    back = decode(encoded.codec, encoded.payload)
    assert encoded.codec == "plain/1"
    assert encoded.canonical
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        Point(1.5, ["a"]),
        Frozen(Point(2.0)),
        [Point(1.0), {"k": Frozen(Point(1.0))}],
        Pair(1, (2, 3)),
        Color.RED,
        Mode.FAST,
        Path("a/b"),
        float("inf"),
        "\ud800",
        dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
    ],
)
def test_structures_of_plain_data_need_no_pickle(value: Any) -> None:
    encoded = encode(value)
    back = decode(encoded.codec, encoded.payload)
    assert encoded.codec == "plain/1"
    assert back == value
    assert type(back) is type(value)


def test_pydantic_models_come_back_whole() -> None:
    model = Model(Name="a")
    model._seen = 7
    back = there_and_back(model)
    assert encode(model).codec == "plain/1"
    assert back == model
    assert back._seen == 7
    assert back.model_fields_set == {"name"}


@pytest.mark.parametrize(
    "value",
    [
        PurePosixPath("a"),
        OrderedDict(a=1),
        defaultdict(list, a=[1]),
        dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1), "X")),
        dt.datetime(2024, 1, 2, tzinfo=dt.UTC, fold=1),
        bytearray(b"a"),
        range(3),
        np.float64(1.5),
    ],
)
def test_what_a_typed_codec_would_change_is_pickled(value: Any) -> None:
    encoded = encode(value)
    back = decode(encoded.codec, encoded.payload)
    assert encoded.codec == "pickle/1"
    assert not encoded.canonical
    assert type(back) is type(value)
    assert back == value


def test_a_dataclass_that_pickles_its_own_way_does() -> None:
    assert encode(Odd(5)).codec == "pickle/1"
    assert there_and_back(Odd(5)).x == 0


def test_a_dataclass_with_more_than_its_fields_is_pickled() -> None:
    point = Point(1.0)
    point.extra = 1  # type: ignore[attr-defined]
    assert encode(point).codec == "pickle/1"
    assert there_and_back(point).extra == 1


def test_local_classes_and_functions_travel_by_value() -> None:
    @dataclass
    class Local:
        x: int

    assert encode(Local(1)).codec == "pickle/1"
    assert there_and_back(Local(1)).x == 1
    assert there_and_back(lambda x: x + 1)(1) == 2


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.ones((3, 2), dtype="float32")),
        np.array(["a", "bc"]),
        np.array(["2024-01-01"], dtype="datetime64[D]"),
        np.array(5),
        np.zeros((0, 3)),
        np.array([True]),
    ],
)
def test_arrays_are_stored_as_npy(array: Any) -> None:
    encoded = encode(array)
    back = decode(encoded.codec, encoded.payload)
    assert encoded.codec == "numpy/1"
    assert back.dtype == array.dtype
    assert back.flags.writeable
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}, None], dtype=object),
        np.ma.masked_array([1, 2], [True, False]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    ],
)
def test_other_arrays_are_pickled(array: Any) -> None:
    assert encode(array).codec == "pickle/1"
    assert type(there_and_back(array)) is type(array)
    np.testing.assert_array_equal(there_and_back(array), array)


def test_pandas_comes_back_exactly() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])},
        index=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["i", None]),
    )
    frame.attrs["unit"] = "mm"
    back = there_and_back(frame)
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs == {"unit": "mm"}
    pd.testing.assert_series_equal(there_and_back(frame["a"]), frame["a"])


def test_polars_is_stored_as_arrow() -> None:
    frame = pl.DataFrame({"a": [1, None], "b": [["x"], []]})
    assert encode(frame).codec == "polars/1"
    assert there_and_back(frame).equals(frame)
    back = there_and_back(frame["a"])
    assert isinstance(back, pl.Series)
    assert back.equals(frame["a"])
    with pytest.raises(EncodeError):
        encode(pl.Series([object()], dtype=pl.Object))


def test_a_part_of_a_config_is_resolved_and_cut_off() -> None:
    config = OmegaConf.create({"base": 2, "secret": "x", "model": {"C": "${base}", "n": "???"}})
    encoded = encode(config.model)
    back = decode(encoded.codec, encoded.payload)
    assert encoded.codec == "config/1"
    assert isinstance(back, DictConfig)
    assert back.C == 2
    assert OmegaConf.is_missing(back, "n")
    assert back._get_parent() is None
    assert b"secret" not in encoded.payload
    assert config.model._get_parent() is config


@pytest.mark.parametrize(
    "make",
    [
        threading.Lock,
        lambda: (i for i in ()),
        Path(__file__).open,
        lambda: Path(__file__).open("rb"),  # noqa: SIM115  (the test closes it)
        socket.socket,
        lambda: {"deep": [threading.Lock()]},
    ],
)
def test_what_lives_in_this_process_is_refused_with_its_place(make: Any) -> None:
    value = make()
    with pytest.raises(EncodeError, match=r"parameter 'x' of task 'train'.*inside the task") as e:
        encode(value, "parameter 'x' of task 'train'")
    assert e.value.__cause__ is not None
    if hasattr(value, "close"):
        value.close()


def test_a_value_that_contains_itself_is_pickled() -> None:
    value: list[Any] = []
    value.append(value)
    back = there_and_back(value)
    assert back[0] is back


class Upper:
    """A codec as a plugin brings it."""

    name = "upper"
    version = 2
    canonical = True

    def handles(self, value: Any) -> bool:
        return isinstance(value, Plain)

    def encode(self, value: Any) -> bytes:
        return b"plain"

    def decode(self, payload: bytes) -> Any:
        return payload.decode()


class Plugin:
    @hookimpl
    def turnout_codecs(self) -> Sequence[Any]:
        return [Upper()]


def test_codecs_of_plugins_are_asked_first() -> None:
    assert encode(Plain()).codec == "pickle/1"
    registry = plugins.Registry()
    registry.register(Plugin(), "plugin")
    before = plugins.use(registry)
    try:
        assert encode(Plain()) == ("upper/2", b"plain", True)
        assert decode("upper/1", b"old") == "old"
        assert not is_pickled("upper/2")
        with pytest.raises(PluginError, match="version 3 of the codec 'upper'"):
            decode("upper/3", b"")
    finally:
        plugins.use(before)
    assert encode(Plain()).codec == "pickle/1"
    with pytest.raises(PluginError, match="'upper', which is not installed"):
        decode("upper/2", b"plain")


def test_which_codecs_unpickle() -> None:
    assert [is_pickled(f"{name}/1") for name in ("plain", "numpy", "polars")] == [False] * 3
    assert is_pickled("pickle/1")
    assert is_pickled("config/1")


def test_classes_of_a_script_are_named_by_its_importable_name(tmp_path: Path) -> None:
    script = tmp_path / "pipeline.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            from turnout.storage.codecs import encode

            class Thing:
                def __init__(self):
                    self.x = 1

            def work():
                return Thing()

            if __name__ == "__main__":
                sys.stdout.buffer.write(encode([Thing(), work]).payload)
            """
        )
    )
    payload = subprocess.run([sys.executable, script], check=True, capture_output=True).stdout
    sys.path.insert(0, str(tmp_path))
    try:
        thing, work = pickle.load(io.BytesIO(payload))
        import pipeline  # type: ignore[import-not-found]

        assert type(thing) is pipeline.Thing
        assert work is pipeline.work
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("pipeline", None)


def test_classes_of_a_notebook_travel_by_value_and_are_stored_by_name() -> None:
    code = textwrap.dedent(
        """
        from turnout.storage.codecs import decode, encode
        class Thing:
            pass
        sent = encode(Thing())
        stored = encode(Thing(), stored=True)
        assert b"__main__:Thing" in stored.payload
        assert type(decode(*stored[:2])) is Thing
        assert len(sent.payload) > 2 * len(stored.payload)
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_what_is_used_is_imported() -> None:
    code = textwrap.dedent(
        """
        import sys
        import turnout.storage.cache, turnout.storage.codecs, turnout.storage.digest
        import turnout.storage.records, turnout.storage.store, turnout.storage.version
        from turnout.storage.digest import digest
        digest({"a": [1, 2.0]})
        heavy = {"numpy", "pandas", "cloudpickle", "fsspec", "sqlite3", "omegaconf", "asyncio"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)
