"""Options of tasks: checked when they are said, laid over one another, to JSON and back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.graph import Cache, Resources, Secret, TaskOptions
from turnout.graph.options import duration_seconds, memory_bytes

texts = st.text(min_size=1, max_size=5)
options = st.builds(
    TaskOptions,
    cache=st.none()
    | st.booleans()
    | st.builds(Cache, version=st.none() | texts, packages=st.tuples(texts)),
    retries=st.none() | st.integers(0, 9),
    timeout=st.none() | st.floats(0.1, 1e6) | st.sampled_from(["1h", timedelta(seconds=3)]),
    resources=st.none()
    | st.builds(Resources, cpu=st.none() | st.floats(0, 8), mem=st.sampled_from([None, "1Gi", 5])),
    image=st.none() | texts,
    env_vars=st.none() | st.dictionaries(texts, texts),
    secrets=st.none() | st.lists(texts | st.builds(Secret, texts, key=st.none() | texts)),
    interruptible=st.none() | st.booleans(),
    options=st.none() | st.dictionaries(texts, st.dictionaries(texts, st.lists(st.integers()))),
)


@given(said=options)
def test_options_go_to_json_and_back(said: TaskOptions) -> None:
    assert TaskOptions.from_json(json.loads(json.dumps(said.to_json()))) == said


@given(under=options, over=options)
def test_what_is_said_later_is_laid_on_top(under: TaskOptions, over: TaskOptions) -> None:
    merged = under.merged(over)
    assert under.merged(None) is under
    assert merged.merged(over) == merged
    for name in ("cache", "retries", "timeout", "image", "secrets", "interruptible"):
        said = getattr(over, name)
        assert getattr(merged, name) == (getattr(under, name) if said is None else said)
    for name in ("env_vars", "options"):
        assert (getattr(merged, name) or {}) == {
            **(getattr(under, name) or {}),
            **(getattr(over, name) or {}),
        }


@pytest.mark.parametrize(
    ("text", "size"), [("512Mi", 512 * 2**20), ("1.5G", 1_500_000_000), ("10", 10), (7, 7)]
)
def test_sizes(text: Any, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("250ms", 0.25), ("90", 90), (2, 2), (timedelta(minutes=1), 60)],
)
def test_durations(text: Any, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: memory_bytes("much"), "'much' is not a memory size; write '512Mi', '2Gi' or byte"),
        (lambda: Resources(mem="1Qi"), "'1Qi' is not a memory size"),
        (lambda: Resources(cpu=-1), "resources.cpu must not be negative"),
        (lambda: TaskOptions(timeout="soon"), "'soon' is not a duration; write seconds, '30s'"),
        (lambda: TaskOptions(timeout=0), "a duration must be positive"),
        (lambda: TaskOptions(retries=-1), "retries must not be negative"),
        (lambda: Cache(mode="always"), "is use, refresh, read or off, not 'always'"),
    ],
)
def test_options_that_make_no_sense(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_retries_are_a_whole_number() -> None:
    with pytest.raises(TypeError, match="retries takes a whole number, not '3'"):
        TaskOptions(retries="3")  # type: ignore[arg-type]


def test_resources_of_a_config_are_resources() -> None:
    assert TaskOptions(resources={"cpu": 2}).resources == Resources(cpu=2)
    assert not Resources()
    assert Resources(gpu=1)
