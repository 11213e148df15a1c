"""Failures in several workflows of one run: each has its handler run, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout import task, workflow
from turnout.errors import RunFailed

heard: list[tuple[str, str]] = []


@task
def bad(n: int) -> int:
    raise ValueError(n)


@task
def hear_inner(n: int, error: str) -> None:
    heard.append((f"inner {n}", error))


@task
def hear_outer(error: str) -> None:
    heard.append(("outer", error))


@workflow(on_failure=hear_inner)
def inner(n: int) -> int:
    return bad(n)


@workflow(on_failure=hear_outer)
def outer() -> list[int]:
    return [inner(1), bad(3), inner(2)]


@pytest.mark.parametrize(
    ("on_error", "told"),
    [
        ("continue", [("inner 1", "ValueError: 1"), ("inner 2", "ValueError: 2")]),
        ("stop", [("inner 1", "ValueError: 1")]),
    ],
)
def test_each_workflow_that_failed_has_its_handler_run_once(
    on_error: str, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".turnout").mkdir()
    monkeypatch.chdir(tmp_path)
    heard.clear()
    with pytest.raises(RunFailed, match="1") as failed:
        turnout.run(outer, {"turnout": {"on_error": on_error}})
    assert heard == [*told, ("outer", "ValueError: 1")]
    assert failed.value.node == "inner/bad"
