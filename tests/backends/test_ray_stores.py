"""Stores on a cluster whose machines do not all see the same files.

The other machine is a real node with a host name and mounts of its own, on which the folder of the
store is an empty one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster

import turnout
from turnout import task, workflow
from turnout.errors import PlanError, RunFailed

FAR = {"ray": {"resources": {"far": 1}}}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[str]:
    """A head on this machine, and a node that is on another one as far as files are concerned."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        nodes = Cluster(
            initialize_head=True,
            head_node_args={"include_dashboard": False, "num_cpus": 1},
        )
        (folder / "project").mkdir()
        starting = (
            f"hostname far; mount -t tmpfs none {folder}/project; "
            f"exec {sys.executable} -m ray.scripts.scripts start --address={nodes.address} "
            """--num-cpus=2 --resources='{"far": 2}' --block"""
        )
        node = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                starting,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ray.init(nodes.address, logging_level="WARNING")
            end = time.monotonic() + 60
            while "far" not in ray.cluster_resources():
                assert node.poll() is None, "the node could not be started; is this root on Linux?"
                assert time.monotonic() < end, "the node did not join"
                time.sleep(0.1)
            yield nodes.address
        finally:
            ray.shutdown()
            node.kill()
            node.wait()
            nodes.shutdown()


@pytest.fixture(autouse=True)
def project(folder: Path, cluster: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder / "project")
    (folder / "project/pyproject.toml").touch()
    return folder / "project"


@task(cache=True)
def cached(x: int) -> int:
    return x + 1


@task
def large(x: int) -> np.ndarray:
    return np.full(1000, x)


@task
def total(data: np.ndarray) -> int:
    return int(data.sum())


@workflow
def one(x: int) -> int:
    return cached(x)


@workflow
def far(x: int) -> int:
    return total.with_options(options=FAR)(large.with_options(options=FAR)(x))


@workflow
def far_cached(x: int) -> int:
    return cached.with_options(options=FAR)(x)


def ray_with(**settings: Any) -> dict[str, Any]:
    return {"backend": "ray", "address": "auto", "store": "kept", **settings}


def test_a_store_that_a_machine_does_not_see_is_refused_before_anything_runs(
    project: Path,
) -> None:
    with pytest.raises(PlanError, match=r"another place, or none, on machine 'far'") as refused:
        turnout.run(one, x=1, execution_environment=ray_with())
    assert "execution_environment.store" in str(refused.value)
    with pytest.raises(PlanError, match="'far'"):
        turnout.run(far, x=1, execution_environment=ray_with(keep="all"))
    assert not (project / "kept/cache").exists()


def test_without_a_need_for_the_store_the_cluster_is_of_use(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = turnout.run(far, x=2, execution_environment=ray_with())
    assert run.outputs == 2000
    told = [text for text in caplog.messages if "are not kept" in text]
    assert any("another place, or none, on machine 'far'" in text for text in told)
    off = turnout.run(one, x=1, execution_environment=ray_with(cache="off"))
    assert off.outputs == 2


def test_a_machine_that_joins_later_tells_what_it_does_not_see(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import turnout_ray.stores

    # As if it had not been there yet when the run began.
    monkeypatch.setattr(turnout_ray.stores, "_machines", lambda store: [])
    with pytest.raises(RunFailed, match=r"another place, or none, on machine 'far'"):
        turnout.run(far_cached, x=5, execution_environment=ray_with())


def test_a_store_that_all_machines_see_is_fine(folder: Path) -> None:
    # Outside of the mount, both see the same files.
    store = os.fspath(folder / "shared")
    environment = ray_with(store=store)
    assert turnout.run(far_cached, x=7, execution_environment=environment).outputs == 8
    again = turnout.run(far_cached, x=7, execution_environment=environment)
    assert again.nodes[0].cached
    local = turnout.run(far_cached, x=7, execution_environment={"store": store})
    assert local.nodes[0].cached, "what the far machine computed is a hit here"
