"""What workflows return: held against annotations when the graph is built, else at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from omegaconf import DictConfig

import turnout
from turnout import conditional, dynamic, task, workflow
from turnout.errors import GraphError, RunFailed, TypeMismatch

seen: list[str] = []


@task
def number() -> int:
    return 1


@task
def text() -> str:
    return "x"


@task
def anything(x: Any) -> Any:
    return x


@task
def want(x: int) -> int:
    seen.append("want")
    return x


class Pair(NamedTuple):
    a: int
    b: str


@dataclass
class Record:
    a: int
    b: str = ""


def constant_branch() -> int:
    return conditional("c").if_(number() > 3).then(number()).else_().then("no")


def task_branch() -> int:
    return conditional("c").if_(number() > 3).then(number()).else_().then(text())


def nested_branch() -> int:
    return (
        conditional("c")
        .if_(number() > 3)
        .then(conditional("d").if_(number() > 4).then(text()).else_().then(1))
        .else_()
        .then(2)
    )


def input_branch(k: str = "a") -> int:
    return conditional("c").if_(number() > 3).then(number()).else_().then(k)


def returned_input(k: str = "a") -> int:
    return k  # type: ignore[return-value]


def named_tuple() -> Pair:
    return Pair(text(), number())


def record() -> Record:
    return Record(number(), b=number())


def wrong_container() -> list[int]:
    return {"a": number()}  # type: ignore[return-value]


def constant_inside() -> list[int]:
    return [number(), "no"]


def given_a_branch() -> int:
    return want(task_branch_of())


def task_branch_of() -> Any:
    return conditional("c").if_(number() > 3).then(number()).else_().then(text())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (constant_branch, "promises int and returns int | str from 'c'"),
        (task_branch, "promises int and returns int | str from 'c'"),
        (nested_branch, "promises int and returns "),
        (input_branch, "promises int and returns int | str from 'c'"),
        (returned_input, "promises int and returns str from input 'k'"),
        (named_tuple, "promises int and returns str from 'text'"),
        (record, "promises str and returns int from 'number-2'"),
        (wrong_container, "promises list[int] and returns dict"),
        (constant_inside, "promises int and returns str 'no'"),
        (given_a_branch, "parameter 'x' expects int, found int | str from 'c'"),
    ],
)
def test_what_can_never_fit_is_refused_when_the_graph_is_built(
    body: Callable[..., Any], says: str
) -> None:
    with pytest.raises(GraphError) as caught:
        workflow(body).trace({})
    assert says in caught.value.message


def test_what_a_union_may_hold_is_left_to_the_run() -> None:
    @task
    def maybe() -> int | None:
        return None

    @workflow
    def flow() -> int:
        return maybe()  # type: ignore[return-value]

    with pytest.raises(TypeMismatch, match="result of workflow 'flow': expected int, found None"):
        flow()


def test_what_is_not_proven_is_checked_at_the_end(tmp_path: Path) -> None:
    @task
    def note(error: str, path: str) -> None:
        Path(path).write_text(error)

    @workflow(on_failure=note)
    def flow(x: Any, path: str) -> int:
        return anything(x)  # type: ignore[no-any-return]

    @workflow
    def inputs(cfg: DictConfig) -> dict[str, int]:
        return {"a": cfg.a}

    @workflow
    def grown(x: Any) -> int:
        return growing(x)

    log = str(tmp_path / "log")
    assert turnout.run(flow, x=3, path=log).outputs == 3
    with pytest.raises(RunFailed, match=r"TypeMismatch: result of workflow 'flow': expected int"):
        turnout.run(flow, x="no", path=log)
    assert Path(log).read_text() == (
        "TypeMismatch: result of workflow 'flow': expected int, found str 'no'"
    )
    with pytest.raises(RunFailed, match=r"expected dict\[str, int\], found str 'b' at \['a'\]"):
        turnout.run(inputs, {"a": "b"})
    with pytest.raises(RunFailed, match=r"result of workflow 'grown': expected int, found str"):
        turnout.run(grown, x="no")
    assert turnout.run(inputs, {"a": 1}).outputs == {"a": 1}


@dynamic
def growing(x: Any) -> int:
    return anything(x)  # type: ignore[no-any-return]


@workflow
def claims(x: Any) -> int:
    return anything(x)  # type: ignore[no-any-return]


@workflow
def claims_parts(x: Any) -> tuple[int, str]:
    return anything(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("source", [claims, growing])
def test_what_only_is_claimed_is_checked_where_it_is_used(source: Any) -> None:
    @workflow
    def flow(x: Any) -> int:
        return want(source(x))

    seen.clear()
    with pytest.raises(TypeMismatch, match="node 'want', parameter 'x': expected int"):
        flow("no")
    assert seen == []
    assert flow(3) == 3


def test_parts_of_what_is_claimed_are_claimed() -> None:
    @workflow
    def flow(x: Any) -> int:
        number, _ = claims_parts(x)
        return want(number)

    with pytest.raises(TypeMismatch, match="expected int, found str 'a'"):
        flow(("a", 1))
    assert flow((1, "a")) == 1


def test_a_part_of_a_run_is_not_held_against_the_whole() -> None:
    @workflow
    def flow(x: Any) -> int:
        return len_of(anything(x))

    @task
    def len_of(x: str) -> int:
        return len(x)

    assert turnout.run(flow, x="abc").outputs == 3
