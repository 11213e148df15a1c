"""Random graphs give what plain Python gives, wherever and in whichever order they run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import turnout
from turnout import conditional, dynamic, map_task, task, workflow
from turnout.testing import Recording, ThreadsBackend, installed

# What to make, one value after another, each out of earlier ones that are named by their index.
Recipe = list[tuple[Any, ...]]


@task
def add(a: int, b: int) -> int:
    return (a + b) % 1009


@task
def count(x: int, n: int) -> list[int]:
    return [x + i for i in range(n)]


@task
def total(xs: list[int], first: int) -> int:
    return (sum(xs) + first) % 1009


@task
def collect(values: list[int]) -> list[int]:
    return values


@dynamic
def grow(x: int, n: int) -> int:
    value = x
    for _ in range(n):
        value = add(value, 1)
    return grow(value, n - 1) if n > 0 else value


@workflow
def sub(x: int) -> int:
    return add(add(x, x), 1)


def build(recipe: Recipe) -> list[int]:
    """The recipe with tasks; in a workflow it makes a graph, outside plain values."""
    made: list[Any] = []
    for what, *rest in recipe:
        if what == "const":
            made.append(add(rest[0], 0))
        elif what == "add":
            made.append(add(made[rest[0]], made[rest[1]]))
        elif what == "map":
            items = count(made[rest[0]], rest[2])
            mapped = map_task(partial(add, made[rest[1]]))(items)
            made.append(total(map_task(add)(mapped, items), made[rest[1]]))
        elif what == "branch":
            made.append(branch(*(made[index] for index in rest)))
        elif what == "grow":
            made.append(grow(made[rest[0]], rest[1]))
        else:
            made.append(sub(made[rest[0]]))
    return collect(made)


def branch(a: Any, b: Any, c: Any) -> Any:
    if isinstance(a, int):
        return add(b, c) if a > b else (add(c, 1) if a == b else add(a, b))
    return (
        conditional("which")
        .if_(a > b)
        .then(add(b, c))
        .elif_(a == b)
        .then(add(c, 1))
        .else_()
        .then(add(a, b))
    )


def graph(recipe: Recipe) -> Any:
    def flow() -> list[int]:
        return build(recipe)

    return workflow(flow)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    found: Recipe = [("const", draw(st.integers(0, 5)))]
    for _ in range(draw(st.integers(1, 10))):
        earlier = st.integers(0, len(found) - 1)
        found.append(
            draw(
                st.one_of(
                    st.tuples(st.just("const"), st.integers(0, 5)),
                    st.tuples(st.just("add"), earlier, earlier),
                    st.tuples(st.just("map"), earlier, earlier, st.integers(0, 4)),
                    st.tuples(st.just("branch"), earlier, earlier, earlier),
                    st.tuples(st.just("grow"), earlier, st.integers(0, 3)),
                    st.tuples(st.just("sub"), earlier),
                )
            )
        )
    return found


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before, path = Path.cwd(), tmp_path_factory.mktemp("random")
    os.chdir(path)
    yield
    os.chdir(before)


def check(recipe: Recipe, environment: dict[str, Any]) -> None:
    recording = Recording()
    with installed(ThreadsBackend(), recording):
        found = turnout.run(
            graph(recipe),
            execution_environment={"store": str(Path.cwd() / "store"), **environment},
        )
    assert found.outputs == build(recipe)
    recording.check()
    ended = {told.node for told in recording.nodes if told.what == "finished"}
    assert {told.node for told in recording.nodes} == ended


quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@quick
@given(recipes())
def test_in_this_process(recipe: Recipe) -> None:
    check(recipe, {"keep": "none"})


@quick
@given(recipes(), st.integers(1, 4))
def test_sent_ahead_to_threads(recipe: Recipe, threads: int) -> None:
    check(recipe, {"backend": "threads", "threads": threads, "keep": "none"})


@quick
@given(recipes())
def test_as_a_plain_call(recipe: Recipe) -> None:
    assert graph(recipe)() == build(recipe)
