"""How runs end: interrupts, exits, cancelling, handlers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import turnout
from turnout import dynamic, map_task, task, workflow
from turnout.errors import RunCancelled, RunFailed
from turnout.testing import Recording, ThreadsBackend, installed

pytestmark = pytest.mark.usefixtures("here")
calls: list[str] = []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".turnout").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "turnout.api.entry.project_of",
        lambda workflow: turnout.spi.Project(root=tmp_path, source=tmp_path),
    )
    calls.clear()


@task
def note(name: str, after: int = 0) -> int:
    calls.append(name)
    return 1


@task
def interrupt(after: int) -> int:
    raise KeyboardInterrupt


@task
def leave(after: int) -> int:
    sys.exit(4)


@task
def boom(after: int = 0) -> int:
    raise ValueError("boom")


def test_an_interrupt_in_a_task_cancels_the_run() -> None:
    @workflow
    def flow() -> int:
        return note("after", interrupt(note("before")))

    with pytest.raises(KeyboardInterrupt):
        turnout.run(flow)
    assert calls == ["before"]
    run = turnout.get_run()
    assert run.status == "cancelled"
    status = {node.name: node.status for node in run.nodes}
    assert status["interrupt"] == "cancelled"


def test_an_exit_in_a_task_fails_its_node() -> None:
    @workflow
    def flow() -> int:
        return note("after", leave(note("before")))

    with pytest.raises(RunFailed, match="'leave'"):
        turnout.run(flow)
    assert calls == ["before"]
    assert turnout.get_run().status == "failed"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_outside_cancels_and_is_recorded(tmp_path: Path, end: int) -> None:
    (tmp_path / "flow.py").write_text(
        textwrap.dedent(
            """
            import signal, time, turnout

            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may be run by `nohup`

            @turnout.task
            def wait(x: int) -> int:
                print("waiting", flush=True)
                time.sleep(60)
                return x

            @turnout.workflow
            def flow(x: int = 1) -> int:
                return wait(x)

            if __name__ == "__main__":
                turnout.main(flow)
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, "flow.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(end)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert turnout.get_run().status == "cancelled"


def test_a_failing_handler_does_not_hide_the_failure() -> None:
    @workflow(on_failure=boom_handler)
    def flow() -> int:
        return boom()

    with pytest.raises(RunFailed, match="boom") as failed:
        turnout.run(flow)
    assert failed.value.node == "boom"
    status = {node.name: node.status for node in failed.value.run.nodes}
    assert status["on_failure"] == "failed"


@task
def boom_handler(error: str) -> None:
    raise RuntimeError(f"handling {error}")


@task
def heard(error: str) -> None:
    calls.append(error)


def test_a_handler_of_a_workflow_that_did_not_fail_is_not_called() -> None:
    @workflow(on_failure=heard)
    def quiet(x: int) -> int:
        return note("quiet", x)

    @workflow
    def flow() -> int:
        return boom(quiet(1))

    with pytest.raises(RunFailed):
        turnout.run(flow)
    assert calls == ["quiet"]


def test_a_handler_may_be_a_workflow() -> None:
    @workflow
    def tidy(error: str) -> None:
        heard(error)

    @workflow(on_failure=tidy)
    def flow() -> int:
        return boom()

    with pytest.raises(RunFailed):
        turnout.run(flow)
    assert calls == ["ValueError: boom"]


def test_cancelling_ends_a_background_run_between_tasks() -> None:
    begun, go = threading.Event(), threading.Event()

    @task
    def slow(x: int) -> int:
        begun.set()
        go.wait(10)
        return x

    @workflow
    def flow() -> int:
        return note("after", slow(1))

    run = turnout.run(flow, wait=False)
    assert begun.wait(10)
    assert run.status == "running"
    with pytest.raises(TimeoutError):
        run.wait(0.05)
    run.cancel()
    go.set()
    with pytest.raises(RunCancelled):
        run.wait(10)
    assert run.status == "cancelled"
    assert calls == []
    assert turnout.get_run(run.id).status == "cancelled"
    with pytest.raises(RunCancelled):
        _ = run.outputs


def test_cancelling_twice_or_too_late_does_nothing() -> None:
    @workflow
    def flow() -> int:
        return note("one")

    run = turnout.run(flow, wait=False)
    assert run.outputs == 1
    run.cancel()
    run.cancel()
    assert run.status == "succeeded"
    assert turnout.get_run(run.id).status == "succeeded"


def test_on_threads_a_failure_ends_what_has_not_begun() -> None:
    @task
    def slow(x: int) -> int:
        time.sleep(0.2)
        calls.append("slow")
        return x

    @task
    def wrong(x: int) -> int:
        time.sleep(0.05)
        raise ValueError("wrong")

    @workflow
    def flow() -> list[int]:
        return [wrong(1), *[slow(x) for x in range(20)]]

    with installed(ThreadsBackend()), pytest.raises(RunFailed, match="wrong"):
        turnout.run(flow, execution_environment={"backend": "threads", "threads": 2})
    assert len(calls) <= 2


def test_two_processes_share_a_store(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        textwrap.dedent(
            """
            import turnout

            @turnout.task(cache=True)
            def square(x: int) -> list[int]:
                return [x * x] * 1000

            @turnout.task
            def total(xs: list[list[int]]) -> int:
                return sum(x[0] for x in xs)

            @turnout.workflow
            def flow(n: int) -> int:
                return total([square(x) for x in range(turnout.fixed(n))])

            for _ in range(5):
                assert turnout.run(flow, n=40).outputs == 20540
            """
        )
    )
    running = [
        subprocess.Popen([sys.executable, "flow.py"], cwd=tmp_path, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told.decode()
    found = turnout.runs(limit=None)
    assert len(found) == 15
    assert {run.status for run in found} == {"succeeded"}
    assert len({run.id for run in found}) == 15
    assert all(len(run.nodes) == 41 for run in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be killed")
def test_a_run_whose_process_was_killed_is_lost(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        textwrap.dedent(
            """
            import os, signal, turnout

            @turnout.task
            def die(x: int) -> int:
                os.kill(os.getpid(), signal.SIGKILL)
                return x

            @turnout.workflow
            def flow(x: int) -> int:
                return die(x)

            turnout.run(flow, x=1)
            """
        )
    )
    done = subprocess.run([sys.executable, "flow.py"], cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert turnout.get_run().status == "lost"
    assert [run.status for run in turnout.runs(status="lost")] == ["lost"]


@task
def nap(seconds: float) -> float:
    time.sleep(abs(seconds))
    return 1 / (seconds + 0.06)


@dynamic
def naps(seconds: float) -> list[float]:
    return [nap(0.05), nap(seconds)]


@workflow
def sleepy(seconds: float = 0.05) -> list[list[float]]:
    return [naps(seconds), map_task(nap)(seconds=[0.05, seconds])]


def test_what_grows_takes_as_long_as_what_has_grown() -> None:
    told = Recording()
    with installed(told):
        run = turnout.run(sleepy)
    finished = {event.node: event.seconds for what, _, event in told.nodes if what == "finished"}
    nodes = {node.name: node for node in turnout.get_run(run.id).nodes}
    for name in ("naps", "nap"):
        assert 0.1 < nodes[name].seconds < 5
        assert finished[name] == pytest.approx(nodes[name].seconds)
        assert nodes[name].attempts == 1
    order = [node.name for node in run.nodes]
    assert order[:3] == ["naps", "nap", "nap[0]"]


def test_what_grows_and_fails_tells_its_time_too() -> None:
    told = Recording()
    with installed(told), pytest.raises(RunFailed) as raised:
        turnout.run(sleepy, {"turnout": {"on_error": "continue"}}, seconds=-0.06)
    (failed,) = [event for what, name, event in told.nodes if (what, name) == ("failed", "naps")]
    (node,) = [node for node in raised.value.run.nodes if node.name == "naps"]
    assert 0.11 < failed.seconds == node.seconds < 5
    assert node.attempts == 1


def test_the_end_of_a_run_tells_how_many_nodes_there_were() -> None:
    @workflow
    def flow() -> int:
        return note("after", boom(note("before")))

    told = Recording()
    with installed(told), pytest.raises(RunFailed):
        turnout.run(flow)
    assert [event.nodes for event in told.runs] == [3, 3]
    assert {event.node for _, _, event in told.nodes} == {"note", "boom"}
