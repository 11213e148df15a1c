"""Programs as their users start them: what goes wrong is told in one message, with its status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import turnout

FLOW = """
import enum, threading
from pathlib import Path
from typing import Any

import turnout
from omegaconf import DictConfig

class Color(enum.Enum):
    RED = 1

@turnout.task
def same(x: int) -> int:
    return x

@turnout.task
def text(size: int) -> str:
    return size * "x"

@turnout.task
def size_of(cfg: DictConfig) -> int:
    return len(cfg)

@turnout.task
def take(x: Any) -> int:
    return 1

@turnout.workflow
def flow(x: int = 1) -> int:
    return same(x)

@turnout.task
def length_of(token: str) -> int:
    return len(token)

@turnout.workflow
def length(token: str) -> int:
    return length_of(token)

@turnout.workflow
def long(size: int = 1000) -> str:
    return text(size)

@turnout.workflow
def parts(cfg: DictConfig) -> int:
    size_of(cfg.m)
    return size_of(cfg)

@turnout.workflow
def branch(x: int = 5) -> int:
    y = same(x)
    return turnout.conditional("sign").if_(y > 3).then(same(y)).else_().then(text_size(y))

@turnout.task
def text_size(x: int) -> int:
    return -x

@turnout.workflow
def locks() -> list[int]:
    return turnout.map_task(take)(x=[1, threading.Lock()])

@turnout.dynamic
def inside() -> int:
    return take(threading.Lock())

@turnout.workflow
def dynamic_lock() -> int:
    return inside()

@turnout.workflow
def shown(color: Color = Color.RED, path: Path = Path("a/b")) -> int:
    take(color)
    return take(path)

if __name__ == "__main__":
    turnout.main(flow)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    Path("main.py").write_text(FLOW, encoding="utf-8")
    return tmp_path


def python(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


def program(*overrides: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return python("main.py", *overrides, stdout=stdout)


def turnout_run(target: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "turnout", "run", target, *overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("x=${y}", "x: Interpolation key 'y' not found"),
        ("x=${nothing:1}", "x: Unsupported interpolation type nothing"),
        (
            "execution_environment.workers=${y}",
            "execution_environment.workers: Interpolation key 'y' not found",
        ),
        ("turnout.on_error=${y}", "turnout.on_error: Interpolation key 'y' not found"),
    ],
)
def test_an_override_that_leads_nowhere(override: str, message: str) -> None:
    done = program(override)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert not Path("outputs").exists()


def test_an_override_may_be_an_interpolation() -> None:
    done = program("+y=4", "x=${y}")
    assert (done.returncode, done.stdout) == (0, "4\n")


def test_what_an_override_takes_from_the_environment_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", "hidden-7531")
    done = turnout_run("main.py:length", "token=${oc.env:TOKEN}")
    assert (done.returncode, done.stdout) == (0, "11\n")
    assert b"token=${oc.env:TOKEN}" in Path(".turnout/runs.db").read_bytes()
    for file in Path(".turnout").rglob("*"):
        assert file.is_dir() or b"hidden-7531" not in file.read_bytes()


def test_interpolations_in_what_is_taken_whole_are_told_by_key_and_once() -> None:
    done = turnout_run("main.py:parts", "+a=${q}", "+m={b: '${oc.env:NO_SUCH}', c: [1, '${q}']}")
    assert done.returncode == 2
    first, *problems = done.stderr.splitlines()
    assert first == "error: the inputs have 3 problems:"
    unset = "Environment variable 'NO_SUCH' not found"
    assert sorted(problems) == [
        "  - input 'a': Interpolation key 'q' not found",
        f"  - input 'm.b': KeyError raised while resolving interpolation: \"{unset}\"",
        "  - input 'm.c[1]': Interpolation key 'q' not found",
    ]


def test_interpolations_that_lead_round_in_a_circle() -> None:
    done = turnout_run("main.py:parts", "+m={b: '${c}'}", "+c={d: '${m}'}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the inputs have 2 problems:\n  - input 'm': ")
    assert "\n  - input 'the whole config': " in done.stderr


def test_the_end_may_stand_on_a_branch_that_is_not_taken() -> None:
    done = turnout_run("main.py:branch", "--until", "text_size")
    assert (done.returncode, done.stdout) == (0, "")
    assert "branch succeeded" in done.stderr
    warning = "node 'text_size' was not run: it stands on a branch that was not taken"
    assert f"warning: {warning}\n" in done.stderr
    done = turnout_run("main.py:branch", "--until", "text_size", "x=2")
    assert (done.returncode, done.stdout) == (0, "-2\n")
    assert warning not in done.stderr


def test_text_is_printed_whole() -> None:
    assert turnout_run("main.py:long").stdout == 1000 * "x" + "\n"


@pytest.mark.parametrize("flow", ["locks", "dynamic_lock"])
def test_what_cannot_be_sent_is_told_once(flow: str) -> None:
    done = turnout_run(f"main.py:{flow}", "execution_environment.workers=1")
    assert done.returncode == 1
    report = done.stderr.partition("\n\n")[2]
    assert report.startswith("EncodeError: ")
    assert "lock" in report
    assert "which led to" not in report


def test_an_unguarded_main_is_no_second_program() -> None:
    Path("main.py").write_text(FLOW.replace('if __name__ == "__main__"', "if True"))
    done = turnout_run("main.py:flow", "x=3")
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert done.stderr.count("flow succeeded") == 1


def test_an_unguarded_run_is_told_by_commands() -> None:
    Path("main.py").write_text(
        FLOW.replace("    turnout.main(flow)", "    pass\nturnout.run(flow)")
    )
    done = turnout_run("main.py:flow")
    assert done.returncode == 2
    assert done.stderr == (
        "error: turnout.run(flow) is called while the module it stands in is imported, by a worker "
        'process or a command; put the call under `if __name__ == "__main__":`\n'
    )


@pytest.mark.parametrize("arguments", [[], ["--cfg", "job"], ["--help"]])
def test_nobody_reads_what_is_printed(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = program(*arguments, stdout=write)
    finally:
        os.close(write)
    assert done.returncode == 1
    assert "rror" not in done.stderr


def test_a_file_where_records_are_kept() -> None:
    Path(".turnout").touch()
    done = program()
    assert done.returncode == 2
    assert done.stderr == (
        f"error: run records cannot be kept in {Path('.turnout').absolute()}: it is not a "
        "directory; move that file away\n"
    )


def test_a_plan_shows_enums_and_paths() -> None:
    done = python("-m", "turnout", "plan", "main.py:shown")
    assert "color = Color.RED" in done.stdout
    assert "path = PosixPath('a/b')" in done.stdout


def test_tags_are_several() -> None:
    @turnout.workflow
    def nothing() -> None: ...

    with pytest.raises(turnout.errors.ConfigError, match=r"tags=\['nightly'\], not tags='nightly'"):
        turnout.run(nothing, tags="nightly")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "turnout.run(flow, x='abc')",
            "\nturnout.errors.ConfigError: input 'x': expected int, found str 'abc'\n",
        ),
        (
            "turnout.run(mismatch)",
            "node 'same': parameter 'x' expects int, found str from 'text'\n",
        ),
        (
            "turnout.run(flow, execution_environment='lokal')",
            "ConfigError: unknown execution environment 'lokal'; did you mean 'local'?",
        ),
    ],
)
def test_what_is_wrong_with_the_input_of_run_shows_no_frame_of_ours(
    call: str, message: str
) -> None:
    mismatch = """
@turnout.workflow
def mismatch() -> int:
    return same(text(2))

if __name__ == "__main__":
"""
    head = FLOW.partition("if __name__")[0]
    Path("main.py").write_text(f"{head}{mismatch}    {call}\n")
    done = program()
    assert done.returncode == 1
    assert message in done.stderr
    files = [line for line in done.stderr.splitlines() if line.startswith("  File ")]
    assert files
    assert all("main.py" in file for file in files)
