from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sklearn
from palmerpenguins import load_penguins
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
KNOWN = {
    "1.2.2": (0.989010989010989, 1.0),
    "1.9.1": (0.9926739926739927, 0.9855072463768116),
}
GRID = (0.01, 0.1, 1.0, 10.0)

Copy = Callable[[str], Any]


def plain(c: float) -> tuple[float, float]:
    """Train and test accuracy without turnout."""
    data = load_penguins()[["species", *FEATURES]].dropna()
    assert len(data) == 342
    train, test = train_test_split(data, test_size=0.2, random_state=42)
    model = LogisticRegression(C=c, max_iter=5000).fit(train[FEATURES], train["species"])
    return (
        model.score(train[FEATURES], train["species"]),
        model.score(test[FEATURES], test["species"]),
    )


@pytest.fixture(scope="module")
def best() -> tuple[float, float]:
    """The best C of the grid and its test accuracy, without turnout."""
    accuracy, c = max((plain(c)[1], c) for c in GRID)
    return c, accuracy


def test_plain_scikit_learn_gives_the_known_numbers() -> None:
    if sklearn.__version__ in KNOWN:
        assert plain(0.1) == KNOWN[sklearn.__version__]


def test_the_accuracies_are_those_of_plain_scikit_learn(example: Copy) -> None:
    train, test = plain(0.1)
    output = example("penguins").python("main.py")
    assert str(train) in output
    assert str(test) in output


def test_a_second_run_trains_nothing(example: Copy) -> None:
    penguins = example("penguins")
    first = penguins.python("main.py")
    code = (
        "import turnout; from main import pipeline; from omegaconf import OmegaConf\n"
        "run = turnout.run(pipeline, OmegaConf.load('conf/config.yaml'))\n"
        "print({node.name: bool(node.cached) for node in run.nodes})\n"
        "print(run.outputs.train)"
    )
    cached, accuracy = penguins.python("-c", code).splitlines()[-2:]
    assert cached == str(
        {"load": True, "split": False, "train": True, "evaluate": False, "evaluate-2": False}
    )
    assert accuracy in first


@pytest.mark.parametrize("workflow", ["by_map", "by_dynamic"])
def test_grid_search(example: Copy, workflow: str, best: tuple[float, float]) -> None:
    output = example("penguins").turnout("run", f"grid.py:{workflow}")
    assert str(best[0]) in output
    assert str(best[1]) in output


def test_grid_search_as_a_sweep(example: Copy) -> None:
    grid = ",".join(map(str, GRID))
    output = example("penguins").python("main.py", "-m", f"model.C={grid}")
    for c in GRID:
        assert str(plain(c)[1]) in output


def test_another_c_leaves_the_data_alone(example: Copy) -> None:
    penguins = example("penguins")
    penguins.python("main.py")
    train, test = plain(10.0)
    output = penguins.python("main.py", "model.C=10")
    assert str(train) in output
    assert str(test) in output
