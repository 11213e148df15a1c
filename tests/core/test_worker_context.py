"""Async tasks and contexts where threads and event loops are about."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

import turnout
from turnout import task, workflow
from turnout.testing import ThreadsBackend, installed

pytestmark = pytest.mark.usefixtures("here")
colour: ContextVar[str] = ContextVar("colour", default="none")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".turnout").mkdir()
    monkeypatch.chdir(tmp_path)


@task
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@task
async def told(x: int) -> str:
    await asyncio.sleep(0)
    return f"{turnout.current().node} {turnout.current().attempt} {colour.get()}"


@task
async def boom(x: int) -> int:
    await asyncio.sleep(0)
    raise LookupError("async")


@workflow
def flow(x: int) -> list[int]:
    return [later(later(x)), later(x)]


@workflow
def telling() -> str:
    return told(1)


@workflow
def failing() -> int:
    return boom(1)


def test_async_tasks_run_from_plain_code() -> None:
    assert flow(1) == [3, 2]
    assert turnout.run(flow, x=1).outputs == [3, 2]


def test_async_tasks_run_inside_a_running_loop() -> None:
    async def notebook() -> list[list[int]]:
        return [flow(1), turnout.run(flow, x=1).outputs]

    assert asyncio.run(notebook()) == [[3, 2], [3, 2]]


def test_a_loop_is_left_as_it_was() -> None:
    async def notebook() -> bool:
        before = asyncio.get_running_loop()
        flow(1)
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is before

    assert asyncio.run(notebook())
    assert turnout.run(flow, x=1).outputs == [3, 2]


def test_async_tasks_see_context_and_variables() -> None:
    colour.set("red")
    assert turnout.run(telling).outputs == "told 1 red"


def test_async_failures_keep_their_type() -> None:
    with pytest.raises(LookupError, match="async"):
        failing()
    with pytest.raises(turnout.errors.RunFailed) as failed:
        turnout.run(failing)
    assert isinstance(failed.value.__cause__, LookupError)


def test_async_tasks_on_threads() -> None:
    before = threading.active_count()

    @workflow
    def wide() -> list[int]:
        return [later(x) for x in range(20)]

    with installed(ThreadsBackend()):
        found = turnout.run(wide, execution_environment={"backend": "threads", "threads": 4})
    assert found.outputs == list(range(1, 21))
    assert threading.active_count() == before


def test_a_context_outlives_neither_task_nor_thread() -> None:
    kept: list[turnout.TaskContext] = []

    @task
    def keep(x: int) -> int:
        kept.append(turnout.current())
        return x

    @workflow
    def keeping() -> int:
        return keep(1)

    run = turnout.run(keeping)
    assert kept[0].run_id == run.id  # what was taken stays readable
    with pytest.raises(turnout.errors.TurnoutError):
        turnout.current()


def test_a_run_inside_a_task_has_its_own_context() -> None:
    @task
    def inner(x: int) -> str:
        return turnout.current().node

    @workflow
    def nested() -> str:
        return inner(1)

    @task
    def outer(x: int) -> list[str]:
        before = turnout.current().node
        return [before, turnout.run(nested).outputs, turnout.current().node]

    @workflow
    def around() -> list[str]:
        return outer(1)

    assert turnout.run(around).outputs == ["outer", "inner", "outer"]
