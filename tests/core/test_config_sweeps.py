"""Jobs of a sweep side by side, in an environment of threads, as users start them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "core"

MAIN = """
import contextlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import turnout
from hydra.experimental.callback import Callback
from turnout import task, workflow
from turnout.testing import ThreadsBackend, installed
from turnout.testing.threads import ThreadsConfig

HERE = Path(__file__).parent
log = logging.getLogger("mine")


def note(what):
    with open(HERE / "notes", "a") as file:
        file.write(f"{what}\\n")


class Noting(Callback):
    def on_job_end(self, config, job_return, **more):
        ended = [line for line in (HERE / "notes").read_text().split("\\n") if "end" in line]
        value = job_return._return_value
        note(f"callback {config.hydra.job.num} {type(value).__name__} after {len(ended)}")


@dataclass
class CrewConfig(ThreadsConfig):
    backend: str = "crew"
    size: int = 1


class Crew(ThreadsBackend):
    name = "crew"
    schema = CrewConfig

    @contextlib.contextmanager
    def shared(self, config, project, log):
        note(f"enter {config.size} {project.root == HERE}")
        yield
        note("leave")


@task
def fit(C: float, pause: float, together: int) -> float:
    log.info("fitting %s", C)
    note(f"begin {C} {time.time()}")
    end = time.monotonic() + 30
    while (HERE / "notes").read_text().count("begin") < together and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep({13: 0, 14: 2}.get(C, pause))
    note(f"end {C} {time.time()}")
    if C in (13, 14):
        raise ValueError("unlucky")
    return C * C


@task
def after(x: float) -> float:
    note(f"after {x}")
    return x


@workflow
def pipeline(C: float = 1.0, pause: float = 0.2, together: int = 1) -> float:
    return after(fit(C, pause, together))


if __name__ == "__main__":
    with installed(Crew()):
        turnout.main(pipeline)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def command(*arguments: str, environment: str = "crew") -> list[str]:
    chosen = f"execution_environment={environment}"
    return [sys.executable, "main.py", "-m", chosen, "hydra.sweep.dir=sweep", *arguments]


def variables() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CORE)}


@pytest.fixture
def run(place: Path) -> Run:
    def start(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments, **more), cwd=place, env=variables(), capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip

    return start


def notes(place: Path, what: str) -> list[list[str]]:
    lines = (place / "notes").read_text().splitlines()
    return [line.split()[1:] for line in lines if line.split()[0] == what]


def most_at_once(place: Path) -> int:
    """How many tasks ran at the same time, at most."""
    changes = [(float(at), 1) for _, at in notes(place, "begin")]
    changes += [(float(at), -1) for _, at in notes(place, "end")]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def test_jobs_overlap_and_share_what_their_environment_shares(run: Run, place: Path) -> None:
    done = run("C=3,1,2", "together=3")
    assert done.returncode == 0, done.stderr
    assert most_at_once(place) == 3
    assert notes(place, "enter") == [["1", "True"]]
    assert notes(place, "leave") == [[]]
    # A pipe gets the results as from jobs one after another.
    assert [line for line in done.stdout.splitlines() if line[0].isdigit()] == ["9.0", "1.0", "4.0"]


def test_each_line_and_each_log_says_which_job(run: Run, place: Path) -> None:
    done = run("C=3,1")
    told = [line.split(" ", 1)[1] if line[2] == ":" else line for line in done.stderr.splitlines()]
    assert {line[:3] for line in told} == {"#0 ", "#1 "}
    assert "#0 fit started" in told
    assert any(line.startswith("#1 pipeline succeeded on crew in ") for line in told)
    for number, C in enumerate((3, 1)):
        text = (place / f"sweep/{number}/main.log").read_text()
        assert [line.split(" - ")[1] for line in text.splitlines()] == [f"fitting {C}.0"]
        assert f"#{number} {text}" in done.stdout
        assert f"C={C}" in (place / f"sweep/{number}/.hydra/overrides.yaml").read_text()


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (2, 2)])
def test_the_launcher_says_how_many(run: Run, place: Path, concurrency: int, most: int) -> None:
    done = run("C=1,2,3", f"together={most}", f"hydra.launcher.concurrency={concurrency}")
    assert done.returncode == 0, done.stderr
    assert most_at_once(place) == most
    assert notes(place, "enter") == [["1", "True"]]


@pytest.mark.parametrize("wrong", ["0", "many", "1.5"])
def test_a_concurrency_that_is_none(run: Run, wrong: str) -> None:
    done = run("C=1,2", f"hydra.launcher.concurrency={wrong}")
    assert done.returncode == 2
    assert "hydra.launcher.concurrency is a number from 1, not " in done.stderr


def test_an_on_error_that_is_none(run: Run) -> None:
    done = run("C=1,2", "hydra.launcher.on_error=never")
    assert done.returncode == 2
    assert "hydra.launcher.on_error is stop or continue, not 'never'" in done.stderr


def test_this_process_takes_one_at_a_time(run: Run, place: Path) -> None:
    done = run("C=1,2", "hydra.launcher.concurrency=4", environment="local")
    assert done.returncode == 0, done.stderr
    assert most_at_once(place) == 1
    assert "#0 " not in done.stderr


@pytest.mark.parametrize("setting", ["hydra.job.chdir=true", "+hydra.job.env_set.WORD=x"])
def test_what_is_the_whole_processs_is_changed_for_one_job(
    run: Run, place: Path, setting: str
) -> None:
    done = run("C=1,2", setting)
    assert done.returncode == 0, done.stderr
    assert most_at_once(place) == 1
    assert "A job that " in done.stdout


def test_jobs_with_other_settings_share_nothing(run: Run, place: Path) -> None:
    done = run("execution_environment.size=1,2", "execution_environment.cache=use,off", "C=1,2")
    assert done.returncode == 0, done.stderr
    assert [size for size, _ in notes(place, "enter")] == ["1", "2"]
    lines = [line.split()[0] for line in (place / "notes").read_text().splitlines()]
    assert [word for word in lines if word in ("enter", "leave")] == ["enter", "leave"] * 2


def test_local_and_other_jobs_in_one_sweep(run: Run, place: Path) -> None:
    done = run("C=1,2,3", environment="crew,local")
    assert done.returncode == 0, done.stderr
    assert len(notes(place, "after")) == 6
    assert notes(place, "enter") == [["1", "True"]]


def test_a_failing_job_leaves_the_others_alone(run: Run, place: Path) -> None:
    done = run("C=2,13,3,1")
    assert done.returncode == 1
    assert sorted(notes(place, "after")) == [["1.0"], ["4.0"], ["9.0"]]
    assert "job #1 failed: node 'fit' failed: ValueError: unlucky" in done.stdout
    assert "1 of 4 jobs failed: #1\n" in done.stdout
    assert "#1 ValueError: unlucky" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failing_job_stops_the_sweep(run: Run, place: Path) -> None:
    done = run(
        "C=13,1,2,3", "hydra.launcher.concurrency=2", "hydra.launcher.on_error=stop", "together=2",
        "pause=2",
    )  # fmt: skip
    assert done.returncode == 1
    begun = [C for C, _ in notes(place, "begin")]
    assert sorted(begun) == ["1.0", "13.0"]
    assert notes(place, "leave") == [[]]
    assert "#1 pipeline cancelled on crew" in done.stderr
    assert "#0 ValueError: unlucky" in done.stderr


def test_a_sweep_that_stops_tells_what_had_succeeded(run: Run, place: Path) -> None:
    done = run(
        "C=14,2,3", "pause=0", "together=3", "hydra.launcher.concurrency=3",
        "hydra.launcher.on_error=stop",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    results = [line for line in done.stdout.splitlines() if "[" not in line]
    assert results == ["4.0", "9.0"], "two had run beside the one that failed"


def test_callbacks_are_told_of_the_end(run: Run, place: Path) -> None:
    done = run("C=1,13", "+hydra.callbacks.noting._target_=__main__.Noting")
    assert done.returncode == 1
    told = sorted(notes(place, "callback"))
    assert [words[:2] for words in told] == [["0", "float"], ["1", "RunFailed"]]
    assert all(int(words[-1]) >= 1 for words in told)


def test_optuna_gets_each_trials_objective(run: Run, place: Path) -> None:
    pytest.importorskip("optuna")
    done = run(
        "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=3",
        "hydra.sweeper.direction=maximize", "C=interval(-4,4)", "together=3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert most_at_once(place) == 3
    assert notes(place, "enter") == [["1", "True"]]
    best = max(float(value) for (value,) in notes(place, "after"))
    assert f"best_value: {best}" in (place / "sweep/optimization_results.yaml").read_text()
    furthest = max((float(C) for C, _ in notes(place, "begin")), key=abs)
    assert f"C: {furthest}" in (place / "sweep/optimization_results.yaml").read_text()


def test_an_interrupt_cancels_all(place: Path) -> None:
    process = subprocess.Popen(
        command("C=1,2,3,4,5,6", "pause=2"), cwd=place, env=variables(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (place / "notes").exists() and len(notes(place, "begin")) == 4:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert len(notes(place, "begin")) == 4
    assert not notes(place, "after")
    assert notes(place, "leave") == [[]]
    assert printed.count(" pipeline cancelled on crew") == 4
    assert "Traceback" not in printed


def test_a_terminal_has_one_view_of_all_jobs(place: Path) -> None:
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    process = subprocess.Popen(
        command("C=1,3", "together=2", "pause=1"), cwd=place,
        env={**variables(), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
        stdin=side, stdout=side, stderr=side,
    )  # fmt: skip
    os.close(side)
    sent = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while piece := os.read(main, 4096):
            sent += piece
    os.close(main)
    assert process.wait(timeout=30) == 0
    text = sent.decode().replace("\r\n", "\n")
    assert "2 jobs under way" in text
    assert re.search(r"\S #0 fit ", text)
    assert re.search(r"\S #1 fit ", text)
    # The result is marked for whoever reads along, as all else is.
    for line in ("#0 pipeline succeeded on crew", "#0 1.0", "#1 9.0"):
        assert line in text
