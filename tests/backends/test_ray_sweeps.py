"""Sweeps on Ray: the jobs' graphs together on one instance, started here or joined."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

MAIN = """
import os
import time
from pathlib import Path

import turnout
from turnout import task, workflow

HERE = Path(__file__).parent


@task
def fit(C: float, pause: float, together: int, notes: str) -> float:
    import ray

    address = ray.get_runtime_context().gcs_address
    begun = time.time()
    with open(notes, "a") as file:
        file.write(f"begin {C} {begun} {address}\\n")
    end = time.monotonic() + 60
    while Path(notes).read_text().count("begin") < together and time.monotonic() < end:
        time.sleep(0.05)
    print("fitted", C)
    time.sleep(pause)
    with open(notes, "a") as file:
        file.write(f"end {C} {time.time()} {address}\\n")
    if C == 13:
        raise ValueError("unlucky")
    if C == 666:
        os.abort()
    return C * C


@workflow
def pipeline(
    C: float = 1.0, pause: float = 0.2, together: int = 1, notes: str = str(HERE / "notes")
) -> float:
    return fit(C, pause, together, notes)


if __name__ == "__main__":
    turnout.main(pipeline)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [
        sys.executable, "main.py", "-m", "execution_environment=ray", "hydra.sweep.dir=sweep",
        *arguments,
    ]  # fmt: skip


def variables() -> dict[str, str]:
    paths = [str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(":") if p]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def run(place: Path) -> Run:
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=place, env=variables(), capture_output=True, text=True,
            check=False, timeout=240,
        )  # fmt: skip

    return start


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster of two nodes that is not the sweep's own; its address."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made.address
    made.shutdown()


def notes(place: Path, what: str) -> list[list[str]]:
    lines = [line.split() for line in (place / "notes").read_text().splitlines()]
    return [line[1:] for line in lines if line[0] == what]


def most_at_once(place: Path) -> int:
    changes = [(float(at), 1) for _, at, _ in notes(place, "begin")]
    changes += [(float(at), -1) for _, at, _ in notes(place, "end")]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def instances(place: Path) -> set[str]:
    return {address for _, _, address in notes(place, "begin")}


def results(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stdout.splitlines() if line[:1].isdigit()]


def test_graphs_run_together_on_one_instance(run: Run, place: Path) -> None:
    done = run("C=3,1,2", "together=3", "execution_environment.num_cpus=3")
    assert done.returncode == 0, done.stderr
    assert results(done) == ["9.0", "1.0", "4.0"]
    assert most_at_once(place) == 3
    assert len(instances(place)) == 1
    assert "#2 pipeline succeeded on ray" in done.stderr
    assert "#1 (fit) fitted 1.0\n" in done.stdout


def test_the_instance_lives_from_job_to_job(run: Run, place: Path) -> None:
    done = run("C=3,1,2", "hydra.launcher.concurrency=1", "execution_environment.num_cpus=1")
    assert done.returncode == 0, done.stderr
    assert results(done) == ["9.0", "1.0", "4.0"]
    assert most_at_once(place) == 1
    assert len(instances(place)) == 1


def test_failing_and_dying_jobs_leave_the_others_alone(run: Run, place: Path) -> None:
    done = run(
        "C=2,13,666,1", "execution_environment.num_cpus=2", "execution_environment.max_retries=0",
    )  # fmt: skip
    assert done.returncode == 1
    assert results(done) == ["4.0", "1.0"]
    assert "job #1 failed: node 'fit' failed: ValueError: unlucky" in done.stdout
    assert "job #2 failed: node 'fit' failed: WorkerLost" in done.stdout
    assert len(instances(place)) == 1


def test_trials_of_optuna_on_a_cluster_that_is_joined(run: Run, place: Path, cluster: str) -> None:
    pytest.importorskip("optuna")
    done = run(
        "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2",
        "hydra.sweeper.direction=maximize", "C=interval(-4,4)", "together=2",
        f"execution_environment.address={cluster}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert most_at_once(place) == 2
    assert instances(place) == {cluster}
    furthest = max((float(C) for C, _, _ in notes(place, "end")), key=abs)
    told = (place / "sweep/optimization_results.yaml").read_text()
    assert f"C: {furthest}" in told
    assert f"best_value: {furthest * furthest}" in told


def test_an_interrupt_cancels_all_and_stops_the_instance(place: Path) -> None:
    process = subprocess.Popen(
        command("C=1,2,3", "pause=60", "execution_environment.num_cpus=2"), cwd=place,
        env=variables(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (place / "notes").exists() and len(notes(place, "begin")) == 2:
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert printed.count(" pipeline cancelled on ray") == 3
    assert "Traceback" not in printed
    assert not notes(place, "end")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
