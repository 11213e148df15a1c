"""Conditionals: the graphs they make, what running them gives, and what is refused."""

# What users write is what is tested:
# ruff: noqa: PLW0108

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from turnout import conditional, map_task, task, workflow
from turnout.errors import BranchFailed, GraphError
from turnout.graph import BranchNode
from turnout.observe.failure import show_failure

HERE = f"{__name__.replace('.', '/')}.py"
ran: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


@task
def score(x: float) -> float:
    ran.append("score")
    return x


@task
def deploy(x: float) -> str:
    ran.append("deploy")
    return f"deployed {x}"


@task
def review(x: float) -> str:
    ran.append("review")
    return f"review {x}"


@task
def is_big(x: float) -> bool:
    ran.append("is_big")
    return x > 10


@task
def count(x: float) -> int:
    ran.append("count")
    return int(x)


@task
def add(x: int, y: int = 1) -> int:
    return x + y


def refused(body: Callable[[], Any]) -> GraphError:
    def flow() -> Any:
        return body()

    with pytest.raises(GraphError) as caught:
        workflow(flow).trace({})
    return caught.value


@workflow
def gate(x: float, high: float = 0.9) -> str:
    acc = score(x)
    return (
        conditional("gate")
        .if_(acc >= high)
        .then(deploy(acc))
        .elif_(acc >= 0.8)
        .then(review(acc))
        .else_()
        .fail("too weak")
    )


def test_the_first_case_that_holds_runs_and_nothing_of_the_others() -> None:
    assert gate(0.95) == "deployed 0.95"
    assert ran == ["score", "deploy"]
    ran.clear()
    assert gate(0.85) == "review 0.85"
    assert ran == ["score", "review"]
    with pytest.raises(BranchFailed, match="too weak"):
        gate(0.1)


def test_a_conditional_in_the_graph() -> None:
    graph = gate.trace({"x": 1.0, "high": 0.5}).graph
    assert [node.id for node in graph.nodes] == ["score", "gate", "deploy", "review"]
    node = graph.node("gate")
    assert isinstance(node, BranchNode)
    first, second, last = node.cases
    assert first.when == ("ge", ("output", "score"), ("input", "high"))
    assert first.then == ("output", "deploy")
    assert second.when == ("ge", ("output", "score"), ("const", 0.8))
    assert (last.when, last.then, last.fail) == (None, None, "too weak")
    assert [graph.node(name).guard for name in ("deploy", "review")] == [("gate", 0), ("gate", 1)]
    assert graph.fixed == ()
    assert graph.result == ("output", "gate")


def test_joined_predicates() -> None:
    @workflow
    def flow(x: float, flag: bool = True) -> int:
        acc = score(x)
        big = is_big(x)
        return (
            conditional("c")
            .if_((acc > 1) & (acc < 3) | ~big & (acc == 5))
            .then(1)
            .elif_(big & flag)
            .then(2)
            .elif_(~big)
            .then(3)
            .else_()
            .then(4)
        )

    assert [flow(2.0), flow(5.0), flow(11.0), flow(4.0)] == [1, 1, 2, 3]
    assert flow(11.0, False) == 4


def test_what_a_predicate_needs_may_be_made_between_the_cases() -> None:
    @workflow
    def flow(x: float) -> str:
        return (
            conditional("c")
            .if_(score(x) > 5)
            .then(deploy(x))
            .elif_(score(x) > 2)
            .then(review(x))
            .else_()
            .then(deploy(0.0))
        )

    assert [flow(6.0), flow(3.0), flow(1.0)] == ["deployed 6.0", "review 3.0", "deployed 0.0"]
    ids = [node.id for node in flow.trace({"x": 1.0}).graph.nodes]
    assert ids.index("score-2") < ids.index("c") < ids.index("deploy")


def test_shared_promises_run_anyway_and_results_may_be_anything() -> None:
    @workflow
    def flow(x: float, name: str = "n") -> Any:
        shared = count(x)
        picked = conditional("c").if_(shared > 3).then({"n": add(shared)}).else_().then(name)
        return [picked, shared]

    assert flow(5.0) == [{"n": 6}, 5]
    assert flow(1.0) == ["n", 1]


def test_nested_conditionals() -> None:
    @workflow
    def flow(x: float) -> str:
        acc = score(x)
        return (
            conditional("outer")
            .if_(acc > 5)
            .then(conditional("inner").if_(is_big(acc)).then(deploy(acc)).else_().then(review(acc)))
            .else_()
            .then("small")
        )

    graph = flow.trace({"x": 1.0}).graph
    assert graph.node("inner").guard == ("outer", 0)
    assert graph.node("is_big").guard == ("outer", 0)
    assert graph.node("deploy").guard == ("inner", 0)
    assert [flow(20.0), flow(6.0), flow(1.0)] == ["deployed 20.0", "review 6.0", "small"]
    ran.clear()
    flow(1.0)
    assert ran == ["score"]


def test_a_conditional_feeds_further_tasks_and_conditionals() -> None:
    @workflow
    def flow(x: float) -> int:
        first = conditional("c").if_(score(x) > 1).then(count(x)).else_().then(0)
        return conditional("c").if_(first > 3).then(add(first)).else_().then(add(first, 10))

    assert [flow(5.0), flow(2.0), flow(0.0)] == [6, 12, 10]


def test_the_results_type_is_that_of_all_cases() -> None:
    @task
    def text(x: str) -> str:
        return x

    error = refused(
        lambda: add(conditional("c").if_(is_big(1.0)).then(deploy(1.0)).else_().then(review(1.0)))
    )
    assert error.message.endswith("expects int, found str from 'c'")
    error = refused(lambda: text(conditional("c").if_(is_big(1.0)).then(3).else_().then(4.5)))
    assert error.message.endswith("expects str, found int | float from 'c'")

    @workflow
    def flow(x: float) -> str:
        return text(conditional("c").if_(is_big(x)).then("a").else_().then(deploy(x)))

    assert flow.trace({"x": 1.0}).graph.node("text").unproven == ()
    assert flow(20.0) == "a"


@pytest.mark.parametrize(
    "body",
    [
        lambda: conditional("c"),
        lambda: conditional("c").if_(is_big(1.0)),
        lambda: conditional("c").if_(is_big(1.0)).then(1),
        lambda: conditional("c").if_(is_big(1.0)).then(1).else_(),
        lambda: (conditional("c").if_(is_big(1.0)).then(1), 3)[1],
        lambda: add(conditional("c").if_(is_big(1.0)).then(1)),
        lambda: [conditional("c").if_(is_big(1.0)).then(1).elif_(is_big(2.0))],
        lambda: conditional("c").if_(is_big(1.0)).then(1).field,
    ],
)
def test_an_open_conditional_is_refused_with_its_line(body: Callable[[], Any]) -> None:
    error = refused(body)
    assert error.message == (
        "conditional 'c' is left open; end it with else_().then(...) or else_().fail(...)"
    )
    assert error.location == f"{HERE}:{inspect.getsourcelines(body)[1]}"


def test_what_belongs_to_a_case_is_not_used_outside() -> None:
    kept: list[Any] = []

    def keep(value: Any) -> Any:
        kept.append(value)
        return value

    def body() -> Any:
        conditional("c").if_(is_big(1.0)).then(keep(count(1.0))).else_().then(0)
        return kept[-1]

    said = "'count' was made in a case of conditional 'c' and is used outside of it"
    for use in (
        lambda x: x,
        lambda x: add(x),
        lambda x: [x],
        lambda x: x >> score(1.0),
        lambda x: conditional("d").if_(x > 1).then(1).else_().then(2),
        lambda x: map_task(add)([x]),
    ):
        assert said in refused(lambda use=use: use(body())).message

    def other_case() -> Any:
        opened = conditional("c").if_(is_big(1.0)).then(keep(count(1.0)))
        return opened.else_().then(add(kept[-1]))

    assert said in refused(other_case).message


def test_an_earlier_promise_is_no_result_of_a_case() -> None:
    def directly() -> Any:
        early = count(1.0)
        return conditional("c").if_(is_big(1.0)).then(early).else_().then(0)

    def inside() -> Any:
        early = count(1.0)
        return conditional("c").if_(is_big(1.0)).then([early]).else_().then(0)

    for body in (directly, inside):
        message = refused(body).message
        assert "then(...) is given 'count', which was made before the case was opened" in message
        assert "call the task inside then(...)" in message
        assert "a task that returns what it is given: then(keep(...))" in message


def test_a_conditional_outside_a_workflow_is_refused() -> None:
    with pytest.raises(GraphError, match=r"stands outside a workflow; in plain Python use if"):
        conditional("c")


def test_a_conditional_is_said_once_in_one_chain() -> None:
    def twice() -> Any:
        closed = conditional("c").if_(is_big(1.0)).then(1)
        closed.else_().then(2)
        return closed.else_().then(3)

    def again() -> Any:
        start = conditional("c")
        start.if_(is_big(1.0))
        return start.if_(is_big(1.0))

    for body in (twice, again):
        assert "has gone on from here already" in refused(body).message
    error = refused(lambda: conditional("c").if_(is_big(1.0)).fail(3))
    assert "fail(...) takes a message, not 3" in error.message


def test_names_of_conditionals() -> None:
    with pytest.raises(ValueError, match="a name is made of letters"):
        workflow(lambda: conditional("a b").if_(is_big(1.0)).then(1).else_().then(2)).trace({})


@task
def whatever(x: Any) -> Any:
    return x


def test_what_has_no_order_is_not_compared() -> None:
    @workflow
    def flow(high: Any, low: str = "0.1") -> Any:
        acc = score(0.5)
        return conditional("c").if_((acc >= high) & (acc != low)).then(count(acc)).else_().then(0)

    for high in ("high", b"high"):
        with pytest.raises(GraphError) as caught:
            flow.trace({"high": high})
        found = type(high).__name__
        assert caught.value.message == (
            f"'score' is float and <input high> is {found}, which have no order"
        )
    for fine in (1, 0.5, True):
        assert flow(fine) == 0
    assert "'score' is float and 'x' is str" in refused(lambda: score(1.0) < "x").message


def test_a_condition_that_fails_tells_which_it_was() -> None:
    @workflow
    def flow(high: Any) -> Any:
        acc = whatever(0.5)
        return (
            conditional("gate")
            .if_(acc == "no")
            .then(1)
            .elif_((acc >= high) & (acc < 1))
            .then(2)
            .else_()
            .then(3)
        )

    with pytest.raises(TypeError) as caught:
        flow("high")
    graph = flow.trace({"high": "high"}).graph
    place = graph.node("gate").line
    assert show_failure(caught.value, graph).endswith(
        f"\n\nnode: gate  ({place})\n"
        "condition: whatever >= high and whatever < 1\n"
        "compared: float and str (4 characters)"
    )
