"""Modules of the user's in a worker: those of the driver, whatever else has their names there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.worker.modules import Modules
from turnout.worker.paths import folders_of, put_first

NAMES = ("same_name", "package_of_that_name")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two folders with modules and packages of the same names, the first of them on the path."""
    for folder in ("first", "second"):
        for name in NAMES:
            (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / "same_name").rmdir()
        (tmp_path / folder / "same_name.py").write_text(f"WHERE = {folder!r}\n")
        package = tmp_path / folder / "package_of_that_name"
        (package / "__init__.py").touch()
        (package / "inner.py").write_text(f"WHERE = {folder!r}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), *sys.path])
    yield tmp_path
    for name in [*sys.modules]:
        if name.startswith(NAMES):
            del sys.modules[name]


@pytest.mark.parametrize("folder", ["first", "second"])
@pytest.mark.parametrize("name", ["same_name", "package_of_that_name.inner"])
def test_the_file_is_the_driver_s(project: Path, folder: str, name: str) -> None:
    file = project / folder / (name.replace(".", "/") + ".py")
    modules = Modules(None, {name: str(file)})
    modules.load(name)
    modules.complain(name)
    assert folder == sys.modules[name].WHERE


def test_a_file_that_is_not_there_is_found_by_its_name(project: Path) -> None:
    modules = Modules(None, {"same_name": str(project / "gone" / "same_name.py")})
    modules.load("same_name")
    assert sys.modules["same_name"].WHERE == "first"


def test_a_folder_that_is_not_on_the_path(project: Path) -> None:
    (project / "third").mkdir()
    (project / "third" / "same_name_as_none.py").write_text("WHERE = 'third'\n")
    before = sys.path[0]
    modules = Modules(None, {"same_name_as_none": str(project / "third" / "same_name_as_none.py")})
    modules.load("same_name_as_none")
    assert sys.modules["same_name_as_none"].WHERE == "third"
    assert sys.path[0] == before, "it hides nothing"


def test_folders_of_the_project_come_in_the_driver_s_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    root, flows, library, elsewhere = (
        str(tmp_path), str(tmp_path / "flows"), str(tmp_path / ".venv" / "lib"), "/nowhere",
    )  # fmt: skip
    monkeypatch.setattr(sys, "path", [flows, elsewhere, library, root])
    driver = folders_of(root)
    assert driver == [flows, root]
    for here, there in (
        ([flows, elsewhere, library, root], None),  # as it is, to the last place
        ([root, elsewhere], [flows, root, elsewhere]),
        ([elsewhere, library], [flows, root, elsewhere, library]),
    ):
        monkeypatch.setattr(sys, "path", here)
        put_first(driver, root)
        assert sys.path == (there or here)
