from __future__ import annotations

import sys
from pathlib import Path

import pytest

import turnout
from turnout import map_task, task, workflow
from turnout.errors import ConfigError, NonRetryable, RunFailed, TurnoutError


@task(cache=True)
def table(n: int) -> list[int]:
    return list(range(n))


@task
def double(x: int) -> int:
    return 2 * x


@task
def blob(n: int) -> bytes:
    return b"x" * n


@workflow
def pipeline(n: int) -> list[int]:
    blob(3_000_000)
    return map_task(double)(x=table(n))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outputs_of_nodes_come_from_the_record_the_cache_and_the_items_of_maps(
    project: Path,
) -> None:
    settings = {"store": str(project / "store")}
    for _ in range(2):
        run = turnout.run(pipeline, n=3, execution_environment=settings)
        assert run.output("table") == [0, 1, 2]
        assert run.output("double") == [0, 2, 4]
        assert run.output("double[1]") == 2
        with pytest.raises(ConfigError, match=r"'blob' .* not kept.*keep=all"):
            run.output("blob")
        with pytest.raises(ConfigError, match="no node 'trable'"):
            run.output("trable")


def test_keep_all_keeps_large_results_in_the_store(project: Path) -> None:
    settings = {"store": str(project / "store"), "keep": "all"}
    run = turnout.run(pipeline, n=3, execution_environment=settings)
    assert len(run.output("blob")) == 3_000_000
    assert list((project / "store" / "artifacts").rglob("*"))


def test_keep_none_keeps_nothing(project: Path) -> None:
    settings = {"store": str(project / "store"), "keep": "none"}
    run = turnout.run(pipeline, n=3, execution_environment=settings)
    assert run.outputs == [0, 2, 4]
    with pytest.raises(ConfigError, match="not kept"):
        run.output("double")


@task(retries=1, timeout=20)
def measured(x: int) -> int:
    turnout.current().log_metrics(loss=0.5, rows=x)
    return x


@task
def leaves() -> int:
    sys.exit(3)


@workflow
def logging(x: int) -> int:
    return measured(x)


@workflow
def leaving() -> int:
    return leaves()


def test_metrics_are_in_the_record(project: Path) -> None:
    run = turnout.run(logging, x=2, execution_environment={"store": str(project / "store")})
    assert run.nodes[0].metrics == {"loss": 0.5, "rows": 2.0}
    assert turnout.get_run(run.id).nodes[0].metrics == {"loss": 0.5, "rows": 2.0}


def test_a_plain_call_is_not_refused_for_what_only_an_environment_can_do() -> None:
    with pytest.raises(TurnoutError, match="works inside a task of a run"):
        measured(1)
    assert logging(2) == 2


def test_a_task_ends_itself_and_not_the_driver(project: Path) -> None:
    with pytest.raises(RunFailed, match=r"sys.exit\(3\)") as failure:
        turnout.run(leaving, execution_environment={"store": str(project / "store")})
    assert isinstance(failure.value.__cause__, NonRetryable)
