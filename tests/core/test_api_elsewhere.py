"""Runs that a process elsewhere drives, with a backend that starts one on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout import spi
from turnout.errors import PlanError, RunCancelled, RunFailed, TurnoutError
from turnout.testing import ThreadsBackend, installed
from turnout.testing.threads import ThreadsConfig
from turnout_local.backend import LocalConfig

MODULE = """
import time
from omegaconf import DictConfig
from turnout import task, workflow

@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds

@workflow
def flow(seconds: float) -> float:
    return nap(seconds)

@workflow
def configured(cfg: DictConfig) -> float:
    return nap(cfg.seconds)
"""


started: list[subprocess.Popen[bytes]] = []


@dataclass
class AwayConfig(ThreadsConfig):
    backend: str = "away"
    away: bool = True
    forgets: bool = False


class Process(spi.Detached):
    """A process, known by the file its id is in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"file://{path}"

    def state(self) -> str:
        pid = int(self._path.read_text())
        try:
            told = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            told = ") X"
        gone = "cancelled" if self._path.with_suffix(".cancelled").exists() else "gone"
        return gone if told.rpartition(")")[2].split()[0] in "ZX" else "running"

    def output(self) -> str:
        return ""

    def cancel(self) -> None:
        self._path.with_suffix(".cancelled").touch()
        os.kill(int(self._path.read_text()), signal.SIGINT)


class Away(ThreadsBackend):
    name = "away"
    schema = AwayConfig

    def elsewhere(self, config: Any) -> spi.EnvironmentConfig | None:
        return LocalConfig(store=config.store) if config.away else None

    def detach(self, command: Sequence[str], session: spi.Session) -> spi.Detached:
        root = Path(session.project.root)
        copy = Path(tempfile.mkdtemp(dir=root.parent, prefix="copy"))
        for file in root.glob("*.py"):
            shutil.copy(file, copy)
        with (copy / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command[1:]], cwd=copy, stdout=log, stderr=log,
                start_new_session=True,
                env={name: text for name, text in os.environ.items() if name != "ONLY_HERE"},
            )  # fmt: skip
        started.append(process)
        path = Path(session.info.store) / f"{session.info.run_id}.pid"
        path.write_text(str(process.pid))
        return Process(path)

    def find(self, config: Any, run_id: str) -> spi.Detached:
        if config.forgets:
            return super().find(config, run_id)
        return Process(Path(config.store) / f"{run_id}.pid")


@pytest.fixture(autouse=True)
def away() -> Iterator[None]:
    with installed(Away()):
        yield
    while started:
        process = started.pop()
        process.kill()
        process.wait()


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / ".turnout").mkdir()
    (tmp_path / "away_flow.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import away_flow  # type: ignore[import-not-found]

    yield away_flow.flow
    sys.modules.pop("away_flow")


def start(flow: Any, seconds: float, wait: bool = True, **more: Any) -> turnout.Run[Any]:
    settings = {"backend": "away", "store": "store", **more}
    return turnout.run(flow, seconds=seconds, execution_environment=settings, wait=wait)


def pid_of(run: turnout.Run[Any]) -> int:
    return int((Path("store") / f"{run.id}.pid").read_text())


def test_it_is_driven_there_and_followed_here(flow: Any) -> None:
    run = start(flow, 0.0)
    assert run.outputs == 0.0
    assert [node.status for node in run.nodes] == ["succeeded"]
    assert run.url is not None


def test_what_is_not_there_is_told_as_being_there(
    flow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_HERE", "0.0")
    settings = {"backend": "away", "store": "store"}
    config = {"seconds": "${oc.decode:${oc.env:ONLY_HERE}}"}
    with pytest.raises(RunFailed) as caught:
        turnout.run(sys.modules["away_flow"].configured, config, execution_environment=settings)
    said = str(caught.value.__cause__)
    assert "Environment variable 'ONLY_HERE' not found" in said
    assert said.endswith("environment variables and files there are others)")


def follower_killed(flow: Any, tmp_path: Path, seconds: float, **more: Any) -> turnout.Run[Any]:
    """A run whose sender is killed for real, so that nobody follows it."""
    program = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from test_api_elsewhere import Away, start
from turnout.testing import installed
import away_flow
if __name__ == "__main__":
    with installed(Away()):
        start(away_flow.flow, {seconds}, **{more!r})
"""
    Path("sender.py").write_text(program)
    sender = subprocess.Popen([sys.executable, "sender.py"], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(Path("store").glob("*.pid")):
        assert sender.poll() is None, sender.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    while turnout.get_run().url is None:  # its place is recorded
        assert time.monotonic() < until
        time.sleep(0.02)
    sender.kill()
    sender.communicate()
    return turnout.get_run()


def test_one_that_is_killed_while_nobody_follows_has_failed(flow: Any, tmp_path: Path) -> None:
    run = follower_killed(flow, tmp_path, 60.0)
    assert run.status == "running"
    os.kill(pid_of(run), signal.SIGKILL)
    with pytest.raises(RunFailed, match=r"its process has gone .* without a word"):
        run.wait(30)
    assert run.status == "failed"
    assert not list(Path("store/errands").rglob("*")), "nothing is left of it"


def test_one_that_ends_while_nobody_follows_is_taken_over(flow: Any, tmp_path: Path) -> None:
    run = follower_killed(flow, tmp_path, 0.5)
    assert run.wait(60).outputs == 0.5
    assert turnout.get_run(run.id).status == "succeeded"


def test_another_process_may_cancel_it(flow: Any, tmp_path: Path) -> None:
    run = follower_killed(flow, tmp_path, 60.0)
    run.cancel()
    with pytest.raises(RunCancelled):
        run.wait(30)
    assert run.status == "cancelled"


def test_one_that_cannot_be_asked_for_stays_as_it_was(flow: Any, tmp_path: Path) -> None:
    run = follower_killed(flow, tmp_path, 60.0, forgets=True)
    assert run.status == "running"
    with pytest.raises(TurnoutError, match="cannot be reached from here; cancel it there: file://"):
        run.cancel()
    os.kill(pid_of(run), signal.SIGKILL)
    assert run.status == "running", "nobody knows better"


@pytest.mark.parametrize("url", ["memory://key:secret@place", "memory://place?sig=abc"])
def test_no_credentials_on_a_command_line(flow: Any, url: str) -> None:
    with pytest.raises(PlanError, match="has credentials in its URL"):
        start(flow, 0.0, store=url)


SWEEP = """
import sys
import turnout
from test_api_elsewhere import Away
from turnout.testing import installed
import away_flow
if __name__ == "__main__":
    with installed(Away()):
        turnout.main(away_flow.flow)
"""


@pytest.mark.parametrize("on_interrupt", ["detach", "cancel"])
def test_jobs_of_a_sweep_go_on_where_an_interrupt_is_to_leave_them(
    flow: Any, tmp_path: Path, on_interrupt: str
) -> None:
    Path("sweep.py").write_text(SWEEP)
    process = subprocess.Popen(
        [
            sys.executable, "sweep.py", "-m", "seconds=3,3.5", "execution_environment=away",
            "execution_environment.store=store",
            f"execution_environment.on_interrupt={on_interrupt}",
        ],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{tmp_path}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while len(list(Path("store/errands").glob("*/events/*"))) < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, told
    assert "Traceback" not in told
    runs = turnout.runs()
    assert len(runs) == 2
    if on_interrupt == "detach":
        assert told.count(" goes on; turnout.get_run(") == 2
        assert told.rstrip().endswith("the sweep has ended; its jobs go on")
        assert sorted(run.wait(60).outputs for run in runs) == [3, 3.5]
    else:
        assert {run.status for run in runs} == {"cancelled"}
