"""Values made to fit, where they enter a task."""

# ruff: noqa: UP006, UP045 -- the old spellings are among what is tested
from __future__ import annotations

import collections
import enum
import inspect
import pathlib
import typing
from collections import abc
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    Optional,
    TypedDict,
    TypeVar,
)

import numpy as np
import pandas as pd
import pydantic
import pytest
from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf

from turnout.errors import ConfigError, TypeMismatch
from turnout.types import checker, convert

T = TypeVar("T")
HERE = "parameter 'm' of task 'train'"


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Optim:
    lr: float
    betas: tuple[float, float] = (0.9, 0.99)
    kind: Color = Color.RED


@dataclass
class Settings:
    optim: Optim
    name: str = "x"
    grid: list[float] = field(default_factory=list)
    cache: pathlib.Path | None = None
    extra: Any = None
    VERSION: typing.ClassVar[int] = 3


@dataclass
class Structured:
    """What OmegaConf can hold."""

    depth: int = 3
    ratio: float = MISSING
    inner: Optim = field(default_factory=lambda: Optim(lr=1.0))
    anything: Any = field(default_factory=lambda: Optim(lr=2.0))


@dataclass
class Wider(Structured):
    width: int = 5


class Model(pydantic.BaseModel):
    lr: float
    names: list[str] = []


class Options(TypedDict):
    depth: int
    ratio: typing.NotRequired[float]


class Pair(NamedTuple):
    left: float
    right: pathlib.Path | None = None


def same(value, annotation):
    assert convert(value, annotation, HERE) is value


def becomes(value, annotation, wanted):
    made = convert(value, annotation, HERE)
    assert made == wanted
    assert type(made) is type(wanted)
    test = checker(annotation)
    assert test is None or test(made) is None
    return made


def refused(value, annotation, message):
    with pytest.raises(TypeMismatch) as caught:
        convert(value, annotation, HERE)
    assert str(caught.value) == f"{HERE}: {message}"


@pytest.mark.parametrize("annotation", [Any, object, None, inspect.Parameter.empty, "Unheard", T])
def test_where_nothing_is_asked_the_value_stays(annotation):
    same(OmegaConf.create({"a": [1]}), annotation)
    same([1], annotation)


def test_what_fits_stays_what_it_is():
    frame = pd.DataFrame()
    for value, annotation in (
        (0.5, float),
        (True, int),
        (np.float32(1), float),
        (np.float64(1), float),
        (np.int64(1), float),
        (np.int64(1), int),
        (frame, pd.DataFrame),
        ([frame], list[pd.DataFrame]),
        ([1.0, 2.0], list[float]),
        ([1.0, np.float64(2)], list[float]),
        ({"a": [1.0]}, dict[str, list[float]]),
        ({"a": 1}, abc.Mapping[str, int]),
        ((1, "a"), tuple[int, str]),
        ({1}, set[int]),
        (collections.OrderedDict(a=1), dict[str, int]),
        (range(3), abc.Sequence[int]),
        ("a", str | pathlib.Path),
        (1, int | float),
        (1, float | int),
        ("a", Literal["a"]),
        (Pair(1.0), Pair),
        (Settings(Optim(1)), Settings),
        (Model(lr=1), Model),
        ({"depth": 1}, Options),
        (abs, Callable[[int], int]),
        ({"a": 1}, dict[str, float] | dict[str, int]),
    ):
        same(value, annotation)


def test_iterators_are_not_used_up():
    numbers = (number for number in range(3))
    same(numbers, abc.Iterable[int])
    assert list(numbers) == [0, 1, 2]


def test_scalars():
    becomes(1, float, 1.0)
    becomes(True, float, 1.0)
    becomes(1, complex, 1 + 0j)
    becomes(0.5, complex, 0.5 + 0j)
    becomes(1, Optional[float], 1.0)
    becomes(1, Annotated[float, ["unhashable"]], 1.0)
    becomes("a/b", pathlib.Path, pathlib.Path("a/b"))
    becomes("a/b", pathlib.PurePosixPath, pathlib.PurePosixPath("a/b"))
    becomes("a", Optional[pathlib.Path], pathlib.Path("a"))
    becomes("RED", Color, Color.RED)
    becomes("g", Color, Color.GREEN)
    becomes(2, Level, Level.HIGH)
    becomes("LOW", Level, Level.LOW)


def test_no_number_is_read_out_of_a_text_and_none_is_rounded():
    refused("1", int, "expected int, found str '1'")
    refused("abc", float, "expected float, found str 'abc'")
    refused("0.5", float, "expected float, found str '0.5'")
    refused(1.0, int, "expected int, found float 1.0")
    refused(1, str, "expected str, found int 1")
    refused(None, float, "expected float, found None")
    refused(1, bool, "expected bool, found int 1")
    refused(10**400, float, "expected float, found int of 1329 bits")
    refused("BLUE", Color, "expected Color (RED, GREEN), found str 'BLUE'")
    refused(1, Color, "expected Color (RED, GREEN), found int 1")
    refused(True, Level, "expected Level (LOW, HIGH), found bool True")
    refused(1, pathlib.Path, "expected Path, found int 1")
    refused("b", Literal["a"], "expected Literal['a'], found str 'b'")
    refused("a", float | None, "expected float | None, found str 'a'")


def test_containers_change_only_where_they_must():
    grid = [1, 2.0]
    becomes(grid, list[float], [1.0, 2.0])
    assert [type(item) for item in grid] == [int, float]
    becomes({"a": 1}, dict[str, float], {"a": 1.0})
    becomes({"RED": ["a"]}, dict[Color, list[pathlib.Path]], {Color.RED: [pathlib.Path("a")]})
    becomes((1, 2), tuple[float, ...], (1.0, 2.0))
    becomes([1, 2], tuple[int, ...], (1, 2))
    becomes([1, "a"], tuple[float, str], (1.0, "a"))
    becomes([1, 2, 2], set[float], {1.0, 2.0})
    becomes([1, 2], frozenset[int], frozenset({1, 2}))
    becomes([1], tuple, (1,))
    becomes([1], set, {1})
    becomes({1}, set[float], {1.0})
    becomes([1], abc.Sequence[float], [1.0])
    becomes([[1]], list[tuple[float, ...]], [(1.0,)])
    becomes([None, 1], list[float | None], [None, 1.0])


def test_containers_that_do_not_fit_name_the_place():
    refused([1, "a"], list[float], "expected list[float], found str 'a' at [1]")
    refused(
        {"a": [1, None]},
        dict[str, list[float]],
        "expected dict[str, list[float]], found None at ['a'][1]",
    )
    refused({1: 1}, dict[str, float], "expected dict[str, float], found key int 1")
    refused([1], tuple[int, int], "expected tuple[int, int], found list of length 1")
    refused([[]], set[list[int]], "expected set[list[int]], found list")
    refused((1, 2), list[int], "expected list[int], found tuple")
    refused("ab", list[str], "expected list[str], found str 'ab'")
    refused(np.zeros(2), list[float], "expected list[float], found ndarray")
    refused(["a"], Optional[list[int]], "expected list[int] | None, found str 'a' at [0]")
    refused(
        collections.deque(["a"]),
        typing.Deque[int],
        "expected deque[int], found str 'a' at [0]",
    )


def test_config_containers_become_plain_resolved_and_fresh():
    cfg = OmegaConf.create({"n": 2, "grid": [1, "${n}"], "deep": {"a": {"b": ["${n}"]}}})
    becomes(cfg.grid, list, [1, 2])
    becomes(cfg.grid, list[float], [1.0, 2.0])
    becomes(cfg.grid, tuple[float, ...], (1.0, 2.0))
    becomes(cfg.grid, tuple[int, float], (1, 2.0))
    becomes(cfg.grid, set[int], {1, 2})
    becomes(cfg.grid, abc.Sequence[int], [1, 2])
    becomes(cfg.grid, abc.Iterable, [1, 2])
    becomes(cfg.grid, Optional[list[int]], [1, 2])
    made = becomes(cfg.deep, dict, {"a": {"b": [2]}})
    assert type(made["a"]) is dict
    assert type(made["a"]["b"]) is list
    becomes(cfg.deep, dict[str, Any], {"a": {"b": [2]}})
    becomes(cfg.deep, dict[str, dict[str, list[float]]], {"a": {"b": [2.0]}})
    becomes(cfg.deep, abc.Mapping[str, Any], {"a": {"b": [2]}})
    becomes(OmegaConf.create([{"a": 1}]), list[dict[str, float]], [{"a": 1.0}])
    becomes(cfg, dict[str, Any] | None, OmegaConf.to_container(cfg, resolve=True))
    made["a"]["b"].append(3)
    assert cfg.deep.a.b == [2]


def test_config_containers_that_do_not_fit():
    cfg = OmegaConf.create({"grid": [1, "a"]})
    refused(cfg.grid, list[float], "expected list[float], found str 'a' at [1]")
    refused(cfg, dict[str, float], "expected dict[str, float], found ListConfig at ['grid']")
    refused(cfg, int, "expected int, found DictConfig")
    refused(cfg, list[int], "expected list[int], found DictConfig")


def test_config_annotations_take_configs_as_they_are_and_make_them_of_plain_containers():
    cfg = OmegaConf.create({"a": [1]})
    same(cfg, DictConfig)
    same(cfg.a, ListConfig)
    same(cfg, Optional[DictConfig])
    made = convert({"a": {"b": 1}, "frame": pd.DataFrame()}, DictConfig, HERE)
    assert isinstance(made, DictConfig)
    assert made.a.b == 1
    assert convert([1], ListConfig, HERE) == OmegaConf.create([1])
    assert convert(cfg, dict[str, ListConfig], HERE)["a"] is cfg.a
    refused(3, DictConfig, "expected DictConfig, found int 3")
    refused([1], DictConfig, "expected DictConfig, found list")


def test_missing_values_and_broken_interpolations_name_the_key_and_the_way_out():
    cfg = OmegaConf.create({"model": {"C": "???", "grid": ["???"], "bad": "${nowhere}"}})
    for value, annotation in ((cfg.model, dict), (cfg.model, dict[str, Any]), (cfg, dict)):
        with pytest.raises(
            ConfigError, match=r"^parameter 'm' .*'model\.C' has no value \(\?\?\?\)"
        ):
            convert(value, annotation, HERE)
    with pytest.raises(ConfigError, match=r"'model\.grid\[0\]' has no value.*model\.grid\.0="):
        convert(cfg.model.grid, list[float], HERE)
    with pytest.raises(ConfigError, match="Interpolation key 'nowhere' not found"):
        convert(OmegaConf.create({"a": "${nowhere}"}), dict, HERE)


@pytest.mark.parametrize("wrap", [dict, OmegaConf.create])
def test_dataclasses_from_mappings(wrap):
    given = wrap(
        {
            "optim": {"lr": 1, "betas": [0, 1], "kind": "GREEN"},
            "grid": [1],
            "cache": "a/b",
            "extra": {"k": [1]},
        }
    )
    made = convert(given, Settings, HERE)
    assert made == Settings(
        Optim(1.0, (0.0, 1.0), Color.GREEN), "x", [1.0], pathlib.Path("a/b"), {"k": [1]}
    )
    assert type(made.optim.lr) is type(made.grid[0]) is float
    assert type(made.optim.betas) is tuple
    assert type(made.extra) is dict
    assert convert(given, Optional[Settings], HERE) == made
    assert convert([given], list[Settings], HERE) == [made]


@pytest.mark.parametrize("wrap", [dict, OmegaConf.create])
def test_dataclasses_that_cannot_be_made(wrap):
    refused(wrap({"optim": {"lr": "abc"}}), Settings, "expected float, found str 'abc' at optim.lr")
    refused(
        wrap({"optim": {"lr": 1}, "gird": []}),
        Settings,
        "expected Settings, found unknown key 'gird' (did you mean 'grid'?)",
    )
    refused(
        wrap({"optim": {"zzz": 1, "lr": 1}}),
        Optional[Settings],
        "expected Optim, found unknown key 'zzz' (it has lr, betas, kind) at optim",
    )
    refused(wrap({}), Settings, "expected Settings, found no value for 'optim'")
    refused(
        wrap({"optim": {"lr": 1}, "grid": [0.5, None]}),
        Settings,
        "expected list[float], found None at grid[1]",
    )
    refused(
        wrap({"optim": {"lr": 1}, "VERSION": 4}),
        Settings,
        "expected Settings, found unknown key 'VERSION' (it has optim, name, grid, cache, extra)",
    )
    refused(3, Settings, "expected Settings, found int 3")
    refused([], Optional[Settings], "expected Settings | None, found list")


def test_missing_values_count_as_read_inside_a_dataclass():
    refused({"lr": "???"}, Optim, "expected float, found no value (???) at lr")
    refused({}, Structured, "expected float, found no value (???) at ratio")
    cfg = OmegaConf.create({"model": OmegaConf.structured(Structured)})
    with pytest.raises(ConfigError, match=r"'model\.ratio' has no value"):
        convert(cfg.model, Structured, HERE)


def test_structured_configs_become_the_class_they_were_declared_with():
    cfg = OmegaConf.structured(Wider(ratio=0.5))
    cfg.inner.betas = (0.0, 1.0)
    made = convert(cfg, Structured, HERE)
    assert made == Wider(ratio=0.5, inner=Optim(1.0, (0.0, 1.0)), anything=Optim(2.0))
    assert type(made) is Wider
    assert type(made.inner.betas) is tuple
    assert convert(cfg, Wider, HERE) == made
    assert type(convert(cfg, dict, HERE)["inner"]) is dict
    refused(
        OmegaConf.structured(Optim(1.0)),
        Structured,
        "expected Structured, found unknown key 'lr' (it has depth, ratio, inner, anything)",
    )


def test_dataclasses_with_fields_that_are_no_arguments():
    @dataclass(frozen=True)
    class Area:
        width: int
        scale: InitVar[float] = 2
        area: float = field(init=False, default=0.0)

        def __post_init__(self, scale):
            object.__setattr__(self, "area", self.width * scale)

    made = convert({"width": 3, "scale": 4}, Area, HERE)
    assert made.area == 12.0
    refused(
        {"width": 3, "area": 4},
        Area,
        "expected Area, found unknown key 'area' (it has width, scale)",
    )


def test_a_structured_config_sets_fields_that_are_no_arguments():
    @dataclass
    class Late:
        width: int = 1
        area: int = field(init=False, default=0)

    cfg = OmegaConf.structured(Late)
    cfg.area = 9
    assert convert(cfg, Late, HERE).area == 9


def test_a_constructor_that_refuses_its_values():
    @dataclass
    class Positive:
        lr: float

        def __post_init__(self):
            if self.lr <= 0:
                raise ValueError("lr must be positive")

    refused(
        {"lr": -1},
        Positive,
        "expected Positive, found values it refuses (ValueError: lr must be positive)",
    )
    with pytest.raises(TypeMismatch) as caught:
        convert([{"lr": -1}], list[Positive], HERE)
    assert isinstance(caught.value.__cause__, ValueError)


def test_generic_dataclasses():
    @dataclass
    class Box(Generic[T]):
        content: T

    assert convert({"content": 3}, Box[int], HERE) == Box(3)


@pytest.mark.parametrize("wrap", [dict, OmegaConf.create])
def test_pydantic_models(wrap):
    assert convert(wrap({"lr": 1, "names": ["a"]}), Model, HERE) == Model(lr=1.0, names=["a"])
    assert convert(wrap({"lr": 1}), Optional[Model], HERE) == Model(lr=1.0)
    refused(
        wrap({"lr": "abc"}),
        Model,
        "expected Model, found values it refuses (lr: Input should be a valid number, unable to "
        "parse string as a number)",
    )
    refused(3, Model, "expected Model, found int 3")


@pytest.mark.parametrize("wrap", [dict, OmegaConf.create])
def test_typed_dicts(wrap):
    becomes(wrap({"depth": 1, "ratio": 2}), Options, {"depth": 1, "ratio": 2.0})
    becomes(wrap({"depth": 1}), Options, {"depth": 1})
    refused(wrap({"ratio": 1}), Options, "expected Options, found no value for 'depth'")
    refused(
        wrap({"depth": 1, "ratoi": 2}),
        Options,
        "expected Options, found unknown key 'ratoi' (did you mean 'ratio'?)",
    )
    refused(wrap({"depth": "a"}), Options, "expected int, found str 'a' at depth")
    refused(3, Options, "expected Options, found int 3")


@pytest.mark.parametrize("wrap", [dict, OmegaConf.create])
def test_named_tuples(wrap):
    becomes(wrap({"left": 1, "right": "a"}), Pair, Pair(1.0, pathlib.Path("a")))
    becomes(wrap({"left": 1}), Pair, Pair(1.0))
    refused(wrap({}), Pair, "expected Pair, found no value for 'left'")
    refused((1.0, None), Pair, "expected Pair, found tuple")


def test_a_union_takes_the_member_that_fits_as_it_is_before_one_that_converts():
    becomes("a", pathlib.Path | int, pathlib.Path("a"))
    becomes("RED", Color | int, Color.RED)
    same("RED", Color | str)
    becomes([1], tuple[int, ...] | dict[str, int], (1,))
    becomes(OmegaConf.create([1]), str | list[int], [1])
    becomes({"lr": 1}, Settings | Optim, Optim(1.0))


def test_a_union_is_tried_in_the_order_it_is_written_whatever_was_converted_before():
    for _ in range(2):
        becomes([1], tuple[int, ...] | set[int], (1,))
        becomes([1], set[int] | tuple[int, ...], {1})
        becomes([[1]], list[tuple[int, ...] | set[int]], [(1,)])
        becomes([[1]], list[set[int] | tuple[int, ...]], [{1}])


def test_other_annotations_get_plain_containers():
    cfg = OmegaConf.create({"a": 1})
    refused(cfg, Callable[[int], int], "expected Callable[[int], int], found DictConfig")
    becomes(cfg, abc.Container, {"a": 1})


def test_recursive_annotations():
    class TypeAliasType:
        """As the statement ``type Name = ...`` of Python 3.12 makes."""

        @property
        def __value__(self):
            return float | list[self]

    becomes([1, [2, [3]]], TypeAliasType(), [1.0, [2.0, [3.0]]])


def test_errors_of_other_libraries_pass_through():
    class Loud(abc.Mapping):
        def __getitem__(self, key):
            raise RuntimeError("loud")

        def __iter__(self):
            return iter(["lr"])

        def __len__(self):
            return 1

    with pytest.raises(RuntimeError, match="loud"):
        convert(Loud(), Optim, HERE)
