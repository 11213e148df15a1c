"""What compares a promise by identity, wherever it is written, and what only looks like it."""

# Every spelling that users may write is written here, the clumsy ones too:
# ruff: noqa: E731, PLC3002

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import turnout
from turnout import conditional, dynamic, fixed, map_task, task, workflow
from turnout.dsl.reach import looks_closely
from turnout.errors import GraphError

HERE = f"{__name__.replace('.', '/')}.py"
MARK = object()


@task
def see(x: Any) -> Any:
    return x


@workflow
def inner(x: int) -> int:
    return see(x)


def yes(value: Any) -> bool:
    return value is True


def unless(value: Any, *, what: Any = None) -> bool:
    return value is not what


def deeper(value: Any) -> bool:
    return yes(value.flag)


def opened(value: Any) -> bool:
    value = fixed(value)
    return value is True


def none(value: Any) -> bool:
    return value is None


def again(value: Any, depth: int = 3) -> bool:
    return again(value, depth - 1) if depth else value is True


helpers = ModuleType("helpers")
helpers.yes = yes  # type: ignore[attr-defined]
helpers.opened = opened  # type: ignore[attr-defined]


class Helpers:
    @staticmethod
    def yes(value: Any) -> bool:
        return value is True


def passing(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapped


def traced(body: Callable[..., Any]) -> None:
    cfg = {"flag": True, "m": {"flag": True, "none": None}, "flags": [True, False]}
    workflow(body).trace({"cfg": OmegaConf.create(cfg), "x": 1})


def refused(body: Callable[..., Any]) -> GraphError:
    with pytest.raises(GraphError) as caught:
        traced(body)
    return caught.value


def line(fn: Callable[..., Any], after: int) -> str:
    return f"{HERE}:{inspect.getsourcelines(fn)[1] + after}"


# -- inputs ----------------------------------------------------------------------------------------


def a_pattern(cfg: DictConfig) -> Any:
    match cfg.flag:
        case True:
            return see(1)
        case _:
            return see(2)


def patterns_in_patterns(cfg: DictConfig) -> Any:
    match cfg.m.flag, 3:
        case ((None | False as flag), _):
            return see(flag)
    return see(2)


def a_mapping_pattern(cfg: DictConfig) -> Any:
    match cfg.m:
        case {"flag": flag}:
            return see(flag)
    return see(2)


def a_lambda(cfg: DictConfig) -> Any:
    check = lambda v: v is True
    return see(1) if check(cfg.flag) else see(2)


def an_inner_function(cfg: DictConfig) -> Any:
    def check(one: Any, other: Any) -> bool:
        return other is True

    return see(1) if check(1, other=cfg.flag) else see(2)


def a_function(cfg: DictConfig) -> Any:
    return see(1) if yes(cfg.m.flag) else see(2)


def a_function_of_a_module(cfg: DictConfig) -> Any:
    return see(1) if helpers.yes(cfg.m.flag) else see(2)


def a_function_of_a_class(cfg: DictConfig) -> Any:
    return see(1) if Helpers.yes(cfg.m.flag) else see(2)


def a_function_of_a_function(cfg: DictConfig) -> Any:
    part = cfg.m
    return see(1) if deeper(part) else see(2)


def a_function_that_calls_itself(cfg: DictConfig) -> Any:
    return see(1) if again(cfg.flag) else see(2)


def a_keyword(cfg: DictConfig) -> Any:
    return see(1) if unless(3, what=cfg.flag) else see(2)


def each_item(cfg: DictConfig) -> Any:
    return [see(flag) for flag in filter(lambda v: v is True, cfg.flags)]


def each_value(cfg: DictConfig) -> Any:
    return [see(key) for key, value in cfg.m.items() if value is True]


@passing
def behind_a_decorator(cfg: DictConfig) -> Any:
    return see(1) if cfg.flag is True else see(2)


@pytest.mark.parametrize(
    "body",
    [
        a_pattern, patterns_in_patterns, a_mapping_pattern, a_lambda, an_inner_function, a_function,
        a_function_of_a_module, a_function_of_a_class, a_function_of_a_function,
        a_function_that_calls_itself, a_keyword, each_item, each_value, behind_a_decorator,
    ],
)  # fmt: skip
def test_identity_of_an_input_is_refused_wherever_it_is_asked_for(
    body: Callable[..., Any],
) -> None:
    assert "by identity" in refused(body).message


def test_a_refusal_names_the_comparison_and_what_a_call_gave_it() -> None:
    error = refused(a_function_of_a_module)
    assert error.location == line(yes, 1)
    assert error.message.startswith(
        "'value is True' compares the input value by identity (given cfg.m.flag at "
        f"{line(a_function_of_a_module, 1)}), which a promise cannot answer"
    )
    error = refused(a_pattern)
    assert error.location == line(a_pattern, 2)
    assert "'case True' compares the input cfg.flag by identity" in error.message
    assert "write match turnout.fixed(cfg.flag)" in error.message


def test_lambdas_in_one_line_are_told_apart() -> None:
    checks = (lambda v: v == 1, lambda v: v is True, lambda v: (lambda w: w == v)(1))
    sound, unsound, nested = checks

    def asks(cfg: DictConfig) -> Any:
        return see(1) if unsound(cfg.flag) else see(2)

    def asks_nothing(cfg: DictConfig) -> Any:
        plain = yes is MARK
        return see(1) if sound(cfg.flag) and nested(cfg.flag) else see(plain)

    assert "'v is True'" in refused(asks).message
    traced(asks_nothing)


def test_what_is_plain_or_asks_for_none_passes() -> None:
    def sound(cfg: DictConfig, x: Any = None) -> Any:
        assert yes(fixed(cfg.flag))
        assert opened(cfg.flag)
        assert none(cfg.m.none)
        assert not none(cfg.flag)
        match fixed(cfg.flags):
            case [True, *_]:
                return see(3)
        raise AssertionError

    traced(sound)


# -- outputs ---------------------------------------------------------------------------------------


def output_is_none(x: int) -> Any:
    a = see(x)
    if a is None:
        return see(1)
    return a


def output_is_not_none(x: int) -> Any:
    a = b = see(x)
    return see(1) if b is not None else a


def output_is_true(x: int) -> Any:
    return see(1) if see(x) is True else see(2)


def part_of_an_output(x: int) -> Any:
    return see(1) if see(x).part is None else see(2)


def output_of_options(x: int) -> Any:
    careful = see.with_options(retries=3)
    a = careful(x)
    return see(1) if a is None else see(2)


def output_of_a_map(x: int) -> Any:
    a = map_task(see)(x=[1, 2])
    return see(1) if a is None else see(2)


def output_of_a_workflow(x: int) -> Any:
    a = inner(x)
    return see(1) if a is None else see(2)


def output_of_a_module(x: int) -> Any:
    a = turnout.map_task(see)(x=[x])
    return see(1) if a is None else see(2)


def output_of_a_conditional(x: int) -> Any:
    a = conditional("gate").if_(see(x) > 1).then(see(1)).else_().then(see(2))
    return see(1) if a is None else see(2)


def output_in_a_pattern(x: int) -> Any:
    match see(x):
        case None:
            return see(1)
        case _:
            return see(2)


def class_of_an_output(x: int) -> Any:
    match see(x):
        case int():
            return see(1)
        case _:
            return see(2)


def output_in_a_function(x: int) -> Any:
    return see(1) if yes(see(x)) else see(2)


def output_of_a_local_task(x: int) -> Any:
    @task
    def local(x: int) -> int:
        return x

    a = local(x)
    return see(1) if a is None else see(2)


@pytest.mark.parametrize(
    "body",
    [
        output_is_none, output_is_not_none, output_is_true, part_of_an_output, output_of_options,
        output_of_a_map, output_of_a_workflow, output_of_a_module, output_of_a_conditional,
        output_in_a_pattern, class_of_an_output, output_in_a_function, output_of_a_local_task,
    ],
)  # fmt: skip
def test_identity_of_an_output_is_refused(body: Callable[..., Any]) -> None:
    message = refused(body).message
    assert "compared by identity" in message
    assert "no value while the graph is built; to choose by it use conditional(...)" in message


def test_a_refusal_names_the_task_and_the_line() -> None:
    error = refused(output_is_none)
    assert error.location == line(output_is_none, 2)
    assert error.message.startswith(
        "'a', an output of task 'see', is compared by identity in 'a is None', but it has no value"
    )


def test_whether_there_is_an_output_may_be_asked() -> None:
    def chained(before: Any, x: int) -> Any:
        return see(x) if before is None else see([before, x])

    def body(x: int) -> Any:
        last, best = None, None
        for number in range(3):
            last = see(number) if last is None else see([last, number])
            best = chained(best, number)
        return see([last, best])

    traced(body)


def test_a_dynamic_body_may_ask_its_values_and_not_its_outputs() -> None:
    @dynamic
    def values(flag: bool) -> int:
        return see(1) if flag is True else see(2)

    @dynamic
    def outputs(flag: bool) -> int:
        a = see(flag)
        return see(1) if a is None else see(2)

    assert values(True) == 1
    for _ in range(2):
        with pytest.raises(GraphError, match="'a', an output of task 'see', is compared"):
            outputs(True)


def test_sources_are_read_only_where_bytecode_asks_for_it() -> None:
    assert not looks_closely(lambda cfg: see(cfg.flag))
    assert looks_closely(a_function_of_a_module)
    assert looks_closely(behind_a_decorator)
    assert looks_closely(output_is_none)
