"""What a process that drives a run sent to it makes of the sender's versions."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import pytest

import turnout
from turnout.api.errand import Errand, unpack
from turnout.errors import TurnoutError

ERRAND = Errand("flows:pipeline", "flows.py", "/here", None, ".", (), ".", (), b"")
PYTHON = sys.version_info[:2]


def sent(version: str, python: tuple[int, int]) -> bytes:
    return pickle.dumps((version, python, pickle.dumps(ERRAND)))


def test_the_same_versions_say_nothing(capsys: Any) -> None:
    assert unpack(sent(turnout.__version__, PYTHON)) == ERRAND
    assert capsys.readouterr() == ("", "")


def test_another_python_is_told(capsys: Any) -> None:
    assert unpack(sent(turnout.__version__, (3, 2))) == ERRAND
    told = capsys.readouterr().err
    assert told == (
        f"warning: the run comes from Python 3.2, Python {PYTHON[0]}.{PYTHON[1]} drives it\n"
    )


def test_another_turnout_is_refused_before_the_rest_is_read() -> None:
    with pytest.raises(TurnoutError, match=r"comes from turnout 0\.0\.1, and what is to drive it"):
        unpack(pickle.dumps(("0.0.1", PYTHON, b"who knows")))
