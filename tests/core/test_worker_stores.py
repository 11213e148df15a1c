"""A store that is another one where the worker runs."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

import turnout
from turnout import spi, task, workflow
from turnout.errors import ConfigError, PlanError
from turnout.graph import TaskKey
from turnout.storage.identity import identity_of
from turnout.storage.store import Store
from turnout.worker.keeping import keep
from turnout.worker.stores import store_of


def info(store: object, **more: object) -> spi.RunInfo:
    return spi.RunInfo("r1", "flow", "far", store=str(store), keep="auto", **more)  # type: ignore[arg-type]


def call(run: spi.RunInfo) -> spi.Call:
    spec = spi.TaskSpec(TaskKey("t"), "t", "m:t")
    return spi.Call("node", run, spec, spi.TaskOptions())


def test_two_drivers_know_one_store_by_what_is_in_it(tmp_path: Path) -> None:
    ours = identity_of(Store(tmp_path))
    assert identity_of(Store(tmp_path)) == ours
    # Another driver that came in the same moment; both are right.
    Store(tmp_path).write("identity/0000000000000000", b"")
    for identity in (ours, "0000000000000000"):
        assert spi.unreached(info(tmp_path, store_id=identity)) == ""


def test_a_folder_of_the_same_name_is_no_store(tmp_path: Path) -> None:
    run = spi.identified(info(tmp_path / "here"))
    assert run.store_id
    there = info(tmp_path / "there", store_id=run.store_id)
    (tmp_path / "there").mkdir()
    told = spi.unreached(there)
    assert "there is another place, or none, on machine" in told
    assert "execution_environment.store" in told
    with pytest.raises(ConfigError, match="another place"):
        store_of(there)
    assert os.listdir(tmp_path / "there") == [], "nothing may be written to the wrong place"
    # It may come later, as where it is mounted.
    shutil.copytree(tmp_path / "here", tmp_path / "there", dirs_exist_ok=True)
    assert store_of(there).root == str(tmp_path / "there")


def test_what_nothing_is_kept_in_needs_no_identity(tmp_path: Path) -> None:
    nothing = info(tmp_path / "new")._replace(keep="none", cache="off")
    assert spi.identified(nothing).store_id == ""
    assert not (tmp_path / "new").exists()


def test_a_store_the_driver_cannot_reach_is_told_by_who_needs_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert spi.identified(info(tmp_path / "file")).store_id == ""


def test_auto_does_not_keep_where_the_store_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    far = call(info(tmp_path / "far", store_id="0" * 16))
    large = b"x" * 10_000
    with caplog.at_level(logging.WARNING):
        assert keep(far, large, 1.0) is None
        assert keep(far, large, 1.0) is None
    assert len(caplog.records) == 1, "once a process is enough"
    small = keep(far, b"x", 1.0)
    assert small is not None
    assert small.payload is not None
    everything = far._replace(run=far.run._replace(keep="all"))
    with pytest.raises(ConfigError, match="another place"):
        keep(everything, large, 1.0)


@task(cache=True)
def cached(x: int) -> int:
    return x + 1


@workflow
def flow(x: int) -> int:
    return cached(x)


def test_a_store_in_memory_is_not_the_workers(tmp_path: Path) -> None:
    where = {"backend": "local", "workers": 1, "store": "memory://kept"}
    with pytest.raises(turnout.errors.RunFailed, match=r"memory://kept .* another place"):
        turnout.run(flow, execution_environment=where, x=1)
    here = turnout.run(flow, execution_environment={"store": "memory://kept"}, x=1)
    assert here.outputs == 2


@pytest.mark.parametrize("place", ["file/below", "nothing://place"])
def test_a_store_that_cannot_be_used_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match=r"cannot be used, and a cached task needs it \("):
        turnout.run(flow, execution_environment={"store": place}, x=1)
    assert turnout.runs() == []


def test_a_store_that_is_only_read_is_left_as_it_is(tmp_path: Path) -> None:
    where = {"store": str(tmp_path / "store"), "cache": "read", "keep": "none"}
    assert turnout.run(flow, execution_environment=where, x=1).outputs == 2
    assert not (tmp_path / "store").exists()
