"""`turnout doctor`, with plugins that are well, sick and broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from turnout import spi
from turnout.backend.registry import Registry, use
from turnout.cli import main
from turnout.testing import ThreadsBackend


class Sick(ThreadsBackend):
    name = "sick"
    is_default = True

    def doctor(self, config: Any, project: spi.Project) -> Iterator[spi.Check]:
        yield spi.Check.ok("SDK", "1.2")
        yield spi.Check.warning("engine", "is old\nand slow", "upgrade it")
        if config.threads > 4:
            yield spi.Check.problem("threads", f"{config.threads} are too many", "take 4")
        if config.threads == 0:
            raise OSError("no engine")


class Refusing(ThreadsBackend):
    name = "refusing"

    def check(self, config: Any) -> list[str]:
        return ["the SDK is not installed; pip install sdk"]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    found = Registry()
    found.register(brings(Sick()), "sick")
    before = use(found)
    yield found
    use(before)


def brings(*backends: spi.Backend) -> SimpleNamespace:
    @spi.hookimpl
    def turnout_backends() -> list[spi.Backend]:
        return list(backends)

    return SimpleNamespace(turnout_backends=turnout_backends)


def checking(function: Callable[[], Any]) -> SimpleNamespace:
    function.__name__ = "turnout_checks"
    return SimpleNamespace(turnout_checks=spi.hookimpl(function))


@pytest.fixture
def told(registry: Registry, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def doctor(*arguments: str, status: int = 0) -> str:
        assert main(["doctor", *arguments]) == status
        return capsys.readouterr().out

    return doctor


def test_what_is_well_and_what_could_be_better(told: Callable[..., str]) -> None:
    lines = told().splitlines()
    assert lines[0] == "turnout"
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == [
        "ok", "ok", "ok", "ok", "ok", "ok", "warning",
    ]  # fmt: skip
    assert lines[-7:] == [
        "sick",
        "  ok       SDK            1.2",
        "  warning  engine         is old",
        "                          and slow",
        "                          > upgrade it",
        "",
        "1 warning",
    ]


def test_a_problem_ends_with_status_1(told: Callable[..., str]) -> None:
    printed = told("sick", "execution_environment.threads=8", status=1)
    assert "  problem  threads        8 are too many\n" in printed
    assert "> take 4" in printed
    assert printed.endswith("\n1 problem, 1 warning\n")


def test_json(told: Callable[..., str]) -> None:
    found = json.loads(told("sick", "threads=8", "--json", status=1))
    assert found["problems"] == 1
    assert found["checks"][-1] == {
        "of": "sick", "name": "threads", "status": "problem", "detail": "8 are too many",
        "remedy": "take 4", "seconds": found["checks"][-1]["seconds"],
    }  # fmt: skip


def test_checks_that_raise_are_one_more_problem(told: Callable[..., str]) -> None:
    printed = told("sick", "threads=0", status=1)
    assert "  problem  checks         OSError: no engine\n" in printed


def test_what_a_backend_objects_to(told: Callable[..., str], registry: Registry) -> None:
    registry.register(brings(Refusing()), "refusing")
    printed = told("refusing", status=1)
    assert "  problem  use            the SDK is not installed\n" in printed
    assert "> pip install sdk" in printed


def test_checks_of_other_plugins(told: Callable[..., str], registry: Registry) -> None:
    registry.register(checking(lambda: [spi.Check.ok("server", "answers")]), "tracker")
    registry.register(checking(lambda: ["all is well"]), "liar")
    printed = told(status=1)
    assert "plugin tracker\n  ok       server         answers\n" in printed
    assert "'all is well' is no Check" in printed
    assert "tracker\n" not in told("sick")


def test_an_unknown_environment_or_setting(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "sik"]) == 2
    assert "did you mean 'sick'?" in capsys.readouterr().err
    assert main(["doctor", "sick", "thread=1"]) == 2
    assert "did you mean 'threads'?" in capsys.readouterr().err
    assert main(["doctor", "sick", "threads"]) == 2


def test_records_that_are_none(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / ".turnout").mkdir()
    (tmp_path / ".turnout" / "runs.db").write_text("no database")
    assert "  problem  records " in told(status=1)


def test_a_project_whose_settings_are_wrong(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.turnout]\nsuorce = 'src'\n")
    printed = told(status=1)
    assert "did you mean 'source'?" in printed
    assert "> see above" in printed


@pytest.mark.parametrize("trouble", [{"status": "fine"}, {"status": "problem"}])
def test_a_check_says_what_it_should(trouble: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"fine|needs a remedy"):
        spi.Check("name", **trouble)


def test_a_plugin_that_cannot_be_imported(tmp_path: Path) -> None:
    info = tmp_path / "acme.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: acme-turnout\n")
    (info / "entry_points.txt").write_text("[turnout]\nacme = acme_plugin\n")
    (tmp_path / "acme_plugin.py").write_text("import no_such_sdk\n")
    code = "import sys; from turnout.cli import main; sys.exit(main())"
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "local"], cwd=tmp_path, capture_output=True,
        text=True, check=False, timeout=60, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "plugin 'acme' of 'acme-turnout' cannot be loaded: ModuleNotFoundError" in done.stdout
    assert "> pip install --upgrade acme-turnout" in done.stdout
    assert "  ok       use            nothing speaks against it" in done.stdout
