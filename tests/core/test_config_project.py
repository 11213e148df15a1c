from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.config import project
from turnout.errors import ConfigError

CORE = Path(__file__).parents[2] / "core"


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git", ".turnout"])
def test_the_nearest_mark_is_the_root(tmp_path: Path, mark: str) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    if mark == "pyproject.toml":
        (tmp_path / "a" / mark).touch()
    else:
        (tmp_path / "a" / mark).mkdir()
    found = project.find(inner)
    assert (found.root, found.source) == (tmp_path / "a", tmp_path / "a")


def test_src_is_the_source_unless_the_table_says_another(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert project.find(tmp_path).source == tmp_path / "src"
    (tmp_path / "pyproject.toml").write_text(
        "[tool.turnout]\nsource = 'lib'\nexclude = ['*.csv']\n"
    )
    found = project.find(tmp_path / "src")
    assert (found.source, found.exclude) == (tmp_path / "lib", ("*.csv",))


@pytest.mark.parametrize(
    "text",
    [
        "[tool.turnout]\nsource = 'lib'",
        "  [ tool . turnout ]\nsource = 'lib'",
        "[tool.'turnout']\nsource = 'lib'",
        "['tool'.\"turnout\"]\nsource = 'lib'",
        "[tool]\nturnout.source = 'lib'",
        "[ tool ]\nturnout = {source = 'lib'}",
        "tool.turnout.source = 'lib'",
        "tool = {turnout = {source = 'lib'}}",
    ],
)
def test_the_table_may_be_spelt_in_every_way_of_toml(tmp_path: Path, text: str) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "pyproject.toml").write_text(f"{text}\n\n[project]\nname = 'x'\n")
    assert project.find(tmp_path).source == tmp_path / "lib"


def test_no_toml_is_read_for_a_project_that_only_needs_turnout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[project]\ndependencies = ['turnout[ray]']\n[tool.ruff]\nsrc = ['turnout']\n"
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.setitem(sys.modules, "tomllib", None)
    assert project.find(tmp_path).source == tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.turnout]\nsorce = 'x'", "'tool.turnout.sorce'; did you mean 'source'"),
        ("[tool.turnout]\nsource = 3", "source must be a directory's name"),
        ("[tool.turnout]\nsource = 'gone'", "there is no directory"),
        ("[tool.turnout]\nexclude = 'x'", "exclude must be a list"),
        ("[tool]\nturnout = 1", "must be a table"),
        ("[tool.turnout", "not valid TOML"),
    ],
)
def test_a_wrong_table(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        project.find(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["pkg/main.py"], "main"),
        (["-m", "pkg.main"], "pkg.main"),
        (
            [
                "-c",
                "import runpy; from turnout.config import project; print(project.main_module())",
            ],
            None,
        ),
    ],
)
def test_the_name_main_goes_by(tmp_path: Path, arguments: list[str], name: str | None) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / "main.py").write_text(
        "import importlib\n"
        "from turnout.config import project\n"
        "class Model: ...\n"
        "project.alias_main()\n"
        "name, file = project.main_module()\n"
        "assert importlib.import_module(name).Model is Model\n"
        "assert project.find().main == (name, file)\n"
        "print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CORE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{name}\n", done.stderr


def test_a_file_is_imported_by_the_name_others_import_it_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    package = tmp_path / "team_flows"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "steps.py").write_text("X = 1\n")
    (package / "flow.py").write_text("from .steps import X\n")
    assert project.import_file(package / "flow.py").__name__ == "team_flows.flow"


def test_files_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ConfigError, match="there is no file"):
        project.import_file(tmp_path / "gone.py")
    (tmp_path / "my-flow.py").touch()
    with pytest.raises(ConfigError, match="not an identifier"):
        project.import_file(tmp_path / "my-flow.py")
    (tmp_path / "json.py").touch()
    with pytest.raises(ConfigError, match="rename the file"):
        project.import_file(tmp_path / "json.py")
