"""Tasks: functions that are called plainly, placed as nodes, and carry options."""

# ruff: noqa: PLW0108  (what users write is what is tested)

from __future__ import annotations

import asyncio
import functools
import pickle
import types
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

import turnout
from turnout import Cache, Resources, dynamic, task, workflow
from turnout.errors import GraphError
from turnout.graph import TaskOptions


@task
def scale(x: float, by: float = 2.0, *, plus: float = 0.0) -> float:
    """Scale a number."""
    return x * by + plus


@task
def first(a: int, /, b: int = 2) -> tuple[int, int]:
    return a, b


@task
def loose(a: int, **more: Any) -> dict[str, Any]:
    return {"a": a, **more}


@task
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def logged(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


@task
@logged
def decorated(x: int) -> int:
    return x + 1


@logged
@task
def outside(x: int) -> int:
    return x + 1


class Trainer:
    def __init__(self, by: int) -> None:
        self.by = by

    @task
    def fit(self, x: int) -> int:
        return x * self.by

    @staticmethod
    @task
    def static(x: int) -> int:
        return x


def nodes(body: Callable[[], Any]) -> Any:
    return workflow(body).trace({}).graph.nodes


def test_calling_a_task_outside_a_workflow_is_a_plain_call() -> None:
    assert scale(3) == 6.0
    assert scale(3, plus=1, by=4) == 13
    assert first(1) == (1, 2)
    assert loose(1, b=2) == {"a": 1, "b": 2}
    assert asyncio.run(later(1)) == 2
    assert scale.__doc__ == "Scale a number."
    assert scale.__wrapped__ is scale.fn
    assert Trainer(3).fit(2) == 6
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        scale()


def test_arguments_in_every_spelling() -> None:
    @workflow
    def flow() -> Any:
        return [
            scale(3.0, plus=1.0),
            scale(by=3.0, x=1.0),
            first(5),
            first(5, b=6),
            loose(1, b=2, c=scale(1.0)),
            later(4),
            decorated(1),
            outside(1),
            Trainer(3).fit(2),
            Trainer.static(4),
            Trainer(1).static(5),
        ]

    assert flow() == [
        7.0, 3.0, (5, 2), (5, 6), {"a": 1, "b": 2, "c": 2.0}, 5, 2, 2, 6, 4, 5,
    ]  # fmt: skip


def test_async_tasks_run_inside_a_running_event_loop() -> None:
    @workflow
    def flow(x: int) -> int:
        return later(later(x))

    async def main() -> int:
        return flow(1)

    assert asyncio.run(main()) == 3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: scale(), "missing a required argument: 'x'; it is scale(x, by=2.0, *, plus=0.0)"),
        (lambda: scale(1, 2, 3), "too many positional arguments"),
        (lambda: scale(1, x=2), "multiple values for argument 'x'"),
        (lambda: scale(1, wrong=2), "got an unexpected keyword argument 'wrong'"),
        (lambda: first(a=1), "'a' parameter is positional only, but was passed as a keyword"),
        (lambda: loose(b=1), "missing a required argument: 'a'; it is loose(a, **more)"),
    ],
)
def test_wrong_arguments_are_told_with_the_signature(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(GraphError, match=r"tests/core/test_dsl_tasks.py:\d+: task '") as caught:
        workflow(call).trace({})
    assert said in str(caught.value)


def test_what_can_be_no_task() -> None:
    with pytest.raises(TypeError, match=r"takes \*args; a task names its parameters, so take a li"):
        task(lambda *args: None)
    for thing in (scale, workflow(lambda: None)):
        with pytest.raises(TypeError, match="cannot be made a task"):
            task(thing)
    for thing in (int, 3, "name"):
        with pytest.raises(TypeError, match="@task takes a function, not"):
            task(thing)
    with pytest.raises(ValueError, match="a name is made of letters, digits, '_' and '-'"):
        task(name="a b")(lambda: None)
    with pytest.raises(ValueError, match="a name is made of letters"):
        task(name="")(lambda: None)
    with pytest.raises(TypeError, match="secrets takes a list of names, not 'TOKEN'"):
        task(secrets="TOKEN")(lambda: None)
    with pytest.raises(TypeError, match="no option 'retry'; did you mean 'retries'"):
        task(retry=3)(lambda: None)
    with pytest.raises(ValueError, match="retries must not be negative"):
        task(retries=-1)(lambda: None)


def test_options_of_the_task_and_of_the_node() -> None:
    @task(retries=1, resources=Resources(cpu=1, mem="1Gi"), env_vars={"A": "1"}, timeout="1m")
    def work() -> int:
        return 1

    def body() -> Any:
        work()
        work.with_options(retries=5, resources=Resources(cpu=2), env_vars={"B": "2"})()
        more = work.with_options(retries=5).with_options(retries=6, cache=True)
        return more()

    graph = workflow(body).trace({}).graph
    assert [node.options and node.options.retries for node in graph.nodes] == [None, 5, 6]
    (spec,) = graph.tasks.values()
    assert spec.options.retries == 1
    assert spec.options.timeout == 60.0
    merged = spec.options.merged(graph.nodes[1].options)
    assert (merged.retries, merged.resources) == (5, Resources(cpu=2, mem="1Gi"))
    assert merged.env_vars == {"A": "1", "B": "2"}
    assert work.options.retries == 1
    assert work.with_options(retries=5)() == 1


def test_a_functions_own_attributes_do_not_stand_in_for_the_tasks() -> None:
    def work() -> int:
        return 1

    work.name = "other"
    work.options = 3
    work.key = "k"
    made = task(work)
    assert (made.name, made.options) == ("work", TaskOptions())
    assert workflow(work).name == "work"


def test_callables_that_are_no_functions() -> None:
    class Call:
        def __call__(self, x: int) -> int:
            return x + 1

    add = task(Call(), name="add")
    double = task(functools.partial(lambda x, y: x * y, y=2), name="double")
    assert [node.id for node in nodes(lambda: double(add(1)))] == ["add", "double"]
    assert workflow(lambda: double(add(1)))() == 4
    assert task(lambda x: x).name == "lambda"


def test_tasks_of_one_qualified_name_are_told_apart() -> None:
    made = []
    for step in range(3):

        @task
        def shift(x: int, step: int = step) -> int:
            return x + step * 10

        made.append(shift)

    def body() -> Any:
        return [shift(1) for shift in [*made, made[0]]]

    graph = workflow(body).trace({}).graph
    assert [node.id for node in graph.nodes] == ["shift", "shift-2", "shift-3", "shift-4"]
    keys = [node.task.rpartition("shift")[2] for node in graph.nodes]
    assert keys == ["", "#2", "#3", ""]
    assert workflow(body)() == [1, 11, 21, 1]


def test_one_function_may_be_several_tasks() -> None:
    def load(n: int = 1) -> int:
        return n

    cached = task(name="cached", cache=True)(load)
    plain = task(load)

    def body() -> Any:
        return [plain(1), cached(2), plain.with_options(retries=2)(3)]

    graph = workflow(body).trace({}).graph
    assert [node.id for node in graph.nodes] == ["load", "cached", "load-2"]
    assert [spec.name for spec in graph.tasks.values()] == ["load", "cached"]
    assert graph.nodes[0].task == graph.nodes[2].task != graph.nodes[1].task


def test_one_name_in_two_modules() -> None:
    other = types.ModuleType("other_module")
    exec("def scale(x):\n    return x", other.__dict__)
    theirs = task(other.scale)
    graph = workflow(lambda: theirs(scale(1.0))).trace({}).graph
    assert [node.id for node in graph.nodes] == ["scale", "scale-2"]
    assert set(graph.tasks) == {f"{__name__}:scale", "other_module:scale"}


def test_a_node_id_that_looks_like_a_numbered_one() -> None:
    twin = task(name="load-2")(lambda: 1)
    load = task(name="load")(lambda: 2)
    assert [n.id for n in nodes(lambda: [load(), twin(), load(), twin()])] == [
        "load",
        "load-2",
        "load-3",
        "load-2-2",
    ]


def test_the_spec_says_what_the_function_takes_and_gives() -> None:
    graph = workflow(lambda: [scale(1.0), first(2), loose(1)]).trace({}).graph
    by_name = {spec.name: spec for spec in graph.tasks.values()}
    spec = by_name["scale"]
    assert [(p.name, p.annotation, p.required) for p in spec.params] == [
        ("x", "float", True),
        ("by", "float", False),
        ("plus", "float", False),
    ]
    assert (spec.returns, spec.fields, spec.ref) == ("float", (), f"{__name__}:scale")
    assert by_name["first"].fields == ("0", "1")
    assert [p.name for p in by_name["loose"].params] == ["a"]


def test_what_a_cache_depends_on_is_in_the_graph_by_name() -> None:
    def helper() -> None: ...

    work = task(cache=Cache(depends=(helper, "json", (1, 2))))(lambda: 1)
    node_own = work.with_options(cache=Cache(depends=(scale,)))
    graph = workflow(lambda: [work(), node_own()]).trace({}).graph
    (spec,) = graph.tasks.values()
    name = f"{__name__}:test_what_a_cache_depends_on_is_in_the_graph_by_name.<locals>.helper"
    assert spec.options.cache.depends == (name, "json", "(1, 2)")
    assert graph.nodes[1].options.cache.depends == (f"{__name__}:scale",)
    with pytest.raises(TypeError, match="takes a tuple, not the string"):
        Cache(depends="json")


def test_tasks_are_pickled_by_name_or_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())
    assert pickle.loads(pickle.dumps(scale)) is scale
    optioned = pickle.loads(pickle.dumps(scale.with_options(retries=4)))
    assert (optioned.plain, optioned.node_options.retries) == (scale, 4)
    assert workflow(lambda: scale(1.0)).trace({}).tasks[scale.key] is scale

    local = task(name="renamed", retries=2)(lambda x: x + 1)
    copied = cloudpickle.loads(cloudpickle.dumps(local))
    assert (copied.name, copied.options.retries, copied(1)) == ("renamed", 2, 2)
    assert copied.same_as(copied.with_options(retries=1))
    assert not scale.same_as(local)
    by_value = {spec.name: spec.importable for spec in _specs(scale, local, decorated)}
    assert by_value == {"scale": True, "renamed": False, "decorated": True}


def _specs(*tasks: Any) -> Any:
    return [made.spec(made.key) for made in tasks]


def _this_module() -> types.ModuleType:
    module = types.ModuleType(__name__)
    module.__dict__.update(globals())
    return module


def test_dynamic_takes_options_too() -> None:
    grow = dynamic(retries=2, name="grow")(lambda n: n)
    assert (grow.dynamic, grow.options.retries, grow.name) == (True, 2, "grow")
    (spec,) = workflow(lambda: grow(1)).trace({}).graph.tasks.values()
    assert spec.dynamic


def test_annotations_that_cannot_be_resolved_are_any() -> None:
    def body(x: Unheard, y: list[Unheard]) -> Unheard:  # noqa: F821
        return x

    made = task(body)
    assert made.annotations == {"y": list[Any]}
    assert workflow(lambda: made(1, [2]))() == 1


def test_a_task_called_by_a_task_is_a_plain_call() -> None:
    @task
    def outer_task(x: float) -> float:
        return scale(x) + turnout.fixed(1)

    graph = workflow(lambda: outer_task(1.0)).trace({}).graph
    assert len(graph.nodes) == 1
    assert workflow(lambda: outer_task(1.0))() == 3.0
