"""How values travel on Ray: what the driver touches, what is shared, what is copied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import ray

import turnout
from turnout import map_task, task, workflow
from turnout_ray import executor

RAY = {"backend": "ray"}
LENGTH = 100_000


@task
def arrays(count: int) -> list[np.ndarray]:
    return [np.full(LENGTH, number) for number in range(count)]


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def double(x: int) -> int:
    return 2 * x


@task
def total(part: np.ndarray, base: np.ndarray) -> int:
    for array in (part, base):
        assert not array.flags.owndata, "it is read where it lies"
        assert not array.flags.writeable
    return int(part.sum()) + len(base)


@workflow
def summed(count: int) -> list[int]:
    return map_task(partial(total, base=np.ones(1_000_000)))(part=arrays(count))


@workflow
def doubled(count: int) -> list[int]:
    return map_task(double)(x=numbers(count))


@workflow
def made(count: int) -> list[np.ndarray]:
    return arrays(count)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("instance"))
    ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()
    os.chdir(before)


@pytest.fixture
def touched(instance: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Sizes of what the driver puts into the store, and lengths of the lists that are split."""
    seen: dict[str, list[int]] = {"put": [], "split": []}
    put, split = ray.put, executor.RayExecutor.split

    def put_and_tell(value: executor.Box) -> ray.ObjectRef:
        seen["put"].append(sum(memoryview(part).nbytes for part in value.buffers))
        return put(value)

    def split_and_tell(self: executor.RayExecutor, handle: object, length: int) -> object:
        found = split(self, handle, length)
        seen["split"] += [] if found is None else [len(found)]
        return found

    monkeypatch.setattr(ray, "put", put_and_tell)
    monkeypatch.setattr(executor.RayExecutor, "split", split_and_tell)
    return seen


def test_a_large_list_is_split_where_it_is_and_a_constant_is_stored_once(
    touched: dict[str, list[int]],
) -> None:
    run = turnout.run(summed, execution_environment=RAY, count=12)
    assert run.outputs == [LENGTH * number + 1_000_000 for number in range(12)]
    assert touched["split"] == [12]
    assert len(touched["put"]) == 1
    assert touched["put"][0] > 8_000_000


def test_the_items_of_a_small_list_go_inside_their_calls(touched: dict[str, list[int]]) -> None:
    run = turnout.run(doubled, execution_environment=RAY, count=30)
    assert run.outputs == [2 * number for number in range(30)]
    assert touched == {"put": [], "split": []}


@task
def few(count: int) -> np.ndarray:
    return np.arange(count)


@task
def writeable(part: np.ndarray) -> bool:
    return bool(part.flags.writeable)


@workflow
def asked(count: int) -> bool:
    return writeable(few(count))


@pytest.mark.parametrize("count", [3, LENGTH])
def test_an_input_is_read_only_whatever_its_size(instance: None, count: int) -> None:
    assert turnout.run(asked, execution_environment=RAY, count=count).outputs is False


def test_what_a_run_gives_is_the_users_own(instance: None) -> None:
    found = turnout.run(made, execution_environment=RAY, count=2).outputs
    found[1] += 1
    assert found[1].sum() == 2 * LENGTH
