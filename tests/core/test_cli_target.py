from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.cli.target import BrokenModule, load_workflow
from turnout.errors import ConfigError
from turnout.observe.failure import show_error

TWO = """
from turnout import task, workflow

@task
def double(x: int) -> int:
    return 2 * x

@workflow
def first(x: int) -> int:
    return double(x)

@workflow
def second(x: int) -> int:
    return double(x)

number = 3
"""
ONE = """
from two_flows import double, first, workflow

@workflow
def only(x: int) -> int:
    return double(x)
"""
MODULES = (
    "two_flows", "one_flow", "flow_package", "nothing", "raising", "lacking", "typo", "leaving",
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of modules, whose names no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "two_flows.py").write_text(TWO, encoding="utf-8")
    (tmp_path / "one_flow.py").write_text(ONE, encoding="utf-8")
    package = tmp_path / "flow_package" / "deep"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (package / "part.py").write_text(TWO, encoding="utf-8")
    yield tmp_path
    for name in list(sys.modules):
        if name.partition(".")[0] in MODULES:
            del sys.modules[name]


def refused(target: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_workflow(target)
    return show_error(caught.value)


def test_by_file_and_by_module(place: Path) -> None:
    workflow = load_workflow("two_flows.py:first")
    assert workflow.ref == "two_flows:first"
    assert load_workflow("two_flows:first") is workflow
    assert load_workflow(str(place / "two_flows.py") + ":first") is workflow
    part = load_workflow("flow_package/deep/part.py:second")
    assert part.ref == "flow_package.deep.part:second"
    assert load_workflow("flow_package.deep.part:second") is part


def test_the_name_may_be_left_out_where_there_is_one(place: Path) -> None:
    assert load_workflow("one_flow.py").name == "only"
    assert load_workflow("one_flow.py:first").name == "first"
    assert refused("two_flows.py") == (
        "error: say which workflow, two_flows.py:NAME; there are: first, second"
    )


def test_names_that_are_not_there_list_those_that_are(place: Path) -> None:
    assert refused("two_flows.py:frist") == (
        "error: two_flows.py has no workflow 'frist'; did you mean 'first'? "
        "There are: first, second"
    )
    assert "'double' in two_flows.py is a task, not a workflow" in refused("two_flows.py:double")
    assert "mark the function with @workflow" in refused("two_flows.py:number")
    assert "there is no file 'two_flow.py'; did you mean 'two_flows.py'?" in refused(
        "two_flow.py:x"
    )
    assert "there is no module 'two_flow'" in refused("two_flow:first")
    assert "did you mean 'two_flows'?" in refused("two_flow:first")
    assert "'two_flows' is not a package" in refused("two_flows.sub:first")
    assert "there is no module 'flow_package.nope'" in refused("flow_package.nope:first")
    assert "neither a file nor the name of a module" in refused("no-name:first")
    (place / "nothing.py").touch()
    assert "nothing.py has no workflow; mark a function with @workflow" in refused("nothing.py")


def test_a_module_that_raises_shows_its_own_frames(place: Path) -> None:
    code = "import json\n\ndef read():\n    return json.loads('{')\n\nread()\n"
    (place / "raising.py").write_text(code, encoding="utf-8")
    text = refused("raising.py:x")
    assert 'File "raising.py", line 4, in read' in text
    assert "importlib" not in text
    assert text.endswith("\n\nerror: raising.py cannot be imported")
    (place / "lacking.py").write_text("import no_such_module_at_all\n", encoding="utf-8")
    with pytest.raises(BrokenModule):
        load_workflow("lacking:x")
    (place / "typo.py").write_text("def f(:\n", encoding="utf-8")
    assert "SyntaxError" in refused("typo.py")
    (place / "leaving.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    assert 'under `if __name__ == "__main__":`' in refused("leaving.py")
