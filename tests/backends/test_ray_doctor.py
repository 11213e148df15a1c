"""`turnout doctor ray`, on an instance of its own, a cluster, and where there is none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

DOCTOR = "import sys; from turnout.cli import main; sys.exit(main(['doctor', *sys.argv[1:]]))"


def doctor(place: Path, *settings: str, status: int = 0) -> dict[str, dict[str, Any]]:
    """What the command found of Ray, by the names of the checks."""
    done = subprocess.run(
        [sys.executable, "-c", DOCTOR, "ray", *settings, "--json"], cwd=place,
        capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    found = json.loads(done.stdout)["checks"]
    return {check["name"]: check for check in found if check["of"] == "ray"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster of two nodes; its address."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made.address
    made.shutdown()


def test_an_instance_starts_and_stops_here(place: Path) -> None:
    import ray

    found = doctor(place, "num_cpus=1", "dashboard=true")
    assert found["Ray"]["detail"].startswith(f"{ray.__version__}, ")
    assert found["instance"]["detail"].startswith("starts here: 1 node, 1 CPU, ")
    assert found["instance"]["seconds"] > 0.1
    assert found["task"]["detail"].startswith("the first one took ")
    assert found["versions"]["status"] == "ok"
    assert f"ray {ray.__version__}, python " in found["versions"]["detail"]
    assert found["object store"]["detail"].endswith(" GiB")
    assert found["dashboard"]["detail"].startswith("http://")
    assert found["stopping"]["status"] == "ok"
    assert "shared memory" in found


def test_a_cluster_is_joined_and_left_running(place: Path, cluster: str) -> None:
    for _ in range(2):
        found = doctor(place, f"execution_environment.address={cluster}")
        assert found["cluster"]["detail"].startswith(f"joined {cluster}: 2 nodes, 2 CPU, ")
        assert found["versions"]["status"] == "ok"
        assert {"stopping", "shared memory"}.isdisjoint(found)


def test_nobody_answers(place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    found = doctor(place, f"address={address}", status=1)
    assert time.monotonic() - began < 30
    assert found["cluster"]["status"] == "problem"
    assert f"the Ray cluster at {address} cannot be joined" in found["cluster"]["detail"]
    assert "ray status" in found["cluster"]["remedy"]


def test_processes_whose_instance_has_gone(place: Path) -> None:
    """A process that looks like a node without its cluster: no parent, no such session."""
    script = place / "raylet"
    script.write_text("import time\ntime.sleep(120)\n")
    name = os.fspath(script)
    process = subprocess.Popen(
        [name, os.fspath(script), "--log_dir=/tmp/ray/session_2000-01-01_gone/logs"],
        executable=sys.executable,
    )
    try:
        found = doctor(place, "num_cpus=1")
    finally:
        process.kill()
        process.wait()
    assert found["leftovers"]["status"] == "warning"
    assert str(process.pid) in found["leftovers"]["remedy"]
