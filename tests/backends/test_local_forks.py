"""Worker processes are forks of one process, with which they start and which tells how they end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnout
from turnout import spi
from turnout.errors import RunFailed, WorkerLost

WORKERS = {"backend": "local", "workers": 2}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()


@turnout.task
def relatives(after: list[int]) -> list[int]:
    """The process, its parent and the parent's parent."""
    time.sleep(0.2)  # for another one to be somewhere else
    status = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
    return [os.getpid(), os.getppid(), int(status[1])]


@turnout.task
def end_parent(workers: list[list[int]]) -> list[int]:
    [parent] = {parent for _, parent, _ in workers}
    assert parent == os.getppid()
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    return [pid for pid, _, _ in workers]


@turnout.task
def leave(after: list[int]) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return len(after)


def test_workers_have_one_parent_that_the_driver_started() -> None:
    @turnout.workflow
    def pair() -> list[list[int]]:
        return [relatives([]), relatives([])]

    first, second = turnout.run(pair, execution_environment=WORKERS).outputs
    assert first[0] != second[0]
    assert first[1] == second[1]
    assert first[2] == second[2] == os.getpid()


def test_a_run_survives_the_end_of_the_parent() -> None:
    @turnout.workflow
    def orphans() -> tuple[list[int], list[int], list[int]]:
        before = end_parent([relatives([]), relatives([])])
        return before, relatives(before), relatives(before)

    before, *after = turnout.run(orphans, execution_environment=WORKERS).outputs
    assert len(set(before)) == 2
    assert {pid for pid, _, _ in after} == set(before)


def test_a_worker_that_is_lost_after_its_parent_is_replaced() -> None:
    @turnout.workflow
    def lost() -> int:
        return leave(end_parent([relatives([])]))

    with pytest.raises(RunFailed) as caught:
        turnout.run(lost, execution_environment={"backend": "local", "workers": 1})
    assert isinstance(caught.value.__cause__, WorkerLost)
    # Those that replaced the first one have parents that tell.
    assert "was ended by SIGTERM" in str(caught.value.__cause__)


@pytest.fixture
def children() -> Iterator[list[spi.Child]]:
    started: list[spi.Child] = []
    yield started
    for child in started:
        child.dispose()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_children_end_when_they_are_let_go(children: list[spi.Child]) -> None:
    children += spi.start(os.getcwd(), 3)
    pids = [child.pid for child in children]
    assert len({*pids, os.getpid()}) == 4
    assert all(os.getpgid(pid) == pid for pid in pids)
    children[1].finish()
    assert children[1].wait(5)
    assert children[1].how() == "left with exit status 0"
    children[0].signal(signal.SIGTERM)
    assert children[0].how() == "was ended by SIGTERM"
    assert not children[2].wait(0)
    for child in children:
        child.dispose()
        child.dispose()
    assert all(map(gone, pids))


def test_children_are_ended_before_they_have_been(children: list[spi.Child]) -> None:
    begin = time.monotonic()
    children += spi.start(os.getcwd(), 2)
    spi.end(children, 5)
    assert time.monotonic() - begin < 2
    assert [child.pid for child in children] == [0, 0]


def test_what_ended_the_parent_is_told_of_those_that_have_never_been(
    children: list[spi.Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "turnout.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    children += spi.start(os.getcwd(), 2)
    assert [child.how() for child in children] == ["left with exit status 3"] * 2


def test_the_end_of_a_pipe_is_that_of_its_own_worker(children: list[spi.Child]) -> None:
    children += spi.start(os.getcwd(), 3)
    os.kill(children[1].pid, signal.SIGKILL)
    assert children[1].wait(5)
    assert children[1].read() == ([], True)
    assert children[0].read() == ([], False)
    assert children[2].read() == ([], False)


def test_descriptors_are_given_back(children: list[spi.Child]) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for count in (1, 3):
        started = spi.start(os.getcwd(), count)
        children += started
        spi.end(started, 5)
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_not_there_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        spi.start(str(tmp_path / "missing"), 2)
    assert set(os.listdir("/proc/self/fd")) == before
