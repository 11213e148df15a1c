"""A task's output while the graph is built: what may be done with it, and what is refused."""

# Every spelling that users may write is written here, the clumsy ones too:
# ruff: noqa: C416, PLC3002, PLW0108, SIM115, SIM300, UP031

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import turnout
from turnout import conditional, order, task, workflow
from turnout.errors import GraphError

HERE = f"{__name__.replace('.', '/')}.py"


class Split(NamedTuple):
    train: list[int]
    index: int


@dataclass
class Report:
    name: str
    items: dict[str, float]


@task
def load(n: int = 3) -> list[int]:
    return list(range(n))


@task
def score(data: Any) -> float:
    return float(len(data))


@task
def split(data: list[int]) -> Split:
    return Split(data[:-1], len(data))


@task
def report(data: list[int]) -> Report:
    return Report("r", {"a": float(len(data))})


@task
def pair(data: list[int]) -> tuple[int, str]:
    return len(data), "x"


@task
def anything(data: Any) -> Any:
    return data


@task
def text(x: str) -> str:
    return x


@task
def nothing() -> None:
    return None


def refused(body: Callable[[], Any]) -> GraphError:
    """The error of a workflow with this body; it names the line of the body's last statement."""

    def flow() -> Any:
        return body()

    with pytest.raises(GraphError) as caught:
        workflow(flow).trace({})
    return caught.value


_VALUES = ("turned into text", "turned into an array", "computed with", "converted to a number")
USES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "if": (lambda x: 1 if x else 2, "used as a condition (if, while, and, or, not)"),
    "not": (lambda x: not x, "used as a condition"),
    "and": (lambda x: x and 1, "used as a condition"),
    "for": (lambda x: [i for i in x], "iterated over"),
    "list": (lambda x: list(x), "iterated over"),
    "unpack": (lambda x: (lambda *a: a)(*x), "iterated over"),
    "next": (lambda x: next(x), "used as an iterator"),
    "reversed": (lambda x: reversed(x), "used as an iterator"),
    "len": (lambda x: len(x), "asked for its length"),
    "in": (lambda x: 3 in x, "searched with 'in'"),
    "str": (lambda x: str(x), "turned into text"),
    "f-string": (lambda x: f"{x}", "turned into text"),
    "format": (lambda x: f"{x:.2f}", "turned into text"),
    "percent": (lambda x: "%s" % x, "turned into text"),
    "print": (lambda x: print(x), "turned into text"),
    "int": (lambda x: int(x), "converted to a number"),
    "float": (lambda x: float(x), "converted to a number"),
    "range": (lambda x: range(x), "converted to a number"),
    "sqrt": (lambda x: math.sqrt(x), "converted to a number"),
    "round": (lambda x: round(x, 2), "converted to a number"),
    "index of a list": (lambda x: [1, 2][x], "converted to a number"),
    "add": (lambda x: x + 1, "computed with"),
    "radd": (lambda x: 1 + x, "computed with"),
    "numpy add": (lambda x: np.float64(1) + x, "computed with"),
    "neg": (lambda x: -x, "computed with"),
    "iadd": (lambda x: sum([x]), "computed with"),
    "call": (lambda x: x(3), "called"),
    "slice": (lambda x: x[1:], "indexed with slice"),
    "index with an output": (lambda x: x[x], "indexed with Output"),
    "set item": (lambda x: x.__setitem__(0, 1), "changed"),
    "copy": (lambda x: copy.deepcopy(x), "pickled or copied"),
    "array": (lambda x: np.array(x), "turned into an array"),
    "open": (lambda x: open(x), "turned into text"),
    "fixed": (lambda x: turnout.fixed([x]), "asked for its value by fixed(...)"),
    "with": (lambda x: x.__enter__(), "used in a with statement"),
}


@pytest.mark.parametrize("use", USES)
def test_what_needs_the_value_is_refused_with_the_task_the_line_and_the_way_out(use: str) -> None:
    body, said = USES[use]
    error = refused(lambda: body(anything(load())))
    assert said in error.message
    assert "'anything', an output of task 'anything'" in error.message
    steers = said not in _VALUES
    assert "inside a task" in error.message
    assert all((way in error.message) is steers for way in ("conditional(", "map_task("))
    line = inspect.getsourcelines(body)[1]
    assert error.location == f"{HERE}:{line}"
    assert str(error) == f"{error.location}: {error.message}"


def test_the_line_is_that_of_the_user_in_a_helper_too() -> None:
    def helper(x: Any) -> Any:
        if x:
            return 1
        return 2

    error = refused(lambda: helper(load()))
    assert error.location.endswith(f":{inspect.getsourcelines(helper)[1] + 1}")


def plus_one(x: Any) -> Any:
    return x + 1


def test_a_function_that_is_no_task_is_told_with_its_call() -> None:
    @workflow
    def forgotten() -> Any:
        return plus_one(anything(1))

    @workflow
    def inside() -> Any:
        def local(x: Any) -> Any:
            return x + 1

        return local(anything(1))

    with pytest.raises(GraphError) as caught:
        forgotten.trace({})
    called = inspect.getsourcelines(forgotten.fn)[1] + 2
    assert caught.value.location == f"{HERE}:{inspect.getsourcelines(plus_one)[1] + 1}"
    assert caught.value.message == (
        "'anything', an output of task 'anything', is computed with in plus_one(), called at "
        f"{HERE}:{called}, but it has no value while the graph is built; plus_one() is no task: "
        "decorate it with @task, or compute inside a task or a @dynamic task"
    )
    with pytest.raises(GraphError, match="is computed with, but it has no value"):
        inside.trace({})


def test_a_list_has_no_fields() -> None:
    @task
    def numbers() -> list[int]:
        return [1]

    message = refused(lambda: numbers().foo).message  # type: ignore[attr-defined]
    assert message.endswith("has no field 'foo', for it is list[int]")


def test_repr_says_what_it_is_and_refuses_nothing() -> None:
    @workflow
    def flow() -> Any:
        out = split(load())
        assert repr(out) == "<output split>"
        assert repr(out.train[0]) == "<output split.train[0]>"
        assert [repr(load()), repr(load())] == ["<output load-2>", "<output load-3>"]
        return out

    flow.trace({})


def test_fields_are_the_users() -> None:
    @workflow
    def flow() -> Any:
        data = load()
        made = report(data)
        other = anything(data)
        return [
            made.name, made.items["a"], split(data).index, other.name, other.index, other.items,
            other.keys.values.get.count, data[0], data[-1], pair(data)[1], pair(data)[-1],
            split(data)[0], other["key"], other[3],
        ]  # fmt: skip

    result = flow.trace({}).graph.result
    assert result is not None
    assert [binding[1:] for binding in result[1]] == [
        ("report", "name"),
        ("report", "items", "a"),
        ("split", "index"),
        ("anything", "name"),
        ("anything", "index"),
        ("anything", "items"),
        ("anything", "keys", "values", "get", "count"),
        ("load", 0),
        ("load", -1),
        ("pair", 1),
        ("pair-2", 1),
        ("split-2", 0),
        ("anything", "key"),
        ("anything", 3),
    ]


def test_outputs_with_several_fields_unpack_and_run() -> None:
    @workflow
    def flow(n: int) -> tuple[int, str, list[int], int, str]:
        count, word = pair(load(n))
        train, index = split(load(n))
        return count, word, train, index, report(train).name

    assert flow(4) == (4, "x", [0, 1, 2], 4, "r")


def test_a_whole_tuple_is_passed_on_and_rebuilt() -> None:
    @task
    def both(value: tuple[int, str], again: Split) -> str:
        assert isinstance(value, tuple)
        assert isinstance(again, Split)
        return f"{value[0]}{value[1]}{again.index}"

    @workflow
    def flow() -> str:
        data = load()
        return both(pair(data), again=split(data))

    assert flow() == "3x3"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda: split(load()).wrong, "has no field 'wrong'; its fields: train, index"),
        (lambda: report(load()).wrong, "has no field 'wrong'; its fields: name, items"),
        (lambda: report(load())[0], "is a dataclass and has no items; its fields: name, items"),
        (lambda: pair(load())[2], "has 2 items, so no item 2"),
        (lambda: pair(load())[-3], "has 2 items, so no item -3"),
        (lambda: split(load())["train"], "has no item 'train'; its fields: train, index"),
        (lambda: score(load()).value, "has no field 'value'; its fields: none"),
        (lambda: score(load())[0], "is float and has no items"),
        (lambda: nothing().field, "has no field 'field', for it is None"),
        (lambda: nothing()[0], "is None and has no items"),
        (lambda: text("a").upper(), "whose method 'upper' could be called"),
        (lambda: load().append(3), "whose method 'append' could be called"),
        (lambda: report(load()).items.values(), "its key is written ['values']"),
        (lambda: [x for x in report(load())], "is iterated over"),
    ],
)
def test_parts_that_cannot_be_there_are_refused(body: Callable[[], Any], said: str) -> None:
    assert said in refused(body).message


def test_too_few_names_for_a_tuple_is_pythons_own_error() -> None:
    def flow() -> Any:
        a, _b, _c = pair(load())
        return a

    with pytest.raises(ValueError, match="not enough values to unpack"):
        workflow(flow).trace({})


def test_comparisons_are_predicates_in_every_spelling() -> None:
    @workflow
    def flow(limit: float = 0.5) -> Any:
        x = score(load())
        y = anything(x)
        given = [
            x < 1, x <= 1, x == 1, x != 1, x >= 1, x > 1, 1 > x, 0.5 <= x, x == limit, limit < x,
            np.float64(0.5) <= x, x == y, (x > 1) & (y < 2) | ~(x == 3), y & True, True | y, ~y,
            (x > 1) & y, y.ok | (x > 1),
        ]  # fmt: skip
        kinds = [type(predicate).__name__ for predicate in given]
        assert set(kinds) == {"Predicate"}
        assert [repr(p) for p in (given[8], given[9])] == [
            "<predicate ('eq', ('output', 'score'), ('input', 'limit'))>",
            "<predicate ('gt', ('output', 'score'), ('input', 'limit'))>",
        ]
        return x

    assert flow.trace({}).graph.fixed == ()


@pytest.mark.parametrize(
    "body",
    [
        lambda x: 1 if x > 1 else 2,
        lambda x: x > 1 and x < 3,
        lambda x: 1 < x < 3,
        lambda x: not (x > 1),
        lambda x: x in [1, 2],
        lambda x: sorted([x, x]),
        lambda x: max(x, 1),
    ],
)
def test_predicates_have_no_truth_value(body: Callable[[Any], Any]) -> None:
    message = refused(lambda: body(score(load()))).message
    assert message.startswith("a comparison of 'score', an output of task 'score', has no value")
    assert "use conditional(...).if_(...), with & | ~ in place of and, or, not" in message


def test_a_predicate_is_no_argument_and_no_result() -> None:
    said = "decided by conditional"
    assert said in refused(lambda: anything(score(load()) > 1)).message
    assert said in refused(lambda: score(load()) > 1).message
    assert said in refused(lambda: [score(load()) > 1]).message


def test_what_is_no_boolean_is_no_condition() -> None:
    error = refused(lambda: conditional("c").if_(score(load())).then(1).else_().then(2))
    assert "'score' is float, not a boolean; compare it with something" in error.message
    error = refused(lambda: conditional("c").if_(3).then(1).else_().then(2))
    assert "for a value known at launch use a plain if" in error.message
    assert "is float, not a boolean" in refused(lambda: score(load()) & True).message


def test_order_without_data() -> None:
    @workflow
    def flow() -> Any:
        a, b, c = load(), load(), load()
        assert id(a >> b >> c) == id(c)
        order(c, load(), load())
        return c

    nodes = flow.trace({}).graph.nodes
    assert [(node.id, node.after) for node in nodes] == [
        ("load", ()),
        ("load-2", ("load",)),
        ("load-3", ("load-2",)),
        ("load-4", ("load-3",)),
        ("load-5", ("load-4",)),
    ]


def test_order_moves_nodes_behind_those_they_wait_for() -> None:
    @workflow
    def flow() -> Any:
        a, b = load(), load()
        return b >> a

    assert [node.id for node in flow.trace({}).graph.nodes] == ["load-2", "load"]


def test_a_cycle_is_told_with_its_nodes_and_lines() -> None:
    def flow() -> Any:
        a = load()
        b = anything(a)
        b >> a
        return b

    first = inspect.getsourcelines(flow)[1] + 1
    with pytest.raises(GraphError) as caught:
        workflow(flow).trace({})
    text_ = str(caught.value)
    assert "a cycle, each waits for the next" in text_
    assert f"load ({HERE}:{first}) -> anything ({HERE}:{first + 1}) -> load" in text_
    assert "cannot come after itself" in refused(lambda: (lambda x: x >> x)(load())).message


def test_order_is_between_outputs() -> None:
    for body in (
        lambda: load() >> 3,
        lambda: 3 >> load(),
        lambda: order(load(), [load()]),
        lambda: order("a", load()),
    ):
        assert "order (>>) is between task outputs, and" in refused(body).message
    assert order(1, 2, 3) is None  # outside a workflow


def test_an_output_belongs_to_its_workflow() -> None:
    kept: list[Any] = []

    @workflow
    def first() -> Any:
        kept.append(load())

    first.trace({})
    for body in (
        lambda: anything(kept[0]),
        lambda: anything([kept[0]]),
        lambda: kept[0],
        lambda: conditional("c").if_(kept[0] == 1).then(1).else_().then(2),
        lambda: load() >> kept[0],
    ):
        message = refused(body).message
        assert "belongs to workflow 'first' and is used in 'flow'" in message


def test_types_are_checked_when_the_graph_is_built() -> None:
    @task
    def needs_text(x: str) -> str:
        return x

    message = refused(lambda: needs_text(score(load()))).message
    assert message == "node 'needs_text': parameter 'x' expects str, found float from 'score'"
    message = refused(lambda: needs_text(pair(load())[0])).message
    assert message.endswith("expects str, found int from 'pair[0]'")

    @task
    def needs_list(x: list[str]) -> None: ...

    message = refused(lambda: needs_list([text("a"), score(load())])).message
    assert message.endswith("expects str, found float from 'score'")
    message = refused(lambda: needs_text(3)).message
    assert message == "parameter 'x' of task 'needs_text': expected str, found int 3"


def test_what_is_not_proven_is_checked_in_the_worker() -> None:
    @workflow
    def flow() -> Any:
        return text(anything(load()))

    node = flow.trace({}).graph.node("text")
    assert node.unproven == ("x",)
    with pytest.raises(turnout.errors.TypeMismatch, match="node 'text', parameter 'x'"):
        flow()


def test_the_result_is_checked_against_the_promise() -> None:
    @workflow
    def wrong() -> str:
        return score(load())

    @workflow
    def forgotten() -> float:
        score(load())

    @workflow
    def inside() -> tuple[float, str]:
        return score(load()), score(load())

    with pytest.raises(GraphError, match="'wrong' promises str and returns float from 'score'"):
        wrong.trace({})
    with pytest.raises(GraphError, match="'forgotten' promises float and returns None"):
        forgotten.trace({})
    with pytest.raises(GraphError, match="'inside' promises str and returns float from 'score-2'"):
        inside.trace({})
