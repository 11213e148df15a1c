"""What travels between tasks, and how."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any

import pytest

from turnout.dsl import Workflow
from turnout.errors import EncodeError, RunFailed, TypeMismatch
from turnout.testing.pipelines import values
from turnout.testing.place import Place

_NEEDED = {"array": "numpy", "frame": "pandas"}


def _equal(left: Any, right: Any) -> bool:
    if hasattr(left, "equals"):
        return bool(left.equals(right) and list(left.dtypes) == list(right.dtypes))
    if hasattr(left, "dtype"):
        return bool(left.dtype == right.dtype and left.tolist() == right.tolist())
    return bool(left == right)


def _travels(on: Place, workflow: Workflow[..., str], **inputs: Any) -> str:
    """What a workflow gives, or the message that says what cannot travel."""
    try:
        return str(on.value(workflow, **inputs))
    except RunFailed as failure:
        if not isinstance(failure.__cause__, EncodeError):
            raise
        return str(failure)


class Values:
    """What travels between tasks, and how."""

    @pytest.mark.parametrize("kind", sorted(values.KINDS))
    def test_values_of_all_kinds_go_from_task_to_task(self, on: Place, kind: str) -> None:
        """A value arrives as it was sent, of the same type."""
        if kind in _NEEDED and find_spec(_NEEDED[kind]) is None:
            pytest.skip(f"{_NEEDED[kind]} is not installed")
        found = on.value(values.through, kind=kind)
        wanted = values.KINDS[kind]()
        assert type(found) is type(wanted)
        assert _equal(found, wanted)

    @pytest.mark.parametrize("kind", ["dict", "dataclass", "class", "frame"])
    def test_inputs_go_to_tasks(self, on: Place, kind: str) -> None:
        """An input of the run arrives as it was given."""
        if kind in _NEEDED and find_spec(_NEEDED[kind]) is None:
            pytest.skip(f"{_NEEDED[kind]} is not installed")
        wanted = values.KINDS[kind]()
        assert _equal(on.value(values.given, value=wanted), wanted)

    def test_arguments_follow_the_signature(self, on: Place) -> None:
        """Defaults, keyword-only and positional-only parameters, and free keywords."""
        assert on.value(values.signatures) == (111, 116, 110, "a=1,b=2")

    def test_several_outputs(self, on: Place) -> None:
        """Each field of a tuple, a named tuple or a dataclass is an output of its own."""
        found = on.value(values.several)
        assert found == {
            "train": [1, 2],
            "test": [3],
            "whole": values.Split([1, 2], [3]),
            "quotient": 3,
            "rest": 2,
            "best": 1.0,
            "names": ["a", "b"],
        }
        assert type(found["whole"]) is values.Split

    def test_outputs_inside_containers(self, on: Place) -> None:
        """Outputs inside lists, tuples, dicts and dataclasses are put in their place."""
        assert on.value(values.containers) == [
            [1, 2, [1]],
            (1, 2),
            {"a": 1, "b": {"c": 1}},
            ("Point", 1, 2.0, ["t"]),
            [1, {"k": (1, 5)}],
        ]

    def test_results_that_no_task_makes(self, on: Place) -> None:
        """A workflow may return constants, or nothing."""
        assert on.value(values.constant) == [1, "two", None]
        assert on.value(values.nothing) is None

    def test_config_parts_are_own_copies(self, on: Place) -> None:
        """What a task does to its config part no other task sees."""
        config = {"model": {"size": 1, "layers": [1, 2]}}
        assert on.value(values.own_copies, config) == [1, 2]

    def test_config_values_are_converted(self, on: Place) -> None:
        """Config values arrive as what the parameters say."""
        config = {
            "number": 1,
            "names": ["a"],
            "options": {"rate": 1, "names": ["n"]},
            "colour": "RED",
            "place": "a/b",
            "table": {"a": 1},
        }
        assert on.value(values.conversion, config) == [
            "float", "list", "Options", "Colour", "PosixPath", "dict", "float", "float", "n",
        ]  # fmt: skip

    def test_a_result_that_does_not_fit_is_named(self, on: Place) -> None:
        """A result is checked where it is made; the message names the node."""
        failure = on.failure(values.wrong_result)
        assert isinstance(failure.__cause__, TypeMismatch)
        assert failure.node == "lies"
        assert "'lies'" in str(failure)
        assert "list[int]" in str(failure)
        assert "at [1]" in str(failure)

    def test_an_argument_that_does_not_fit_is_named(self, on: Place) -> None:
        """What annotations do not prove is checked; node and parameter are named."""
        failure = on.failure(values.wrong_argument)
        assert isinstance(failure.__cause__, TypeMismatch)
        assert failure.node == "count"
        assert "'count', parameter 'numbers'" in str(failure)
        assert "str" in str(failure)

    def test_an_input_that_cannot_travel_is_named(self, on: Place) -> None:
        """A value travels by reference, or its task and parameter are named before it is sent."""
        told = _travels(on, values.lock_given, value=threading.Lock())
        assert told == "lock" or ("'hold'" in told and "'value'" in told)

    def test_a_result_that_cannot_travel_is_named(self, on: Place) -> None:
        """A result travels by reference, or its task is named."""
        told = _travels(on, values.lock_made)
        assert told == "lock" or "'lock'" in told

    def test_async_tasks(self, on: Place) -> None:
        """``async def`` tasks are awaited."""
        assert on.value(values.awaited, value=1) == 3
