"""The Ray backend: its instance, what of the settings reaches Ray, and what tasks say."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

import turnout
from turnout.errors import PlanError, PluginError
from turnout.testing.pipelines.marks import left


def _load(name: str) -> Any:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


flows = _load("ray_tasks")
LOCAL = {"backend": "local"}


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def nodes(folder: str) -> Iterator[Cluster]:
    """A cluster of two nodes, outside of the project's directory."""
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1, resources={"far": 1})
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def connected(nodes: Cluster) -> Iterator[str]:
    """This process, connected to the cluster by its user."""
    ray.init(nodes.address, logging_level="WARNING")
    yield nodes.address
    assert ray.is_initialized(), "the user's own connection stays"
    ray.shutdown()


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    Path("scratch").mkdir()


@pytest.fixture
def scratch(project: None) -> str:
    return str(Path("scratch").absolute())


def start(workflow: Any, settings: Any = None, **inputs: Any) -> Any:
    environment = {"backend": "ray", "store": str(Path("store").absolute()), **(settings or {})}
    return turnout.run(workflow, execution_environment=environment, **inputs)


def value(workflow: Any, settings: Any = None, **inputs: Any) -> Any:
    return start(workflow, settings, **inputs).outputs


def refusal(workflow: Any, settings: Any = None, **inputs: Any) -> str:
    with pytest.raises(PlanError) as caught:
        start(workflow, settings, **inputs)
    return str(caught.value)


def script(
    text: str, *arguments: str, cwd: str = ".", **environ: str
) -> subprocess.CompletedProcess[str]:
    Path(cwd, "main.py").write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=cwd,
        env={**os.environ, **environ},
    )


# -- the instance ----------------------------------------------------------------------------------


def test_an_instance_started_for_a_run_ends_with_it() -> None:
    assert not ray.is_initialized()
    assert value(flows.chain, {"num_cpus": 1}, n=3) == 3
    assert not ray.is_initialized()


def test_a_joined_cluster_is_left_alone(nodes: Cluster) -> None:
    Path("ray_tasks.py").write_text(Path(flows.__file__).read_text())
    assert value(flows.chain, {"address": nodes.address}, n=3) == 3
    assert not ray.is_initialized()
    assert all(node.any_processes_alive() for node in nodes.list_all_nodes())


def test_the_users_own_connection_is_used_and_stays(connected: str) -> None:
    assert value(flows.chain, n=3) == 3
    assert value(flows.chain, {"address": "auto"}, n=3) == 3
    assert value(flows.chain, {"address": connected}, n=3) == 3


def test_another_cluster_than_the_users_is_refused(connected: str) -> None:
    with pytest.raises(PluginError, match=r"this process is connected .* ray.shutdown\(\) first"):
        start(flows.chain, {"address": "10.255.255.1:6379"}, n=3)


def test_the_users_cluster_has_several_names(connected: str) -> None:
    port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        assert value(flows.chain, {"address": f"{host}:{port}"}, n=2) == 2
    for other in ("127.0.0.1:1", "ray://10.255.255.1:10001", "local"):
        with pytest.raises(PluginError, match="this process is connected"):
            start(flows.chain, {"address": other}, n=2)


def test_an_address_that_does_not_answer_is_said_plainly() -> None:
    done = script(
        """
        import turnout

        @turnout.task
        def one() -> int:
            return 1

        @turnout.workflow
        def flow() -> int:
            return one()

        if __name__ == "__main__":
            turnout.main(flow)
        """,
        "execution_environment=ray",
        "execution_environment.address=127.0.0.1:9",
        RAY_gcs_server_request_timeout_seconds="1",
        RAY_gcs_rpc_server_reconnect_timeout_s="1",
    )
    assert done.returncode in (2, 3), done.stdout + done.stderr
    assert "the Ray cluster at 127.0.0.1:9 cannot be joined" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_versions_than_the_clusters_are_said_plainly(
    nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Ray compares is what the cluster says of itself."""
    monkeypatch.setattr(ray, "__version__", "2.0.0")
    with pytest.raises(PluginError) as caught:
        start(flows.chain, {"address": nodes.address}, n=3)
    said = str(caught.value)
    assert f"the Ray cluster at {nodes.address} and this process do not fit together" in said
    assert "Ray: 2.0.0" in said
    assert "install the cluster's versions here" in said
    assert not ray.is_initialized()


# -- settings --------------------------------------------------------------------------------------


def test_options_of_a_task_reach_ray(connected: str) -> None:
    found = value(flows.ask_granted)
    assert found["resources"] == {"CPU": 0.5, "memory": 64 << 20, "far": 0.5}
    assert found["variables"] == {"SET_TASK": "t"}


def test_variables_of_the_environment_reach_tasks(nodes: Cluster) -> None:
    Path("ray_tasks.py").write_text(Path(flows.__file__).read_text())
    settings = {"address": nodes.address, "runtime_env": {"env_vars": {"SET_ALL": "a"}}}
    assert value(flows.ask_plainly, settings)["variables"] == {"SET_ALL": "a"}
    assert value(flows.ask_granted, settings)["variables"] == {"SET_ALL": "a", "SET_TASK": "t"}


def test_tasks_are_spread(connected: str) -> None:
    assert len(set(value(flows.everywhere, {"scheduling_strategy": "SPREAD"}, n=6))) == 2


def test_a_placement_group_is_reserved_and_given_back(connected: str) -> None:
    settings = {"placement_group": {"bundles": [{"CPU": 1}], "strategy": "PACK"}}
    assert value(flows.ask_plainly, settings)["group"]
    end = time.monotonic() + 20
    states = {"CREATED"}
    while states != {"REMOVED"} and time.monotonic() < end:
        states = {group["state"] for group in ray.util.placement_group_table().values()}
        time.sleep(0.05)
    assert states == {"REMOVED"}


def test_bad_options_are_refused_with_a_hint() -> None:
    assert "options.ray has no 'runtime_enf'; did you mean 'runtime_env'?" in refusal(
        flows.misspelt
    )
    assert not ray.is_initialized()


def test_more_than_the_instance_will_have_is_refused() -> None:
    said = refusal(flows.greedy, {"num_cpus": 2})
    assert "node 'granted' asks for 64 cpu and this machine's instance has 2" in said


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"scheduling_strategy": "SPRAED"}, "is DEFAULT or SPREAD"),
        ({"num_cpus": -1}, "must not be negative"),
        ({"placement_group": {"bundels": []}}, "takes bundles, as in"),
        ({"adress": "auto"}, "address"),
        ({"address": "nohost"}, "is auto, HOST:PORT, ray://HOST:PORT"),
    ],
)
def test_bad_settings_are_refused(settings: Any, hint: str) -> None:
    with pytest.raises(turnout.errors.TurnoutError, match=hint):
        start(flows.chain, settings, n=1)


# -- what tasks say --------------------------------------------------------------------------------


def test_records_of_tasks_arrive_with_their_levels(
    connected: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = start(flows.talkative)
    records = [r for r in caplog.records if r.name == flows.log.name]
    told = [(record.levelname, record.getMessage()) for record in records]
    assert told == [("INFO", "(talk) a hint"), ("WARNING", "(talk) a warning")]
    assert run.outputs == 1
    assert [dict(node.metrics) for node in run.nodes] == [{"loss": 0.25}]


def test_all_that_a_short_run_prints_arrives_with_the_nodes_names(scratch: str) -> None:
    Path("ray_tasks.py").write_text(Path(flows.__file__).read_text())
    done = script(
        """
        import ray
        import turnout
        from ray_tasks import talkative

        if __name__ == "__main__":
            settings = {"backend": "ray", "num_cpus": 2}
            turnout.run(talkative, execution_environment=settings)
        """
    )
    assert done.stdout.splitlines() == ["(talk) a line that is printed"]


def test_a_task_knows_where_it_is(connected: str) -> None:
    run = start(flows.ask_surroundings)
    assert run.outputs == {
        "node": "surroundings",
        "task": "surroundings",
        "attempt": 1,
        "environment": "ray",
        "run": run.id,
    }


# -- values ----------------------------------------------------------------------------------------


def test_files_of_one_name_do_not_meet(connected: str) -> None:
    one, two, workdir = start(flows.files).outputs
    assert (one, two) == ("one", "two")
    assert not Path(workdir).exists()


@pytest.mark.parametrize("first", ["local", "ray"])
def test_one_store_serves_here_and_there(connected: str, scratch: str, first: str) -> None:
    second = {"local": "ray", "ray": "local"}[first]
    one = start(flows.cached, {"backend": first}, scratch=scratch, x=3)
    other = start(flows.cached, {"backend": second}, scratch=scratch, x=3)
    assert one.outputs == other.outputs == 3.0
    assert left(scratch) == ["computed"]
    assert all(node.cached for node in other.nodes)


def test_a_chain_is_sent_ahead(connected: str) -> None:
    from turnout_ray.executor import RayExecutor

    sent: list[float] = []
    waited: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        submit, wait_any = RayExecutor.submit, RayExecutor.wait_any

        def submitted(self: Any, calls: Any) -> Any:
            sent.extend(time.monotonic() for _ in calls)
            return submit(self, calls)

        def waits(self: Any, timeout: Any = None) -> Any:
            waited.append(time.monotonic())
            return wait_any(self, timeout)

        patch.setattr(RayExecutor, "submit", submitted)
        patch.setattr(RayExecutor, "wait_any", waits)
        assert value(flows.chain, n=300) == 300
    assert len(sent) == 300
    assert max(sent) < min(waited)


def test_the_penguins_are_the_same_to_the_last_digit(nodes: Cluster, tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "penguins"
    shutil.copytree(example, "penguins", ignore=shutil.ignore_patterns(".*", "outputs", "__*"))
    Path("penguins/pyproject.toml").touch()
    text = Path("penguins/main.py").read_text()
    here, there = (
        script(text, *arguments, cwd="penguins")
        for arguments in (
            ["execution_environment=local"],
            ["execution_environment=ray", f"execution_environment.address={nodes.address}"],
        )
    )
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    found = [re.findall(r"\d\.\d{3,}", done.stdout) for done in (here, there)]
    assert found[0]
    assert found[0] == found[1]


# -- the project on another machine ----------------------------------------------------------------

SHIPPED = """
    import json
    import os
    from pathlib import Path

    import turnout
    from animals.names import cat


    @turnout.task
    def look() -> dict:
        import animals.names
        import __main__ as main

        top = Path(animals.names.__file__).parents[2]
        files = sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())
        files = [file for file in files if not file.endswith(".pyc")]
        return {"cat": cat(), "module": animals.names.__file__, "cwd": os.getcwd(), "files": files}


    @turnout.workflow
    def flow() -> dict:
        return look()


    if __name__ == "__main__":
        run = turnout.run(
            flow, execution_environment={"backend": "ray", "address": os.environ["CLUSTER"]}
        )
        print(json.dumps(run.outputs))
    """


def test_a_project_reaches_a_cluster(nodes: Cluster, tmp_path: Path, folder: str) -> None:
    """The script is in a subfolder, its package in ``src``; some files stay here."""
    files = {
        "pyproject.toml": '[tool.turnout]\nsource = "src"\nexclude = ["big/*"]\n',
        ".rayignore": "ignored.txt\n",
        "ignored.txt": "",
        "big/data.bin": "",
        ".turnout/runs": "",
        "kept.txt": "",
        "src/animals/__init__.py": "",
        "src/animals/names.py": "def cat():\n    return 'Tom'\n",
        "jobs/daily/notes.txt": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    daily = str(tmp_path / "jobs" / "daily")
    source = str(tmp_path / "src")
    done = script(SHIPPED, cwd=daily, CLUSTER=nodes.address, PYTHONPATH=source)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cat"] == "Tom"
    assert str(tmp_path) not in found["module"]
    assert found["module"].startswith(folder)
    assert "working_dir_files" in found["module"]
    assert str(tmp_path) not in found["cwd"]
    assert {"kept.txt", "src/animals/names.py", "jobs/daily/main.py"} <= set(found["files"])
    stayed = {"ignored.txt", "big/data.bin", ".turnout/runs"}
    assert not stayed & set(found["files"])


AWAY = """
    import os

    import turnout

    @turnout.task
    def here() -> tuple[str, str]:
        return os.getcwd(), open("kept.txt").read()

    @turnout.workflow
    def flow() -> tuple[str, str]:
        return here()

    if __name__ == "__main__":
        turnout.main(flow)
    """


def test_a_worker_that_begins_elsewhere_works_in_the_project(nodes: Cluster) -> None:
    """As one in a container does."""
    Path("kept.txt").write_text("kept")
    Path("python").write_text(f'#!/bin/sh\ncd /\nexec {sys.executable} "$@"\n')
    Path("python").chmod(0o755)
    python = f"execution_environment.runtime_env.py_executable={Path.cwd()}/python"
    there = f"execution_environment.address={nodes.address}"
    done = script(AWAY, "execution_environment=ray", there, python)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\('.*/working_dir_files/.*', 'kept'\)\n", done.stdout)


# -- one core --------------------------------------------------------------------------------------

NESTED = r"""
    import os
    import sys
    from pathlib import Path

    import ray
    import turnout
    from ray_tasks import nested


    def workers():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        texts = []
        for pid in pids:
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes()
                text = Path(f"/proc/{pid}/cmdline").read_text()
            except OSError:
                continue
            if os.environ["RAY_TMPDIR"].encode() in environ and text.startswith("ray::"):
                # Ray's own agents call themselves so as well.
                texts.append(text.strip("\0"))
        return texts


    if __name__ == "__main__":
        ray.init("local", num_cpus=1, include_dashboard=False, logging_level="WARNING")
        run = turnout.run(
            nested, scratch=sys.argv[1], depth=6, execution_environment={"backend": "ray"}
        )
        print(run.outputs)
        print(*[worker for worker in workers() if "Agent" not in worker], sep="\n")
    """


def test_nested_dynamic_graphs_need_one_core_and_one_worker(scratch: str) -> None:
    Path("ray_tasks.py").write_text(Path(flows.__file__).read_text())
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as files:
        done = script(NESTED, scratch, RAY_TMPDIR=files)
    assert done.returncode == 0, done.stderr
    value, *workers = done.stdout.splitlines()
    assert value == "6"
    assert len(set(left(scratch))) == 1
    # Besides the one that works there may be the mailbox's.
    assert len(workers) <= 2
