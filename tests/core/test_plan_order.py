"""Order through a workflow that has no steps of its own."""

from __future__ import annotations

from typing import Any

from turnout import conditional, order, task, workflow
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


def needs_of(flow: Any, name: str = "last") -> tuple[int, ...]:
    environment = Environment(
        name="here", backend=ThreadsBackend(), config=EnvironmentConfig(cache="off", keep="none")
    )
    inputs = {"n": 1}
    steps = make_plan(
        flow.trace(inputs), inputs, environment, resolve=lambda _: environment
    ).program.steps
    return next(step.needs for step in steps if step.id == name)


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


def test_a_predicate_that_reads_its_result_is_decided_after_it() -> None:
    @workflow
    def flow(n: int) -> Any:
        one, between = first(n), itself(n)
        order(one, between)
        chosen = conditional("gate").if_(~(between > 3) & (between < 5)).then(last(1))
        return [one, chosen.else_().then(-1)]

    assert needs_of(flow, "gate") == (0,)


def test_a_conditional_whose_case_gives_its_result_ends_after_it() -> None:
    @workflow
    def flow(n: int) -> Any:
        one, two = first(n), first(n)

        def after() -> int:
            between = itself(n)
            order(one, between)
            return between

        return [one, conditional("gate").if_(two > 3).then(after()).else_().then(-1)]

    assert needs_of(flow, "gate") == (0, 1)


def test_what_takes_a_result_that_a_workflow_passes_through_comes_after_the_order_inside() -> None:
    @workflow
    def inside(n: int) -> int:
        one, between = first(n), itself(n)
        order(one, between)
        return between

    @workflow
    def flow(n: int) -> Any:
        return last(inside(n))

    assert needs_of(flow) == (0,)


def test_what_takes_an_input_back_from_a_workflow_with_steps_comes_after_its_order() -> None:
    @workflow
    def aside(n: int) -> int:
        first(n)
        return n

    @workflow
    def flow(n: int) -> Any:
        one, between = first(n), aside(n)
        order(one, between)
        return [one, last(between)]

    assert needs_of(flow) == (0,)
