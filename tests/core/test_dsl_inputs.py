"""Inputs while the graph is built: what stays projected, and what is fixed, by which line."""

# Every spelling that users may write is written here, the clumsy ones too:
# ruff: noqa: C416, FURB171, FURB192, PLC3002, SIM300, UP031

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import math
import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

import turnout
from turnout import fixed, task, workflow
from turnout.dsl import Traced
from turnout.dsl.known import OPEN

HERE = f"{__name__.replace('.', '/')}.py"

YAML = """
name: fish
n: 3
lr: 0.5
flag: true
zero: 0
nothing: null
late: ???
text: abc
grid: [1, 2, 3]
layers: [{size: 4, act: relu}, {size: 8, act: null}]
model: {C: 0.1, max_iter: 10, deep: {er: 1}}
copied: ${model.C}
part: ${model}
broken: ${nowhere}
items: [7]
keys: k
values: v
get: g
index: 5
count: 6
pop: 7
"""


@task
def see(x: Any) -> Any:
    return x


@task
def score() -> float:
    return 0.5


def trace(body: Callable[[Any], Any], cfg: Any = None, **options: Any) -> Traced:
    """Trace a workflow with this body; its result is handed to a task, so that it is bound."""

    def flow(cfg: DictConfig) -> Any:
        see(body(cfg))

    return workflow(**options)(flow).trace({"cfg": OmegaConf.create(YAML) if cfg is None else cfg})


def bound(traced: Traced) -> Any:
    return dict(traced.graph.node("see").args)["x"]


def fixings(traced: Traced) -> list[str]:
    return [
        turnout.graph.binding.path_text(f.path) + ("" if f.what == "value" else " keys")
        for f in traced.graph.fixed
    ]


PROJECTED: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "whole": (lambda cfg: cfg, ("input", "cfg")),
    "part": (lambda cfg: cfg.model, ("input", "cfg", "model")),
    "leaf": (lambda cfg: cfg.model.C, ("input", "cfg", "model", "C")),
    "deep": (lambda cfg: cfg["model"]["deep"].er, ("input", "cfg", "model", "deep", "er")),
    "list": (lambda cfg: cfg.grid, ("input", "cfg", "grid")),
    "item": (lambda cfg: cfg.grid[1], ("input", "cfg", "grid", 1)),
    "nested list": (lambda cfg: cfg.layers[0].size, ("input", "cfg", "layers", 0, "size")),
    "interpolated": (lambda cfg: cfg.copied, ("input", "cfg", "copied")),
    "interpolated part": (lambda cfg: cfg.part.C, ("input", "cfg", "part", "C")),
    "name": (lambda cfg: cfg.name, ("input", "cfg", "name")),
    "index": (lambda cfg: cfg.index, ("input", "cfg", "index")),
    "items": (lambda cfg: cfg.items, ("input", "cfg", "items")),
    "item of items": (lambda cfg: cfg.items[0], ("input", "cfg", "items", 0)),
    "keys": (lambda cfg: cfg.keys, ("input", "cfg", "keys")),
    "values": (lambda cfg: cfg.values, ("input", "cfg", "values")),
    "get": (lambda cfg: cfg.get, ("input", "cfg", "get")),
    "count": (lambda cfg: cfg.count, ("input", "cfg", "count")),
    "pop": (lambda cfg: cfg.pop, ("input", "cfg", "pop")),
    "missing": (lambda cfg: cfg.late, ("input", "cfg", "late")),
    "in a list": (
        lambda cfg: [cfg.n, 1, {"a": cfg.lr}],
        ("list", (("input", "cfg", "n"), ("const", 1), ("dict", (("a", ("input", "cfg", "lr")),)))),
    ),
    "repr": (lambda cfg: (repr(cfg.model), cfg.n)[1], ("input", "cfg", "n")),
    "compared with an output": (
        lambda cfg: (score() >= cfg.lr, cfg.lr < score(), cfg.n)[2],
        ("input", "cfg", "n"),
    ),
}


@pytest.mark.parametrize("use", PROJECTED)
def test_what_is_passed_on_is_projected_and_fixes_nothing(use: str) -> None:
    body, binding = PROJECTED[use]
    traced = trace(lambda cfg: [body(cfg)])
    assert bound(traced) == ("list", (binding,))
    assert fixings(traced) == []


FIXED: dict[str, tuple[Callable[[Any], Any], Any, list[str]]] = {
    "if": (lambda cfg: 1 if cfg.flag else 2, 1, ["cfg.flag"]),
    "not": (lambda cfg: not cfg.zero, True, ["cfg.zero"]),
    "and": (lambda cfg: cfg.flag and 3, 3, ["cfg.flag"]),
    "range": (lambda cfg: list(range(cfg.n)), [0, 1, 2], ["cfg.n"]),
    "eq": (lambda cfg: cfg.name == "fish", True, ["cfg.name"]),
    "ne": (lambda cfg: cfg.name != "fish", False, ["cfg.name"]),
    "lt": (lambda cfg: cfg.n < 5, True, ["cfg.n"]),
    "reflected": (lambda cfg: 5 > cfg.n, True, ["cfg.n"]),
    "two inputs": (lambda cfg: cfg.n > cfg.lr, True, ["cfg.lr", "cfg.n"]),
    "add": (lambda cfg: cfg.n + 1, 4, ["cfg.n"]),
    "radd": (lambda cfg: 1 + cfg.n, 4, ["cfg.n"]),
    "text": (lambda cfg: "a" + cfg.name, "afish", ["cfg.name"]),
    "times": (lambda cfg: [0] * cfg.n, [0, 0, 0], ["cfg.n"]),
    "iadd": (lambda cfg: sum([cfg.n, cfg.n]), 6, ["cfg.n"]),
    "pow": (lambda cfg: cfg.n**2 - 2 % cfg.n, 7, ["cfg.n"]),
    "neg": (lambda cfg: -cfg.n, -3, ["cfg.n"]),
    "divmod": (lambda cfg: divmod(7, cfg.n), (2, 1), ["cfg.n"]),
    "shift": (lambda cfg: (cfg.n >> 1, cfg.n << 1, 8 >> cfg.n), (1, 6, 1), ["cfg.n"]),
    "bits": (lambda cfg: (cfg.n & 1, cfg.n | 4, cfg.n ^ 1, ~cfg.n), (1, 7, 2, -4), ["cfg.n"]),
    "int": (lambda cfg: int(cfg.lr), 0, ["cfg.lr"]),
    "float": (lambda cfg: float(cfg.n), 3.0, ["cfg.n"]),
    "round": (lambda cfg: round(cfg.lr, 1), 0.5, ["cfg.lr"]),
    "sqrt": (lambda cfg: math.sqrt(cfg.n + 1), 2.0, ["cfg.n"]),
    "ceil": (lambda cfg: math.ceil(cfg.lr), 1, ["cfg.lr"]),
    "str": (lambda cfg: str(cfg.n), "3", ["cfg.n"]),
    "f-string": (lambda cfg: f"{cfg.name}-{cfg.n:02d}", "fish-03", ["cfg.n", "cfg.name"]),
    "percent": (lambda cfg: "%s %d" % (cfg.name, cfg.n), "fish 3", ["cfg.n", "cfg.name"]),
    "method": (lambda cfg: cfg.name.upper(), "FISH", ["cfg.name"]),
    "join": (lambda cfg: "".join(str(x) for x in cfg.grid), "123",
             ["cfg.grid keys", "cfg.grid[0]", "cfg.grid[1]", "cfg.grid[2]"]),
    "look-up": (lambda cfg: {"fish": 1}[cfg.name], 1, ["cfg.name"]),
    "index": (lambda cfg: "abcd"[cfg.n], "d", ["cfg.n"]),
    "set": (lambda cfg: cfg.name in {"fish"}, True, ["cfg.name"]),
    "hash": (lambda cfg: hash(cfg.n) == hash(3), True, ["cfg.n"]),
    "isinstance": (lambda cfg: isinstance(cfg.n, int), True, ["cfg.n"]),
    "isinstance of a part": (lambda cfg: isinstance(cfg.model, DictConfig), True,
                             ["cfg.model keys"]),
    "path": (lambda cfg: os.path.join("/a", cfg.name), "/a/fish", ["cfg.name"]),
    "pathlib": (lambda cfg: str(pathlib.PurePosixPath("/a") / cfg.name), "/a/fish", ["cfg.name"]),
    "numpy arithmetic": (lambda cfg: float(np.float64(2) * cfg.lr), 1.0, ["cfg.lr"]),
    "fixed": (lambda cfg: fixed(cfg.n), 3, ["cfg.n"]),
    "fixed part": (lambda cfg: OmegaConf.to_container(fixed(cfg.model.deep)), {"er": 1},
                   ["cfg.model.deep"]),
    "fixed in a structure": (lambda cfg: fixed([cfg.n, {"a": (cfg.lr, 1)}]),
                             [3, {"a": (0.5, 1)}], ["cfg.lr", "cfg.n"]),
    "fixed twice": (lambda cfg: fixed(fixed(cfg.n)), 3, ["cfg.n"]),
    "array of fixed": (lambda cfg: int(np.array(fixed(cfg.grid)).sum()), 6, ["cfg.grid"]),
    "len": (lambda cfg: len(cfg.grid), 3, ["cfg.grid keys"]),
    "len of a part": (lambda cfg: len(cfg.model), 3, ["cfg.model keys"]),
    "len of text": (lambda cfg: len(cfg.name), 4, ["cfg.name"]),
    "bool of a list": (lambda cfg: bool(cfg.grid), True, ["cfg.grid keys"]),
    "in a part": (lambda cfg: "C" in cfg.model, True, ["cfg.model keys"]),
    "in a list": (lambda cfg: 2 in cfg.grid, True, ["cfg.grid"]),
    "in text": (lambda cfg: "s" in cfg.name, True, ["cfg.name"]),
    "keys of a part": (lambda cfg: list(cfg.model), ["C", "max_iter", "deep"], ["cfg.model keys"]),
    "keys()": (lambda cfg: list(cfg.model.keys()), ["C", "max_iter", "deep"], ["cfg.model keys"]),
    "get of no key": (lambda cfg: cfg.model.get("nope", 9), 9, ["cfg.model keys"]),
    "hasattr": (lambda cfg: hasattr(cfg.model, "nope"), False, ["cfg.model keys"]),
    "null": (lambda cfg: cfg.nothing, None, ["cfg.nothing"]),
    "is None": (lambda cfg: cfg.nothing is None and cfg.name is not None, True, ["cfg.nothing"]),
    "null in a list": (lambda cfg: cfg.layers[1].act, None, ["cfg.layers[1].act"]),
    "get of null": (lambda cfg: cfg.get("nothing", 3), None, ["cfg keys", "cfg.nothing"]),
    "equal lists": (lambda cfg: cfg.grid == [1, 2, 3], True, ["cfg.grid"]),
    "sorted": (lambda cfg: int(sorted(cfg.grid, reverse=True)[0]), 3,
               ["cfg.grid keys", "cfg.grid[0]", "cfg.grid[1]", "cfg.grid[2]"]),
    "index of": (lambda cfg: cfg.grid.index(2), 1, ["cfg.grid"]),
}  # fmt: skip


@pytest.mark.parametrize("use", FIXED)
def test_what_python_uses_gives_the_plain_value_and_is_fixed(use: str) -> None:
    body, value, paths = FIXED[use]
    seen: list[Any] = []
    # With no "get" of its own a config has its method.
    cfg = OmegaConf.create(YAML)
    del cfg["get"]
    traced = trace(lambda cfg: seen.append(body(cfg)), cfg)
    assert seen == [value]
    assert type(seen[0]) is type(value)
    assert sorted(fixings(traced)) == paths
    lines = {f.line for f in traced.graph.fixed}
    start = inspect.getsourcelines(body)[1]
    assert lines <= {f"{HERE}:{start}", f"{HERE}:{start + 1}"}


KEYS: dict[str, tuple[Callable[[Any], Any], list[Any], str]] = {
    "for": (lambda cfg: [x for x in cfg.grid], [0, 1, 2], "cfg.grid"),
    "list": (lambda cfg: list(cfg.grid), [0, 1, 2], "cfg.grid"),
    "unpacked": (lambda cfg: (lambda *a: list(a))(*cfg.grid), [0, 1, 2], "cfg.grid"),
    "slice": (lambda cfg: cfg.grid[1:], [1, 2], "cfg.grid"),
    "last": (lambda cfg: [cfg.grid[-1]], [2], "cfg.grid"),
    "reversed": (lambda cfg: list(reversed(cfg.grid)), [2, 1, 0], "cfg.grid"),
    "enumerate": (lambda cfg: [x for _, x in enumerate(cfg.grid)], [0, 1, 2], "cfg.grid"),
    "items": (lambda cfg: [v for _, v in cfg.layers[0].items()], ["size", "act"], "cfg.layers.0"),
    "values": (lambda cfg: list(cfg.model.values()), ["C", "max_iter", "deep"], "cfg.model"),
    "get": (lambda cfg: [cfg.model.get("C", 1)], ["C"], "cfg.model"),
    "**": (lambda cfg: list(dict(**cfg.model).values()), ["C", "max_iter", "deep"], "cfg.model"),
    "{**}": (lambda cfg: list({**cfg.model}.values()), ["C", "max_iter", "deep"], "cfg.model"),
}  # fmt: skip


@pytest.mark.parametrize("use", KEYS)
def test_iterating_fixes_the_keys_and_leaves_the_values_projected(use: str) -> None:
    body, keys, path = KEYS[use]
    traced = trace(body)
    root = ("input", *(int(key) if key.isdigit() else key for key in path.split(".")))
    assert bound(traced) == ("list", tuple((*root, key) for key in keys))
    assert fixings(traced) == [f"{path} keys".replace(".0", "[0]")]


def test_methods_of_a_config_work_beside_keys_of_their_names() -> None:
    def body(cfg: Any) -> Any:
        names = [key for key, _ in cfg.items()]
        assert names == list(cfg.keys()) == list({**cfg})
        assert len(cfg.values()) == len(names)
        assert cfg.get("absent", 5) == 5
        return cfg.get("n")

    traced = trace(body, OmegaConf.create({"items": [1], "keys": 1, "values": 2, "get": 3, "n": 4}))
    assert bound(traced) == ("input", "cfg", "n")
    assert fixings(traced) == ["cfg keys"]


def test_a_fixed_value_is_recorded_with_the_line_that_used_it_first() -> None:
    def flow(cfg: DictConfig, folds: int = 2) -> Any:
        for _ in range(folds):
            see(cfg.model)
        if folds > 1:
            see(cfg.grid)

    traced = workflow(flow).trace({"cfg": OmegaConf.create(YAML)})
    line = inspect.getsourcelines(flow)[1] + 1
    (only,) = traced.graph.fixed
    assert (only.path, only.what, only.line) == (("folds",), "value", f"{HERE}:{line}")
    assert traced.fixed_values == {(("folds",), "value"): 2}


def test_a_use_inside_a_library_has_the_line_of_the_user() -> None:
    def body(cfg: Any) -> Any:
        return json.dumps({"n": os.path.abspath(cfg.name)})

    (only,) = trace(body).graph.fixed
    assert only.line == f"{HERE}:{inspect.getsourcelines(body)[1] + 1}"


def test_a_parameter_that_is_none_is_fixed_at_the_workflow_itself() -> None:
    def flow(limit: int | None = None) -> Any:
        assert limit is None
        see(limit)

    (only,) = workflow(flow).trace({}).graph.fixed
    assert only.line == f"{HERE}:{inspect.getsourcelines(flow)[1]}"


# -- other kinds of parameters ---------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Model:
    C: float = 1.0
    name: str = "svm"
    index: int = 0
    items: list[int] = dataclasses.field(default_factory=lambda: [1, 2])


class Box(pydantic.BaseModel):
    size: int = 3
    count: int = 4


class Point(NamedTuple):
    x: int
    index: int


def binding_of(body: Callable[[Any], Any], value: Any) -> tuple[Any, list[str]]:
    def flow(p: Any) -> Any:
        see(body(p))

    traced = workflow(flow).trace({"p": value})
    return bound(traced), fixings(traced)


@pytest.mark.parametrize(
    ("value", "body", "binding", "fixing"),
    [
        (Model(), lambda p: p.C, ("input", "p", "C"), []),
        (Model(), lambda p: p.items[1], ("input", "p", "items", 1), []),
        (Model(), lambda p: p.index, ("input", "p", "index"), []),
        (Model(), lambda p: isinstance(p, Model), ("const", True), ["p keys"]),
        (Box(), lambda p: p.count, ("input", "p", "count"), []),
        (Point(1, 2), lambda p: p.index, ("input", "p", "index"), []),
        ([Model(), Model(C=3)], lambda p: p[1].C, ("input", "p", 1, "C"), []),
        ({"a": {"b": 1}}, lambda p: p["a"]["b"], ("input", "p", "a", "b"), []),
        ({"a": 1}, lambda p: [v for v in p.values()], ("list", (("input", "p", "a"),)), ["p keys"]),
        ({1: 2}, lambda p: p[1], ("input", "p", 1), []),
        (Color.RED, lambda p: p == Color.RED, ("const", True), ["p"]),
        (Color.RED, lambda p: p.value, ("const", "red"), ["p"]),
        (pathlib.PurePosixPath("/a"), lambda p: str(p / "b"), ("const", "/a/b"), ["p"]),
        ((1, 2), lambda p: p[0], ("input", "p", 0), []),
        (OPEN, lambda p: p.x[0], ("input", "p", "x", 0), []),
        (pd.DataFrame({"a": [1]}), lambda p: p, ("input", "p"), []),
        (pd.DataFrame({"a": [1]}), lambda p: isinstance(p, pd.DataFrame), ("const", True), ["p"]),
        (OmegaConf.structured(Model), lambda p: p.C, ("input", "p", "C"), []),
        (ListConfig([1, 2]), lambda p: p[0], ("input", "p", 0), []),
    ],
)
def test_parameters_of_every_kind_are_taken_apart(
    value: Any, body: Callable[[Any], Any], binding: Any, fixing: list[str]
) -> None:
    assert binding_of(body, value) == (binding, fixing)


def test_a_workflow_input_given_by_position_only() -> None:
    def flow(x: int, /, y: int = 2, *, z: int = 3) -> Any:
        see([x, y, z])

    assert bound(workflow(flow).trace({"x": 1}))[1][0] == ("input", "x")
    with pytest.raises(TypeError, match="a workflow names its parameters"):
        workflow(lambda *args: None)
    with pytest.raises(TypeError, match="a workflow names its parameters"):
        workflow(lambda **args: None)


def test_an_input_indexes_an_output_by_its_value() -> None:
    traced = trace(lambda cfg: see([1, 2])[cfg.zero])
    assert dict(traced.graph.node("see-2").args)["x"] == ("output", "see", 0)
    assert fixings(traced) == ["cfg.zero"]
