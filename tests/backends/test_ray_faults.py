"""Ray under faults: real clusters of several nodes, whose processes are really killed.

Where the driver itself dies, it is a process of its own; what it leaves behind is looked for in
the cluster and among the machine's processes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group_table

import turnout
from turnout.errors import RunFailed, WorkerLost
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


@contextmanager
def ray_files() -> Iterator[str]:
    """Where Ray keeps its files, so that nobody else's instance is found or finds ours."""
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        # A node that is gone is missed after 2 s, and not after 15.
        patch.setenv("RAY_health_check_period_ms", "500")
        patch.setenv("RAY_health_check_failure_threshold", "4")
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one core, and this process connected to the first."""
    with ray_files():
        nodes = Cluster(initialize_head=True, head_node_args={"include_dashboard": False})
        try:
            nodes.add_node()
            ray.init(nodes.address, logging_level="WARNING")
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()


@pytest.fixture
def far_node(cluster: Cluster) -> Any:
    """One more node, which the test removes."""
    return cluster.add_node(num_cpus=2, resources={"far": 2})


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    Path("scratch").mkdir()


@pytest.fixture
def scratch(project: None) -> str:
    return str(Path("scratch").absolute())


def start(workflow: Any, wait: bool = True, on_error: str = "stop", **inputs: Any) -> Any:
    settings = {"backend": "ray", "store": str(Path("store").absolute())}
    settings |= inputs.pop("settings", {})
    config = {"turnout": {"on_error": on_error}}
    return turnout.run(workflow, config, execution_environment=settings, wait=wait, **inputs)


def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.02)


def processes(folder: str) -> list[int]:
    """The processes whose Ray keeps its files in a folder, but for this one."""
    wanted = f"RAY_TMPDIR={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid() and alive(pid)]


def programs(folder: str) -> set[str]:
    """The names of those processes' programs."""
    names = set()
    for pid in processes(folder):
        with suppress(OSError):
            names.add(os.path.basename(os.readlink(f"/proc/{pid}/exe")))
    return names


def gone(folder: str) -> None:
    """Wait until no process of an instance is left.

    Agents whose instance was killed try for a minute to tell it of that, and end then.
    """
    until = time.monotonic() + 150
    while pids := processes(folder):
        names = [Path(f"/proc/{pid}/cmdline").read_text()[:120] for pid in pids if alive(pid)]
        assert time.monotonic() < until, names
        time.sleep(0.2)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def driver(text: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """A program that uses the tasks of these tests, in a session of its own."""
    Path("ray_tasks.py").write_text(Path(flows.__file__).read_text())
    Path("main.py").write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, "main.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
        start_new_session=True,
    )


def finished(program: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return program.communicate(timeout=90)
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.communicate()


# -- workers and nodes -----------------------------------------------------------------------------


def test_a_worker_killed_in_mid_task(cluster: Cluster, scratch: str) -> None:
    run = start(flows.killed_once, wait=False, scratch=scratch)
    pid = Path(scratch, "pid")
    eventually(lambda: pid.exists() and pid.read_text())
    os.kill(int(pid.read_text()), signal.SIGKILL)
    run.wait()
    assert run.outputs == 3
    assert left(scratch) == ["begun", "begun"]


def test_a_node_removed_in_the_middle_of_a_map(
    cluster: Cluster, far_node: Any, scratch: str
) -> None:
    run = start(flows.wide, wait=False, scratch=scratch, n=200, settings=SPREAD)
    far = f"on {far_node.node_id} "
    eventually(lambda: sum(mark.startswith(far) for mark in left(scratch)) > 20)
    for pid in {int(mark.split()[2]) for mark in left(scratch) if mark.startswith(far)}:
        os.kill(pid, signal.SIGKILL)  # at once, as where a machine loses its power
    cluster.remove_node(far_node, allow_graceful=False)
    run.wait()
    assert run.outputs == [number * number for number in range(200)]
    times = Counter(left(scratch))
    # A call on the node may have ended without the driver having heard of it.
    assert sum(times[f"done {number}"] for number in range(200)) <= 200 + 2
    again = [number for number in range(200) if times[f"begun {number}"] > 1]
    assert 1 <= len(again) <= 2
    assert all(times[f"begun {number}"] == 2 for number in again)


SPREAD = {"scheduling_strategy": "SPREAD"}


def test_what_a_lost_node_made_is_made_again(cluster: Cluster, far_node: Any, scratch: str) -> None:
    run = start(flows.made_far_away, wait=False, scratch=scratch)
    eventually(lambda: "waits" in left(scratch) and len(left(scratch)) == 2)
    time.sleep(0.5)  # until the array is in the store
    cluster.remove_node(far_node, allow_graceful=False)
    other = cluster.add_node(num_cpus=1, resources={"far": 1})
    Path(scratch, "go").touch()
    try:
        run.wait()
    finally:
        cluster.remove_node(other)
    assert run.outputs == sum(range(2_000_000))
    made = [mark for mark in left(scratch) if mark.startswith("made")]
    assert len(set(made)) == len(made) == 2


def test_what_cannot_be_made_again_fails_the_run(
    cluster: Cluster, far_node: Any, scratch: str
) -> None:
    settings = {"max_retries": 0}
    run = start(flows.made_far_away, wait=False, scratch=scratch, settings=settings)
    eventually(lambda: "waits" in left(scratch) and len(left(scratch)) == 2)
    time.sleep(0.5)
    cluster.remove_node(far_node, allow_graceful=False)
    Path(scratch, "go").touch()
    with pytest.raises(RunFailed) as caught:
        run.wait()
    assert caught.value.node == "checksum"
    assert isinstance(caught.value.__cause__, WorkerLost)
    said = str(caught.value.__cause__)
    assert said.startswith("node 'checksum': an input is lost that Ray cannot make again: ")
    assert "\n" not in said


def test_a_poisonous_task_fails_alone(cluster: Cluster, scratch: str) -> None:
    with pytest.raises(RunFailed) as caught:
        start(flows.poisoned, on_error="continue", scratch=scratch, settings={"max_retries": 2})
    assert left(scratch) == ["poison"] * 3
    assert isinstance(caught.value.__cause__, WorkerLost)
    said = str(caught.value.__cause__)
    assert said.startswith("node 'poison': its Ray worker went away")
    assert "\n" not in said
    assert len(said) < 400
    status = Counter(node.status for node in caught.value.run.nodes)
    assert status == {"succeeded": 9, "failed": 1, "skipped": 2}


def test_a_timeout_and_what_waits_for_the_result(cluster: Cluster, scratch: str) -> None:
    run = start(flows.slow_then_chain, scratch=scratch)
    assert run.outputs == 3 + 5
    assert left(scratch) == ["attempt"] * 3
    [slow] = [node for node in run.nodes if node.name == "slow_at_first"]
    assert slow.attempts == 3


# -- the driver goes away --------------------------------------------------------------------------

ENDLESS = """
    import sys
    import turnout
    from ray_tasks import endless

    if __name__ == "__main__":
        turnout.main(endless)
    """


def test_a_killed_driver_leaves_nothing_on_the_cluster(cluster: Cluster, scratch: str) -> None:
    program = driver(
        ENDLESS, f"scratch={scratch}", "execution_environment=ray",
        f"execution_environment.address={cluster.address}",
        "execution_environment.placement_group={bundles: [{CPU: 1}, {CPU: 1}]}",
    )  # fmt: skip
    try:
        eventually(lambda: len(left(scratch)) > 20 or program.poll() is not None)
        assert program.poll() is None, finished(program)
        eventually(mailboxes)
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
    eventually(lambda: not mailboxes())
    eventually(lambda: quiet(scratch))
    eventually(lambda: ray.available_resources().get("CPU") == ray.cluster_resources()["CPU"])
    groups = placement_group_table().values()
    assert {group["state"] for group in groups} <= {"REMOVED"}


def test_a_head_that_does_not_come_back_is_told(scratch: str) -> None:
    with ray_files():
        nodes = Cluster(True, head_node_args={"include_dashboard": False})
        os.chdir(Path(scratch).parent)
        there = f"execution_environment.address={nodes.address}"
        soon = {"RAY_gcs_rpc_server_reconnect_timeout_s": "30"}
        program = driver(ENDLESS, f"scratch={scratch}", "execution_environment=ray", there, **soon)
        try:
            eventually(lambda: len(left(scratch)) > 5 or program.poll() is not None, 60)
            nodes.head_node.all_processes["gcs_server"][0].process.kill()
        finally:
            _, complaints = finished(program)
            nodes.shutdown()
        assert program.returncode == 1, complaints
        assert " has gone: nobody has answered there for " in complaints
        assert [run.status for run in turnout.runs()] == ["failed"]


def mailboxes() -> list[Any]:
    return ray.util.list_named_actors(all_namespaces=True)


def test_a_killed_driver_takes_its_own_instance_along(scratch: str) -> None:
    with ray_files() as folder:
        os.chdir(Path(scratch).parent)
        program = driver(ENDLESS, f"scratch={scratch}", "execution_environment=ray", *SMALL)
        try:
            # Ray's agents notice that they are alone once they have started up.
            eventually(lambda: len(left(scratch)) > 200 or program.poll() is not None)
            assert program.poll() is None, finished(program)
            assert len(processes(folder)) > 3
        finally:
            os.kill(program.pid, signal.SIGKILL)
            program.communicate()
        gone(folder)
        assert quiet(scratch)


SMALL = ("execution_environment.num_cpus=2",)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("everyone", [False, True], ids=["driver", "group"])
def test_an_interrupt_ends_everything(scratch: str, everyone: bool, number: signal.Signals) -> None:
    with ray_files() as folder:
        os.chdir(Path(scratch).parent)
        program = driver(ENDLESS, f"scratch={scratch}", "execution_environment=ray", *SMALL)
        try:
            eventually(lambda: len(left(scratch)) > 20 or program.poll() is not None)
            # A terminal tells all of its processes; so do `timeout` and many a scheduler.
            (os.killpg if everyone else os.kill)(program.pid, number)
        finally:
            said, complaints = finished(program)
        assert program.returncode == 130, said + complaints
        assert "Traceback" not in complaints
        gone(folder)
        assert quiet(scratch)


@pytest.mark.parametrize(
    ("number", "started"),
    [
        (signal.SIGINT, "gcs_server"),
        (signal.SIGTERM, "gcs_server"),
        (signal.SIGTERM, "raylet"),
    ],
)
def test_an_interrupt_while_ray_starts_leaves_nothing(
    scratch: str, number: signal.Signals, started: str
) -> None:
    with ray_files() as folder:
        os.chdir(Path(scratch).parent)
        program = driver(ENDLESS, f"scratch={scratch}", "execution_environment=ray", *SMALL)
        try:
            eventually(lambda: started in programs(folder) or program.poll() is not None)
            # Ctrl-C in a terminal is for all of its processes; a service manager ends the driver.
            (os.killpg if number == signal.SIGINT else os.kill)(program.pid, number)
        finally:
            said, complaints = finished(program)
        assert program.returncode == 130, said + complaints
        assert "Traceback" not in complaints
        if number == signal.SIGINT:
            assert processes(folder) == [], "not even for a moment"
        gone(folder)
        assert left(scratch) == []


def test_an_interrupt_while_a_cluster_does_not_answer(scratch: str) -> None:
    os.chdir(Path(scratch).parent)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(60)
        there = f"execution_environment.address=ray://127.0.0.1:{deaf.getsockname()[1]}"
        program = driver(ENDLESS, f"scratch={scratch}", "execution_environment=ray", there)
        try:
            callers = [deaf.accept()[0]]
            callers[0].sendall(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # as gRPC begins
            callers.append(deaf.accept()[0])  # that is Ray
            os.kill(program.pid, signal.SIGINT)
        finally:
            said, complaints = finished(program)
        for caller in callers:
            caller.close()
    assert program.returncode == 130, said + complaints
    assert "Traceback" not in complaints
    assert left(scratch) == []


# -- memory ----------------------------------------------------------------------------------------

LARGE = """
    import json
    import threading
    import time

    import turnout
    from ray_tasks import large


    def memory():
        lines = open("/proc/self/status").read().splitlines()
        said = dict(line.split(":") for line in lines if line.startswith("Rss"))
        return {name: int(text.split()[0]) >> 10 for name, text in said.items()}


    def watch():
        while True:
            now = memory()
            for name, amount in now.items():
                most[name] = max(most.get(name, 0), amount)
            time.sleep(0.005)


    if __name__ == "__main__":
        settings = {"backend": "ray", "num_cpus": 2, "object_store_memory": "4Gi", "keep": "none"}
        turnout.run(large, megabytes=1, execution_environment=settings)
        most = {}
        before = memory()
        threading.Thread(target=watch, daemon=True).start()
        run = turnout.run(large, megabytes=1024, execution_environment=settings)
        print(json.dumps({"before": before, "most": most, "value": run.outputs}))
    """


def test_a_large_array_never_comes_to_the_driver(scratch: str) -> None:
    """Megabytes of the driver's own memory, and of memory it shares with Ray's store."""
    with ray_files():
        os.chdir(Path(scratch).parent)
        said, complaints = finished(program := driver(LARGE))
    assert program.returncode == 0, complaints
    found = json.loads(said.splitlines()[-1])
    print(found)
    assert found["value"] == 1 << 30
    for kind in ("RssAnon", "RssShmem"):
        assert found["most"][kind] - found["before"][kind] < 50, found


# -- failures and what was sent ahead --------------------------------------------------------------

FAILING = """
    import sys
    import time
    from collections import Counter

    import ray
    import turnout
    from ray_tasks import long_after_failure

    if __name__ == "__main__":
        ray.init("local", num_cpus=2, include_dashboard=False, logging_level="WARNING")
        for on_error in ("stop", "continue"):
            try:
                turnout.run(
                    long_after_failure,
                    {"turnout": {"on_error": on_error}},
                    n=50,
                    execution_environment={"backend": "ray"},
                )
            except turnout.errors.RunFailed as failure:
                print(failure, sorted(Counter(n.status for n in failure.run.nodes).items()))
                assert type(failure.__cause__) is ValueError
        time.sleep(1)
    """


def test_one_failure_is_told_where_a_chain_was_sent_ahead(scratch: str) -> None:
    with ray_files():
        os.chdir(Path(scratch).parent)
        said, complaints = finished(program := driver(FAILING))
    assert program.returncode == 0, complaints
    told = "node 'broken' failed: ValueError: broken [('failed', 1), ('skipped', 50)]"
    assert said.splitlines() == [told, told]
    assert complaints == ""


def quiet(scratch: str) -> bool:
    before = len(left(scratch))
    time.sleep(0.5)
    return len(left(scratch)) == before
