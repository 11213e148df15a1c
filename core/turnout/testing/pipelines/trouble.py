"""Failures, retries, time limits and handlers."""

from __future__ import annotations

import time
from typing import Any

from turnout import errors, map_task, task, workflow
from turnout.testing.pipelines.flow import inc, numbers
from turnout.testing.pipelines.marks import leave


class OutOfPaperError(Exception):
    """An exception of the user's, with two arguments."""

    def __init__(self, tray: int, reason: str) -> None:
        super().__init__(f"tray {tray}: {reason}")
        self.tray = tray
        self.reason = reason


class PlainError(Exception):
    """An exception of the user's like most."""


class StubbornError(Exception):
    """An exception that cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("not with me")


@task
def flaky(scratch: str, failures: int, name: str = "attempt") -> int:
    """Fails so many times, and then gives the number of the attempt."""
    number = leave(scratch, name)
    if number <= failures:
        raise PlainError(f"attempt {number}")
    return number


@task
def hopeless(scratch: str) -> int:
    """Says itself that trying again is no use."""
    leave(scratch, "attempt")
    raise errors.NonRetryable("never")


@workflow
def retried(scratch: str, failures: int) -> int:
    """Up to three attempts."""
    return inc(flaky.with_options(retries=2)(scratch, failures))


@workflow
def given_up(scratch: str) -> int:
    """Retries that are not wanted."""
    return hopeless.with_options(retries=5)(scratch)


@task
def slow(scratch: str, seconds: float, quick_from: int = 99) -> str:
    """Takes too long, except from some attempt on."""
    if leave(scratch, "attempt") < quick_from:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        leave(scratch, "too late")
    return "done"


@workflow
def limited(scratch: str, seconds: float) -> str:
    """A limit of time."""
    return slow.with_options(timeout=0.5)(scratch, seconds)


@workflow
def limited_retried(scratch: str) -> str:
    """A limit of time, and a second attempt that keeps it."""
    return slow.with_options(timeout=0.5, retries=1)(scratch, 20.0, 2)


@task
def boom(kind: str) -> int:
    """Fails in one of several ways."""
    if kind == "plain":
        raise PlainError("a plain one")
    if kind == "two arguments":
        raise OutOfPaperError(3, "empty")
    if kind == "caused":
        try:
            {"a": 1}["key"]
        except KeyError as error:
            raise PlainError("because of a key") from error
    if kind == "stubborn":
        raise StubbornError("it stays here")
    raise ValueError(kind)


@workflow
def failing(kind: str) -> int:
    """A failure between two tasks."""
    return inc(boom(kind))


@task
def clean_up(scratch: str, error: str, x: int = 0) -> None:
    """A failure handler."""
    leave(scratch, f"handled {x}: {error}")


@workflow(on_failure=clean_up)
def handled(scratch: str, x: int) -> int:
    """A failure with a handler."""
    return inc(boom("plain"))


@workflow(on_failure=clean_up)
def handled_well(scratch: str, x: int) -> int:
    """A handler that is not needed."""
    return inc(x)


@task
def stop_at(x: int) -> int:
    """Fails once its input is there."""
    raise PlainError(f"at {x}")


@workflow(on_failure=clean_up)
def inside(scratch: str, x: int) -> int:
    """A sub-workflow with a handler; its input is the result of a task."""
    return stop_at(inc(inc(x)))


@workflow(on_failure=clean_up)
def handled_inside(scratch: str, x: int) -> int:
    """A failure in a sub-workflow: its handler and then the outer one."""
    return inside(scratch, inc(x))


@task
def mark_done(scratch: str, name: str, x: int = 0, seconds: float = 0.0) -> int:
    """Leaves a mark when it runs."""
    time.sleep(seconds)
    leave(scratch, name)
    return x


@workflow
def two_ways(scratch: str) -> list[int]:
    """One way fails at once; the other does not depend on it."""
    bad = mark_done(scratch, "after failure", boom("plain"))
    x = mark_done(scratch, "one", 1, 0.1)
    x = mark_done(scratch, "two", x)
    return [bad, mark_done(scratch, "three", x)]


@workflow
def failing_map(n: int) -> list[int]:
    """A map of which an item fails."""
    return map_task(stop_at)(numbers(n))


@workflow
def long(scratch: str, n: int, seconds: float) -> int:
    """Many steps, each of which takes a while."""
    x = 0
    for _ in range(n):
        x = mark_done(scratch, "step", x, seconds)
    return x
