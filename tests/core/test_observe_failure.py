from __future__ import annotations

import json

import pandas as pd
import pytest

from turnout import task, workflow
from turnout.errors import ConfigError, PlanError, RemoteError, RunCancelled, RunFailed
from turnout.graph import Graph
from turnout.observe.failure import show_error, show_failure


@task
def parse(text: str) -> object:
    return json.loads(text)


@workflow
def pipeline(text: str) -> object:
    return parse(text)


def raised(text: str) -> RunFailed:
    try:
        pipeline("{")
    except json.JSONDecodeError as error:
        error.__turnout__ = {"node": "parse", "inputs": {"text": text}}  # type: ignore[attr-defined]
        failure = RunFailed("node 'parse' failed", node="parse")
        failure.__cause__ = error
        return failure
    raise AssertionError


def test_the_users_frames_the_node_and_its_inputs() -> None:
    graph = pipeline.trace({"text": "{"}).graph
    report = show_failure(raised("str (1 character)"), graph)
    assert "Traceback" not in report
    assert "in parse\n    return json.loads(text)" in report
    assert "turnout/" not in report.replace("test_observe_failure.py", "")
    assert "frames in json" in report
    assert "json.decoder.JSONDecodeError: Expecting property name" in report
    place = next(node.line for node in graph.nodes)
    assert report.endswith(f"\n\nnode: parse  ({place})\ninputs: text=str (1 character)")


def test_what_led_to_it_is_told_and_a_librarys_retelling_is_not() -> None:
    def inner() -> None:
        raise KeyError("nope")

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("no such column") from error

    with pytest.raises(ValueError, match="no such column") as caught:
        outer()
    report = show_failure(caught.value)
    first, second = report.split("\n\nwhich led to:\n\n")
    assert first.endswith("KeyError: 'nope'")
    assert second.endswith("ValueError: no such column")


def test_a_library_that_raises_anew_tells_nothing_twice() -> None:
    with pytest.raises(KeyError) as caught:
        pd.DataFrame({"a": [1]})["nope"]
    report = show_failure(caught.value)
    assert report.count("KeyError: 'nope'") == 1
    assert "which led to" not in report
    assert "frame in pandas" in report


def test_groups_and_remote_errors() -> None:
    group = ExceptionGroup("two", [ValueError("a"), KeyError("b")])
    report = show_failure(group)
    assert "1 of 2:\n    ValueError: a" in report
    assert "2 of 2:\n    KeyError: 'b'" in report
    assert show_failure(RemoteError("m.Odd", "gone")) == "m.Odd: gone"
    told = "Traceback (most recent call last):\n  here\nm.Odd: gone\n"
    assert show_failure(RemoteError("m.Odd", "gone", told)) == told.rstrip()


def test_our_own_messages_stand_for_themselves() -> None:
    assert show_error(ConfigError("no key")) == "error: no key"
    assert show_error(PlanError(["a", "b"])) == "error: the plan has 2 problems:\n  - a\n  - b"
    assert show_error(KeyboardInterrupt()) == "cancelled"
    assert show_error(RunCancelled("run r1 was cancelled")) == "cancelled: run r1 was cancelled"


def test_what_has_no_frame_of_the_users_says_how_to_see_more() -> None:
    with pytest.raises(KeyError) as caught:
        Graph(name="w").node("nope")
    caught.value.__traceback__ = caught.tb.tb_next
    assert "HYDRA_FULL_ERROR=1" in show_error(caught.value)
    assert "HYDRA_FULL_ERROR=1" not in show_error(ZeroDivisionError("no traceback"))


def test_a_report_never_raises() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert "Odd" in show_failure(Odd())
    looped = ValueError("loop")
    looped.__cause__ = looped
    assert show_failure(looped).endswith("ValueError: loop")
