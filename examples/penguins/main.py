"""Which penguin is it? A logistic regression on four measurements."""

from typing import NamedTuple

import pandas as pd
from omegaconf import DictConfig
from sklearn.linear_model import LogisticRegression

import turnout
from turnout import task, workflow

FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


class Accuracy(NamedTuple):
    train: float
    test: float


@task(cache=True)
def load() -> pd.DataFrame:
    from palmerpenguins import load_penguins

    return load_penguins()[["species", *FEATURES]].dropna()


@task
def split(cfg: DictConfig, data: pd.DataFrame) -> Split:
    from sklearn.model_selection import train_test_split

    return Split(*train_test_split(data, test_size=cfg.test_size, random_state=cfg.seed))


@task(cache=True)
def train(cfg: DictConfig, data: pd.DataFrame) -> LogisticRegression:
    model = LogisticRegression(C=cfg.C, max_iter=cfg.max_iter)
    return model.fit(data[FEATURES], data["species"])


@task
def evaluate(model: LogisticRegression, data: pd.DataFrame) -> float:
    return model.score(data[FEATURES], data["species"])


@workflow(config_path="conf", config_name="config")
def pipeline(cfg: DictConfig) -> Accuracy:
    parts = split(cfg.data, load())
    model = train(cfg.model, parts.train)
    return Accuracy(train=evaluate(model, parts.train), test=evaluate(model, parts.test))


if __name__ == "__main__":
    turnout.main(pipeline)
