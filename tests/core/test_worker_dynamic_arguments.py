"""What a dynamic body does to its arguments before it hands them on."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import DictConfig

from turnout import dynamic, task, workflow


@task
def rate(cfg: DictConfig) -> float:
    return cfg.lr


@task
def made(n: int) -> list[int]:
    return list(range(n))


@task
def counted(items: Any) -> int:
    return len(items)


@task
def flat(items: list[list[int]]) -> list[int]:
    return [item for inner in items for item in inner]


@dynamic
def faster(cfg: DictConfig) -> Any:
    before = rate(cfg)
    cfg.lr = 0.5
    return [before, rate(cfg)]


@dynamic
def longer(items: list[int]) -> Any:
    before = counted(items)
    items.append(99)
    return [before, counted(items)]


@dynamic
def deeper(items: list[list[int]]) -> Any:
    items[0].append(99)
    return flat(items)


def test_a_part_of_the_config_goes_on_as_the_body_changed_it() -> None:
    @workflow
    def flow(cfg: DictConfig) -> Any:
        return faster(cfg.model)

    assert flow({"model": {"lr": 0.1}}) == [0.1, 0.5]


def test_a_small_list_goes_on_as_it_is_at_each_call() -> None:
    @workflow
    def flow(items: list[int]) -> Any:
        return [longer(items), longer(made(3)), deeper([[1], [2]])]

    assert flow([1]) == [[1, 2], [3, 4], [1, 99, 2]]


@pytest.mark.parametrize("kind", [list, dict, set])
def test_a_large_container_goes_by_handle_only_while_it_is_unchanged(kind: Any) -> None:
    @dynamic
    def body(items: Any) -> Any:
        before = counted(items)
        if kind is list or kind is dict:
            items[5] = object
        else:
            items.add(object)
        return [before, counted(items)]

    traced = traced_body(body, kind.fromkeys(range(500)) if kind is dict else kind(range(500)))
    first, second = traced.graph.nodes
    assert dict(first.args)["items"] == ("input", "items")
    assert dict(second.args)["items"][0] == "value"


def traced_body(body: Any, items: Any) -> Any:
    from turnout.backend.call import Call, RunInfo
    from turnout.worker.expansion import expand

    info = RunInfo(run_id="", workflow="", environment="")
    call = Call(id="d", run=info, task=body.spec(body.key), options=body.options)
    return expand(body, {"items": items}, call)
