"""Maps and dynamic tasks: the graphs they make, and what running them gives."""

# What users write is what is tested:
# ruff: noqa: PLW0108

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from omegaconf import OmegaConf

import turnout
from turnout import conditional, dynamic, fixed, map_task, task, workflow
from turnout.errors import GraphError, RunFailed
from turnout.graph import MapNode
from turnout.observe.failure import show_failure

HERE = f"{__name__.replace('.', '/')}.py"
ran: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


@task
def score(x: float) -> float:
    ran.append("score")
    return x


@task
def deploy(x: float) -> str:
    ran.append("deploy")
    return f"deployed {x}"


@task
def review(x: float) -> str:
    ran.append("review")
    return f"review {x}"


@task
def is_big(x: float) -> bool:
    ran.append("is_big")
    return x > 10


@task
def count(x: float) -> int:
    ran.append("count")
    return int(x)


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


def refused(body: Callable[[], Any]) -> GraphError:
    def flow() -> Any:
        return body()

    with pytest.raises(GraphError) as caught:
        workflow(flow).trace({})
    return caught.value


# -- maps ------------------------------------------------------------------------------------------


def test_a_map_zips_its_lists_and_binds_the_rest() -> None:
    @workflow
    def flow(n: int, ys: list[int]) -> list[int]:
        return map_task(partial(add, y=10), concurrency=2)(x=numbers(n))

    graph = flow.trace({"n": 3, "ys": [1]}).graph
    node = graph.node("add")
    assert isinstance(node, MapNode)
    assert node.args == (("y", ("const", 10)), ("x", ("output", "numbers")))
    assert (node.mapped, node.concurrency, node.min_success_ratio) == (("x",), 2, 1.0)
    assert node.unproven == ()
    assert flow(3, [1]) == [10, 11, 12]
    assert flow(0, []) == []


def test_lists_of_every_kind_are_mapped() -> None:
    @workflow
    def flow(xs: list[int], cfg: Any) -> Any:
        a = map_task(add)([1, count(2.0), 3], [4, 5, cfg.y])
        b = map_task(add)(x=xs, y=cfg.ys)
        c = map_task(add)(xs[1:])
        d = map_task(partial(add, 5))((1, 2))
        e = map_task(add)([])
        f = map_task(total)([a, b])
        return [a, b, c, d, e, f, total(b)]

    result = flow([1, 2], OmegaConf.create({"y": 6, "ys": [7, 8]}))
    assert result == [[5, 7, 9], [8, 10], [3], [6, 7], [], [21, 18], 18]


def test_plain_lists_are_mapped_outside_a_workflow() -> None:
    assert map_task(partial(add, y=2))([1, 2]) == [3, 4]

    @task
    def sometimes(x: int) -> int | None:
        if x == 1:
            raise ValueError("no")
        return None

    assert map_task(sometimes, min_success_ratio=0.5)([1, 2]) == [None, None]
    with pytest.raises(ValueError, match="no"):
        map_task(sometimes, min_success_ratio=0.6)([1, 2])
    with pytest.raises(ValueError, match="zip"):
        map_task(add)([1], [1, 2])


@task
def only_even(x: int) -> int:
    if x % 2:
        raise ValueError("odd")
    return x


@workflow
def most(n: int) -> list[int | None]:
    return map_task(only_even, min_success_ratio=0.6)(numbers(n))


def test_failed_items_are_none_when_enough_succeed() -> None:
    @task
    def odd(x: int) -> int:
        if x % 2 == 0:
            raise ValueError(x)
        return x

    @workflow
    def flow(ratio: float = 0.5) -> list[int | None]:
        return map_task(odd, min_success_ratio=fixed(ratio))([1, 2, 3])

    assert flow() == [1, None, 3]
    with pytest.raises(ValueError, match="2") as caught:
        flow(0.9)
    assert caught.value.__notes__ == [
        "1 of 3 items failed, and min_success_ratio=0.9 allows 0",
    ]
    with pytest.raises(RunFailed) as failed:
        turnout.run(most, n=4)
    assert "2 of 4 items failed, and min_success_ratio=0.6 allows 1" in show_failure(failed.value)

    def wrong() -> Any:
        return map_task(add)(map_task(odd, min_success_ratio=0.5)([1]))

    assert workflow(wrong).trace({}).graph.node("add").unproven == ("x",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda: map_task(add)(count(1.0)), "takes a list to map over, and 'count' is int"),
        (lambda: map_task(add)(3), "takes a list to map over, and int is none"),
        (lambda: map_task(add)("abc"), "takes a list to map over, and str is none"),
        (lambda: map_task(add)({"a": 1}), "takes a list to map over, and dict is none"),
        (lambda: map_task(add)(range(3)), "takes a list to map over, and range is none"),
        (lambda: map_task(add)(), "map over 'add': no list to map over"),
        (lambda: map_task(partial(add, x=1))(x=[1]), "map over 'add': x bound and mapped"),
        (lambda: map_task(add)([1], [2], [3]), "3 lists for the parameters x, y"),
        (lambda: map_task(partial(add, 1, 2, 3)), "3 arguments bound for the parameters x, y"),
        (lambda: map_task(add)(z=[1]), "task 'add': missing a required argument: 'x'"),
        (lambda: map_task(add)(x=[1], z=[1]), "unexpected keyword argument 'z'; it is add(x, y=1)"),
        (lambda: map_task(lambda x: x)([1]), "map_task takes a task or a functools.partial of one"),
        (lambda: map_task(add, concurrency=0)([1]), "concurrency is at least 1, not 0"),
        (lambda: map_task(add, min_success_ratio=0)([1]), "min_success_ratio is above 0"),
        (lambda: map_task(add)([deploy(1.0)]), "expects int, found str from 'deploy'"),
        (lambda: map_task(add)(["a"]), "parameter 'x' of task 'add': expected int, found str 'a'"),
        (lambda: map_task(deploy)([numbers(1)]), "expects float, found list[int] from 'numbers'"),
        (lambda: map_task(total)(numbers(3)), "expects list[int], found int from 'numbers'"),
        (lambda: add(map_task(add)), "map_task(add) is a map without its lists; call it"),
        (lambda: map_task(add).result, "map_task(add) is a map without its lists; call it"),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_refused(body: Callable[[], Any], said: str) -> None:
    error = refused(body)
    assert said in error.message
    assert error.location == f"{HERE}:{inspect.getsourcelines(body)[1]}"


def test_inputs_that_are_no_lists_are_refused() -> None:
    def flow(cfg: Any) -> Any:
        return map_task(add)(cfg.x)

    for x, said in ((3, "<input cfg.x> is int"), ({"a": 1}, "<input cfg.x> is DictConfig")):
        with pytest.raises(GraphError, match=f"takes a list to map over, and {said}"):
            workflow(flow).trace({"cfg": OmegaConf.create({"x": x})})


def test_numbers_and_texts_of_a_config_are_fixed() -> None:
    @workflow
    def flow(cfg: Any) -> Any:
        mapped = map_task(add, concurrency=cfg.n, min_success_ratio=cfg.ratio)([1])
        opened = conditional(cfg.name).if_(count(1.0) > 3).fail(cfg.message)
        return opened.else_().then(total(mapped))

    cfg = OmegaConf.create({"n": 2, "ratio": 0.5, "name": "c", "message": "m"})
    graph = flow.trace({"cfg": cfg}).graph
    assert [fixing.path[1] for fixing in graph.fixed] == ["message", "n", "name", "ratio"]
    assert (graph.node("add").concurrency, graph.node("c").cases[0].fail) == (2, "m")
    assert flow(cfg) == 2


def test_lists_of_unequal_length_are_an_error_of_the_node() -> None:
    @workflow
    def flow() -> Any:
        return map_task(add)(numbers(2), numbers(3))

    with pytest.raises(ValueError, match=r"map 'add': lists of unequal length: x has 2, y has 3"):
        flow()


def test_options_of_a_mapped_task_are_its_nodes() -> None:
    def flow() -> Any:
        return map_task(add.with_options(retries=3))([1])

    node = workflow(flow).trace({}).graph.node("add")
    assert node.options is not None
    assert node.options.retries == 3


# -- dynamic ---------------------------------------------------------------------------------------


@dynamic
def grow(n: int) -> list[int]:
    return [add(i, n) for i in range(n)]


def test_a_dynamic_body_gets_plain_values_and_returns_a_graph() -> None:
    @workflow
    def flow(n: int) -> int:
        return total(grow(add(n)))

    assert flow(2) == 3 + 4 + 5
    assert grow(2) == [2, 3]


def test_what_a_dynamic_body_may_return() -> None:
    @dynamic
    def constant(n: int) -> int:
        return n + 1

    @dynamic
    def none() -> None:
        add(1)

    @dynamic
    def structure(n: int) -> dict[str, Any]:
        return {"sum": add(n), "list": [add(n, i) for i in range(2)], "n": n}

    @dynamic
    def itself(xs: list[int]) -> list[int]:
        return xs

    @dynamic
    def nested(n: int) -> int:
        return total(grow(n)) if n < 3 else nested(n - 1)

    @dynamic
    def decided(n: int) -> str:
        return conditional("c").if_(count(float(n)) > 3).then(deploy(1.0)).else_().then("small")

    @dynamic
    def mapped(n: int) -> list[int]:
        return map_task(add)(numbers(n))

    @workflow
    def flow(n: int) -> Any:
        m = add(n)
        return [
            constant(m), none(), structure(m), itself(numbers(m)), nested(m), decided(m), mapped(m)
        ]  # fmt: skip

    assert flow(4) == [
        6, None, {"sum": 6, "list": [5, 6], "n": 5}, [0, 1, 2, 3, 4], 5, "deployed 1.0",
        [1, 2, 3, 4, 5],
    ]  # fmt: skip


def test_maps_of_dynamic_tasks() -> None:
    @workflow
    def flow() -> Any:
        return map_task(grow)([1, 2, add(2)])

    assert flow() == [[1], [2, 3], [3, 4, 5]]
    assert map_task(grow)([1, 2]) == [[1], [2, 3]]


def test_tasks_defined_in_a_dynamic_body_are_each_their_own() -> None:
    @dynamic
    def closures(n: int) -> list[int]:
        made = []
        for i in range(2):

            @task
            def local(x: int, i: int = i) -> int:
                return x * 100 + n * 10 + i

            made.append(local(1))
        return made

    @workflow
    def flow() -> Any:
        return map_task(closures)([1, 2, 3])

    assert flow() == [[110, 111], [120, 121], [130, 131]]


def test_what_is_handed_on_unchanged_goes_by_handle() -> None:
    from turnout.backend.call import Call, RunInfo
    from turnout.worker.expansion import expand

    @task
    def rows(data: list[int], more: Any = None) -> int:
        return len(data)

    @dynamic
    def body(data: list[int], n: int, other: dict[str, int]) -> Any:
        return [rows(data), rows([n], {"deep": [other]}), data, map_task(add)(data)]

    info = RunInfo(run_id="", workflow="", environment="")
    call = Call(id="d", run=info, task=body.spec(body.key), options=body.options)
    many = [*range(500)]
    traced = expand(body, {"data": many, "n": 2, "other": dict.fromkeys(many, 1)}, call)
    first, second, mapped = traced.graph.nodes
    assert dict(first.args)["data"] == ("input", "data")
    assert dict(second.args)["more"] == ("dict", (("deep", ("list", (("input", "other"),))),))
    assert dict(second.args)["data"][0] == "value"
    assert dict(mapped.args)["x"] == ("input", "data")
    assert traced.graph.result[1][2] == ("input", "data")


def test_a_dynamic_task_with_a_result_of_the_wrong_type_fails() -> None:
    @dynamic
    def wrong(n: int) -> str:
        return add(n)

    @dynamic
    def plainly(n: int) -> str:
        return n

    for body in (wrong, plainly):

        @workflow
        def flow(body: Any = body) -> Any:
            return fixed(body)(1)

        with pytest.raises(turnout.errors.TypeMismatch, match="expected str, found int"):
            flow()


def test_an_async_dynamic_is_refused() -> None:
    with pytest.raises(TypeError, match="its body builds a graph and waits for nothing"):

        @dynamic
        async def body() -> None: ...
