"""The best C of a grid: once as a map, once as a dynamic. As a sweep it is main.py with -m."""

from functools import partial
from typing import NamedTuple

import pandas as pd
from main import evaluate, load, split, train
from omegaconf import DictConfig

import turnout
from turnout import dynamic, map_task, task, workflow


class Best(NamedTuple):
    C: float
    accuracy: float


@task(cache=True)
def score(C: float, max_iter: int, train_data: pd.DataFrame, test_data: pd.DataFrame) -> float:
    model = train(DictConfig({"C": C, "max_iter": max_iter}), train_data)
    return evaluate(model, test_data)


@task
def best(grid: list[float], scores: list[float]) -> Best:
    accuracy, chosen = max(zip(scores, grid, strict=True))
    return Best(chosen, accuracy)


@workflow(config_path="conf", config_name="config")
def by_map(cfg: DictConfig) -> Best:
    parts = split(cfg.data, load())
    one = partial(score, max_iter=cfg.model.max_iter, train_data=parts.train, test_data=parts.test)
    return best(cfg.grid, map_task(one)(C=cfg.grid))


@dynamic
def search(
    grid: list[float], max_iter: int, train_data: pd.DataFrame, test_data: pd.DataFrame
) -> list[float]:
    return [score(C, max_iter, train_data, test_data) for C in grid]


@workflow(config_path="conf", config_name="config")
def by_dynamic(cfg: DictConfig) -> Best:
    parts = split(cfg.data, load())
    return best(cfg.grid, search(cfg.grid, cfg.model.max_iter, parts.train, parts.test))


if __name__ == "__main__":
    turnout.main(by_map)
