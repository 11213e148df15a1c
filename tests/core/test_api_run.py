"""`turnout.run` and `Run`, as users call them, right and wrong."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from omegaconf import MISSING, DictConfig, OmegaConf

import turnout
import turnout.spi
from turnout import task, workflow
from turnout.errors import ConfigError, GraphError, PlanError, RunFailed, TurnoutError
from turnout.testing import installed

pytestmark = pytest.mark.usefixtures("here")


@task
async def late(x: int) -> float:
    return 1 / x


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".turnout").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "turnout.api.entry.project_of",
        lambda workflow: turnout.spi.Project(root=tmp_path, source=tmp_path),
    )


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def half(x: int) -> float:
    return x / 2


@workflow
def flow(a: int, b: int = 2) -> int:
    return add(add(a, b), b)


@task
def boom(x: int) -> int:
    raise LookupError("mine")


@workflow
def failing() -> int:
    return boom(1)


@workflow
def by_config(cfg: DictConfig) -> int:
    return add(cfg.model.a, cfg.model.b)


@dataclass
class Settings:
    a: int
    b: int = 5


@workflow
def by_dataclass(cfg: Settings) -> int:
    return add(cfg.a, cfg.b)


def test_inputs_by_name_and_by_config() -> None:
    assert turnout.run(flow, a=1).outputs == 5
    assert turnout.run(flow, {"a": 1, "b": 3}).outputs == 7
    assert turnout.run(flow, {"a": 1, "b": 3}, b=4).outputs == 9
    assert turnout.run(flow, OmegaConf.create({"a": 1})).outputs == 5
    assert turnout.run(by_config, {"model": {"a": 1, "b": 2}}).outputs == 3
    assert turnout.run(by_config, OmegaConf.create({"model": {"a": 1, "b": 2}})).outputs == 3
    assert turnout.run(by_dataclass, Settings(1)).outputs == 6
    assert turnout.run(by_dataclass, {"a": 2}).outputs == 7


@task
def power(digits: int) -> int:
    return 10**digits


@workflow
def powers(digits: int) -> int:
    return power(digits)


def test_a_number_too_long_to_be_written_out_is_kept_too() -> None:
    run = turnout.run(powers, digits=5000)
    assert run.outputs == 10**5000
    again = turnout.get_run(run.id)
    assert again.outputs == again.output("power") == 10**5000


def test_a_plain_call_gives_the_same() -> None:
    assert flow(1) == turnout.run(flow, a=1).outputs
    assert flow(a=1, b=3) == 7
    with pytest.raises(TypeError, match="flow: missing a required argument: 'a'"):
        flow()  # type: ignore[call-arg]


def test_a_plain_call_raises_the_user_s_own_exception() -> None:
    with pytest.raises(LookupError, match="mine"):
        failing()
    with pytest.raises(RunFailed, match="node 'boom' failed: LookupError: mine") as failed:
        turnout.run(failing)
    assert isinstance(failed.value.__cause__, LookupError)


def test_waiting_for_a_run_of_before_tells_how_it_ended() -> None:
    done = turnout.run(flow, a=1)
    assert turnout.get_run(done.id).wait().outputs == 5
    with pytest.raises(RunFailed) as failed:
        turnout.run(failing)
    with pytest.raises(RunFailed, match="failed: LookupError: mine"):
        turnout.get_run(failed.value.run.id).wait()


def test_a_plain_call_leaves_nothing_behind(tmp_path: Path) -> None:
    flow(1)
    assert list((tmp_path / ".turnout").iterdir()) == []


@pytest.mark.parametrize(
    ("config", "inputs", "problem"),
    [
        (None, {"a": 1, "c": 2}, "workflow 'flow' has no input 'c'"),
        (None, {"aa": 1}, "did you mean 'a'"),
        ({"a": 1, "bb": 1}, {}, "bb"),
        (None, {}, "input 'a' has no value"),
        (None, {"a": "x"}, "input 'a': expected int, found str"),
        (None, {"a": "x", "b": "y"}, "input 'b': expected int"),
        (7, {}, "config is a DictConfig, a mapping or a dataclass"),
        ({"a": "???"}, {}, "'a'"),
    ],
)
def test_wrong_inputs_are_told(config: Any, inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        turnout.run(flow, config, **inputs)
    assert problem in str(refused.value)
    assert turnout.runs() == []


def test_all_missing_inputs_are_told_at_once() -> None:
    @workflow
    def three(first: int, second: int, third: int) -> int:
        return add(add(first, second), third)

    with pytest.raises(ConfigError) as refused:
        turnout.run(three, second=1)
    assert "'first'" in str(refused.value)
    assert "'third'" in str(refused.value)
    assert "'second'" not in str(refused.value)


@dataclass
class Deep:
    c: float
    d: int = 1


@dataclass
class Steering:
    a: int
    b: int
    deep: Deep = field(default_factory=lambda: Deep(c=MISSING))


@workflow
def inner(n: int) -> int:
    return add(n, 1) if n > 2 else add(n, 2)


@workflow
def steered(cfg: Steering, other: int) -> int:
    return inner(cfg.a)


def test_an_input_that_steers_is_missing_like_any_other() -> None:
    with pytest.raises(ConfigError, match=r"\(.*test_api_run.py:\d+\)") as refused:
        turnout.run(steered, OmegaConf.structured(Steering))
    told = [line.partition(";")[0] for line in str(refused.value).splitlines()]
    told[1] = told[1].partition(" (")[0]
    assert told == [
        "the inputs have 4 problems:",
        "  - input 'a' has no value, and the workflow's body",
        "  - input 'other' has no value",
        "  - input 'b' has no value",
        "  - input 'deep.c' has no value",
    ]
    with pytest.raises(ConfigError, match=r"^input 'n' has no value, and the workflow's body .*; "):
        turnout.run(inner)
    with pytest.raises(GraphError, match="steers the workflow"):
        inner.trace({})


def test_from_python_it_is_said_how_config_files_are_read() -> None:
    @workflow(config_path="conf", config_name="main")
    def filed(cfg: DictConfig, n: int) -> int:
        return add(cfg.a, n)

    with pytest.raises(ConfigError) as refused:
        turnout.run(filed)
    assert str(refused.value) == (
        "the inputs have 2 problems:\n"
        "  - input 'cfg' is the whole config, and none was given; give it one: "
        "turnout.run(filed, cfg)\n"
        "  - input 'n' has no value, and node 'add', parameter 'b' reads it; give it one: n=...\n"
        "From Python nobody reads the config files of workflow 'filed': compose 'main' with Hydra "
        "(initialize and compose), and call turnout.run(filed, cfg)"
    )
    with pytest.raises(ConfigError) as refused:
        turnout.run(filed, {"a": 1})
    assert "From Python" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ("nowhere", "unknown execution environment 'nowhere'"),
        ("nowhere", "compose(..., overrides=['+execution_environment=nowhere'])"),
        ({"backend": "nowhere"}, "unknown execution environment 'nowhere'"),
        ({"kep": "all"}, "did you mean 'keep'"),
        ({"keep": "some"}, "auto, all, cached, none"),
        ({"strict": "maybe"}, "strict"),
        (3, "takes a name or a mapping"),
    ],
)
def test_wrong_environments_are_told(environment: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        turnout.run(flow, a=1, execution_environment=environment)
    assert problem in str(refused.value)


def test_an_input_with_a_name_of_run_s_own_goes_by_config() -> None:
    @workflow
    def named(name: int) -> int:
        return add(name, 1)

    with pytest.raises(ConfigError, match=r"give the input in config=.'name': "):
        turnout.run(named, name=3)  # type: ignore[arg-type]
    for config in ({"name": 3}, OmegaConf.create({"name": 3})):
        assert turnout.run(named, config, name="mine").outputs == 4


def test_what_is_no_workflow_is_told() -> None:
    with pytest.raises(ConfigError, match="takes a workflow"):
        turnout.run(add, a=1, b=2)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="takes a workflow"):
        turnout.run(lambda: 1)  # type: ignore[arg-type]


def test_a_task_that_does_not_fit_is_a_graph_error() -> None:
    @workflow
    def bad(x: int) -> int:
        return add(half(x), 1)  # type: ignore[arg-type]

    with pytest.raises(GraphError, match="'a' expects int, found float from 'half'"):
        turnout.run(bad, x=1)
    assert turnout.runs() == []


def test_options_of_tasks_from_the_config() -> None:
    config = {"a": 1, "turnout": {"tasks": {"add": {"retries": 3}}}}
    assert turnout.run(flow, config).outputs == 5
    with pytest.raises(ConfigError, match=r"no task .ad..*did you mean 'add'"):
        turnout.run(flow, {"a": 1, "turnout": {"tasks": {"ad": {"retries": 3}}}})
    with pytest.raises(ConfigError, match="retries"):
        turnout.run(flow, {"a": 1, "turnout": {"tasks": {"add": {"retrys": 3}}}})


def test_all_problems_of_a_plan_are_told_at_once() -> None:
    @workflow
    def asking(x: int) -> int:
        first = add.with_options(secrets=["TOKEN"])(x, 1)
        return add.with_options(report=True, execution_environment="nowhere")(first, 1)

    with pytest.raises(PlanError) as refused:
        turnout.run(asking, x=1)
    assert len(refused.value.problems) >= 2
    assert "'add' sets secrets" in str(refused.value)
    assert "node 'add-2'" in str(refused.value)
    assert "nowhere" in str(refused.value)
    assert turnout.runs() == []


class Whole(turnout.spi.CompilerBackend):
    name = "whole"
    capabilities: ClassVar = {}

    def compile(self, graph: Any, session: Any) -> Any:
        raise AssertionError("not planned")

    def submit(self, compiled: Any, inputs: Any, session: Any) -> Any:
        raise AssertionError("not planned")


class Broken(turnout.spi.ExecutorBackend):
    name = "broken"

    def check(self, config: Any) -> list[str]:
        return ["broken needs its SDK: pip install broken-sdk"]

    def open(self, session: Any) -> Any:
        raise AssertionError("not planned")


def test_a_task_s_own_environment_is_checked_when_planning() -> None:
    @workflow
    def away(where: str) -> int:
        there = add.with_options(execution_environment=turnout.fixed(where))
        return there(there(1, 2), 3)

    with installed(Whole(), Broken()):
        with pytest.raises(PlanError, match="'whole', which takes whole workflows"):
            turnout.run(away, where="whole")
        with pytest.raises(PlanError, match="pip install broken-sdk") as refused:
            turnout.run(away, where="broken")
    assert len(refused.value.problems) == 1


def test_a_compiler_refuses_what_it_does_not_state() -> None:
    with installed(Whole()), pytest.raises(PlanError) as refused:
        turnout.run(flow, {"a": 1, "turnout": {"tasks": {"add": {"retries": 3}}}},
                    execution_environment="whole")  # fmt: skip
    assert "'add' sets retries, which 'whole' cannot honour" in str(refused.value)
    assert "does not state 'retries'; local" in str(refused.value)


def test_the_graph_of_a_dynamic_task_is_not_cached_in_silence() -> None:
    @turnout.dynamic(cache=True)
    def grow(n: int) -> int:
        return add(n, n)

    @workflow
    def growing(n: int) -> int:
        return grow(n)

    with pytest.raises(PlanError, match=r"'grow' sets cache.*cache the tasks it calls"):
        turnout.run(growing, n=1)


def test_a_run_says_what_it_is() -> None:
    run = turnout.run(flow, a=1, name="first", tags=["x", "y"])
    assert run.status == "succeeded"
    assert run.id in repr(run)
    assert [(node.name, node.task, node.status) for node in run.nodes] == [
        ("add", "add", "succeeded"),
        ("add-2", "add", "succeeded"),
    ]
    assert run.output("add") == 3
    assert run.url is None
    assert run.wait() is run
    again = turnout.get_run(run.id[:15])
    assert again.id == run.id
    assert again.outputs == 5
    assert again.output("add") == 3
    assert [found.id for found in turnout.runs(tag="y")] == [run.id]


def test_a_part_of_an_id_must_be_enough() -> None:
    with pytest.raises(ConfigError, match="there are no runs yet"):
        turnout.get_run()
    runs = [turnout.run(flow, a=1) for _ in range(2)]
    with pytest.raises(ConfigError, match="several runs begin with '20'"):
        turnout.get_run("20")
    with pytest.raises(ConfigError, match=f"the latest runs are.*{runs[1].id}"):
        turnout.get_run("nothing")


def test_outputs_that_were_not_kept() -> None:
    run = turnout.run(flow, a=1, execution_environment={"keep": "none"})
    assert run.outputs == 5
    with pytest.raises(ConfigError, match="was not kept"):
        _ = turnout.get_run(run.id).outputs


def test_only_the_process_that_drives_a_run_can_cancel_it(tmp_path: Path) -> None:
    run = turnout.run(flow, a=1)
    turnout.get_run(run.id).cancel()  # it has ended: nothing to do
    assert turnout.get_run(run.id).status == "succeeded"
    import sqlite3

    with sqlite3.connect(tmp_path / ".turnout" / "runs.db") as db:
        db.execute("UPDATE runs SET status = 'running' WHERE id = ?", (run.id,))
    db.close()
    with pytest.raises(TurnoutError, match="is driven by process"):
        turnout.get_run(run.id).cancel()


def test_a_run_in_the_background_keeps_its_failure() -> None:
    @task
    def boom(x: int) -> int:
        raise LookupError("mine")

    @workflow
    def failing(x: int) -> int:
        return boom(x)

    run = turnout.run(failing, x=1, wait=False)
    for _ in range(2):
        with pytest.raises(RunFailed, match="mine") as failed:
            run.wait(10)
        assert failed.value.run is run
    with pytest.raises(RunFailed):
        _ = run.outputs


def test_current_needs_a_run() -> None:
    with pytest.raises(TurnoutError, match="inside a task of a run"):
        turnout.current()


def test_metrics_are_numbers() -> None:
    @task
    def bad(x: int) -> int:
        turnout.current().log_metrics(loss="low")  # type: ignore[arg-type]
        return x

    @workflow
    def logging(x: int) -> int:
        return bad(x)

    with pytest.raises(RunFailed, match="metric 'loss' is a number, not 'low'"):
        turnout.run(logging, x=1)


def test_the_cause_of_a_failure_begins_with_the_users_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @task
    def retells(x: int) -> float:
        try:
            return late.fn(x).send(None)
        except ZeroDivisionError as error:
            raise ValueError("no number") from error

    def frames(made: Any) -> list[list[str]]:
        with pytest.raises(RunFailed) as raised:
            turnout.run(workflow(made), x=0)
        cause = raised.value.__cause__
        told = []
        while cause is not None:
            told.append([frame.name for frame in traceback.extract_tb(cause.__traceback__)])
            cause = cause.__cause__
        return told

    def waits(x: int) -> float:
        return late(x)

    def catches(x: int) -> float:
        return retells(x)

    assert frames(waits) == [["late"]]
    assert frames(catches) == [["retells"], ["retells", "late"]]
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert frames(waits)[0][0] == "run_bare"
