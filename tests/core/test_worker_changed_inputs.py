"""A result whose inputs were changed in place is never kept under the key of what they were."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import turnout
from turnout import order, task, workflow
from turnout.storage.digest import digest, was_changed


@dataclasses.dataclass
class Table:
    rows: list[int]

    @functools.cached_property
    def total(self) -> int:
        return sum(self.rows)


class Remembers:
    def __init__(self) -> None:
        self.rows = [1, 2]
        self.seen: dict[str, int] = {}

    def total(self) -> int:
        return self.seen.setdefault("total", sum(self.rows))


def made(kind: str) -> Any:
    values: dict[str, Any] = {
        "list": [1, 2],
        "dict": {"rows": [1, 2]},
        "array": np.array([1, 2]),
        "frame": pd.DataFrame({"rows": [1, 2]}),
        "record": Table([1, 2]),
    }
    return values[kind]


def rows_of(value: Any) -> Any:
    if isinstance(value, Table):
        return value.rows
    return value["rows"] if isinstance(value, (dict, pd.DataFrame)) else value


def change(value: Any) -> None:
    if isinstance(value, pd.DataFrame):
        value.iloc[0, 0] += 100
    else:
        rows_of(value)[0] += 100


@task(cache=True)
def make(kind: str) -> Any:
    return made(kind)


@task
def spoil(value: Any) -> None:
    change(value)


@task(cache=True)
def total(value: Any) -> int:
    return int(sum(rows_of(value)))


@task(cache=True)
def spoiled_total(value: Any) -> int:
    change(value)
    return int(sum(rows_of(value)))


@task(cache=True)
def doubled(value: Any) -> list[int]:
    return [2 * int(row) for row in rows_of(value)]


@task(cache=True, retries=1)
def second_try(value: Any) -> int:
    change(value)
    if turnout.current().attempt == 1:
        raise ValueError
    return int(sum(rows_of(value)))


@workflow
def clean(kind: str) -> Any:
    value = make(kind)
    return [total(value), total(doubled(value))]


@workflow
def between(kind: str) -> Any:
    value = make(kind)
    spoiling, found, more = spoil(value), total(value), doubled(value)
    order(spoiling, found)
    order(spoiling, more)
    return [found, total(more)]


def run(flow: Any, kind: str, store: Path, **settings: Any) -> Any:
    environment = {"store": str(store), **settings}
    return turnout.run(flow, kind=kind, execution_environment=environment)


KINDS = ["list", "dict", "array", "frame", "record"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_between_changes_the_value(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(between, kind, tmp_path).outputs == [103, 206]
    assert "node 'total': the value of parameter 'value' was changed in place" in caplog.text
    # What was computed from the spoiled value is found by nobody who has the right one.
    found = run(clean, kind, tmp_path)
    assert found.outputs == [3, 6]
    assert {node.name: node.cached for node in found.nodes}["make"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [None, 1])
def test_a_task_changes_its_own_input(
    kind: str, workers: int | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow
    def flow(kind: str) -> Any:
        value = make(kind)
        return [spoiled_total(value), second_try(make(kind))]

    assert run(flow, kind, tmp_path, workers=workers).outputs == [103, 203]
    if not workers:
        assert "by task 'spoiled_total' or by one that took the value" in caplog.text
        assert "node 'second_try'" in caplog.text
    again = run(flow, kind, tmp_path).nodes
    assert {node.task: node.cached for node in again} == {
        "make": True, "spoiled_total": False, "second_try": False,
    }  # fmt: skip


def test_what_is_only_used_is_cached(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    @task(cache=True)
    def derived(kind: str) -> Any:
        return Table([1, 2]) if kind == "record" else Remembers()

    @task(cache=True)
    def use(value: Any) -> int:
        return int(value.total() if isinstance(value, Remembers) else value.total)

    @workflow
    def flow(kind: str) -> int:
        return use(derived(kind))

    for kind in ("record", "object"):
        run(flow, kind, tmp_path)
        assert [node.cached for node in run(flow, kind, tmp_path).nodes] == [True, True]
    assert caplog.text == ""


def test_was_changed() -> None:
    for kind in KINDS:
        value = made(kind)
        before = digest(value)
        assert not was_changed(value, before)
        assert not was_changed(value, "o1ab")
        change(value)
        assert was_changed(value, before)
    held: list[Any] = [1]
    before = digest(held)
    held.append(held)
    assert not was_changed(held, before)


def test_a_cached_property_is_no_content() -> None:
    used, unused = Table([1]), Table([1])
    assert used.total == 1
    assert digest(used) == digest(unused)
