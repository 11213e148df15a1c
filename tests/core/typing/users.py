"""What editors see of the user's door; each line says the revealed type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, reveal_type

from omegaconf import DictConfig

import turnout
from turnout import (
    Cache,
    Resources,
    Run,
    Task,
    Workflow,
    conditional,
    dynamic,
    fixed,
    map_task,
    order,
    task,
    workflow,
)


class Split(NamedTuple):
    train: list[int]
    test: list[int]


@dataclass
class Model:
    C: float


@task
def load(n: int = 3) -> list[int]:
    return list(range(n))


@task(cache=True, retries=2, resources=Resources(cpu=1), timeout="1m", secrets=["KEY"])
def fit(model: Model, data: list[int], *, verbose: bool = False) -> float:
    return model.C


@task
async def later(x: int) -> str:
    return str(x)


@task(cache=Cache(version="1"))
async def later_cached(x: int) -> str:
    return str(x)


@task
def split(data: list[int]) -> Split:
    return Split(data, data)


@task
def pair(x: int) -> tuple[int, str]:
    return x, ""


@task
def none() -> None: ...


@dynamic
def grow(n: int) -> list[float]:
    return [fit(Model(1.0), load(i)) for i in range(n)]


@dynamic(retries=1)
def grow_more(n: int) -> float:
    return sum(grow(n))


@workflow
def inner(cfg: DictConfig, model: Model) -> float:
    return fit(model, load(cfg.n))


@workflow(config_path="conf", config_name="config", fixed=("n",))
def pipeline(n: int, cfg: DictConfig) -> tuple[float, str]:
    reveal_type(load)  # Task[[n: int = 3], list[int]]
    reveal_type(fit)  # Task[[model: Model, data: list[int], *, verbose: bool = False], float]
    reveal_type(later)  # Task[[x: int], str]
    reveal_type(later_cached)  # Task[[x: int], str]
    reveal_type(grow)  # Task[[n: int], list[float]]
    reveal_type(grow_more)  # Task[[n: int], float]
    data = load(n)
    reveal_type(data)  # list[int]
    score = fit(Model(1.0), data, verbose=True)
    reveal_type(score)  # float
    reveal_type(later(1))  # str
    reveal_type(none())  # None
    reveal_type(load.with_options(retries=5))  # Task[[n: int = 3], list[int]]
    reveal_type(fit.with_options(retries=5)(Model(2.0), data))  # float
    reveal_type(split(data).train)  # list[int]
    first, second = pair(1)
    reveal_type(first)  # int
    reveal_type(second)  # str
    reveal_type(map_task(later)([1, 2]))  # list[str]
    reveal_type(map_task(partial(fit, Model(1.0)), concurrency=2)(data=[data]))  # list[float]
    reveal_type(map_task(later, min_success_ratio=0.5)(data))  # list[str | None]
    gate = conditional("gate").if_(score > 0.9).then(later(1)).elif_(score > 0.5).then(2)
    reveal_type(gate.else_().then(None))  # str | int | None
    reveal_type(conditional("g").if_(score > 0.9).then(score).else_().fail("low"))  # float
    reveal_type(conditional("g").if_(score > 0.9).fail("high").else_().then(score))  # float
    reveal_type(fixed(n))  # int
    order(data, score, later(2))
    reveal_type(inner(cfg.sub, Model(1.0)))  # float
    reveal_type(grow(n))  # list[float]
    return score, later(3)


def outside() -> None:
    reveal_type(pipeline)  # Workflow[[n: int, cfg: DictConfig], tuple[float, str]]
    reveal_type(pipeline(1, DictConfig({})))  # tuple[float, str]
    reveal_type(turnout.run(pipeline, n=1))  # Run[tuple[float, str]]
    reveal_type(turnout.run(pipeline, n=1).outputs)  # tuple[float, str]
    reveal_type(turnout.run(inner, {"n": 1}).wait())  # Run[float]


def generic(one: Task[[int], str], two: Workflow[[int], float], run: Run[int]) -> None:
    reveal_type(one(1))  # str
    reveal_type(two(1))  # float
    reveal_type(run.outputs)  # int
