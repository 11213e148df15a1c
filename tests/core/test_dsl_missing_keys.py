from __future__ import annotations

import pytest
from omegaconf import DictConfig, OmegaConf

from turnout import task, workflow
from turnout.dsl import Traced
from turnout.errors import ConfigError


@task
def take(x: int) -> int:
    return x


@workflow
def misspelt(cfg: DictConfig) -> int:
    return take(cfg.modle.C)


@workflow
def asking(cfg: DictConfig) -> int:
    return take(cfg.extra if hasattr(cfg, "extra") else getattr(cfg, "other", 7))


@pytest.mark.parametrize("struct", [True, False])
def test_a_key_that_is_not_there_is_told_with_those_that_are(struct: bool) -> None:
    cfg = OmegaConf.create({"model": {"C": 1}, "seed": 2})
    OmegaConf.set_struct(cfg, struct)
    with pytest.raises(
        ConfigError, match=r"py:\d+: the config 'cfg' has no key 'modle'; its keys: model, seed"
    ):
        misspelt.trace({"cfg": cfg})


def test_hasattr_and_getattr_work_on_a_config() -> None:
    graph = asking.trace({"cfg": OmegaConf.create({"a": 1})}).graph
    assert dict(graph.nodes[0].args) == {"x": ("const", 7)}  # type: ignore[union-attr]


def test_an_option_that_is_not_there_is_told_with_the_closest() -> None:
    with pytest.raises(TypeError, match="no option 'retrys'; did you mean 'retries'"):
        task(retrys=3)(take.fn)  # type: ignore[call-overload]


@pytest.mark.parametrize("config", [True, False])
def test_an_item_that_is_not_there_is_told_with_how_many_there_are(config: bool) -> None:
    @workflow
    def picks(xs: list[int], index: int) -> int:
        return take(xs[index])

    def trace(xs: list[int], index: int) -> Traced:
        return picks.trace({"xs": OmegaConf.create(xs) if config else xs, "index": index})

    with pytest.raises(ConfigError, match=r"py:\d+: input 'xs' is empty, so there is no item 0"):
        trace([], 0)
    with pytest.raises(IndexError, match="input 'xs' has 1 item, so there is no item 1"):
        trace([5], 1)
    with pytest.raises(IndexError, match="input 'xs' has 3 items, so there is no item -4"):
        trace([5, 6, 7], -4)
    assert trace([5, 6, 7], -3).graph.nodes[0].args[0][1] == ("input", "xs", 0)  # type: ignore[union-attr]
