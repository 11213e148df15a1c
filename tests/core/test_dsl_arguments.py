"""Arguments taken apart when traced, and rebuilt where the task runs."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

import turnout
from turnout import instantiate, task, workflow
from turnout.errors import GraphError
from turnout.graph.serial import dumps, loads


class Color(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: Any
    y: Any = 0


@dataclass
class Setup:
    name: str
    parts: Any = None
    made: Any = dataclasses.field(default=5, init=False)


@dataclass
class Small:
    n: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.n, int):
            raise TypeError("n is a number")


@task
def number(n: int = 1) -> int:
    return n


@task
def see(x: Any) -> Any:
    return x


def bound(value: Any, cfg: Any = None) -> Any:
    """What a task gets for an argument made of the output of a node and a config."""

    @workflow
    def flow(cfg: Any) -> Any:
        return see(value(number(7), cfg))

    return flow(OmegaConf.create({"n": 3, "part": {"a": 1, "b": "${n}"}}) if cfg is None else cfg)


def test_structures_are_rebuilt_with_their_promises() -> None:
    assert bound(lambda out, cfg: [out, [cfg.n, 1]]) == [7, [3, 1]]
    assert bound(lambda out, cfg: (out, (cfg.n,))) == (7, (3,))
    assert bound(lambda out, cfg: {"a": {"b": out}, 3: cfg.n, None: 1, True: 2}) == {
        "a": {"b": 7}, 3: 3, None: 1, True: 2,
    }  # fmt: skip
    assert bound(lambda out, cfg: {cfg.n: out}) == {3: 7}
    assert bound(lambda out, cfg: Point(out, y=[cfg.n])) == Point(7, [3])
    made = bound(lambda out, cfg: Setup("s", [Setup("t", out), cfg.part]))
    assert made == Setup("s", [Setup("t", 7), {"a": 1, "b": 3}])
    config = bound(
        lambda out, cfg: OmegaConf.create(
            {"a": {"b": out}, "l": [1, out], "m": "???", "i": "${n}", "n": 2, "o": see(len)},
            flags={"allow_objects": True},
        )
    )
    assert isinstance(config, DictConfig)
    assert (config.a.b, config.l[1], config.i) == (7, 7, 2)
    assert isinstance(config.l, ListConfig)
    assert OmegaConf.is_missing(config, "m")
    assert config.o is len


def test_a_part_of_a_config_is_a_config_of_the_tasks_own() -> None:
    @task
    def change(part: DictConfig, both: list[DictConfig]) -> list[Any]:
        part.a = 10
        both[0].a = 20
        return [part.a, part.b, both[0].a]

    @workflow
    def flow(cfg: DictConfig, params: dict[str, int]) -> Any:
        return [change(cfg.part, [cfg.part]), change(cfg.part, [cfg.part]), see(params)]

    cfg = OmegaConf.create({"n": 3, "part": {"a": 1, "b": "${n}"}})
    assert flow(cfg, {"a": 1}) == [[10, 3, 20], [10, 3, 20], {"a": 1}]
    assert cfg.part.a == 1


def test_small_plain_inputs_are_copied_for_each_task_and_large_ones_are_not() -> None:
    @task
    def pop(params: dict[str, int], rows: list[int]) -> int:
        return params.pop("a") + id(rows)

    @workflow
    def flow(params: dict[str, int], rows: list[int]) -> list[int]:
        return [pop(params, rows), pop(params, rows)]

    params, rows = {"a": 1}, list(range(5000))
    assert flow(params, rows) == [1 + id(rows)] * 2
    assert params == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [
        1.5, float("inf"), b"ab", 2 + 3j, [1, [2.5]], (1, "a"), {"a": {1: None}}, {1, 2},
        frozenset({"a"}), Color.RED, pathlib.PurePosixPath("/a"), Point(1), Setup("s", [1]),
        OrderedDict(a=1), np.float64(1.5), np.int64(3), Small(3), range(4), len, Setup,
        OmegaConf.create({"a": [1]}),
    ],
)  # fmt: skip
def test_constants_of_every_kind_arrive_and_survive_json(value: Any) -> None:
    @workflow
    def flow() -> Any:
        return see(value)

    graph = flow.trace({}).graph
    assert loads(dumps(graph)) == graph
    assert flow() == value
    assert [v.object for v in loads(dumps(graph)).values] == [v.object for v in graph.values]


def test_large_constants_are_neither_copied_nor_pickled_in_this_process() -> None:
    class Unpicklable:
        def __reduce__(self) -> Any:
            raise AssertionError("pickled")

        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

    big, frame = Unpicklable(), pd.DataFrame({"a": range(5000)})

    @workflow
    def flow() -> Any:
        return [see(big), see([frame, big]), see({"a": frame})]

    result = flow()
    assert result[0] is big
    assert (result[1][0] is frame, result[1][1] is big, result[2]["a"] is frame) == (True,) * 3
    settings = {"keep": "none"}
    assert turnout.run(flow, execution_environment=settings).outputs[0] is big


def test_a_list_changed_after_the_call_does_not_change_the_graph() -> None:
    @workflow
    def flow() -> Any:
        items: list[Any] = [1]
        first = see(items)
        items.append(first)
        second = see(items)
        items.append(3)
        return [first, second]

    assert flow() == [[1], [1, [1]]]


def test_constants_are_converted_and_checked_once_when_traced() -> None:
    @task
    def typed(x: float, xs: list[float], setup: Small, path: pathlib.Path, color: Color) -> Any:
        return [x, xs, setup, path, color]

    @workflow
    def flow() -> Any:
        return typed(1, [1, 2], {"n": 3}, "a/b", "red")

    graph = flow.trace({}).graph
    assert graph.node("typed").unproven == ()
    assert len(graph.values) == 4
    result = flow()
    assert result == [1.0, [1.0, 2.0], Small(3), pathlib.Path("a/b"), Color.RED]
    assert type(result[0]) is type(result[1][0]) is float


def test_places_where_no_promise_can_stand() -> None:
    with pytest.raises(GraphError, match="a set cannot hold task outputs or inputs; use a list"):
        bound(lambda out, cfg: {out})
    with pytest.raises(GraphError, match="a set cannot hold"):
        bound(lambda out, cfg: [{1: frozenset({out})}])
    with pytest.raises(GraphError, match="has keys that are text, numbers or None, not <output nu"):
        bound(lambda out, cfg: {out: 1})
    with pytest.raises(GraphError, match=r"has keys that are text, numbers or None, not \(1, 2\)"):
        bound(lambda out, cfg: {(1, 2): out})


def test_a_class_that_looks_at_its_fields_says_so_itself() -> None:
    with pytest.raises(TypeError, match="n is a number"):
        bound(lambda out, cfg: Small(out))


def test_instantiate_is_built_where_the_task_runs() -> None:
    target = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 3}

    @task
    def twice(x: Any, more: list[Any]) -> str:
        return str(2 * x + sum(more))

    @workflow
    def flow(cfg: DictConfig) -> str:
        return twice(instantiate(cfg.model), [instantiate(target)])

    traced = flow.trace({"cfg": OmegaConf.create({"model": target})})
    assert dict(traced.graph.node("twice").args) == {
        "x": ("instantiate", ("input", "cfg", "model")),
        "more": ("list", (("instantiate", ("value", 0)),)),
    }
    assert flow(OmegaConf.create({"model": target})) == "1"
    assert str(instantiate(target)) == "1/3"


def test_an_instantiated_argument_is_checked_and_keyed_by_its_config(tmp_path: Any) -> None:
    from fractions import Fraction

    @task(cache=True)
    def show(x: Fraction) -> str:
        return str(x)

    @workflow
    def flow(cfg: DictConfig) -> str:
        return show(instantiate(cfg.model))

    def run(denominator: int) -> tuple[str, bool]:
        target = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": denominator}
        settings = {"store": str(tmp_path)}
        done = turnout.run(flow, {"model": target}, execution_environment=settings)
        return done.outputs, done.nodes[0].cached

    assert [run(3), run(3), run(4)] == [("1/3", False), ("1/3", True), ("1/4", False)]


def test_annotated_structures_are_checked_with_their_promises() -> None:
    @task
    def typed(xs: list[int], table: dict[str, int], pair: tuple[int, str]) -> Any:
        return [xs, table, pair]

    @task
    def text() -> str:
        return "t"

    @workflow
    def fine() -> Any:
        return typed([number(), 1], {"a": number()}, (number(), text()))

    assert fine() == [[1, 1], {"a": 1}, (1, "t")]
    assert fine.trace({}).graph.node("typed").unproven == ("xs", "table", "pair")
    for arguments in (
        lambda: typed([text()], {}, (1, "a")),
        lambda: typed([1], {"a": text()}, (1, "a")),
        lambda: typed([1], {}, (text(), "a")),
    ):
        with pytest.raises(GraphError, match="expects int, found str from 'text'"):
            workflow(arguments).trace({})
    with pytest.raises(turnout.errors.TypeMismatch, match=r"found str 'b' at \[1\]"):
        workflow(lambda: typed([number(), "b"], {}, (1, "a")))()
