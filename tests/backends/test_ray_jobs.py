"""Runs that are submitted whole, through Ray Jobs, and followed or left alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

import turnout
from turnout import task, workflow
from turnout.errors import PlanError, RunCancelled, RunFailed

STEPS = """
import contextlib
import os
import time

from turnout import task


@task
def where(seconds: float) -> str:
    print("the task speaks")
    time.sleep(seconds)
    return os.path.abspath(__file__)
"""

MAIN = """
from dataclasses import dataclass

import turnout
from package.steps import where
from turnout import task, workflow


@dataclass
class Point:
    x: int


@task
def point(x: int, bad: bool) -> Point:
    if bad:
        raise ValueError("bad luck")
    return Point(x)


@task
def x_of(point: Point) -> int:
    assert type(point) is Point
    return point.x


@workflow
def pipeline(x: int = 3, bad: bool = False, seconds: float = 0.1) -> tuple[str, int]:
    return where(seconds), x_of(point(x, bad))


if __name__ == "__main__":
    turnout.main(pipeline)
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """The address of a cluster's dashboard; its jobs are run by this very Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        port = free_port()
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 2,
                "include_dashboard": True,
                "dashboard_port": port,
                "dashboard_agent_listen_port": free_port(),
            },
        )
        yield f"http://127.0.0.1:{port}"
        cluster.shutdown()


class Project:
    def __init__(self, root: Path, dashboard: str) -> None:
        self.root = root
        (root / "src" / "package").mkdir(parents=True)
        (root / "flows").mkdir()
        (root / "pyproject.toml").touch()
        (root / "src" / "package" / "__init__.py").touch()
        (root / "src" / "package" / "steps.py").write_text(STEPS)
        (root / "flows" / "main.py").write_text(MAIN)
        self.settings = [
            "execution_environment=ray",
            "execution_environment.submit=true",
            f"execution_environment.address={dashboard}",
            f"execution_environment.store={root}/store",
        ]

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "flows/main.py", *self.settings, *overrides],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": "src"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *overrides: str) -> tuple[int, str, str]:
        process = self.start(*overrides)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture
def project(dashboard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path / "project", dashboard)
    monkeypatch.chdir(made.root)
    return made


def test_the_run_is_driven_on_the_cluster_and_followed_here(project: Project) -> None:
    status, out, err = project.run("x=4")
    assert status == 0, err
    file, x = out.strip().splitlines()[-1].removeprefix("(").removesuffix(")").split(", ")
    assert x == "4"
    assert "working_dir_files" in file
    assert not file.strip("'").startswith(str(project.root))
    assert "the task speaks" in err, "what is printed on the cluster is shown here"
    assert "point" in err, "nodes are told of as they end"
    run = turnout.get_run()
    assert run.outputs[1] == 4
    assert {node.name: node.status for node in run.nodes} == {
        "where": "succeeded", "point": "succeeded", "x_of": "succeeded",
    }  # fmt: skip
    assert run.url is not None
    assert "/jobs/turnout-" in run.url


def test_the_doctor_has_a_job_tell_what_runs_it(project: Project) -> None:
    def doctor(*settings: str) -> list[tuple[str, str, str]]:
        command = [
            sys.executable,
            "-m",
            "turnout",
            "doctor",
            "ray",
            *project.settings[1:],
            "--json",
        ]
        done = subprocess.run([*command, *settings], capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)["checks"]
        return [(one["name"], one["status"], one["detail"]) for one in found if one["of"] == "ray"]

    _, answers, job, versions = doctor()
    assert answers[:2] == ("Ray Jobs", "ok")
    assert job == ("job", "ok", f"run by {sys.executable}")
    assert versions[:2] == ("versions", "ok")
    other = project.root / "python"
    other.write_text(f"""#!/bin/sh
        case "$1" in -) echo nothing is installed here; exit 3;; esac
        exec {sys.executable} "$@"
        """)
    other.chmod(0o755)
    *_, job = doctor(f"execution_environment.runtime_env.py_executable={other}")
    assert job[:2] == ("job", "problem")
    assert "exit code 3" in job[2]
    assert "nothing is installed here" in job[2]


def test_a_failure_there_is_the_user_s_own_here(project: Project) -> None:
    status, _, err = project.run("bad=true")
    assert status == 1
    assert 'raise ValueError("bad luck")' in err
    assert "node: point" in err
    assert 'File "flows/main.py"' in err, "files have the names they have here"
    assert not list((project.root / "store").rglob("errands/*/*")), "nothing stays behind"
    assert turnout.get_run().status == "failed"


def _interrupt(project: Project, *overrides: str, seconds: int = 6) -> tuple[int, str]:
    with project.start(f"seconds={seconds}", *overrides) as process:
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if "the task speaks" in line:
                break
        process.send_signal(signal.SIGINT)
        told += process.stderr.read()
        return process.wait(60), told


def test_ctrl_c_ends_the_run_there(project: Project) -> None:
    begin = time.monotonic()
    status, told = _interrupt(project, "execution_environment.on_interrupt=cancel")
    assert status == 130, told
    assert turnout.get_run().status == "cancelled"
    assert time.monotonic() - begin < 60


def test_the_laptop_may_go_away(project: Project) -> None:
    status, told = _interrupt(project, "execution_environment.on_interrupt=detach")
    assert status == 130
    assert "goes on; turnout.get_run(" in told
    run = turnout.get_run()
    assert run.status == "running"
    assert run.wait(60).status == "succeeded"
    assert run.outputs[1] == 3
    assert len(run.nodes) == 3


@task
def one() -> int:
    return 1


@workflow
def single() -> int:
    return one()


def test_a_result_needs_a_place_to_come_back_by(dashboard: str) -> None:
    environment = {"backend": "ray", "submit": True, "address": dashboard}
    with pytest.raises(PlanError, match=r"set execution_environment\.store"):
        turnout.run(single, execution_environment=environment)


def test_a_workflow_that_cannot_be_imported_is_refused(dashboard: str, tmp_path: Path) -> None:
    @workflow
    def local() -> int:
        return one()

    environment = {"backend": "ray", "submit": True, "address": dashboard, "store": str(tmp_path)}
    with pytest.raises(PlanError, match="cannot be imported by the process that is to drive it"):
        turnout.run(local, execution_environment=environment)


def test_a_dashboard_that_is_not_there_is_told_plainly(project: Project) -> None:
    nobody = f"execution_environment.address=http://127.0.0.1:{free_port()}"
    status, _, err = project.run(nobody)
    assert status == 2, err
    assert "the run cannot be submitted as a Ray job" in err
    assert "Traceback" not in err


class Line:
    """A connection to the dashboard that can be cut."""

    def __init__(self, dashboard: str) -> None:
        self._there = int(dashboard.rpartition(":")[2])
        self.port = free_port()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Let connections through."""
        listener = self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections; each request makes one."""
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._there))
            threading.Thread(target=self._join, args=(near, far), daemon=True).start()

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            back = threading.Thread(target=self._pass, args=(far, near), daemon=True)
            back.start()
            self._pass(near, far)
            back.join()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(1 << 16):
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_fails_for_a_while_does_not_fail_the_run(
    project: Project, dashboard: str
) -> None:
    line = Line(dashboard)
    line.open()
    address = f"execution_environment.address=http://127.0.0.1:{line.port}"
    with project.start("seconds=4", address) as process:
        assert process.stderr is not None
        told = ""
        for text in process.stderr:
            told += text
            if "the task speaks" in text:
                line.cut()
            if "does not answer" in text:
                line.open()
                break
        told += process.stderr.read()
        assert process.wait(60) == 0, told
    line.cut()
    assert "the cluster does not answer, asking on" in told
    assert turnout.get_run().status == "succeeded"


def test_a_run_left_alone_can_be_cancelled_by_whoever_finds_it(project: Project) -> None:
    _interrupt(project, "execution_environment.on_interrupt=detach", seconds=60)
    run = turnout.get_run()
    assert run.status == "running"
    run.cancel()
    with pytest.raises(RunCancelled):
        run.wait(60)
    assert run.status == "cancelled"


def test_a_job_killed_while_nobody_follows_has_failed(project: Project) -> None:
    _interrupt(project, "execution_environment.on_interrupt=detach", seconds=60)
    run = turnout.get_run()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if b"turnout.api.drive" in words and run.id.encode() in words:
                os.kill(int(entry.parent.name), signal.SIGKILL)
    with pytest.raises(RunFailed, match=r"its process has gone \(failed\) without a word"):
        run.wait(60)


def test_why_a_job_never_began_is_told(project: Project) -> None:
    status, _, err = project.run("++execution_environment.runtime_env.conda=not-there-at-all")
    assert status == 1
    assert "Ray: " in err
    assert "not-there-at-all" in err or "conda" in err
    assert "has gone (failed) without saying how the run ended" in err


def test_jobs_of_one_project_do_not_take_its_files_from_one_another(project: Project) -> None:
    short, long = project.start("seconds=0.1"), project.start("seconds=8")
    told = short.communicate(timeout=120)
    assert short.returncode == 0, told
    later = project.start("seconds=0.1")
    for process in (later, long):
        told = process.communicate(timeout=120)
        assert process.returncode == 0, told
    assert not list(project.root.glob(".turnout/sent-*"))


def test_another_turnout_there_is_told_plainly(project: Project) -> None:
    other = project.root / "other" / "turnout"
    shutil.copytree(Path(turnout.__file__).parent, other)
    version = other / "version.py"
    version.write_text(version.read_text().replace(turnout.__version__, "9.9.9"))
    there = f"execution_environment.runtime_env={{env_vars: {{PYTHONPATH: {other.parent}}}}}"
    status, _, err = project.run(there)
    assert status == 1
    told = (
        f"the run comes from turnout {turnout.__version__}, and what is to drive it has turnout "
        "9.9.9; install the same version on both sides"
    )
    assert told in err
    project.settings = ["execution_environment=ray", "execution_environment.num_cpus=1"]
    status, _, err = project.run(there)
    assert status == 1
    assert "and a worker has turnout 9.9.9" in err
