"""The local backend, in this process and in worker processes, which are real and really killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout.errors import (
    EncodeError,
    PlanError,
    RemoteError,
    RunCancelled,
    RunFailed,
    TaskTimeout,
    TurnoutError,
    WorkerLost,
)
from turnout_local.pool import PoolExecutor


def _load(name: str) -> Any:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


flows = _load("local_tasks")
WORKERS = {"backend": "local", "workers": 2}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    before = children()
    yield
    assert children() == before


def children() -> set[int]:
    found: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # the thread has ended meanwhile
            found.update(map(int, file.read_text().split()))
    return {pid for pid in found if alive(pid)}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pids: list[int], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def run(workflow: Any, environment: Any = WORKERS, **inputs: Any) -> Any:
    settings = {"store": str(Path("store").absolute()), **environment}
    return turnout.run(workflow, execution_environment=settings, **inputs).outputs


def failure(workflow: Any, environment: Any = WORKERS, **inputs: Any) -> BaseException:
    with pytest.raises(RunFailed) as caught:
        run(workflow, environment, **inputs)
    assert caught.value.__cause__ is not None
    return caught.value.__cause__


def folder(name: str) -> str:
    Path(name).mkdir()
    return str(Path(name).absolute())


# -- values ----------------------------------------------------------------------------------------


class TestValues:
    def test_tasks_run_in_other_processes(self) -> None:
        first, second = run(flows.two_pids)
        assert os.getpid() not in (first, second)

    def test_results_pass_from_worker_to_worker(self) -> None:
        assert run(flows.chain, n=1) == 5

    def test_a_class_is_one_class_here_and_there(self) -> None:
        point = run(flows.points)
        assert type(point) is flows.Point
        assert point == flows.Point(6)

    def test_maps_and_coroutines(self) -> None:
        assert run(flows.mapped, n=5) == 15

    def test_dynamic_graphs(self) -> None:
        assert run(flows.fanned, n=4) == 10

    def test_dynamic_graphs_with_tasks_that_no_module_holds(self) -> None:
        assert run(flows.fanned_by_value, n=3) == 93

    def test_functions_travel_by_value(self) -> None:
        base = 20
        assert run(flows.lambda_value, f=lambda x: x + base) == 41

    def test_dynamic_tasks_with_different_tasks_of_one_name(self) -> None:
        expected = [10, 20, 21, 30, 31, 32]
        assert run(flows.fanned_twice, {"backend": "local"}) == expected
        assert run(flows.fanned_twice) == expected

    def test_local_tasks_travel_by_value(self) -> None:
        factor = 3

        @turnout.task
        def times(x: int) -> int:
            return x * factor

        @turnout.workflow
        def local(x: int) -> int:
            return times(times(x))

        assert run(local, x=2) == 18

    def test_large_values(self) -> None:
        numpy = pytest.importorskip("numpy")

        @turnout.task
        def zeros(n: int) -> Any:
            import numpy as np

            return np.zeros(n)

        @turnout.task
        def one_more(values: Any) -> Any:
            values += 1
            return values

        @turnout.workflow
        def large(n: int) -> Any:
            return one_more(one_more(zeros(n)))

        found = run(large, n=1_000_000)
        assert found.flags.writeable
        assert (found == 2 * numpy.ones(1_000_000)).all()

    def test_environment_variables(self) -> None:
        assert run(flows.variables) == ("set", "unset")

    def test_a_value_that_cannot_be_sent_is_named(self) -> None:
        error = failure(flows.lambda_value, f=threading.Lock())
        assert isinstance(error, EncodeError)
        assert "parameter 'f'" in str(error)
        assert "takes" in str(error)

    def test_a_result_that_cannot_be_sent_fails_its_node(self) -> None:
        error = failure(flows.locked)
        assert isinstance(error, EncodeError)
        assert "result of node 'lock'" in str(error)

    def test_a_constant_in_a_graph_that_cannot_be_sent_is_named(self) -> None:
        error = failure(flows.lock_in_a_graph)
        assert isinstance(error, EncodeError)
        assert str(error).startswith(
            "what parameter 'f' of task 'takes' is given inside node 'hands_on_a_lock', lock, "
            "cannot leave its worker process"
        )


# -- failures --------------------------------------------------------------------------------------


class TestFailures:
    def test_type_message_cause_and_frames_arrive(self) -> None:
        error = failure(flows.failing, kind="cause")
        assert type(error) is RuntimeError
        assert str(error) == "wrapped"
        assert type(error.__cause__) is ValueError
        frames = traceback.extract_tb(error.__traceback__)
        assert [frame.name for frame in frames] == ["fail"]
        assert frames[0].line == 'raise RuntimeError("wrapped") from error'
        told = error.__turnout__  # type: ignore[attr-defined]
        assert told["node"] == "fail"
        assert told["inputs"] == {"kind": "str (5 characters)"}
        assert 'raise RuntimeError("wrapped") from error' in told["traceback"]
        assert "which" not in told["traceback"]

    def test_an_exception_that_cannot_be_rebuilt_is_told(self) -> None:
        error = failure(flows.failing, kind="two")
        assert isinstance(error, RemoteError)
        assert error.type_name == "local_tasks.TwoArguments"
        assert error.text == "wheel at track 3"
        assert 'raise TwoArguments("wheel", "track 3")' in error.traceback_text

    def test_an_exception_with_slots(self) -> None:
        assert type(failure(flows.failing, kind="slots")) is flows.SlottedError

    @pytest.mark.parametrize(("kind", "attempts"), [("key", 3), ("final", 1)])
    def test_retries(self, kind: str, attempts: int) -> None:
        run = turnout.run(
            flows.retrying, kind=kind, execution_environment=dict(WORKERS), wait=False
        )
        with pytest.raises(RunFailed):
            run.wait(30)
        assert [node.attempts for node in run.nodes] == [attempts]

    @pytest.mark.parametrize("how", ["kill", "exit", "abort"])
    def test_a_lost_worker_is_replaced(self, how: str) -> None:
        assert run(flows.leaving, folder=folder("tries"), how=how, times=2) == 2

    @pytest.mark.parametrize(
        ("how", "reason"), [("kill", "SIGKILL"), ("exit", "exit status 7"), ("abort", "SIGABRT")]
    )
    def test_workers_are_lost_three_times_at_most(self, how: str, reason: str) -> None:
        tries = folder("tries")
        error = failure(flows.leaving, folder=tries, how=how, times=9)
        assert isinstance(error, WorkerLost)
        assert reason in str(error)
        assert str(error).count("node ") == 1
        assert len(list(Path(tries).iterdir())) == 4

    def test_an_exit_fails_the_node_at_once(self) -> None:
        tries = folder("tries")
        error = failure(flows.leaving, folder=tries, how="sys", times=9)
        assert "enough" in str(error)
        assert len(list(Path(tries).iterdir())) == 1


@pytest.mark.parametrize("environment", [WORKERS, {"backend": "local"}], ids=["workers", "here"])
class TestTimeouts:
    def test_an_attempt_is_ended(self, environment: Any) -> None:
        begin = time.monotonic()
        error = failure(
            flows.timed, environment, folder=folder("tries"), naps="s", retries=0, seconds=0.2
        )
        assert isinstance(error, TaskTimeout)
        assert "0.2 s" in str(error)
        assert time.monotonic() - begin < 5

    def test_timeouts_and_failures_share_the_attempts(self, environment: Any) -> None:
        found = run(
            flows.timed, environment, folder=folder("tries"), naps="xs", retries=2, seconds=0.5
        )
        assert found == 3

    def test_no_more_attempts_than_said(self, environment: Any) -> None:
        tries = folder("tries")
        error = failure(flows.timed, environment, folder=tries, naps="xsss", retries=1, seconds=0.2)
        assert isinstance(error, TaskTimeout)
        assert "attempt 2" in str(error)
        assert len(list(Path(tries).iterdir())) == 2


def test_values_pass_between_this_process_and_the_one_for_timeouts() -> None:
    assert run(flows.timed_and_not, {"backend": "local"}) == 10


# -- slots -----------------------------------------------------------------------------------------


def spans(place: str) -> dict[str, tuple[float, float, int]]:
    found = {}
    for file in Path(place).iterdir():
        begin, end, pid = file.read_text().split()
        found[file.name] = (float(begin), float(end), int(pid))
    return found


class TestSlots:
    def test_a_big_task_waits_but_not_for_ever(self) -> None:
        place = folder("spans")
        run(flows.big_and_small, folder=place)
        times = spans(place)
        begin, end, _ = times.pop("big")
        assert all(e <= begin + 0.001 or b >= end - 0.001 for b, e, _ in times.values())
        before = [name for name, (b, _, _) in times.items() if b < begin and name != "first"]
        after = [name for name, (b, _, _) in times.items() if b > begin]
        assert before
        assert after

    def test_each_task_its_own_device(self) -> None:
        place = folder("spans")
        found = run(flows.devices, {**WORKERS, "gpus": 2}, folder=place)
        assert set(found[:2]) == {"0", "1"}
        assert found[2] == ""
        assert found[3] in {"0", "1"}

    def test_devices_are_those_this_process_may_use(self, monkeypatch: Any) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
        found = run(flows.devices, {**WORKERS, "gpus": 2}, folder=folder("spans"))
        assert set(found[:2]) == {"4", "6"}

    def test_without_devices_the_variable_is_left_alone(self) -> None:
        found = run(flows.variables)
        assert found[0] == "set"

    def test_more_than_there_is_is_refused(self) -> None:
        with pytest.raises(PlanError) as caught:
            run(flows.too_many)
        assert "node 'device' asks for 3 cpu and there are 2" in str(caught.value)
        assert "node 'device' asks for 1 gpu and there are 0" in str(caught.value)

    def test_in_this_process_resources_are_advice(self) -> None:
        assert run(flows.too_many, {"backend": "local"}) == "unset"
        with pytest.raises(PlanError, match="workers=N"):
            run(flows.too_many, {"backend": "local", "strict": True})


# -- ends ------------------------------------------------------------------------------------------


class TestEnds:
    def test_a_failure_ends_what_else_runs(self) -> None:
        place = folder("family")
        error = failure(flows.family_then_failure, folder=place)
        assert "the other one is running" in str(error)
        assert gone([int(pid) for pid in Path(place, "pids").read_text().split()])

    def test_a_timeout_ends_what_the_task_started(self) -> None:
        place = folder("family")

        @turnout.workflow
        def timed(folder: str) -> None:
            return flows.family.with_options(timeout=1)(folder)

        assert isinstance(failure(timed, folder=place), TaskTimeout)
        assert gone([int(pid) for pid in Path(place, "pids").read_text().split()])

    def test_a_cancelled_run_leaves_nothing_behind(self) -> None:
        place = folder("family")
        begun = turnout.run(
            flows.forever, folder=place, execution_environment=dict(WORKERS), wait=False
        )
        while not Path(place, "pids").exists():
            time.sleep(0.01)
        begun.cancel()
        with pytest.raises(RunCancelled):
            begun.wait(10)
        assert gone([int(pid) for pid in Path(place, "pids").read_text().split()])

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    def test_workers_end_with_their_driver(self, number: int) -> None:
        place = folder("family")
        Path("main.py").write_text(
            textwrap.dedent(
                f"""
                import sys, turnout
                sys.path.insert(0, {str(Path(__file__).parent)!r})
                import local_tasks
                if __name__ == "__main__":
                    turnout.run(local_tasks.forever, folder={place!r},
                                execution_environment={{"workers": 2}})
                """
            )
        )
        driver = subprocess.Popen([sys.executable, "main.py"], stderr=subprocess.DEVNULL)
        while not Path(place, "pids").exists():
            assert driver.poll() is None
            time.sleep(0.01)
        pids = [int(pid) for pid in Path(place, "pids").read_text().split()]
        assert all(map(alive, pids))
        driver.send_signal(number)
        driver.wait(10)
        assert gone(pids)

    def test_a_call_is_reported_when_it_begins(self, monkeypatch: Any) -> None:
        started: list[Any] = []
        monkeypatch.setattr(PoolExecutor, "on_start", started.append)
        assert run(flows.chain, n=1) == 5
        assert len(started) == 4

    def test_what_tasks_log_is_logged_here(self, caplog: Any) -> None:
        with caplog.at_level("INFO"):
            assert run(flows.logging_one, x=3) == 3
        [record] = [r for r in caplog.records if r.name == "local_tasks"]
        assert record.getMessage() == "(logs) x is 3"
        assert record.levelname == "INFO"
        assert record.process != os.getpid()

    def test_lines_are_not_torn(self, capfd: Any) -> None:
        run(flows.talking)
        lines = capfd.readouterr().out.splitlines()
        expected = [f"line {number} of 200" for number in range(200)]
        assert sorted(lines) == sorted(expected * 2)


def test_workers_start_while_the_run_is_recorded(monkeypatch: Any) -> None:
    before = children()

    def refuse(home: str) -> Any:
        assert len(children() - before) == 2
        raise OSError("no records")

    monkeypatch.setattr("turnout.api.execute.records_at", refuse)

    @turnout.workflow
    def three() -> list[int]:
        return [flows.add(i, i) for i in range(3)]

    with pytest.raises(OSError, match="no records"):
        turnout.run(three, execution_environment=WORKERS)
    assert children() == before


def test_workers_do_not_look_for_plugins() -> None:
    @turnout.task
    def loaded(earlier: list[str]) -> list[str]:
        return [name for name in sys.modules if name not in earlier]

    @turnout.workflow
    def twice() -> list[str]:
        return loaded(loaded([]))

    found = turnout.run(twice, execution_environment={"backend": "local", "workers": 1}).outputs
    assert "turnout.worker.keeping" in found  # the first result, no plain number, was kept
    assert "turnout.backend.registry" not in found


def test_workers_that_do_not_start_are_told(monkeypatch: Any) -> None:
    broken = folder("broken")
    Path(broken, "turnout").mkdir()
    Path(broken, "turnout", "__init__.py").write_text("raise ImportError('broken on purpose')")
    monkeypatch.syspath_prepend(broken)
    error = failure(flows.chain, n=1)
    assert isinstance(error, TurnoutError)
    assert "worker processes do not start" in str(error)
    assert "exit status 1" in str(error)


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_is_refused(workers: int) -> None:
    with pytest.raises(turnout.errors.ConfigError, match="workers"):
        run(flows.chain, {"backend": "local", "workers": workers}, n=1)


def test_devices_without_workers_have_no_effect_and_strict_refuses_that() -> None:
    assert run(flows.chain, {"backend": "local", "gpus": 1}, n=1) == 5
    with pytest.raises(PlanError, match="gpus=1 has no effect"):
        run(flows.chain, {"backend": "local", "gpus": 1, "strict": True}, n=1)
