"""What the engine holds on to, and for how long."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout import dynamic, map_task, task, workflow
from turnout.testing import ThreadsBackend, installed

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".turnout").mkdir()
    monkeypatch.chdir(tmp_path)
    seen.clear()


class Big:
    """A value that can be watched."""


seen: list[Any] = []


def alive() -> int:
    gc.collect()
    return sum(ref() is not None for ref in seen)


def down_to(most: int) -> int:
    """How many values are alive once there are so few, or after ten seconds.

    A task that was sent ahead begins before the driver has heard what ended before it.
    """
    end = time.monotonic() + 10
    while (count := alive()) > most and time.monotonic() < end:
        time.sleep(0.01)
    return count


@task
def make(after: int = 0) -> Big:
    value = Big()
    seen.append(weakref.ref(value))
    return value


@task
def use(value: Big) -> int:
    return 1


@task
def left(most: int, *, after: int = 0) -> int:
    return down_to(most)


@task
def pair(value: Big) -> list[Big]:
    return [value, value]


@task
def keep(value: Big) -> Big:
    return value


ENVIRONMENTS = [{}, {"backend": "threads", "threads": 1}]


def run(flow: Any, environment: dict[str, Any], **inputs: Any) -> Any:
    with installed(ThreadsBackend()):
        return turnout.run(
            flow, execution_environment={"keep": "none", **environment}, **inputs
        ).outputs


@pytest.fixture(params=ENVIRONMENTS, ids=["here", "threads"])
def environment(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param  # type: ignore[no-any-return]


def test_a_result_is_dropped_after_its_last_consumer(environment: dict[str, Any]) -> None:
    @workflow
    def flow() -> list[int]:
        value = make()
        first = use(value)
        during = left(1, after=first)
        second = use(keep(value))
        turnout.order(during, second)
        return [during, left(0, after=second)]

    assert run(flow, environment) == [1, 0]


def test_a_chain_holds_one_value_at_a_time(environment: dict[str, Any]) -> None:
    @workflow
    def flow() -> list[int]:
        counts, step = [], 0
        for _ in range(5):
            step = use(make(step))
            step = left(1, after=step)
            counts.append(step)
        return counts

    assert max(run(flow, environment)) <= 1


def test_an_unused_result_is_dropped(environment: dict[str, Any]) -> None:
    @workflow
    def flow() -> int:
        value = make()
        step = left(1)
        turnout.order(value, step)
        return left(0, after=step)

    assert run(flow, environment) == 0


def test_items_of_maps_are_dropped(environment: dict[str, Any]) -> None:
    @task
    def made(x: int) -> Big:
        return make.fn(0)  # type: ignore[no-any-return]

    @task
    def ones(values: list[int]) -> int:
        return sum(values)

    @workflow
    def flow() -> list[int]:
        n = ones(map_task(use)(map_task(made)([1, 2, 3])))
        return [n, left(0, after=n)]

    assert run(flow, environment) == [3, 0]


def test_what_a_branch_or_dynamic_task_used_is_dropped(environment: dict[str, Any]) -> None:
    @dynamic
    def grown(value: Big) -> int:
        return use(keep(value))

    @workflow
    def flow() -> list[int]:
        value = make()
        n = grown(value)
        chosen = (
            turnout.conditional("which")
            .if_(n > 0)
            .then(use(keep(value)))
            .else_()
            .then(use(keep(keep(value))))
        )
        return [chosen, left(0, after=chosen)]

    assert run(flow, environment) == [1, 0]


def test_nothing_is_held_after_a_run(environment: dict[str, Any]) -> None:
    @workflow
    def flow() -> Big:
        return keep(make())

    result = run(flow, environment)
    assert alive() == 1
    del result
    assert alive() == 0


def test_nothing_is_held_after_a_failure(environment: dict[str, Any]) -> None:
    @task
    def boom(value: Big) -> int:
        raise ValueError("no")

    @workflow
    def flow() -> int:
        return boom(keep(make()))

    with pytest.raises(turnout.errors.RunFailed) as failed:
        run(flow, environment)
    failed.value.__cause__ = None  # its traceback shows the task's arguments to a debugger
    del failed
    assert alive() <= 1


def test_a_frame_is_not_copied_in_this_process() -> None:
    np = pytest.importorskip("numpy")
    where: list[int] = []

    @task
    def frame(mb: int) -> np.ndarray:
        return np.zeros(mb << 17)

    @task
    def same(data: np.ndarray) -> np.ndarray:
        where.append(data.__array_interface__["data"][0])
        return data

    @task
    def size(data: np.ndarray) -> int:
        return int(data.nbytes)

    @workflow
    def flow(mb: int) -> int:
        data = frame(mb)
        for _ in range(5):
            data = same(data)
        return size(data)

    tracemalloc.start()
    try:
        assert turnout.run(flow, mb=32).outputs == 32 << 20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(set(where)) == 1
    assert peak < 48 << 20


def test_threads_end_with_the_run() -> None:
    before = threading.active_count()

    @workflow
    def flow() -> int:
        return use(make())

    assert run(flow, {"backend": "threads", "threads": 3}) == 1
    assert threading.active_count() == before


@workflow
def both() -> list[Big]:
    return [make(), make()]


def test_the_values_of_a_run_go_with_it_and_not_with_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        assert len(run(both, {})) == 2
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()
