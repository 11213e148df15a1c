"""A cluster reached by `ray://`: its client server connects to it and sends for the driver."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

MAIN = """
import numpy as np

import turnout
from turnout import map_task, task, workflow


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task(retries=1)
def square(x: int) -> int:
    if turnout.current().attempt == 1 and x == 2:
        raise OSError("not yet")
    print("squaring", x)
    return x * x


@task
def spread(values: list[int]) -> np.ndarray:
    return np.repeat(np.array(values), 200_000)


@task
def total(array: np.ndarray) -> int:
    return int(array.sum())


@workflow
def pipeline(n: int = 4) -> int:
    return total(spread(map_task(square)(x=numbers(n))))


if __name__ == "__main__":
    turnout.main(pipeline)
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from ray.cluster_utils import Cluster

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    head = {"include_dashboard": False, "ray_client_server_port": port, "num_cpus": 2}
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.chdir(folder)
        cluster = Cluster(initialize_head=True, head_node_args=head)
        _see_that_it_serves(f"ray://127.0.0.1:{port}")
        yield f"ray://127.0.0.1:{port}"
        cluster.shutdown()


def _see_that_it_serves(address: str) -> None:
    """Ray's server for the first client of a cluster may die at once; those after it do not."""
    for _ in range(4):
        program = f"import ray; ray.init({address!r}, logging_level='ERROR')"
        if (
            subprocess.run([sys.executable, "-c", program], timeout=240, check=False).returncode
            == 0
        ):
            return
    pytest.fail(f"Ray itself does not connect to {address}")


# Ray leaves its handles of this server's logs to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file .*ray_client_server:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*ray_client_server:pytest.PytestUnraisableExceptionWarning")
def test_a_client_sends_what_a_driver_would(tmp_path: Path, address: str) -> None:
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "pyproject.toml").touch()
    settings = ["execution_environment=ray", f"execution_environment.address={address}"]
    done = subprocess.run(
        [sys.executable, "main.py", *settings],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "(square[3]) squaring 3" in done.stdout, done.stderr
    assert "square[2] failed (attempt 1 of 2): OSError: not yet" in done.stderr, done.stderr
    assert done.stdout.splitlines()[-1] == str(200_000 * (1 + 4 + 9))
