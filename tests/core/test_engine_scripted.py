"""The engine against executors that lose, delay and refuse what they are given."""

from __future__ import annotations

import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout import map_task, order, spi, task, workflow
from turnout.errors import EncodeError, RunFailed, TaskTimeout, WorkerLost
from turnout.testing import Recording, installed


@dataclass
class ScriptConfig(spi.EnvironmentConfig):
    backend: str = "scripted"


class Held(spi.Handle):
    def __init__(self, value: Any = None, there: bool = False) -> None:
        self.value = value
        self.there = there
        self.gone = 0


class Script(spi.ExecutorBackend):
    """Runs calls one by one when waited for; ends some of them as it is told.

    Attributes:
        ends: by call, how its submissions end one after another; ``done`` after the last.
        log: what was asked of the executor.
        at_once: how many calls `wait_any` ends at most.
        order: which of the open calls is next.
        batch_size: how many calls the executor takes together.
    """

    name = "scripted"
    schema = ScriptConfig
    capabilities = {"timeout": spi.NATIVE}  # noqa: RUF012

    def __init__(self, *, pending: bool = False, **ends: Sequence[str]) -> None:
        self.pending = pending
        self.ends = {name.replace("_", "-"): deque(end) for name, end in ends.items()}
        self.log: list[tuple[Any, ...]] = []
        self.handles: list[Held] = []
        self.at_once = 99
        self.batch_size: int | None = None
        self.order: Callable[[deque[Any]], None] = lambda queue: None
        self.unsendable: set[str] = set()
        self.on_close: Callable[[], None] = lambda: None
        self.on_cancel: Callable[[], None] = lambda: None
        self.splits = False

    def open(self, session: spi.Session) -> spi.Executor:
        return ScriptExecutor(self, session)

    def submitted(self) -> list[str]:
        return [name for what, name in self.log if what == "submit"]


class ScriptExecutor(spi.Executor):
    def __init__(self, script: Script, session: spi.Session) -> None:
        self.script = script
        self.tasks = session.tasks
        self.queue: deque[tuple[spi.Ticket, spi.Call]] = deque()
        self.accepts_pending = script.pending  # type: ignore[misc]
        self.batch_size = script.batch_size  # type: ignore[misc]

    def submit(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        assert 0 < len(calls) <= (self.batch_size or len(calls))
        for call in calls:
            if call.id in self.script.unsendable:
                raise EncodeError(f"parameter 'x' of task {call.id!r} cannot be sent")
        tickets = [spi.Ticket(self.hold() if self.script.pending else None) for _ in calls]
        for ticket, call in zip(tickets, calls, strict=True):
            self.script.log.append(("submit", call.id))
            self.queue.append((ticket, call))
        return tickets

    def hold(self, value: Any = None, there: bool = False) -> Held:
        self.script.handles.append(Held(value, there))
        return self.script.handles[-1]

    def wait_any(self, timeout: float | None = None) -> Sequence[spi.Completion]:
        ends = []
        self.script.order(self.queue)
        while self.queue and len(ends) < self.script.at_once:
            ticket, call = self.queue.popleft()
            ends.append(self.end(ticket, call))
        return ends

    def end(self, ticket: spi.Ticket, call: spi.Call) -> spi.Completion:
        script = self.script.ends.get(call.id)
        end = script.popleft() if script else "done"
        values = []
        for leaf in call.leaves:
            if isinstance(leaf, Held):
                assert not leaf.gone, f"{call.id} is given what was released"
                if not leaf.there:
                    return spi.Completion(ticket, spi.Status.UPSTREAM_FAILED)
                values.append(leaf.value)
            else:
                values.append(leaf)
        if end == "done":
            outcome = spi.run_call(call, values, self.tasks[call.task.key])
            if outcome.status is spi.Status.DONE:
                handle = ticket.handle or self.hold()
                handle.value, handle.there = outcome.value, True  # type: ignore[attr-defined]
                summary = outcome.summary
                if isinstance(outcome.value, list):
                    summary = summary._replace(length=len(outcome.value))
                return spi.Completion(ticket, outcome.status, handle, summary)
            return spi.Completion(ticket, outcome.status, None, outcome.summary, outcome.error)
        if end == "lost":
            return spi.Completion(ticket, spi.Status.LOST, error=OSError("gone"))
        if end == "timed out":
            return spi.Completion(ticket, spi.Status.TIMED_OUT)
        assert end == "failed without a word"
        return spi.Completion(ticket, spi.Status.FAILED)

    def cancel(self, tickets: Sequence[spi.Ticket]) -> None:
        self.script.log.append(("cancel", len(tickets)))
        self.script.on_cancel()

    def fetch(self, handle: spi.Handle) -> Any:
        assert isinstance(handle, Held)
        assert handle.there
        assert not handle.gone
        self.script.log.append(("fetch", handle.value))
        return handle.value

    def put(self, value: Any) -> spi.Handle:
        return self.hold(value, there=True)

    def split(self, handle: spi.Handle, length: int) -> Sequence[spi.Handle] | None:
        if not self.script.splits:
            return None
        assert isinstance(handle, Held)
        assert len(handle.value) == length
        return [self.put(item) for item in handle.value]

    def release(self, handles: Sequence[spi.Handle]) -> None:
        for handle in handles:
            assert isinstance(handle, Held)
            handle.gone += 1

    def close(self) -> None:
        self.script.log.append(("close", ""))
        self.script.on_close()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".turnout").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("turnout.api.entry.project_of", lambda workflow: _project(tmp_path))


def _project(path: Path) -> spi.Project:
    return spi.Project(root=path, source=path)


def run(script: Script, flow: Any, config: Any = None, **inputs: Any) -> Any:
    with installed(script):
        return turnout.run(flow, config, execution_environment="scripted", **inputs)


@task
def inc(x: int) -> int:
    return x + 1


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def count(n: int) -> list[int]:
    return list(range(n))


@task
def boom(x: int) -> int:
    raise ValueError(f"at {x}")


@workflow
def chain(n: int) -> int:
    x = 0
    for _ in range(n):
        x = inc(x)
    return x


@workflow
def diamond() -> int:
    top = inc(0)
    return add(inc(top), inc(inc(top)))


@workflow
def mapped(n: int) -> int:
    return total(map_task(inc)(map_task(inc)(count(n))))


@workflow
def failing() -> int:
    return inc(boom(inc(0)))


@pytest.fixture(params=[False, True], ids=["waits", "ahead"])
def pending(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# -- lost, timed out, refused ----------------------------------------------------------------


def test_a_lost_call_is_submitted_again(pending: bool) -> None:
    script = Script(pending=pending, inc=["lost", "lost"])
    found = run(script, chain, n=3)
    assert found.outputs == 3
    assert Counter(script.submitted())["inc"] == 3
    assert all(node.attempts == 1 for node in found.nodes)


def test_lost_too_often_is_a_failure(pending: bool) -> None:
    script = Script(pending=pending, inc=["lost"] * 9)
    with pytest.raises(RunFailed) as failed:
        run(script, chain, n=3)
    assert isinstance(failed.value.__cause__, WorkerLost)
    assert failed.value.node == "inc"
    assert "went away 4 times: gone" in str(failed.value)
    assert Counter(script.submitted())["inc"] == 4


def test_losses_do_not_use_up_retries() -> None:
    script = Script(inc=["lost", "timed out", "lost", "lost"])
    config = {"turnout": {"tasks": {"inc": {"retries": 1}}}}
    assert run(script, chain, config, n=1).outputs == 1


def test_a_timeout_is_retried_and_then_told(pending: bool) -> None:
    config = {"turnout": {"tasks": {"inc": {"retries": 1, "timeout": 5}}}}
    script = Script(pending=pending, inc=["timed out"])
    found = run(script, chain, config, n=2)
    assert found.outputs == 2
    assert {node.name: node.attempts for node in found.nodes} == {"inc": 2, "inc-2": 1}
    script = Script(pending=pending, inc=["timed out", "timed out", "timed out"])
    with pytest.raises(RunFailed) as failed:
        run(script, chain, config, n=2)
    assert isinstance(failed.value.__cause__, TaskTimeout)
    assert "'inc' took longer than 5 s" in str(failed.value)
    assert Counter(script.submitted())["inc"] == 2


def test_a_failure_without_a_word_is_one() -> None:
    with pytest.raises(RunFailed, match="failed"):
        run(Script(inc=["failed without a word"]), chain, n=1)


def test_what_cannot_be_sent_is_found_in_its_batch() -> None:
    script = Script()
    script.unsendable = {"inc-2"}

    @workflow
    def three() -> int:
        return total([inc(1), inc(2), inc(3)])

    config = {"turnout": {"on_error": "continue"}}
    with pytest.raises(RunFailed) as failed:
        run(script, three, config)
    assert isinstance(failed.value.__cause__, EncodeError)
    assert failed.value.node == "inc-2"
    assert script.submitted() == ["inc", "inc-3"]


def test_nothing_more_of_a_map_is_submitted_when_one_item_cannot_be_sent() -> None:
    script = Script()
    script.unsendable = {"inc[0]"}

    @workflow
    def three() -> list[int]:
        return map_task(inc)(x=[1, 2, 3])

    with pytest.raises(RunFailed) as failed:
        run(script, three, {"turnout": {"on_error": "continue"}})
    assert failed.value.node == "inc[0]"
    assert script.submitted() == []


# -- sent ahead ------------------------------------------------------------------------------


def test_a_chain_is_submitted_before_anything_ends() -> None:
    script = Script(pending=True)
    script.at_once = 0
    seen: list[int] = []

    def first_wait(queue: deque[Any]) -> None:
        seen.append(len(queue))
        script.at_once = 1

    script.order = first_wait
    assert run(script, chain, n=300).outputs == 300
    assert seen[0] == 300


def test_maps_of_known_length_are_sent_ahead() -> None:
    script = Script(pending=True)
    lengths: list[int] = []
    script.order = lambda queue: lengths.append(len(queue))

    @workflow
    def known() -> int:
        return total(map_task(add)(a=[inc(1), inc(2)], b=map_task(inc)([3, 4])))

    assert run(script, known).outputs == 2 + 3 + 4 + 5
    assert lengths == [7]


def test_an_executor_without_pending_handles_is_given_none() -> None:
    script = Script()
    lengths: list[int] = []
    script.order = lambda queue: lengths.append(len(queue))
    assert run(script, chain, n=4).outputs == 4
    assert lengths == [1, 1, 1, 1]


def test_order_without_data_is_a_barrier() -> None:
    script = Script(pending=True)
    waves: list[list[str]] = []
    script.order = lambda queue: waves.append([call.id for _, call in queue])

    @workflow
    def ordered() -> list[int]:
        a, b = inc(1), count(2)
        order(a, b)
        return [a, total(b)]

    assert run(script, ordered).outputs == [2, 1]
    assert waves == [["inc"], ["count", "total"]]


def test_predicates_are_barriers() -> None:
    script = Script(pending=True)
    waves: list[list[str]] = []
    script.order = lambda queue: waves.append([call.id for _, call in queue])

    @workflow
    def gate() -> int:
        x = inc(inc(0))
        y = turnout.conditional("gate").if_(x > 1).then(inc(inc(x))).else_().then(boom(x))
        return add(x, y)

    assert run(script, gate).outputs == 6
    assert waves == [["inc", "inc-2"], ["inc-3", "inc-4"], ["add"]]


def test_a_lost_producer_s_consumers_come_back_and_are_sent_again() -> None:
    script = Script(pending=True, inc=["lost", "lost"])
    recording = Recording()
    with installed(script, recording):
        found = turnout.run(diamond, execution_environment="scripted")
    assert found.outputs == 5
    recording.check({"inc-2": ["inc"], "inc-4": ["inc-3"], "add": ["inc-2", "inc-4"]})
    times = Counter(script.submitted())
    assert times["inc"] == 3
    assert max(times[node] for node in ("inc-2", "inc-3", "inc-4", "add")) <= 2


def test_a_loss_in_the_middle_of_what_was_sent_ahead() -> None:
    @workflow
    def wide() -> int:
        first = [inc(x) for x in range(4)]
        return total([add(a, b) for a in first for b in first])

    for node in ("inc", "inc_3", "add_5", "total"):
        script = Script(pending=True, **{node: ["lost"]})
        assert run(script, wide).outputs == 2 * 4 * (1 + 2 + 3 + 4)


def test_events_keep_their_order_when_ends_overtake() -> None:
    """An executor may tell the end of a consumer before that of its producer."""

    class Overtaking(ScriptExecutor):
        def wait_any(self, timeout: float | None = None) -> Sequence[spi.Completion]:
            return list(reversed(super().wait_any(timeout)))

    class Backwards(Script):
        def open(self, session: spi.Session) -> spi.Executor:
            return Overtaking(self, session)

    def told(flow: Any, wanted: int, needs: dict[str, list[str]], **inputs: int) -> None:
        recording = Recording()
        with installed(Backwards(pending=True), recording):
            found = turnout.run(flow, execution_environment="scripted", **inputs)
        assert found.outputs == wanted
        recording.check(needs)
        for node in needs:
            assert recording.of(node) == ["started", "finished"]

    told(diamond, 5, {"inc-2": ["inc"], "inc-4": ["inc-3"], "add": ["inc-2", "inc-4"]})
    told(mapped, 20, {"inc": ["count"], "inc-2": ["inc"], "total": ["inc-2"]}, n=5)
    told(chain, 50, {f"inc-{n + 1}": [f"inc-{n}"] for n in range(2, 50)}, n=50)


def test_what_a_failure_was_sent_ahead_to_is_skipped() -> None:
    script = Script(pending=True)
    config = {"turnout": {"on_error": "continue"}}
    with pytest.raises(RunFailed) as failed:
        run(script, failing, config)
    assert failed.value.node == "boom"
    status = {node.name: node.status for node in failed.value.run.nodes}
    assert status == {"inc": "succeeded", "boom": "failed", "inc-2": "skipped"}


# -- handles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize(
    ("flow", "inputs"), [(chain, {"n": 5}), (diamond, {}), (mapped, {"n": 4})], ids=str
)
def test_every_handle_is_released_once(
    flow: Any, inputs: dict[str, Any], splits: bool, pending: bool
) -> None:
    script = Script(pending=pending)
    script.splits = splits
    run(script, flow, **inputs)
    left = [handle for handle in script.handles if not handle.gone]
    # The result of the run is held until its end.
    assert len(left) == 1
    assert {handle.gone for handle in script.handles if handle is not left[0]} == {1}


def test_lists_are_split_where_they_are() -> None:
    script = Script()
    script.splits = True

    @workflow
    def big() -> int:
        return total(map_task(inc)(count(3)))

    assert run(script, big).outputs == 6
    assert [entry for entry in script.log if entry[0] == "fetch"] == []


def test_values_go_to_another_environment_once() -> None:
    class Other(Script):
        name = "other"

    here, there = Script(), Other()

    @workflow
    def both() -> list[int]:
        x = count(2)
        away = total.with_options(execution_environment="other")
        return [away(x), away(x), total(x)]

    with installed(here, there):
        found = turnout.run(both, execution_environment="scripted").outputs
    assert found == [1, 1, 1]
    assert len([entry for entry in here.log if entry[0] == "fetch"]) == 1
    assert [handle.gone for handle in there.handles if handle.value == [0, 1]] == [1]


# -- ends ------------------------------------------------------------------------------------


def test_after_a_failure_everything_is_cancelled_and_closed_once() -> None:
    script = Script()
    script.at_once = 1

    @workflow
    def wide() -> int:
        return total([boom(1), inc(2), inc(3)])

    with pytest.raises(RunFailed):
        run(script, wide)
    assert ("cancel", 2) in script.log
    assert Counter(what for what, _ in script.log)["close"] == 1
    assert script.log[-1] == ("close", "")


def test_an_exception_of_close_is_not_swallowed() -> None:
    script = Script()

    def fail() -> None:
        raise OSError("the cluster does not answer")

    script.on_close = fail
    with pytest.raises(OSError, match="does not answer"):
        run(script, chain, n=1)
    assert turnout.get_run().status == "failed"


def test_an_exception_of_close_does_not_hide_the_failure() -> None:
    script = Script()

    def fail() -> None:
        raise OSError("the cluster does not answer")

    script.on_close = fail
    with pytest.raises(RunFailed, match="at 1"):
        run(script, failing)


def test_an_exception_of_cancel_does_not_hide_the_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = Script()
    script.at_once = 1

    def fail() -> None:
        raise OSError("cannot cancel")

    script.on_cancel = fail

    @workflow
    def wide() -> int:
        return total([boom(1), inc(2)])

    with caplog.at_level(logging.ERROR), pytest.raises(RunFailed, match="at 1"):
        run(script, wide)
    assert "cannot cancel" in caplog.text


def test_an_executor_that_breaks_ends_the_run() -> None:
    class Broken(Script):
        def open(self, session: spi.Session) -> spi.Executor:
            raise spi.PluginError("no SDK; pip install 'turnout[sdk]'")

    with pytest.raises(spi.PluginError, match="pip install"):
        run(Broken(), chain, n=1)
    assert turnout.get_run().status == "failed"


# -- at random -------------------------------------------------------------------------------


@task
def step(name: str, needs: list[int], fails: bool) -> int:
    if fails:
        raise ValueError(name)
    return 1 + sum(needs)


def random_graph(seed: int) -> tuple[list[list[int]], set[int]]:
    dice = random.Random(seed)
    needs = [dice.sample(range(n), min(n, dice.randrange(4))) for n in range(25)]
    return needs, {n for n in range(25) if dice.random() < 0.1}


def flow_of(needs: list[list[int]], bad: set[int]) -> Any:
    @workflow
    def flow() -> list[int]:
        made: list[int] = []
        for n, earlier in enumerate(needs):
            made.append(step(str(n), [made[i] for i in earlier], n in bad))
        return made

    return flow


def name_of(n: int) -> str:
    return "step" if n == 0 else f"step-{n + 1}"


def shaken(seed: int, pending: bool) -> Script:
    """Loses some calls, ends a few at a time, and in any order in which inputs exist."""
    dice = random.Random(seed)
    script = Script(pending=pending)
    for n in range(25):
        script.ends[name_of(n)] = deque(["lost"] * dice.choice([0, 0, 0, 1, 2, 3]))
    script.at_once = dice.randrange(1, 6)
    script.batch_size = dice.choice([None, 1, 2, 5])
    if not pending:
        script.order = dice.shuffle  # type: ignore[assignment]
    return script


@pytest.mark.parametrize("seed", range(30))
def test_losses_anywhere_change_no_result(seed: int, pending: bool) -> None:
    needs, _ = random_graph(seed)
    wanted: list[int] = []
    for earlier in needs:
        wanted.append(1 + sum(wanted[i] for i in earlier))
    script = shaken(seed, pending)
    recording = Recording()
    with installed(script, recording):
        found = turnout.run(flow_of(needs, set()), execution_environment="scripted")
    assert found.outputs == wanted
    recording.check({name_of(n): [name_of(i) for i in needs[n]] for n in range(25)})
    # The run's result holds all values to the end; nothing else may be held, or dropped twice.
    assert {handle.gone for handle in script.handles} <= {0, 1}


@pytest.mark.parametrize("seed", range(30))
def test_failures_anywhere_skip_what_depends_on_them(seed: int, pending: bool) -> None:
    needs, bad = random_graph(seed)
    wanted: dict[str, str] = {}
    for n, earlier in enumerate(needs):
        before = {wanted[name_of(i)] for i in earlier}
        wanted[name_of(n)] = (
            "skipped" if before - {"succeeded"} else "failed" if n in bad else "succeeded"
        )
    recording = Recording()
    flow, config = flow_of(needs, bad), {"turnout": {"on_error": "continue"}}
    with installed(shaken(seed, pending), recording):
        try:
            run = turnout.run(flow, config, execution_environment="scripted")
        except RunFailed as failure:
            run = failure.run
    assert {node.name: node.status for node in run.nodes} == wanted
    assert run.status == ("failed" if "failed" in wanted.values() else "succeeded")
    recording.check()
    assert {told.node for told in recording.nodes} == {
        name for name, status in wanted.items() if status != "skipped"
    }
