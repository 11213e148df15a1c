"""Is this wine of class 0? Typed arguments from the command line, no config file."""

import pandas as pd
from sklearn.linear_model import LogisticRegression

import turnout
from turnout import task, workflow


@task
def load() -> pd.DataFrame:
    from sklearn.datasets import load_wine

    return load_wine(as_frame=True).frame


@task
def binary(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(target=(data["target"] != 0).astype(int))


@task
def train(
    data: pd.DataFrame, hyperparameters: dict[str, float], max_iter: int = 3000
) -> LogisticRegression:
    model = LogisticRegression(max_iter=max_iter, **hyperparameters)
    return model.fit(data.drop(columns="target"), data["target"])


@task
def evaluate(model: LogisticRegression, data: pd.DataFrame) -> float:
    return model.score(data.drop(columns="target"), data["target"])


@workflow
def wine(hyperparameters: dict[str, float], max_iter: int = 3000) -> float:
    data = binary(data=load())
    model = train(data=data, hyperparameters=hyperparameters, max_iter=max_iter)
    return evaluate(model=model, data=data)


if __name__ == "__main__":
    turnout.main(wine)
