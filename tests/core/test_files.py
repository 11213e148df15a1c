from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

import turnout
from turnout import Directory, File, task, workflow
from turnout.errors import ConfigError, RunFailed
from turnout.storage.store import Store

HERE = {"keep": "none"}


@dataclasses.dataclass
class Report:
    text: File
    pages: int


@task
def write(folder: Path, text: str) -> File:
    path = folder / "out.txt"
    path.write_text(text)
    return File(path)


@task
def report(folder: Path) -> Report:
    path = folder / "report.md"
    path.write_text("# Report")
    return Report(File(path), 3)


@task
def overwrite(folder: Path, after: File) -> File:
    (folder / "out.txt").write_text("something else")
    return after


@task
def read(file: File) -> str:
    with file.open() as opened:
        return f"{opened.read()} {Path(file).name} {os.path.exists(file)}"


@task(cache=True)
def size(file: File) -> int:
    return len(file.path.read_bytes())


@task
def tree(folder: Path) -> Directory:
    (folder / "made" / "below").mkdir(parents=True)
    (folder / "made" / "below" / "a b.txt").write_text("1")
    return Directory(folder / "made")


@task
def names(directory: Directory) -> list[str]:
    return sorted(path.name for path in directory.path.rglob("*"))


@task
def nothing(folder: Path) -> File:
    return File(folder / "missing")


@workflow
def through(folder: Path) -> str:
    return read(overwrite(folder, write(folder, "hello")))


@workflow
def in_a_dataclass(folder: Path) -> str:
    return read(report(folder).text)


@workflow
def sized(file: File) -> int:
    return size(file)


@workflow
def of_trees(folder: Path) -> list[str]:
    return names(tree(folder))


@workflow
def missing(folder: Path) -> File:
    return nothing(folder)


@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    return {**HERE, "store": str(tmp_path / "store")}


def test_a_file_is_captured_when_its_task_ends(tmp_path: Path, here: dict[str, str]) -> None:
    run = turnout.run(through, folder=tmp_path, execution_environment=here)
    assert run.outputs == "hello out.txt True"
    assert (tmp_path / "out.txt").read_text() == "something else"


def test_a_plain_call_captures_nothing(tmp_path: Path) -> None:
    assert through(tmp_path) == "something else out.txt True"


def test_a_file_in_a_dataclass_is_captured(tmp_path: Path, here: dict[str, str]) -> None:
    assert turnout.run(in_a_dataclass, folder=tmp_path, execution_environment=here).outputs == (
        "# Report report.md True"
    )


def test_a_directory_is_captured_with_all_below_it(tmp_path: Path, here: dict[str, str]) -> None:
    run = turnout.run(of_trees, folder=tmp_path, execution_environment=here)
    assert run.outputs == ["a b.txt", "below"]


def test_a_file_that_is_not_there_fails_its_node(tmp_path: Path, here: dict[str, str]) -> None:
    with pytest.raises(RunFailed, match="nothing at this path") as failure:
        turnout.run(missing, folder=tmp_path, execution_environment=here)
    assert failure.value.node == "nothing"


def test_a_path_in_a_config_becomes_a_file_keyed_by_its_content(
    tmp_path: Path, here: dict[str, str]
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,2,3")

    def run() -> tuple[int, bool]:
        done = turnout.run(sized, file=str(data), execution_environment=here)
        return done.outputs, done.nodes[0].cached

    assert run() == (5, False)
    os.utime(data, (1, 1))
    assert run() == (5, True)
    data.write_text("1,2,3,4")
    assert run() == (7, False)


def test_a_reference_counts_by_size_and_time_and_is_not_copied(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1")
    file = File.at(f"file://{data}")
    before = file.__turnout_digest__()
    assert file.captured(Store(tmp_path / "store")) is file
    with file.open() as opened:
        assert opened.read() == "1"
    os.utime(data, (1, 1))
    assert file.__turnout_digest__() != before
    with pytest.raises(ConfigError, match="is a reference and is never copied"):
        os.fspath(file)


def test_a_captured_file_comes_back_from_a_remote_store(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("hello")
    captured = File(path).captured(Store("memory://turnout-test-files"))
    path.unlink()
    assert captured.url.startswith("memory://")
    assert captured.path.read_text() == "hello"


@task
def forgets(folder: Path) -> File:
    return File(folder / "nowhere.txt")


@workflow
def forgetful(folder: Path) -> File:
    return forgets(folder)


def test_a_file_that_is_not_there_is_told_with_its_node(tmp_path: Path) -> None:
    with pytest.raises(RunFailed) as caught:
        turnout.run(forgetful, folder=tmp_path)
    told = str(caught.value.__cause__)
    assert told.startswith("the result of node 'forgets' of task 'forgets': File(")
    assert told.endswith("nowhere.txt'): there is nothing at this path")
