"""Cached tasks; each leaves a mark when it really runs."""

from __future__ import annotations

import math
from typing import Any

from omegaconf import DictConfig

from turnout import Cache, map_task, order, task, workflow
from turnout.testing.pipelines.marks import leave
from turnout.testing.pipelines.values import Model, Point

IGNORED = Cache(ignored_inputs=("scratch", "verbose"))


@task(cache=IGNORED)
def square(scratch: str, x: float, verbose: bool = False, power: int = 2) -> float:
    """A cached task."""
    leave(scratch, "square")
    return math.pow(x, power)


@task(cache=IGNORED)
def fit(scratch: str, x: float) -> Model:
    """A cached task whose result has no canonical form."""
    leave(scratch, "fit")
    return Model([x])


@task(cache=IGNORED)
def score(scratch: str, model: Model, point: Point) -> float:
    """A cached task that takes what has none."""
    leave(scratch, "score")
    return model.weights[0] + point.x


@task
def same(x: Any) -> Any:
    """What it was given; not cached."""
    return x


@task(cache=IGNORED)
def rows(scratch: str, n: int) -> list[int]:
    """A cached task whose result can be changed in place."""
    leave(scratch, "rows")
    return list(range(n))


@task
def spoil(values: list[int]) -> int:
    """Changes its input, as no task may."""
    values.append(100)
    return len(values)


@task(cache=IGNORED)
def total(scratch: str, values: list[int]) -> int:
    """A cached task that takes what can be changed in place."""
    leave(scratch, "total")
    return sum(values)


@workflow
def unspoiled(scratch: str, n: int) -> int:
    """Cached tasks one after another, a list between them."""
    return total(scratch, rows(scratch, n))


@workflow
def spoiled(scratch: str, n: int) -> int:
    """The same, and a task between them that changes the list."""
    values = rows(scratch, n)
    found = total(scratch, values)
    order(spoil(values), found)
    return found


@workflow
def once(scratch: str, x: float, verbose: bool = False) -> float:
    """One cached task between others."""
    result: float = same(square(scratch, same(x), verbose=verbose))
    return result


@workflow
def trained(scratch: str, x: float) -> float:
    """Cached tasks one after another, models between them."""
    return score(scratch, fit(scratch, x), Point(1))


@workflow
def versioned(scratch: str, x: float, version: str) -> float:
    """The version given in code."""
    from turnout import fixed

    cache = Cache(version=fixed(version), ignored_inputs=("scratch", "verbose"))
    return square.with_options(cache=cache)(scratch, x)


@workflow
def spelled(scratch: str) -> list[float]:
    """The same call spelled in three ways."""
    first = square(scratch, 3.0)
    second = square(scratch, 3.0, power=2)
    third = square(scratch, same(3.0), False)
    order(first, second, third)
    return [first, second, third]


@workflow
def parts(cfg: DictConfig, scratch: str) -> list[float]:
    """Each task depends on its own part of a config."""
    return [square(scratch, cfg.a.x), square(scratch, cfg.b.x, power=cfg.b.power)]


@task(cache=IGNORED, retries=1)
def shaky(scratch: str, x: int) -> int:
    """A cached task that fails at first."""
    if leave(scratch, "shaky") == 1:
        raise ValueError("at first")
    return x


@workflow
def cached_map(scratch: str, xs: list[float]) -> list[float]:
    """A map of a cached task."""
    from functools import partial

    return map_task(partial(square, scratch))(x=same(xs))


@workflow
def cached_flaky(scratch: str) -> int:
    """A cached task that is retried."""
    return shaky(scratch, 5)
