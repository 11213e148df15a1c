"""The ids that nodes get."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.dsl.trace import Trace

NAMES = ("a", "a-1", "a-2", "a-3", "a-02", "a-2-2", "b")


@given(st.lists(st.sampled_from(NAMES), max_size=30))
def test_they_are_unique_whatever_tasks_are_called(names: list[str]) -> None:
    trace = Trace("flow")
    given_out: list[str] = []
    for name in names:
        found = trace.new_id(name)
        assert found not in given_out
        # The name itself if it is free, and numbers are not made up where they are not needed.
        assert found == name if name not in given_out else re.fullmatch(rf"{name}-[1-9]\d*", found)
        given_out.append(found)


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ("a a a b", "a a-2 a-3 b"),
        ("a a a-2 a-2", "a a-2 a-2-2 a-2-3"),
        ("a a-2 a a-3", "a a-2 a-3 a-3-2"),
        ("a-02 a a a-02", "a-02 a a-2 a-02-2"),
    ],
)
def test_they_are_the_same_each_time(names: str, ids: str) -> None:
    trace = Trace("flow")
    assert [trace.new_id(name) for name in names.split()] == ids.split()
