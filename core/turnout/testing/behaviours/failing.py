"""Failures, retries, time limits, handlers, and being cancelled."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from turnout.errors import NonRetryable, RemoteError, RunCancelled, TaskTimeout
from turnout.testing.pipelines import trouble
from turnout.testing.place import Place, asks


class Failing:
    """Failures, retries, time limits, handlers, and being cancelled."""

    def test_a_failure_carries_run_node_and_cause(self, on: Place) -> None:
        """`RunFailed` carries the run and the node; its cause is the user's exception."""
        failure = on.failure(trouble.failing, kind="plain")
        assert failure.node == "boom"
        assert failure.run.status == "failed"
        assert type(failure.__cause__) is trouble.PlainError
        assert str(failure.__cause__) == "a plain one"
        status = {node.name: node.status for node in failure.run.nodes}
        assert status["boom"] == "failed"
        assert status.get("inc", "skipped") != "succeeded"

    def test_exceptions_keep_what_they_carry(self, on: Place) -> None:
        """An exception with a constructor of its own keeps type and message."""
        cause = on.failure(trouble.failing, kind="two arguments").__cause__
        if isinstance(cause, RemoteError):
            assert cause.type_name.endswith("OutOfPaperError")
            assert cause.text == "tray 3: empty"
        else:
            assert type(cause) is trouble.OutOfPaperError
            assert str(cause) == "tray 3: empty"

    def test_exceptions_keep_their_cause(self, on: Place) -> None:
        """The chain of causes comes along."""
        cause = on.failure(trouble.failing, kind="caused").__cause__
        assert type(cause) is trouble.PlainError
        assert isinstance(cause.__cause__, KeyError)

    def test_exceptions_that_cannot_be_rebuilt(self, on: Place) -> None:
        """What cannot be rebuilt here is a `RemoteError` with its type and text."""
        cause = on.failure(trouble.failing, kind="stubborn").__cause__
        if type(cause) is not trouble.StubbornError:
            assert isinstance(cause, RemoteError)
            assert cause.type_name.endswith("StubbornError")
            assert "it stays here" in str(cause)
            assert "it stays here" in cause.traceback_text

    @asks("retries")
    def test_retries(self, on: Place) -> None:
        """A failed attempt is tried again, as often as ``retries`` says."""
        run = on.run(trouble.retried, scratch=on.scratch, failures=2)
        assert run.outputs == 4
        assert len(on.marks) == 3
        assert {node.name: node.attempts for node in run.nodes}["flaky"] == 3

    @asks("retries")
    def test_retries_come_to_an_end(self, on: Place) -> None:
        """The exception of the last attempt is the one that counts."""
        failure = on.failure(trouble.retried, scratch=on.scratch, failures=99)
        assert str(failure.__cause__) == "attempt 3"
        assert len(on.marks) == 3

    @asks("retries")
    def test_some_failures_are_not_retried(self, on: Place) -> None:
        """`NonRetryable` fails the node at once."""
        failure = on.failure(trouble.given_up, scratch=on.scratch)
        assert isinstance(failure.__cause__, NonRetryable)
        assert len(on.marks) == 1

    @asks("timeout")
    def test_a_timeout_ends_an_attempt(self, on: Place) -> None:
        """An attempt that takes too long is ended and has failed."""
        begin = time.monotonic()
        failure = on.failure(trouble.limited, scratch=on.scratch, seconds=60.0)
        assert isinstance(failure.__cause__, TaskTimeout)
        assert failure.node == "slow"
        assert time.monotonic() - begin < 30
        assert on.marks == ["attempt"]

    @asks("timeout", "retries")
    def test_a_timeout_is_a_failed_attempt(self, on: Place) -> None:
        """A timeout is retried like any failure."""
        run = on.run(trouble.limited_retried, scratch=on.scratch)
        assert run.outputs == "done"
        assert on.marks == ["attempt", "attempt"]
        assert run.nodes[0].attempts == 2

    @asks("on_failure")
    def test_a_failure_handler_gets_inputs_and_error(self, on: Place) -> None:
        """``on_failure`` is called with the workflow's inputs and the error's text."""
        failure = on.failure(trouble.handled, scratch=on.scratch, x=7)
        assert type(failure.__cause__) is trouble.PlainError
        assert on.marks == ["handled 7: PlainError: a plain one"]

    @asks("on_failure")
    def test_a_failure_handler_waits_for_a_failure(self, on: Place) -> None:
        """Where nothing fails the handler is not called."""
        assert on.value(trouble.handled_well, scratch=on.scratch, x=7) == 8
        assert on.marks == []

    @asks("on_failure")
    def test_handlers_inside_one_another(self, on: Place) -> None:
        """The inner handler comes first; inputs that tasks have made are still there."""
        on.failure(trouble.handled_inside, scratch=on.scratch, x=1)
        assert on.marks == ["handled 2: PlainError: at 4", "handled 1: PlainError: at 4"]

    def test_after_a_failure_nothing_more_is_started(self, on: Place) -> None:
        """``on_error=stop``: what does not depend on the failure is not started either."""
        failure = on.failure(trouble.two_ways, scratch=on.scratch)
        assert failure.node == "boom"
        assert "three" not in on.marks
        assert "after failure" not in on.marks

    def test_after_a_failure_the_rest_goes_on(self, on: Place) -> None:
        """``on_error=continue``: all that does not depend on the failure runs."""
        config = {"turnout": {"on_error": "continue"}}
        failure = on.failure(trouble.two_ways, config, scratch=on.scratch)
        assert failure.node == "boom"
        assert on.marks == ["one", "two", "three"]
        status = [node.status for node in failure.run.nodes if node.name == "mark_done"]
        assert status == ["skipped"]

    @asks("map")
    def test_an_item_of_a_map_fails_the_run(self, on: Place) -> None:
        """The item is named."""
        failure = on.failure(trouble.failing_map, n=2)
        assert failure.node in ("stop_at[0]", "stop_at[1]")
        assert type(failure.__cause__) is trouble.PlainError

    def test_a_run_can_be_cancelled(self, on: Place) -> None:
        """A cancelled run starts nothing more, says so, and leaves nothing behind."""
        threads, children = set(threading.enumerate()), _children()
        run = on.run(trouble.long, scratch=on.scratch, n=200, seconds=0.05, wait=False)
        _wait_for(lambda: len(on.marks) > 0)
        run.cancel()
        with pytest.raises(RunCancelled):
            run.wait(30)
        assert run.status == "cancelled"
        after = len(on.marks)
        assert after < 200
        _wait_for(lambda: not set(threading.enumerate()) - threads)
        _wait_for(lambda: not _children() - children)
        time.sleep(0.2)
        assert len(on.marks) <= after + 1


def _wait_for(holds: object) -> None:
    assert callable(holds)
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "waited for 30 s"
        time.sleep(0.01)


def _children() -> set[str]:
    """The processes this one has started and that are still there, where the system tells."""
    found: set[str] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # the thread has ended meanwhile
            found.update(path.read_text().split())
    return found
