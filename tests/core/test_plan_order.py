"""Order through a workflow that has no steps of its own."""

from __future__ import annotations

from typing import Any

from turnout import order, task, workflow
from turnout.backend.base import EnvironmentConfig
from turnout.plan import Environment, make_plan
from turnout.testing import ThreadsBackend


@task
def first(n: int) -> int:
    return n


@task
def last(n: int) -> int:
    return n


@workflow
def itself(x: int) -> int:
    return x


@workflow
def twice(x: int) -> int:
    return itself(itself(x))


def needs_of(flow: Any) -> tuple[int, ...]:
    environment = Environment(
        name="here", backend=ThreadsBackend(), config=EnvironmentConfig(cache="off", keep="none")
    )
    inputs = {"n": 1}
    steps = make_plan(
        flow.trace(inputs), inputs, environment, resolve=lambda _: environment
    ).program.steps
    return next(step.needs for step in steps if step.id == "last")


def test_what_comes_after_it_comes_after_what_it_comes_after() -> None:
    @workflow
    def flow(n: int) -> Any:
        one, between, end = first(n), itself(n), last(1)
        order(one, between, end)
        return [one, end]

    assert needs_of(flow) == (0,)


def test_what_takes_its_result_comes_after_it() -> None:
    @workflow
    def flow(n: int) -> Any:
        one, between = first(n), twice(n)
        order(one, between)
        return [one, last(itself(between))]

    assert needs_of(flow) == (0,)
