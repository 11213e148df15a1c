"""What the shell is offered after ``turnout run``, ``plan`` and ``graph``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
from turnout import task, workflow
print("imported")

@task
def half(x: int) -> float:
    return x / 2

@workflow
def flow(size: int = 3) -> float:
    return half(size)

@workflow
def other() -> float:
    return half(1)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / ".turnout").mkdir()
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").touch()
    (tmp_path / "flows" / "daily.py").write_text(FLOW)
    (tmp_path / "main.py").write_text(FLOW)
    (tmp_path / "notes.txt").touch()
    return tmp_path


def offered(place: Path, line: str, shell: str = "bash") -> list[str]:
    words = line.split(" ")
    code = "import sys; from turnout.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env={
            **os.environ,
            "_TURNOUT_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    lines = [text for text in done.stdout.splitlines() if text]
    return [text.removeprefix("plain,") for text in lines]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("turnout run ", ["flows/", "main.py"]),
        ("turnout plan flows/d", ["flows/daily.py"]),
        ("turnout plan flows.d", ["flows.daily"]),
        ("turnout graph main.py", ["main.py:flow", "main.py:other"]),
        ("turnout run main.py:f", ["main.py:flow"]),
        ("turnout run flows.daily:", ["flows.daily:flow", "flows.daily:other"]),
        ("turnout run nowhere.py:", []),
        ("turnout run main.py:flow s", ["size="]),
        ("turnout run main.py:nope s", []),
        ("turnout graph main.py:flow turnout.tasks.", ["turnout.tasks.half."]),
        ("turnout plan main.py:flow size=2 turnout.o", ["turnout.objective=", "turnout.on_error="]),
        ("turnout run main.py:flow -m execution_environment=l", ["execution_environment=local"]),
    ],
)
def test_what_is_offered(place: Path, line: str, values: list[str]) -> None:
    assert offered(place, line) == values


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("turnout run main.py :", ["flow", "other"]),
        ("turnout run main.py : fl", ["flow"]),
        ("turnout run main.py : flow execution_environment = lo", ["local"]),
        ("turnout run main.py : flow size = 2 turnout.tasks.", ["turnout.tasks.half."]),
    ],
)
def test_words_that_bash_takes_apart(place: Path, line: str, values: list[str]) -> None:
    assert offered(place, line) == values


def test_other_shells_give_whole_words(place: Path) -> None:
    line = "turnout run main.py:flow turnout.tasks.half.ti"
    assert "turnout.tasks.half.timeout=" in offered(place, line, "zsh")
