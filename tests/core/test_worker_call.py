"""`run_call`, the one place where a task's function is called for a run."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import turnout
from turnout import Cache, dynamic, spi, task
from turnout.errors import NonRetryable, TurnoutError, TypeMismatch
from turnout.graph import TaskOptions
from turnout.testing import installed


def call_of(
    what: Any,
    *,
    names: Sequence[str] = (),
    leaves: Sequence[Any] = (),
    run: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **rest: Any,
) -> spi.Call:
    said = {"run_id": "r1", "workflow": "flow", "environment": "here", **(run or {})}
    return spi.Call(
        id="node",
        run=spi.RunInfo(**said),
        task=what.spec(what.key),
        options=TaskOptions(**(options or {})),
        names=tuple(names),
        leaves=tuple(leaves),
        **rest,
    )


def outcome_of(what: Any, call: spi.Call, **rest: Any) -> spi.Outcome:
    return spi.run_call(call, call.leaves, what, **rest)


@task
def add(a: int, b: int = 1) -> int:
    return a + b


def test_a_call_gives_value_and_summary() -> None:
    found = outcome_of(add, call_of(add, names=["a", "b"], leaves=[1, 2]))
    assert (found.status, found.value, found.error) == (spi.Status.DONE, 3, None)
    assert found.summary.small == 3
    assert found.summary.attempts == ()
    assert found.summary.seconds >= 0
    assert not found.summary.expands


def test_a_decorated_function_is_called_as_its_wrapper_takes_it() -> None:
    def by_name(fn: Any) -> Any:
        @functools.wraps(fn)
        def wrapper(**given: Any) -> Any:
            return fn(**given) * 10

        return wrapper

    def shown(**given: Any) -> Any:
        return add.fn(**given) * 10

    shown.__signature__ = inspect.signature(add.fn)  # type: ignore[attr-defined]  # as decorators do
    for wrapped in (task(by_name(add.fn)), task(shown)):
        found = outcome_of(wrapped, call_of(wrapped, names=["a", "b"], leaves=[1, 2]))
        assert (found.value, found.error) == (30, None)


def test_arguments_in_another_order_are_given_by_name() -> None:
    @task
    def less(a: int, b: int = 1) -> int:
        return a - b

    assert outcome_of(less, call_of(less, names=["b", "a"], leaves=[2, 10])).value == 8
    assert outcome_of(less, call_of(less, names=["a"], leaves=[5])).value == 4
    assert outcome_of(less, call_of(less, names=["a", "b"], leaves=[5, 3])).value == 2


def test_only_small_plain_values_come_with_the_summary() -> None:
    @task
    def give(value: Any) -> Any:
        return value

    for value in (1, 1.5, True, None, "text"):
        found = outcome_of(give, call_of(give, names=["value"], leaves=[value]))
        assert found.summary.small is value
    for value in ([1], "x" * 5000, {}, object()):
        found = outcome_of(give, call_of(give, names=["value"], leaves=[value]))
        assert found.summary.small is spi.UNSET


def test_lists_tell_their_length() -> None:
    @task
    def many(n: int) -> list[int]:
        return [0] * n

    assert outcome_of(many, call_of(many, names=["n"], leaves=[7])).summary.length == 7


def test_arguments_are_rebuilt_from_shapes() -> None:
    @dataclass
    class Pair:
        left: int
        right: Any

    @task
    def take(one: Any, two: Any) -> list[Any]:
        return [one, two]

    shapes = (
        ("list", (("leaf", 1), ("dict", (("k", ("leaf", 0, "rows", -1)),)))),
        ("object", ("leaf", 2), (("left", ("leaf", 1)), ("right", ("tuple", (("leaf", 1),))))),
    )
    leaves = [{"rows": [1, 2, 3]}, 5, Pair]
    found = outcome_of(take, call_of(take, names=["one", "two"], leaves=leaves, shapes=shapes))
    assert found.value == [[5, {"k": 3}], Pair(5, (5,))]


def test_own_leaves_are_copies() -> None:
    @task
    def spoil(part: DictConfig) -> int:
        part.x = 99
        return int(part.x)

    config = OmegaConf.create({"x": 1})
    call = call_of(spoil, names=["part"], leaves=[config], shapes=(("own", 0),))
    assert outcome_of(spoil, call).value == 99
    assert outcome_of(spoil, call).value == 99
    assert config.x == 1


def test_unproven_arguments_are_converted_and_checked() -> None:
    @task
    def take(rate: float) -> str:
        return type(rate).__name__

    call = call_of(take, names=["rate"], leaves=[1], unproven=("rate",))
    assert outcome_of(take, call).value == "float"
    call = call_of(take, names=["rate"], leaves=["x"], unproven=("rate",))
    found = outcome_of(take, call)
    assert isinstance(found.error, TypeMismatch)
    assert "node 'node', parameter 'rate'" in str(found.error)
    call = call_of(take, names=["rate"], leaves=["x"])
    assert outcome_of(take, call).value == "str"  # the plan had proved it


def test_results_are_checked() -> None:
    @task
    def lie() -> int:
        return "no"  # type: ignore[return-value]

    found = outcome_of(lie, call_of(lie))
    assert found.status is spi.Status.FAILED
    assert isinstance(found.error, TypeMismatch)
    assert "result of node 'node'" in str(found.error)


class Flaky:
    """Fails so many times."""

    def __init__(self, failures: int, error: type[Exception] = ValueError) -> None:
        self.left = failures
        self.error = error
        self.seen: list[int] = []

    def task(self) -> Any:
        @task
        def shaky() -> int:
            self.seen.append(turnout.current().attempt)
            if self.left:
                self.left -= 1
                raise self.error(f"left {self.left}")
            return 1

        return shaky


def test_attempts_are_counted_from_the_call_s_first() -> None:
    flaky = Flaky(2)
    shaky = flaky.task()
    told: list[tuple[int, int]] = []
    call = call_of(shaky, options={"retries": 4}, attempt=2)
    found = outcome_of(
        shaky, call, on_attempt=lambda number, failed: told.append((number, len(failed)))
    )
    assert found.value == 1
    assert flaky.seen == [2, 3, 4]
    assert told == [(2, 0), (3, 1), (4, 2)]
    assert [(a.number, a.retried, str(a.error)) for a in found.summary.attempts] == [
        (2, True, "left 1"),
        (3, True, "left 0"),
    ]


def test_the_last_attempt_is_not_retried() -> None:
    shaky = Flaky(9).task()
    found = outcome_of(shaky, call_of(shaky, options={"retries": 1}))
    assert found.status is spi.Status.FAILED
    assert [(a.number, a.retried) for a in found.summary.attempts] == [(1, True), (2, False)]
    assert found.error is found.summary.attempts[-1].error


def test_non_retryable_is_not_retried() -> None:
    class Never(NonRetryable):
        pass

    flaky = Flaky(9, Never)
    shaky = flaky.task()
    found = outcome_of(shaky, call_of(shaky, options={"retries": 5}))
    assert flaky.seen == [1]
    assert isinstance(found.error, Never)


def test_an_interrupt_is_no_failure_of_a_task() -> None:
    @task
    def stop() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(stop, call_of(stop, options={"retries": 5}))
    with pytest.raises(TurnoutError):
        turnout.current()


def test_an_exit_is_a_failure_of_a_task() -> None:
    @task
    def stop() -> int:
        raise SystemExit(3)

    found = outcome_of(stop, call_of(stop))
    assert found.status is spi.Status.FAILED
    assert isinstance(found.error, Exception)
    assert isinstance(found.error.__cause__, SystemExit)


def test_a_failure_tells_the_kinds_of_its_inputs() -> None:
    @task
    def boom(rows: list[int], name: str) -> int:
        raise ValueError("no")

    found = outcome_of(boom, call_of(boom, names=["rows", "name"], leaves=[[1, 2], "secret"]))
    told = found.error.__turnout__  # type: ignore[union-attr]
    assert told["node"] == "node"
    assert told["inputs"] == {"rows": "list (2 items)", "name": "str (6 characters)"}
    assert "secret" not in str(told)


def test_variables_are_set_for_the_attempt_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_A", "before")
    monkeypatch.delenv("TURNOUT_B", raising=False)

    @task
    def look() -> list[str]:
        return [os.environ["TURNOUT_A"], os.environ["TURNOUT_B"]]

    call = call_of(
        look,
        run={"env_vars": (("TURNOUT_A", "environment"), ("TURNOUT_B", "environment"))},
        options={"env_vars": {"TURNOUT_A": "task"}},
    )
    assert outcome_of(look, call).value == ["task", "environment"]
    assert os.environ["TURNOUT_A"] == "before"
    assert "TURNOUT_B" not in os.environ


def test_variables_are_put_back_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_A", "before")

    @task
    def boom() -> int:
        raise ValueError(os.environ["TURNOUT_A"])

    found = outcome_of(boom, call_of(boom, options={"env_vars": {"TURNOUT_A": "task"}}))
    assert str(found.error) == "task"
    assert os.environ["TURNOUT_A"] == "before"


def test_wrappers_are_entered_in_the_order_of_registration() -> None:
    order: list[str] = []

    class Wraps:
        def __init__(self, name: str) -> None:
            self.name = name

        @spi.hookimpl
        def turnout_wrap_call(self, call: spi.Call) -> Any:
            return self.around(call)

        @contextmanager
        def around(self, call: spi.Call) -> Iterator[None]:
            order.append(f"{self.name} in {turnout.current().attempt}")
            yield
            order.append(f"{self.name} out")

    class Wraps2(Wraps):
        @spi.hookimpl
        def turnout_wrap_call(self, call: spi.Call) -> Any:
            return None if call.id == "other" else self.around(call)

    with installed(Wraps("outer"), Wraps2("inner")):
        outcome_of(add, call_of(add, names=["a"], leaves=[1]))
    assert order == ["outer in 1", "inner in 1", "inner out", "outer out"]


def test_a_dynamic_task_gives_a_graph_and_calls_nothing() -> None:
    ran: list[int] = []

    @task
    def inner(x: int) -> int:
        ran.append(x)
        return x

    @dynamic
    def grow(n: int, data: list[int]) -> list[int]:
        return [inner(x) for x in range(n)] + [inner(data[0])]

    found = outcome_of(grow, call_of(grow, names=["n", "data"], leaves=[2, [5]]))
    assert found.status is spi.Status.DONE
    assert found.summary.expands
    assert [node.id for node in found.value.graph.nodes] == ["inner", "inner-2", "inner-3"]
    assert ran == []


def test_metrics_are_in_the_summary() -> None:
    @task
    def fit() -> int:
        turnout.current().log_metrics(loss=1)
        turnout.current().log_metrics(loss=0.5, steps=3)
        return 1

    found = outcome_of(fit, call_of(fit))
    assert dict(found.summary.metrics) == {"loss": 0.5, "steps": 3.0}


# -- cache -----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> dict[str, Any]:
    return {"store": str(tmp_path)}


def test_equal_calls_have_one_key(store: dict[str, Any]) -> None:
    def key(*leaves: Any, **rest: Any) -> str:
        names = ["a", "b"][: len(leaves)]
        call = call_of(
            add, names=names, leaves=leaves, run=store, version="v1",
            options={"cache": True}, **rest,
        )  # fmt: skip
        return outcome_of(add, call).summary.key

    assert key(1) == key(1, 1)
    assert key(1) != key(2)
    assert key(1, 2) != key(2, 1)
    assert key(1) == key(1, unproven=("a",))


def test_a_hit_makes_no_attempt(store: dict[str, Any]) -> None:
    told: list[int] = []
    call = call_of(add, names=["a"], leaves=[1], run=store, version="v1", options={"cache": True})
    first = outcome_of(add, call, on_attempt=lambda number, failed: told.append(number))
    second = outcome_of(add, call, on_attempt=lambda number, failed: told.append(number))
    assert (first.summary.cached, second.summary.cached) == ("stored", "hit")
    assert first.summary.key == second.summary.key
    assert first.summary.digest == second.summary.digest
    assert first.value == second.value == 2
    assert told == [1]


def test_ignored_inputs_are_not_even_digested(store: dict[str, Any]) -> None:
    @task
    def quiet(x: int, log: Any) -> int:
        return x

    def key(log: Any) -> str:
        options = {"cache": Cache(ignored_inputs=("log",))}
        call = call_of(
            quiet, names=["x", "log"], leaves=[1, log], run=store, version="v", options=options
        )
        return outcome_of(quiet, call).summary.key

    assert key(print) == key(threading.Lock())


def test_an_input_without_digest_fails_the_call(store: dict[str, Any]) -> None:
    @task
    def take(value: Any) -> int:
        return 1

    call = call_of(
        take, names=["value"], leaves=[threading.Lock()], run=store, version="v",
        options={"cache": True},
    )  # fmt: skip
    found = outcome_of(take, call)
    assert found.status is spi.Status.FAILED
    assert "parameter 'value' of task 'take'" in str(found.error)
    assert len(found.summary.attempts) == 1


def test_known_digests_are_used(store: dict[str, Any]) -> None:
    """A producer's digest stands for a value that has no canonical form."""

    class Opaque:
        def __reduce__(self) -> Any:
            return (Opaque, (), {"noise": os.urandom(8)})

    @task
    def take(value: Any) -> int:
        return 1

    def key(digest: str) -> str:
        call = call_of(
            take, names=["value"], leaves=[Opaque()], run=store, version="v",
            options={"cache": True},
        )  # fmt: skip
        return spi.run_call(call, call.leaves, take, [digest]).summary.key

    assert key("o1abc") == key("o1abc") != key("o1abd")


def test_a_result_that_cannot_be_stored_fails_the_node(store: dict[str, Any]) -> None:
    @task
    def make() -> Any:
        return threading.Lock()

    found = outcome_of(make, call_of(make, run=store, version="v", options={"cache": True}))
    assert found.status is spi.Status.FAILED
    assert "the result of node 'node'" in str(found.error)
