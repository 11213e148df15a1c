"""What surrounds a task: variables, context, metrics, the environment it runs in."""

from __future__ import annotations

import os
from pathlib import Path

import turnout
from turnout import Resources, task, workflow
from turnout.backend.registry import registry

NAME = "TURNOUT_SUITE_VARIABLE"


@task
def variable(name: str = NAME) -> str:
    """An environment variable as a task sees it."""
    return os.environ.get(name, "unset")


@workflow
def variables() -> list[str]:
    """The same task with a variable of its own, and after it without."""
    own = variable.with_options(env_vars={NAME: "mine"})()
    plain = variable()
    turnout.order(own, plain)
    return [own, plain]


@task
def context() -> dict[str, object]:
    """What `turnout.current()` tells."""
    found = turnout.current()
    Path(found.workdir, f"written-{found.node}").write_text("x")
    return {
        "run_id": found.run_id,
        "node": found.node,
        "task": found.task,
        "attempt": found.attempt,
        "environment": found.execution_environment,
        "workflow": found.workflow,
    }


@workflow
def contexts() -> list[dict[str, object]]:
    """The context of two nodes of one task."""
    return [context(), context()]


@task
def measured() -> int:
    """A task that logs metrics."""
    turnout.current().log_metrics(loss=2.0, accuracy=0.5)
    turnout.current().log_metrics(loss=1.5)
    return 1


@workflow
def metrics() -> int:
    """A node with metrics."""
    return measured()


@task
def where(x: int) -> list[object]:
    """Where a task runs, as it is told."""
    return [x, turnout.current().execution_environment]


@task
def unpack(pair: list[object]) -> int:
    """The number in what `where` gave."""
    assert isinstance(pair[0], int)
    return pair[0] + 1


@workflow
def elsewhere(there: str) -> list[list[object]]:
    """There, elsewhere, and back: values cross between environments."""
    away = where.with_options(execution_environment=turnout.fixed(there))
    one = where(1)
    two = away(unpack(one))
    three = where(unpack(two))
    return [one, two, three, away(unpack(one))]


@task
def idle() -> int:
    """Does nothing."""
    return 1


@workflow
def placed(setting: str) -> int:
    """A node with one setting that says where and how big."""
    chosen = turnout.fixed(setting)
    if chosen == "resources":
        return idle.with_options(resources=Resources(cpu=1, mem="64Mi"))()
    if chosen == "image":
        return idle.with_options(image="python:3.12-slim")()
    if chosen == "interruptible":
        return idle.with_options(interruptible=True)()
    # Whichever of them is on trial, the others are not.
    return idle.with_options(options={name: {} for name in registry().backends})()


@workflow
def asked(setting: str) -> int:
    """A node with one setting that changes what is done."""
    chosen = turnout.fixed(setting)
    if chosen == "secrets":
        return idle.with_options(secrets=["TOKEN"])()
    if chosen == "report":
        return idle.with_options(report=True)()
    if chosen == "timeout":
        return idle.with_options(timeout=60)()
    return idle.with_options(retries=1)()
