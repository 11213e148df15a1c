"""Plans: everything wrong is told at once, and what an environment cannot do is refused."""

# ruff: noqa: ISC004, PLW0108  (messages in full; workflows as users write them)

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

import turnout
from turnout import Cache, Resources, conditional, dynamic, map_task, order, task, workflow
from turnout.backend.base import EnvironmentConfig, ExecutorBackend
from turnout.backend.capability import NATIVE, Capability, advisory, unsupported
from turnout.backend.registry import registry
from turnout.dsl.known import OPEN
from turnout.errors import ConfigError, PlanError
from turnout.graph import TaskOptions
from turnout.plan import Environment, Plan, make_plan
from turnout.plan.schedule import crontab_line
from turnout.spi import CompilerBackend


@dataclasses.dataclass
class Queue:
    queue: str = "all"
    weights: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.queue == "none":
            raise ValueError("queue is one there is")


class Limited(ExecutorBackend):
    """An executor that honours what it is told to."""

    name = "limited"
    task_options = Queue

    def __init__(self, cannot: Mapping[str, Capability] | None = None) -> None:
        self._cannot = dict(cannot or {})

    def capability(self, setting: str, config: Any = None) -> Capability:
        return self._cannot.get(setting) or super().capability(setting, config)

    def open(self, session: Any) -> Any:
        raise NotImplementedError


class Compiles(CompilerBackend):
    """A compiler of which only planning is asked."""

    name = "compiles"

    def compile(self, graph: Any, session: Any) -> Any:
        raise NotImplementedError

    def submit(self, compiled: Any, inputs: Any, session: Any) -> Any:
        raise NotImplementedError


def environment(backend: Any = None, name: str = "here", **settings: Any) -> Environment:
    settings = {"cache": "off", "keep": "none", **settings}
    return Environment(
        name=name, backend=backend or Limited(), config=EnvironmentConfig(**settings)
    )


def plan(
    body: Any, values: dict[str, Any] | None = None, where: Environment | None = None, **more: Any
) -> Plan:
    flow = body if isinstance(body, turnout.Workflow) else workflow(body)
    values = dict.fromkeys(flow.signature.parameters, OPEN) | (values or {})

    def resolve(name: str) -> Environment:
        if name == "other":
            return environment(name="other")
        raise ConfigError(f"there is no environment {name!r}")

    return make_plan(
        flow.trace(values), values, where or environment(), **{"resolve": resolve, **more}
    )


def problems(*args: Any, **more: Any) -> list[str]:
    with pytest.raises((PlanError, ConfigError)) as caught:
        plan(*args, **more)
    error = caught.value
    if isinstance(error, PlanError):
        return list(error.problems)
    first, *rest = str(error).splitlines()
    return [line.removeprefix("  - ") for line in rest] or [first]


@task
def see(x: Any) -> Any:
    return x


@task
def add(x: int, y: int = 1) -> int:
    return x + y


# -- notes -----------------------------------------------------------------------------------------


def test_a_task_that_takes_a_whole_config_is_noted() -> None:
    @workflow
    def inner(cfg: DictConfig, part: Any) -> Any:
        return see([cfg, part])

    def flow(cfg: DictConfig) -> Any:
        see(cfg)
        inner(cfg, 1)
        inner(cfg.part, 2)
        see(cfg.part)

    made = plan(flow, {"cfg": OmegaConf.create({"part": {"a": 1}})})
    assert [(note.kind, note.node) for note in made.notes] == [
        ("whole config", "see"),
    ]
    assert "depends on all of its keys; pass a part of it" in made.notes[0].text

    def passed_on(cfg: DictConfig) -> Any:
        whole(cfg)

    @workflow
    def whole(anything: Any) -> Any:
        return see(anything)

    made = plan(passed_on, {"cfg": OmegaConf.create({"a": 1})})
    assert [note.node for note in made.notes] == ["whole/see"]


def test_notes_of_a_tasks_version_are_told_once() -> None:
    @task(cache=True)
    def vague(x: int) -> int:
        return getattr(x, str(x), 0)

    def flow() -> Any:
        vague(1)
        vague.with_options(cache=Cache(packages=("numpy",)))(2)

    made = plan(flow, where=environment(cache="use"))
    assert [note.kind for note in made.notes] == ["cache"]
    assert "getattr" in made.notes[0].text


# -- what an environment can do --------------------------------------------------------------------


def refusing(**cannot: str) -> Environment:
    return environment(Limited({name: unsupported(why) for name, why in cannot.items()}))


@task(cache=True, retries=2, timeout=3, env_vars={"A": "1"}, secrets=["S"], report=True)
def asks(x: int = 1) -> int:
    return x


@dynamic
def grow(n: int) -> int:
    return add(n)


@task
def cleanup() -> None: ...


@workflow(on_failure=cleanup)
def everything(n: int) -> Any:
    asks()
    order(add(n), grow(n))
    map_task(add)([1])
    return conditional("c").if_(add(n) > 1).then(add(n)).else_().then(0)


def test_every_setting_that_cannot_be_honoured_is_refused_at_once() -> None:
    settings = (
        "cache", "retries", "timeout", "env_vars", "secrets", "report", "map", "dynamic", "order",
        "conditional", "on_failure",
    )  # fmt: skip
    told = problems(everything, {"n": 1}, refusing(**dict.fromkeys(settings, "it cannot")))
    refused = {text.partition(" sets ")[2].partition(",")[0] for text in told}
    assert refused == set(settings)
    by_setting = {text.partition(" sets ")[2].partition(",")[0]: text for text in told}
    assert by_setting["order"].startswith("workflow 'everything' sets order, which 'here' cannot ")
    assert by_setting["map"].startswith("node 'add-2' sets map, which 'here' cannot honour: it can")
    able = sorted(name for name, found in registry().backends.items() if _can(found, "retries"))
    assert by_setting["retries"] == (
        f"node 'asks' sets retries, which 'here' cannot honour: it cannot; {', '.join(able)} can"
    )


def _can(backend: Any, setting: str) -> bool:
    return backend.capability(setting).honoured


def test_problems_with_inputs_are_told_with_the_refusals() -> None:
    told = problems(
        everything, where=refusing(retries="it cannot", timeout="x", report="y", secrets="z")
    )
    assert any("sets retries" in text for text in told)
    assert any("input 'n' has no value" in text for text in told)


def test_a_timetable_is_refused_with_a_line_for_crontab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = ["python", "-X", "dev", "main.py", "a=50% off", "execution_environment.schedule=x"]
    monkeypatch.setattr(sys, "orig_argv", command)
    (tmp_path / "a dir").mkdir()
    monkeypatch.chdir(tmp_path / "a dir")
    (told,) = problems(lambda: add(1), where=environment(schedule="0 1 * * *"))
    assert told == (
        "execution_environment.schedule is set, which 'here' cannot honour: nothing here starts by "
        "a timetable; a crontab line can:\n"
        f"0 1 * * * cd '{tmp_path}/a dir' && {sys.executable} -X dev main.py 'a=50\\% off'"
    )
    can = Limited({"schedule": NATIVE})
    assert plan(lambda: add(1), where=environment(can, schedule="@daily"))


def test_the_crontab_line_begins_where_the_script_was_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", f"{tmp_path}/flows/main.py", raising=False)
    line = crontab_line("@daily", ["python", "flows/main.py", "hydra.job.chdir=true"])
    assert line.startswith(f"@daily cd {tmp_path} && ")


def test_what_only_says_where_and_how_big_is_advice_unless_strict() -> None:
    @task(resources=Resources(cpu=2), image="x", interruptible=True, options={"local": {"a": 1}})
    def sized() -> int:
        return 1

    backend = Limited({"resources": advisory("no sizes here")})
    made = plan(lambda: sized(), where=environment(backend))
    assert sorted(note.text.partition(" sets ")[2].partition(",")[0] for note in made.notes) == [
        "image",
        "interruptible",
        "options",
        "resources",
    ]
    assert made.notes[0].text == (
        "node 'sized' sets resources, which 'here' takes as advice only: no sizes here"
    )
    told = problems(lambda: sized(), where=environment(backend, strict=True))
    assert len(told) == 4
    assert all(text.endswith("(strict=true)") for text in told)


def test_options_for_no_backend_at_all_are_told_and_refused_under_strict() -> None:
    @task(options={"loca": {"a": 1}})
    def lost() -> int:
        return 1

    told = "node 'lost' sets options.loca, and no backend of that name is installed; did you mean"
    made = plan(lambda: lost())
    assert [note.text.startswith(told) for note in made.notes] == [True]
    (refused,) = problems(lambda: lost(), where=environment(strict=True))
    assert refused.startswith(told)
    assert refused.endswith("(strict=true)")


def test_options_of_the_backend_itself_are_not_another_backends() -> None:
    @task(options={"limited": {"queue": "a"}})
    def queued() -> int:
        return 1

    assert plan(lambda: queued()).notes == ()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"qeue": "a"}, "options.limited has no 'qeue'; did you mean 'queue'?"),
        ({"queue": 3}, "options.limited.queue: expected str, found int 3"),
        ({"weights": {"a": "b"}}, "options.limited.weights: expected"),
        ({"queue": "none"}, "options.limited: queue is one there is"),
        (3, "options.limited is a mapping of settings, not 3"),
    ],
)
def test_options_for_a_backend_are_held_against_its_schema(said: Any, told: str) -> None:
    @task(options={"limited": said})
    def queued() -> int:
        return 1

    (problem,) = problems(lambda: queued(), where=environment(Limited({})))
    assert problem.startswith(f"node 'queued': {told}")


def test_a_backend_without_options_for_tasks_takes_none() -> None:
    @task(options={"local": {"queue": "a"}})
    def queued() -> int:
        return 1

    with pytest.raises(PlanError, match="'local' has no settings for single tasks"):
        turnout.run(workflow(lambda: queued()))


def test_inner_workflows_and_handlers_are_held_to_the_same() -> None:
    @workflow
    def inner() -> Any:
        return asks.with_options(retries=1)()

    @workflow(on_failure=asks)
    def flow() -> Any:
        return inner()

    told = problems(flow, where=refusing(retries="no", timeout="no", secrets="no", report="no"))
    nodes = {text.partition(" sets ")[0] for text in told}
    assert nodes == {"node 'on_failure'", "node 'inner/asks'"}


def test_a_tasks_own_environment() -> None:
    @task(execution_environment="other", retries=1)
    def there() -> int:
        return 1

    @task(execution_environment="here")
    def stays() -> int:
        return 1

    @task(execution_environment="nowhere")
    def lost() -> int:
        return 1

    made = plan(lambda: [there(), stays()], where=refusing(retries="not here"))
    assert [step.environment for step in made.program.steps] == ["other", ""]
    assert list(made.rules.environments) == ["other"]
    told = problems(lambda: [there(), lost()], where=refusing(execution_environment="one only"))
    assert told[0].startswith("node 'there' sets execution_environment, which 'here' cannot hon")
    assert told[1] == "node 'lost': there is no environment 'nowhere'"


def test_options_from_the_config_win_over_those_in_code() -> None:
    overrides = {"asks": TaskOptions(retries=7), "add": TaskOptions(retries=1)}
    where = environment(Limited(dict.fromkeys(("timeout", "secrets", "report"), NATIVE)))
    made = plan(lambda: [asks.with_options(retries=5)(), add(1)], where=where, overrides=overrides)
    assert [step.options.retries for step in made.program.steps] == [7, 1]


def test_options_for_a_task_there_is_not() -> None:
    told = problems(lambda: add(1), overrides={"ad": TaskOptions(retries=1)})
    assert (
        told == ["turnout.tasks.ad: the workflow has no task 'ad'; did you mean 'add'?"]
        or "turnout.tasks.ad: the workflow has no task 'ad'" in told[0]
    )


def test_options_for_a_task_a_dynamic_may_call() -> None:
    overrides = dict.fromkeys(("add", "ad"), TaskOptions(retries=1))
    known, unknown = plan(lambda: grow(1), overrides=overrides).notes
    assert known.text == "turnout.tasks.add is for a task a dynamic may call"
    assert unknown.text == (
        "turnout.tasks.ad is for a task a dynamic may call, and none in sight has that name; "
        "did you mean 'add'? There are: add, grow"
    )


# -- versions --------------------------------------------------------------------------------------


def versions(body: Callable[[], Any], **settings: Any) -> list[str]:
    where = environment(**{"cache": "use", **settings})
    return [step.version for step in plan(body, where=where).program.steps]


def test_versions_of_cached_tasks() -> None:
    @task(cache=True)
    def cached() -> int:
        return 1

    def body() -> Any:
        return [
            cached(),
            cached.with_options(cache=False)(),
            cached.with_options(cache=Cache(version="3"))(),
            cached.with_options(cache=Cache(mode="off"))(),
            cached.with_options(cache=Cache(packages=("numpy",)))(),
            cached.with_options(cache=Cache(version="3", packages=("numpy",)))(),
            cached.with_options(cache=Cache(depends=(add,)))(),
            cached.with_options(cache=Cache(depends=("json",)))(),
            add(1),
        ]

    found = versions(body)
    assert found[0] != ""
    assert [found[1], found[3], found[8]] == ["", "", ""]
    assert found[2] == "given:3"
    assert found[4] == f"{found[0]}+numpy={np.__version__}"
    assert found[5] == f"given:3+numpy={np.__version__}"
    assert len({found[0], found[6], found[7]}) == 3
    assert set(versions(body, cache="off")) == {""}


def test_packages_that_are_not_installed_are_told() -> None:
    def body() -> Any:
        return add.with_options(cache=Cache(packages=("numpy", "no-such-thing")))(1)

    assert problems(body, where=environment(cache="use")) == [
        "node 'add' sets Cache(packages=...) with 'no-such-thing', which is not installed here"
    ]


# -- until -----------------------------------------------------------------------------------------


@workflow
def outer(n: int) -> Any:
    first = add(n)
    other = add(100)
    middle = chain(first)
    return [add(middle), other]


@workflow
def chain(x: int) -> int:
    return add(add(x))


def test_a_run_may_end_at_a_node_or_a_sub_workflow() -> None:
    def wanted(until: str) -> Any:
        made = plan(outer, {"n": 1}, until=until)
        assert made.wanted is not None
        return sorted(made.program.steps[index].id for index in made.wanted)

    assert wanted("add") == ["add"]
    assert wanted("chain/add") == ["add", "chain/add"]
    assert wanted("chain") == ["add", "chain/add", "chain/add-2"]
    assert plan(outer, {"n": 1}, until="chain").result == ("step", 3)
    told = problems(outer, {"n": 1}, until="chian")
    assert "there is no node 'chian'" in told[0]
    assert "chain" in told[0]


def test_a_run_that_ends_in_a_branch() -> None:
    def flow(n: int) -> Any:
        big = conditional("c").if_(add(n) > 2).then(add(n, 1)).else_().then(add(n, 2))
        return add(big)

    made = plan(flow, {"n": 1}, until="c")
    assert made.wanted is not None
    assert sorted(made.program.steps[index].id for index in made.wanted) == [
        "add",
        "add-2",
        "add-3",
        "c",
    ]
    made = plan(flow, {"n": 1}, until="add-2")
    assert made.result == ("step", 2)


# -- compilers -------------------------------------------------------------------------------------


def test_a_compiler_may_have_open_inputs_and_gets_no_program() -> None:
    def flow(cfg: DictConfig, n: int) -> Any:
        see(cfg.late)
        add(n)

    where = environment(Compiles())
    made = plan(flow, {"cfg": OmegaConf.create({"late": "???"})}, where)
    assert made.program.steps == []
    assert made.graph.node("add").id == "add"
    told = problems(flow, {"cfg": OmegaConf.create({"late": 1}), "n": "a"}, where)
    assert told == ["input 'n' (node 'add', parameter 'x'): expected int, found str 'a'"]
    told = problems(flow, {"cfg": OmegaConf.create({"late": 1})}, where, until="add")
    assert told == [
        "'here' drives the graph itself and runs all of it; a run that ends at 'add' is for "
        "environments driven from here"
    ]


def test_plans_are_frozen() -> None:
    made = plan(lambda: add(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.until = "x"
