"""Ray where it is asked for twice, by other names, or for what it has not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

import turnout
from turnout import Resources, spi, task, workflow
from turnout.errors import PlanError, PluginError, RunFailed, TaskTimeout
from turnout_ray.backend import RayBackend, RayConfig

TASKS = """
import os

import turnout
from turnout import task, workflow


@task(cache=True)
def where(x: int) -> list[str]:
    return [os.getcwd()] * x


@workflow
def places(x: int) -> list[str]:
    return where(x)
"""


@pytest.fixture(scope="module", autouse=True)
def folder() -> Iterator[str]:
    """Where Ray keeps its files, so that nobody else's instance is found or finds ours."""
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.chdir(folder)
        yield folder


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()


@pytest.fixture
def port(folder: str) -> Iterator[str]:
    """A cluster of one node."""
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False})
    try:
        yield cluster.address.rpartition(":")[2]
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def connected(folder: str) -> Iterator[None]:
    """An instance the user has started in this process."""
    ray.init(num_cpus=1, include_dashboard=False, logging_level="WARNING")
    yield
    ray.shutdown()


@task(timeout=1)
def backtrack() -> bool:
    # One call into C, which keeps every other thread of its process from running.
    return re.match(r"(a+)+$", "a" * 29 + "b") is None


@workflow
def stuck() -> bool:
    return backtrack()


@task
def read(name: str) -> str:
    return os.environ.get(name, "")


@task(options={"ray": {"runtime_env": {"env_vars": {"SET_TASK": "t"}}}})
def read_own(name: str) -> str:
    return os.environ.get(name, "") + os.environ.get("SET_TASK", "")


@workflow
def variables(variable: str) -> list[str]:
    return [read(variable), read_own(variable)]


@task
def one() -> int:
    return 1


@workflow
def simple() -> int:
    return one()


@task
def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.02)
    return "done"


@workflow
def waiting(path: str) -> str:
    return wait_for(path)


@task(resources=Resources(gpu=1))
def train() -> int:
    return 1


@workflow
def training() -> int:
    return train()


@task(resources=Resources(gpu=1))
def devices(path: str, both: str) -> str:
    Path(path).touch()
    while not Path(both).exists():  # until the other has its device too
        time.sleep(0.02)
    return os.environ["CUDA_VISIBLE_DEVICES"]


@workflow
def two_trainings(folder: str) -> list[str]:
    one, other = f"{folder}/one", f"{folder}/other"
    return [devices(one, other), devices(other, one)]


@task(resources=Resources(custom={"licence": 1}))
def licensed() -> int:
    return 1


@workflow
def licensing() -> int:
    return licensed()


@task(resources=Resources(cpu=64))
def large() -> int:
    return 1


@workflow
def enlarging() -> int:
    return large()


def value(flow: Any, settings: dict[str, Any] | None = None, **inputs: Any) -> Any:
    return turnout.run(
        flow, execution_environment={"backend": "ray", **(settings or {})}, **inputs
    ).outputs


def test_two_environments_of_one_run_do_not_mix_up_their_tasks() -> None:
    """Each numbers its tasks from the start, and they may share worker processes."""
    Path("conf/execution_environment").mkdir(parents=True)
    Path("conf/config.yaml").write_text("n: 100\n")
    Path("conf/execution_environment/prod.yaml").write_text(
        "defaults: [ray]\naddress: local\nnum_cpus: 1\n"
    )
    Path("main.py").write_text(
        textwrap.dedent("""
        import turnout
        from turnout import task, workflow
        from omegaconf import DictConfig

        @task
        def one(x: int) -> int:
            return x + 1

        @task(execution_environment="ray")
        def twenty(x: int) -> int:
            return x + 20

        @workflow(config_path="conf", config_name="config")
        def flow(cfg: DictConfig) -> list:
            return [one(cfg.n), one(twenty(cfg.n)), one(twenty(one(cfg.n)))]

        if __name__ == "__main__":
            turnout.main(flow)
        """)
    )
    done = subprocess.run(
        [sys.executable, "main.py", "execution_environment=prod"],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["[101, 121, 122]"], done.stderr


def test_a_timeout_ends_what_lets_no_other_thread_run(connected: None) -> None:
    begin = time.monotonic()
    with pytest.raises(RunFailed) as caught:
        value(stuck)
    assert isinstance(caught.value.__cause__, TaskTimeout)
    assert time.monotonic() - begin < 8


def test_a_runtime_env_reaches_tasks_on_the_user_s_own_connection(connected: None) -> None:
    settings = {"runtime_env": {"env_vars": {"SET_ALL": "a"}}}
    assert value(variables, settings, variable="SET_ALL") == ["a", "at"]
    assert value(variables, variable="SET_ALL") == ["", "t"]


def wheel(folder: Path) -> Path:
    """A package that is installed nowhere, as pip takes it."""
    made = folder / "tiny_wheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("tiny_wheel.py", "ANSWER = 42\n")
        for name, text in {
            "METADATA": "Metadata-Version: 2.1\nName: tiny-wheel\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            archive.writestr(f"tiny_wheel-1.0.dist-info/{name}", text)
    return made


PACKAGED = """
import importlib.util

from turnout import task, workflow


@task
def answer() -> int:
    import tiny_wheel

    return tiny_wheel.ANSWER


@task
def has_answer() -> bool:
    return importlib.util.find_spec("tiny_wheel") is not None


@workflow
def both() -> tuple[int, bool]:
    return answer(), has_answer()
"""


def test_a_task_gets_packages_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(PACKAGED)
    pip = f"{{ray: {{runtime_env: {{pip: [{wheel(tmp_path)}]}}}}}}"
    done = subprocess.run(
        [
            sys.executable, "-m", "turnout", "run", "flow.py:both", "execution_environment=ray",
            "execution_environment.num_cpus=2", f"turnout.tasks.answer.options={pip}",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.stdout == "(42, False)\n", done.stderr
    assert done.stderr.count("Ray makes the runtime_env of task 'answer' (pip)") == 1


def test_runs_that_overlap_do_not_get_one_another_s_settings(tmp_path: Path) -> None:
    first = {"backend": "ray", "num_cpus": 2}
    mark = tmp_path / "go"
    run = turnout.run(waiting, path=str(mark), execution_environment=first, wait=False)
    try:
        until = time.monotonic() + 60
        while not ray.is_initialized():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert turnout.run(simple, execution_environment=first).outputs == 1
        for name, value in (
            ("num_cpus", 1), ("namespace", "other"), ("address", "10.255.255.1:1"),
            ("runtime_env", {"env_vars": {"A": "1"}}),
        ):  # fmt: skip
            told = rf"with {name}=.*, and this one says {name}=.*; let that one end first"
            with pytest.raises(PluginError, match=told):
                turnout.run(simple, execution_environment={**first, name: value})
    finally:
        mark.touch()
    assert run.wait().outputs == "done"


def test_an_instance_outlives_the_thread_that_started_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one = {"backend": "ray", "num_cpus": 2}
    marks = [tmp_path / "first", tmp_path / "second"]
    runs = [
        turnout.run(waiting, path=str(mark), execution_environment=one, wait=False)
        for mark in marks
    ]
    marks[0].touch()
    assert runs[0].wait().outputs == "done"
    time.sleep(1.0)  # what ends with a thread ends at once
    assert ray.is_initialized()
    marks[1].touch()
    assert runs[1].wait().outputs == "done"
    assert not ray.is_initialized()
    assert "SIGTERM handler" not in capfd.readouterr().err


BUSY = """
import time

import ray
import turnout
from turnout import task, workflow
from turnout_ray import executor


@task
def quick(x: int) -> int:
    return x + 1


@workflow
def flow() -> int:
    return quick(1)


@ray.remote
def hold():
    time.sleep(4)  # longer than the run waits before it says so


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False)
    executor._WAITED = 1.0
    held = hold.remote()
    time.sleep(1)  # until it has the core
    turnout.main(flow)
"""


def test_a_run_that_waits_for_others_says_so(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(BUSY)
    done = subprocess.run(
        [sys.executable, "main.py", "execution_environment=ray"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout == "2\n", done.stderr
    assert done.stderr.count("nothing has begun for 1 s: Ray has no room for it") == 1


def test_settings_that_come_too_late_are_told(connected: None) -> None:
    told: list[str] = []
    late = {"backend": "ray", "num_gpus": 2}
    with pytest.raises(PluginError, match=r"num_gpus=2 has no effect \(strict=true\)"):
        turnout.run(simple, execution_environment={**late, "strict": True})
    from turnout_ray import cluster

    config = RayConfig(num_gpus=2)
    cluster.enter(config, spi.Project(Path.cwd(), Path.cwd()), told.append)
    cluster.leave()
    assert told == ["Ray is connected already, by ray.init, where num_gpus=2 has no effect"]


def test_what_an_instance_started_here_has_not_is_refused() -> None:
    with pytest.raises(PlanError, match="node 'licensed' asks for 'licence'"):
        value(licensing)
    with pytest.raises(PlanError, match="node 'large' asks for 64 cpu"):
        value(enlarging, {"address": "local", "num_cpus": 2})
    assert not ray.is_initialized()
    with pytest.raises(PluginError, match="asks for 1 GPU, and no node of Ray's has that"):
        value(training, {"num_gpus": None, "num_cpus": 1})
    assert not ray.is_initialized()
    with pytest.raises(PlanError, match="node 'train' asks for 1 gpu"):
        value(training, {"num_gpus": 0})


@pytest.mark.parametrize("dashboard", [False, True])
def test_an_instance_has_what_a_run_needs(tmp_path: Path, dashboard: bool) -> None:
    project = spi.Project(root=tmp_path, source=tmp_path)
    with RayBackend().shared(RayConfig(num_cpus=1, dashboard=dashboard), project, print):
        servers = dict(ray._private.worker._global_node.all_processes)
        groups = {os.getpgid(one.process.pid) for [one] in servers.values()}
    assert {"gcs_server", "raylet", "log_monitor"} <= servers.keys()
    assert ({"dashboard", "monitor"} <= servers.keys()) is dashboard
    assert os.getpgrp() not in groups
    assert isinstance(ray._private.services.ConsolePopen, type), "as it was"


def test_each_task_has_a_device_of_its_own(tmp_path: Path) -> None:
    # Ray counts devices as it is told, and hands out their numbers.
    found = value(two_trainings, {"num_cpus": 2, "num_gpus": 2}, folder=str(tmp_path))
    assert sorted(found) == ["0", "1"]


def test_one_cluster_by_the_name_of_its_machine(
    port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a sweep holds, and what its jobs then open, is the same connection."""
    Path("review_places.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    from review_places import places  # type: ignore[import-not-found, unused-ignore]

    settings = {"address": f"localhost:{port}", "store": "results"}
    project = spi.Project(root=tmp_path, source=tmp_path)
    with RayBackend().shared(RayConfig(address=settings["address"]), project, print):
        [there] = value(places, settings, x=1)
    assert there != str(tmp_path), "workers have a directory of their own"
    assert any(Path("results").rglob("*")), "and the store is where the driver says"


@pytest.mark.parametrize("joins", [False, True])
def test_modules_of_one_name_are_those_of_the_driver(
    tmp_path: Path, request: pytest.FixtureRequest, joins: bool
) -> None:
    for place in ("", "flows"):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "helper.py").write_text(f"WHERE = {place!r}\n")
    (tmp_path / "flows" / "pipeline.py").write_text(NAMESAKE)
    settings = ["execution_environment=ray"]
    if joins:
        port = request.getfixturevalue("port")
        settings.append(f"execution_environment.address=localhost:{port}")
    done = subprocess.run(
        [sys.executable, "-m", "turnout", "run", "flows/pipeline.py:flow", *settings],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "flows\n"


NAMESAKE = """
import helper
from turnout import task, workflow


@task
def where() -> str:
    return helper.WHERE


@workflow
def flow() -> str:
    return where()
"""


def test_what_no_node_has_is_known(port: str) -> None:
    from turnout_ray import cluster

    ray.init(f"localhost:{port}", logging_level="WARNING")
    assert cluster.lacks({"CPU": 1}, {}) == ""
    assert cluster.lacks({"CPU": 1, "licence": 2}, {}) == "2 licence"
    [node] = {node["NodeID"] for node in ray.nodes()}
    there = {"ray.io/node-id": f"in({node}, other)"}
    assert cluster.lacks({}, there) == ""
    assert cluster.lacks({"licence": 2}, there).startswith(
        "2 licence on a machine labelled ray.io/"
    )
    assert cluster.lacks({"CPU": 1}, {"zone": "a"}) == "a machine labelled zone=a"
    assert cluster.lacks({"CPU": 1}, {"zone": "!a"}) == ""
    assert not cluster.started()
