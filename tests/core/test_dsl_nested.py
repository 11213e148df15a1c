"""Workflows inside workflows, and failure handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from turnout import conditional, dynamic, fixed, map_task, order, task, workflow
from turnout.errors import ConfigError, GraphError, TypeMismatch
from turnout.graph import TaskNode, WorkflowNode
from turnout.graph.binding import path_text

HERE = f"{__name__.replace('.', '/')}.py"
told: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    told.clear()


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def join(items: list[int]) -> int:
    told.append(items)
    return sum(items)


@task
def see(x: Any) -> Any:
    return x


@task
def fail(message: str) -> int:
    raise RuntimeError(message)


@workflow
def chain(x: int, steps: int = 2) -> int:
    for _ in range(steps):
        x = add(x)
    return x


def fixings(graph: Any) -> list[str]:
    return [path_text(f.path) + ("" if f.what == "value" else " keys") for f in graph.fixed]


def refused(body: Callable[..., Any], **values: Any) -> GraphError:
    with pytest.raises(GraphError) as caught:
        workflow(body).trace(values)
    return caught.value


def test_a_workflow_inside_a_workflow_is_a_sub_workflow() -> None:
    @workflow
    def outer(n: int) -> int:
        return add(chain(add(n), 1))

    graph = outer.trace({"n": 1}).graph
    assert [(type(node).__name__, node.id) for node in graph.nodes] == [
        ("TaskNode", "add"),
        ("WorkflowNode", "chain"),
        ("TaskNode", "add-2"),
    ]
    node = graph.node("chain")
    assert isinstance(node, WorkflowNode)
    assert node.args == (("x", ("output", "add")), ("steps", ("const", 1)))
    assert [inner.id for inner in graph.workflows["chain"].nodes] == ["add"]
    assert outer(1) == 4


def test_sub_workflows_are_specialised_by_what_they_fix_and_equal_ones_shared() -> None:
    @workflow
    def outer(n: int, deep: int) -> list[int]:
        return [chain(n, 1), chain(add(n), 1), chain(n, deep), chain(n), chain(add(n), steps=deep)]

    graph = outer.trace({"n": 1, "deep": 3}).graph
    calls = [node.workflow for node in graph.nodes if isinstance(node, WorkflowNode)]
    assert calls == ["chain", "chain", "chain-2", "chain-3", "chain-2"]
    assert [len(inner.nodes) for inner in graph.workflows.values()] == [1, 3, 2]
    assert fixings(graph) == ["deep"]
    (only,) = graph.fixed
    assert only.line == f"{HERE}:{inspect.getsourcelines(chain.fn)[1] + 2}"
    assert outer(1, 3) == [2, 3, 4, 3, 5]


def test_what_an_inner_workflow_fixes_is_fixed_outside_with_its_path() -> None:
    @workflow
    def inner(cfg: DictConfig, extra: Any) -> Any:
        for key in cfg.steps:
            see([cfg.steps[key], extra])
        if extra["more"][1] > 1:
            see(cfg.name)
        return see(fixed(extra["both"])[0])

    @workflow
    def outer(cfg: DictConfig) -> Any:
        return inner(cfg.sub, {"more": [1, cfg.n], "both": (cfg.a, cfg.b)})

    cfg = OmegaConf.create(
        {"sub": {"steps": {"a": 1, "b": 2}, "name": "n"}, "n": 2, "a": 5, "b": 6}
    )
    graph = outer.trace({"cfg": cfg}).graph
    assert fixings(graph) == ["cfg.a", "cfg.b", "cfg.n", "cfg.sub.steps keys"]
    assert outer(cfg) == 5


def test_a_fixing_inside_counts_against_what_is_allowed_outside() -> None:
    @workflow(fixed=("n",))
    def outer(n: int, steps: int) -> int:
        return chain(n, steps)

    with pytest.raises(GraphError, match="input 'steps' is fixed here, and workflow 'outer' allow"):
        outer.trace({"n": 1, "steps": 2})


def test_steering_on_a_parameter_bound_to_an_output_is_refused() -> None:
    def flow(n: int) -> Any:
        return chain(1, add(n))

    error = refused(flow, n=1)
    assert error.message == (
        "'steps' of workflow 'chain', bound to 'add', an output of task 'add', is used by Python "
        "here, but it has no value while the graph is built; to choose by it use "
        "conditional(...), to repeat over it map_task(...), for anything else do it inside a "
        "task or a @dynamic task"
    )
    assert error.location == f"{HERE}:{inspect.getsourcelines(chain.fn)[1] + 2}"

    @workflow
    def parts(pair: tuple[int, int]) -> Any:
        return see(len(pair) if pair[0] else 0)

    error = refused(lambda: parts((add(1), 2)))
    assert error.message.startswith("'pair[0]' of workflow 'parts', bound to 'add'")


def test_a_parameter_bound_to_an_output_may_be_compared_and_mapped() -> None:
    @workflow
    def gate(x: int, limit: int, flag: bool) -> int:
        return (
            conditional("gate")
            .if_((x >= limit) & flag | (x == 0))
            .then(add(x))
            .elif_(limit < x)
            .then(-1)
            .else_()
            .then(0)
        )

    @workflow
    def spread(xs: list[int], n: int) -> int:
        return join(map_task(partial(add, y=n))(xs))

    @task
    def numbers(n: int) -> list[int]:
        return list(range(n))

    @task
    def yes(x: int) -> bool:
        return x > 0

    @workflow
    def outer(n: int, limit: int) -> list[int]:
        return [
            gate(add(n), limit, yes(n)),
            gate(add(n), add(n), False),
            spread(numbers(n), add(n)),
        ]

    assert outer(3, 4) == [5, 0, 3 + 12]
    assert outer(3, 9) == [0, 0, 15]
    graph = outer.trace({"n": 1, "limit": 2}).graph
    assert fixings(graph) == []
    (branch,) = [n for n in graph.workflows["gate"].nodes if n.id == "gate"]
    assert branch.cases[0].when[1][1] == ("ge", ("input", "x"), ("input", "limit"))


def test_an_open_input_steers_nothing_but_may_be_compared() -> None:
    def choose(n: int) -> Any:
        return conditional("c").if_(n > 3).then(add(n)).else_().then(0)

    assert workflow(choose).trace({}).graph.node("c").cases[0].when[1] == ("input", "n")

    def steer(n: int) -> Any:
        return add(n) if n > 3 else 0

    error = refused(steer)
    assert error.message.startswith("input 'n' has no value yet and steers the workflow; give it a")


def test_structures_with_promises_are_known_as_far_as_they_are() -> None:
    @workflow
    def inner(items: list[Any], table: dict[str, Any], pair: tuple[int, int]) -> Any:
        first, second = pair
        return [join(list(items)), [see(table[key]) for key in table], add(first, second)]

    @workflow
    def outer(n: int) -> Any:
        return inner([n, add(n), 3], {"a": add(n), "b": n}, (add(n), n))

    assert outer(1) == [6, [2, 1], 3]
    assert fixings(outer.trace({"n": 1}).graph) == []


def test_several_outputs_bound_to_a_parameter_unpack_by_its_annotation() -> None:
    @task
    def two(n: int) -> tuple[int, int]:
        return n, n + 1

    @workflow
    def inner(pair: tuple[int, int]) -> int:
        first, second = pair
        return add(first, second)

    @workflow
    def outer(n: int) -> int:
        return inner(two(n))

    assert outer(3) == 7


def test_results_of_sub_workflows() -> None:
    @workflow
    def both(n: int) -> tuple[int, dict[str, Any]]:
        return add(n), {"a": [add(n, 5)], "n": n}

    @workflow
    def unannotated(n):
        return add(n), n

    @workflow
    def nothing(n: int) -> None:
        see(n)

    @workflow
    def constant(n: int) -> int:
        return 7

    @workflow
    def outer(n: int) -> Any:
        first, rest = both(n)
        a, b = unannotated(n)
        return [add(first), rest["a"][0], rest["n"], a, b, nothing(n), constant(n), both(n)]

    assert outer(1) == [3, 6, 1, 2, 1, None, 7, (2, {"a": [6], "n": 1})]


def test_conditionals_maps_and_dynamic_parts_in_sub_workflows() -> None:
    @dynamic
    def grow(n: int) -> list[int]:
        return [chain(i, 1) for i in range(n)]

    @workflow
    def inner(xs: list[int], n: int) -> int:
        mapped = join(map_task(add)(xs))
        return conditional("c").if_(mapped > 3).then(join(grow(n))).else_().then(chain(mapped, 2))

    @workflow
    def outer(n: int) -> Any:
        return [inner([1, add(n)], n), inner([0], add(n))]

    assert outer(3) == [1 + 2 + 3, 3]


def test_order_with_sub_workflows() -> None:
    @task
    def say(text: str) -> str:
        told.append(text)
        return text

    @workflow
    def loud(a: str) -> str:
        say(a)
        return conditional("c").if_(say("?") == "!").then(say("never")).else_().then(say("else"))

    @workflow
    def outer() -> Any:
        last = say("last")
        middle = loud("middle")
        first = say("first")
        order(first, middle, last)
        return last

    assert outer() == "last"
    assert told == ["first", "middle", "?", "else", "last"]


def test_arguments_of_sub_workflows_are_checked_and_converted() -> None:
    @dataclass
    class Model:
        C: float = 1.0
        steps: int = 2

    @task
    def fit(model: Model) -> float:
        return model.C

    @workflow
    def inner(model: Model, scale: float) -> Any:
        told.append((type(fixed(model.C)), type(fixed(scale))))
        return [fit(model), model.C, see(scale)]

    @workflow
    def outer(cfg: DictConfig, n: int) -> Any:
        return inner(cfg.model, n)

    assert outer(OmegaConf.create({"model": {"C": 2}}), 3) == [2.0, 2.0, 3.0]
    assert told == [(float, float)]
    assert "expected float, found str 'a'" in refused(lambda: inner(Model(), "a")).message
    error = refused(lambda: inner(add(1), 1.0))
    assert error.message == (
        "workflow 'inner': parameter 'model' expects Model, found int from 'add'"
    )
    assert "missing a required argument: 'scale'" in refused(lambda: inner(Model())).message
    assert "multiple values" in refused(lambda: chain(1, x=2)).message


def test_an_argument_bound_to_an_output_is_checked_where_it_arrives() -> None:
    @workflow
    def inner(x: Any) -> int:
        return add(x)

    @workflow
    def typed(x: str) -> int:
        return add(x)

    with pytest.raises(TypeMismatch, match="node 'inner/add', parameter 'x': expected int, found"):
        workflow(lambda: inner(see("a")))()
    error = refused(lambda: typed(see("a")))
    assert error.message == "node 'add': parameter 'x' expects int, found str from <input x>"


def test_a_workflow_that_calls_itself() -> None:
    @workflow
    def down(n: int) -> int:
        return add(down(n - 1)) if n > 0 else 0

    @workflow
    def endless(n: int) -> int:
        return endless(n)

    assert down(5) == 5
    assert "'endless' is called inside itself without end" in refused(lambda: endless(1)).message


def test_default_parameters_and_none() -> None:
    @workflow
    def inner(n: int, limit: int | None = None, cfg: Any = 5) -> Any:
        return see(n if limit is None else [limit, cfg])

    @workflow
    def outer(n: int, limit: int | None = None) -> Any:
        return [inner(n), inner(n, limit), inner(n, 3), inner(n, limit=n)]

    assert outer(1) == [1, 1, [3, 5], [1, 5]]


# -- failure handlers ------------------------------------------------------------------------------


@task
def cleanup(n: int, error: str, note: str = "none") -> None:
    told.append((n, error, note))


def test_a_task_as_failure_handler_gets_inputs_by_name_and_the_error() -> None:
    @workflow(on_failure=cleanup)
    def flow(n: int) -> int:
        return fail("broken")

    node = flow.trace({"n": 1}).graph.on_failure
    assert isinstance(node, TaskNode)
    assert node.args == (("n", ("input", "n")), ("error", ("input", "error")))
    with pytest.raises(RuntimeError, match="broken"):
        flow(3)
    assert told == [(3, "RuntimeError: broken", "none")]


def test_a_workflow_as_failure_handler() -> None:
    @workflow
    def handler(cfg: DictConfig, error: str) -> None:
        for _ in range(cfg.times):
            cleanup(cfg.n, error, note="w")

    @workflow(on_failure=handler)
    def flow(cfg: DictConfig) -> int:
        return fail("broken")

    cfg = OmegaConf.create({"times": 2, "n": 1})
    graph = flow.trace({"cfg": cfg}).graph
    assert isinstance(graph.on_failure, WorkflowNode)
    assert fixings(graph) == ["cfg.times"]
    with pytest.raises(RuntimeError, match="broken"):
        flow(cfg)
    assert told == [(1, "RuntimeError: broken", "w")] * 2

    @workflow
    def steering(error: str) -> None:
        if "x" in error:
            see(error)

    with pytest.raises(GraphError, match="'error' of workflow 'steering', bound to the failure"):
        workflow(on_failure=steering)(lambda: see(1)).trace({})


def test_handlers_of_inner_and_outer_workflows_are_both_called() -> None:
    @task
    def note(error: str) -> None:
        told.append(error)

    @workflow(on_failure=note)
    def inner(n: int) -> int:
        return fail("broken")

    @workflow(on_failure=cleanup)
    def outer(n: int) -> int:
        return inner(n)

    with pytest.raises(RuntimeError, match="broken"):
        outer(1)
    assert told == ["RuntimeError: broken", (1, "RuntimeError: broken", "none")]


def test_a_handler_that_needs_what_is_not_there_is_refused() -> None:
    @workflow(on_failure=cleanup)
    def flow(x: int) -> int:
        return add(x)

    with pytest.raises(GraphError, match="on_failure=cleanup needs 'n', which workflow 'flow' doe"):
        flow.trace({"x": 1})
    with pytest.raises(TypeError, match="on_failure is a task or a workflow"):
        workflow(on_failure=print)(lambda: None)


# -- what can be no workflow -----------------------------------------------------------------------


def test_what_can_be_no_workflow() -> None:
    async def asynchronous() -> None: ...

    def generator() -> Any:
        yield 1

    for fn in (asynchronous, generator):
        with pytest.raises(TypeError, match="only builds a graph, so it is a plain def"):
            workflow(fn)
    for thing in (add, chain):
        with pytest.raises(TypeError, match="cannot be made a workflow"):
            workflow(thing)
    with pytest.raises(TypeError, match="@workflow takes a function, not"):
        workflow(int)
    with pytest.raises(ValueError, match="a name is made of letters"):
        workflow(name="a b")(lambda: None)


def test_a_plain_call_gives_the_users_own_exception_and_checks_arguments() -> None:
    with pytest.raises(RuntimeError, match="own"):
        workflow(lambda: fail("own"))()
    with pytest.raises(TypeError, match="chain: missing a required argument: 'x'"):
        chain()
    assert workflow(lambda x, /: add(x))(3) == 4


def test_a_plain_call_converts_its_arguments() -> None:
    @workflow
    def flow(cfg: DictConfig, x: float) -> Any:
        return [see(cfg.a), see(x), repr(fixed(x))]

    assert flow({"a": 1}, 2) == [1, 2.0, "2.0"]
    with pytest.raises(ConfigError, match="input 'x': expected float, found str 'a'"):
        flow({"a": 1}, "a")
