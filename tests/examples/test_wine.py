from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

Copy = Callable[[str], Any]


@pytest.fixture(scope="module")
def plain() -> float:
    """The accuracy without turnout."""
    data, target = load_wine(return_X_y=True, as_frame=True)
    assert len(data) == 178
    target = (target != 0).astype(int)
    model = LogisticRegression(C=0.15, max_iter=3000).fit(data, target)
    return model.score(data, target)


def test_plain_scikit_learn_gives_the_known_number(plain: float) -> None:
    assert plain == pytest.approx(0.97752808988764, abs=1e-14)


def test_a_dict_from_the_command_line(example: Copy, plain: float) -> None:
    wine = example("wine")
    assert str(plain) in wine.python("wine.py", "hyperparameters={C: 0.15}")
    assert str(plain) in wine.turnout("run", "wine.py:wine", "hyperparameters={C: 0.15}")


def test_hyperparameters_are_required(example: Copy) -> None:
    example("wine").python("wine.py", status=2)
