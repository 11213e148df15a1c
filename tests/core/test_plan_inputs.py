"""Inputs of a plan: found by path, converted, and everything wrong told at once."""

# ruff: noqa: ISC004, PLW0108  (messages in full; workflows as users write them)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import DictConfig, OmegaConf

import turnout
from turnout import map_task, task, workflow
from turnout.backend.base import EnvironmentConfig, ExecutorBackend
from turnout.backend.capability import Capability
from turnout.dsl.known import OPEN
from turnout.errors import ConfigError, PlanError
from turnout.plan import Environment, Plan, make_plan


class Limited(ExecutorBackend):
    """An executor that honours what it is told to."""

    name = "limited"

    def __init__(self, cannot: Mapping[str, Capability] | None = None) -> None:
        self._cannot = dict(cannot or {})

    def capability(self, setting: str, config: Any = None) -> Capability:
        return self._cannot.get(setting) or super().capability(setting, config)

    def open(self, session: Any) -> Any:
        raise NotImplementedError


def environment(backend: Any = None, name: str = "here", **settings: Any) -> Environment:
    settings = {"cache": "off", "keep": "none", **settings}
    return Environment(
        name=name, backend=backend or Limited(), config=EnvironmentConfig(**settings)
    )


def plan(
    body: Any, values: dict[str, Any] | None = None, where: Environment | None = None, **more: Any
) -> Plan:
    flow = body if isinstance(body, turnout.Workflow) else workflow(body)
    values = dict.fromkeys(flow.signature.parameters, OPEN) | (values or {})

    def resolve(name: str) -> Environment:
        if name == "other":
            return environment(name="other")
        raise ConfigError(f"there is no environment {name!r}")

    return make_plan(
        flow.trace(values), values, where or environment(), **{"resolve": resolve, **more}
    )


def problems(*args: Any, **more: Any) -> list[str]:
    with pytest.raises((PlanError, ConfigError)) as caught:
        plan(*args, **more)
    error = caught.value
    if isinstance(error, PlanError):
        return list(error.problems)
    first, *rest = str(error).splitlines()
    return [line.removeprefix("  - ") for line in rest] or [first]


@dataclass
class Model:
    C: float
    name: str = "svm"
    deep: Any = None


@task
def fit(model: Model, grid: list[float] | None = None) -> float:
    return model.C


@task
def scale(x: float, by: int = 1) -> float:
    return x


@task
def see(x: Any) -> Any:
    return x


@task
def add(x: int, y: int = 1) -> int:
    return x + y


def test_all_missing_and_unfit_inputs_are_told_at_once() -> None:
    def flow(cfg: DictConfig, n: int, unused: str, text: str) -> Any:
        fit(cfg.model)
        fit(cfg.other, cfg.grid)
        scale(cfg.late, by=n)
        scale(text)

    cfg = OmegaConf.create(
        {
            "model": {"C": "???", "deep": {"x": "???"}},
            "other": {"C": "high"},
            "grid": [1, "a"],
            "late": "???",
            "never": "???",
        }
    )
    assert problems(flow, {"cfg": cfg, "text": "abc"}) == [
        "input 'model.C' has no value, and node 'fit', parameter 'model' reads it; "
        "give it one: model.C=...",
        "input 'model.deep.x' has no value, and node 'fit', parameter 'model' reads it; "
        "give it one: model.deep.x=...",
        "input 'late' has no value, and node 'scale', parameter 'x' reads it; "
        "give it one: late=...",
        "input 'n' has no value, and node 'scale', parameter 'by' reads it; give it one: n=...",
        "input 'unused' has no value; give it one: unused=...",
        "input 'other' (node 'fit-2', parameter 'model'): expected float, found str 'high' at C",
        "input 'grid' (node 'fit-2', parameter 'grid'): expected list[float] | None, "
        "found str 'a' at [1]",
        "input 'text' (node 'scale-2', parameter 'x'): expected float, found str 'abc'",
    ]


def test_one_problem_is_told_plainly() -> None:
    assert problems(lambda n: add(n)) == [
        "input 'n' has no value, and node 'add', parameter 'x' reads it; give it one: n=..."
    ]


def test_what_is_missing_is_told_once_and_as_it_can_be_given() -> None:
    def flow(xs: list[int], model: DictConfig, cfg: DictConfig) -> Any:
        see([xs[0], xs[1], model.C, model.deep.er, cfg.grid[0], cfg.items[1], cfg.part.x])

    cfg = OmegaConf.create({"grid": "???", "items": [{}, "???"], "part": "???"})
    assert problems(flow, {"cfg": cfg}) == [
        "input 'xs' has no value; give it one: xs=...",
        "input 'model' has no value; give it one: model=...",
        "input 'grid' has no value; give it one: grid=...",
        "input 'items[1]' has no value; give it one: items.1=...",
        "input 'part' has no value; give it one: part=...",
    ]
    assert problems(lambda cfg: see([cfg.x, cfg.y.z])) == [
        "input 'cfg' is the whole config, and none was given; give it one: turnout.run(lambda, cfg)"
    ]


def test_a_parameter_meant_to_receive_the_whole_config_is_told_how() -> None:
    def by_annotation(cfg: dict[str, int]) -> Any:
        see(cfg["x"])

    def by_name(conf) -> Any:  # type: ignore[no-untyped-def]
        see(conf.x)

    (told,) = problems(by_annotation)
    assert told.endswith("; or, to receive the whole config, annotate 'cfg' as DictConfig")
    (told,) = problems(by_name)
    assert told.endswith("to receive the whole config, name the parameter 'cfg' or 'config'")
    (told,) = problems(lambda conf: see(conf))
    assert told.endswith("give it one: conf=...")


def test_what_is_missing_and_not_read_is_no_error() -> None:
    def flow(cfg: DictConfig) -> Any:
        see(cfg.part)
        see(cfg)

    made = plan(flow, {"cfg": OmegaConf.create({"part": {"a": "???"}, "b": "???"})})
    assert OmegaConf.is_missing(made.program.steps[0].args[0][1][1], "a")


def test_inputs_of_sub_workflows_are_told_by_the_names_of_the_config() -> None:
    @workflow
    def inner(cfg: DictConfig, x: float) -> Any:
        return [fit(cfg.model), scale(cfg.late), scale(x), scale(cfg.text)]

    def flow(cfg: DictConfig) -> Any:
        inner(cfg.sub, cfg.x)

    cfg = OmegaConf.create({"sub": {"model": {"C": "???"}, "late": "???", "text": "t"}, "x": "???"})
    told = problems(flow, {"cfg": cfg})
    assert [text.partition(";")[0] for text in told] == [
        "input 'sub.model.C' has no value, and node 'inner/fit', parameter 'model' reads it",
        "input 'sub.late' has no value, and node 'inner/scale', parameter 'x' reads it",
        "input 'x' has no value, and node 'inner/scale-2', parameter 'x' reads it",
        "input 'sub.text' (node 'inner/scale-3', parameter 'x'): expected float, found str 't'",
    ]


def test_a_broken_interpolation_is_told_by_its_path() -> None:
    def flow(cfg: DictConfig) -> Any:
        see(cfg.part)

    cfg = OmegaConf.create({"part": {"a": "${nowhere}"}})
    assert problems(flow, {"cfg": cfg}) == ["input 'part.a': Interpolation key 'nowhere' not found"]


def test_inputs_arrive_converted() -> None:
    @task
    def show(C: float, grid: list[float], model: Model, path: Path, both: Any) -> Any:
        return [C, grid, model, path, both]

    @workflow
    def flow(cfg: DictConfig) -> Any:
        return show(cfg.model.C, cfg.grid, cfg.model, cfg.path, [cfg.grid, cfg.model])

    cfg = OmegaConf.create({"model": {"C": 1}, "grid": [1, "${model.C}"], "path": "a/b"})
    made = flow(cfg)
    assert made == [
        1.0, [1.0, 1.0], Model(1.0), Path("a/b"), [[1, 1], {"C": 1}],
    ]  # fmt: skip
    assert [type(made[0]), type(made[1][1])] == [float, float]
    step = plan(flow, {"cfg": cfg}).program.steps[0]
    assert step.unproven == ()
    assert step.args[0] == ("C", ("const", 1.0))
    assert step.args[2] == ("model", ("own", Model(1.0)))


def test_each_path_is_resolved_by_itself() -> None:
    def flow(cfg: DictConfig) -> Any:
        see(cfg.good)

    cfg = OmegaConf.create({"good": {"a": "${n}"}, "n": 3, "bad": "${nowhere}"})
    assert plan(flow, {"cfg": cfg}).program.steps[0].args == (("x", ("own", {"a": 3})),)


def test_a_part_that_is_not_there_is_told() -> None:
    @workflow
    def both(n: int) -> Any:
        return {"a": add(n)}

    def flow(n: int) -> Any:
        see(both(n)["b"])

    assert problems(flow, {"n": 1}) == [
        "'both.b' does not exist: what it is a part of has no such part"
    ]


def test_lists_of_unequal_length_are_told_when_they_are_known() -> None:
    def flow(xs: list[int]) -> Any:
        map_task(add)(xs, [1, 2, add(3)])

    assert problems(flow, {"xs": [1, 2]}) == [
        "map 'add-2': lists of unequal length: x has 2, y has 3"
    ]


@dataclass
class Settings:
    sizes: list[int]


@dataclass(frozen=True)
class Frozen:
    size: int
    names: tuple[str, ...] = ("a",)


@task
def appended(item: int, held: Any) -> str:
    before = repr(held)
    if isinstance(held, (np.ndarray, pd.DataFrame)):
        held += 1
    elif isinstance(held, set):
        held.add(item)
    elif isinstance(held, dict):
        held["inner"].append(item)
    else:
        (held.sizes if isinstance(held, Settings) else held[-1]).append(item)
    return before


@pytest.mark.parametrize(
    "constant",
    [
        [[1]],
        ([1], [2]),
        {"inner": [1]},
        {1, 2},
        Settings([1]),
        np.zeros(3),
        pd.DataFrame({"a": [1, 2]}),
    ],
    ids=repr,
)
def test_each_item_and_each_node_has_its_own_copy_of_a_constant(constant: Any) -> None:
    @workflow
    def flow() -> Any:
        return [
            *[appended(item, constant) for item in (1, 2)],
            map_task(partial(appended, held=constant))(item=[1, 2, 3]),
        ]

    before = repr(constant)
    one, two, items = turnout.run(flow).outputs
    assert [one, two, *items] == [before] * 5
    assert repr(constant) == before


def test_each_attempt_has_its_own_copy_of_a_constant() -> None:
    @task(retries=2)
    def growing(held: list[int]) -> int:
        held.append(1)
        if turnout.current().attempt < 3:
            raise ValueError
        return len(held)

    @workflow
    def flow() -> int:
        return growing([0])

    assert turnout.run(flow).outputs == 2


@pytest.mark.parametrize("constant", [(1, "a", None), Frozen(1), "text", b"bytes", len, object()])
def test_what_nobody_can_change_and_what_is_opaque_is_not_copied(constant: Any) -> None:
    @task
    def itself(held: Any) -> bool:
        return held is constant

    @workflow
    def flow() -> bool:
        return itself(constant)

    steps = plan(flow).program.steps
    assert steps[0].args[0][1][0] == "const"


def test_large_constants_are_not_copied() -> None:
    large = np.zeros(2000)

    @task
    def shared(held: Any) -> bool:
        return held is large

    @workflow
    def flow() -> bool:
        return shared(large)

    assert turnout.run(flow).outputs is True
