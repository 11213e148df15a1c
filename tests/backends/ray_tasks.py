"""Tasks and workflows for the tests of the Ray backend, in a module that workers import."""

from __future__ import annotations

import logging
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import turnout
from turnout import Resources, dynamic, fixed, map_task, task, workflow
from turnout.testing.pipelines.marks import leave

log = logging.getLogger(__name__)


@task
def inc(x: int) -> int:
    return x + 1


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def write(text: str) -> turnout.File:
    path = turnout.current().workdir / "out.txt"
    assert not path.exists()
    path.write_text(text)
    time.sleep(0.5)  # the other one writes meanwhile
    return turnout.File(path)


@task
def read(file: turnout.File) -> str:
    return Path(file).read_text()


@task
def workdir() -> str:
    return str(turnout.current().workdir)


@workflow
def files() -> list[str]:
    return [read(write("one")), read(write("two")), workdir()]


# -- workers and nodes that go away ----------------------------------------------------------------


@task
def die_at_first(scratch: str) -> int:
    """Waits to be killed, once."""
    number = leave(scratch, "begun")
    if number == 1:
        Path(scratch, "pid").write_text(str(os.getpid()))
        time.sleep(60)
    return number


@workflow
def killed_once(scratch: str) -> int:
    return inc(die_at_first(scratch))


@task
def poison(scratch: str) -> int:
    leave(scratch, "poison")
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@workflow
def poisoned(scratch: str) -> int:
    values = [inc(number) for number in range(8)]
    return add(inc(poison(scratch)), total(values))


@task
def item(number: int, scratch: str) -> int:
    leave(scratch, f"begun {number}")
    leave(scratch, f"on {here()} {os.getpid()}")
    time.sleep(0.03)
    leave(scratch, f"done {number}")
    return number * number


@workflow
def wide(scratch: str, n: int) -> list[int]:
    return map_task(partial(item, scratch=scratch))(number=list(range(fixed(n))))


def here() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


@task
def far_array(scratch: str, size: int) -> np.ndarray:
    leave(scratch, f"made on {here()}")
    return np.arange(size)


@task
def until(scratch: str, name: str) -> int:
    leave(scratch, "waits")
    end = time.monotonic() + 60
    while not Path(scratch, name).exists() and time.monotonic() < end:
        time.sleep(0.01)
    return 1


@task
def checksum(array: np.ndarray, factor: int) -> int:
    return int(array.sum()) * factor


@workflow
def made_far_away(scratch: str) -> int:
    """An array on a node that goes away before it is read."""
    far = {"ray": {"resources": {"far": 1}}}
    array = far_array.with_options(options=far)(scratch, 2_000_000)
    return checksum(array, until(scratch, "go"))


# -- values ----------------------------------------------------------------------------------------


@task
def zeros(megabytes: int) -> np.ndarray:
    return np.zeros(megabytes << 20, dtype=np.uint8)


@task
def seen(array: np.ndarray) -> np.ndarray:
    """Passes an array on, as a new one if it may be written to."""
    assert not array.flags.writeable, "an input is shared with other tasks"
    assert not array.flags.owndata, "an input is read where it lies"
    return array


@task
def length(array: np.ndarray) -> int:
    return int(array.nbytes)


@workflow
def large(megabytes: int) -> int:
    array = zeros(megabytes)
    for _ in range(3):
        array = seen(array)
    return length(array)


# -- failures --------------------------------------------------------------------------------------


@task
def broken(x: int) -> int:
    time.sleep(0.3)
    raise ValueError("broken")


@task
def keep(x: Any) -> Any:
    """A task whose result stays in the store."""
    return x


@workflow
def long_after_failure(n: int) -> int:
    x = broken(1)
    for number in range(fixed(n)):
        x = inc(x) if number % 2 else keep(x)
    return x


@task
def slow_at_first(scratch: str) -> int:
    number = leave(scratch, "attempt")
    if number < 3:
        time.sleep(30)
    return number


@workflow
def slow_then_chain(scratch: str) -> int:
    x = slow_at_first.with_options(timeout=0.5, retries=2)(scratch)
    for _ in range(5):
        x = inc(keep(x))
    return x


# -- graphs that grow ------------------------------------------------------------------------------


@task
def leaf(scratch: str, number: int) -> int:
    leave(scratch, f"pid {os.getpid()}")
    return number


@dynamic
def nest(scratch: str, depth: int) -> int:
    leave(scratch, f"pid {os.getpid()}")
    if depth == 0:
        return total(map_task(partial(leaf, scratch))(number=[1, 2, 3]))
    return add(nest(scratch, depth - 1), total(map_task(partial(nest_item, scratch))(depth=[0, 0])))


@dynamic
def nest_item(scratch: str, depth: int) -> int:
    return leaf(scratch, depth)


@workflow
def nested(scratch: str, depth: int) -> int:
    return nest(scratch, depth)


# -- settings --------------------------------------------------------------------------------------


@task
def granted() -> dict[str, Any]:
    """What Ray has given the task."""
    import ray

    context = ray.get_runtime_context()
    return {
        "resources": dict(context.get_assigned_resources()),
        "group": context.get_placement_group_id(),
        "variables": {name: value for name, value in os.environ.items() if name.startswith("SET_")},
        "node": context.get_node_id(),
    }


@workflow
def ask_granted() -> dict[str, Any]:
    options = {"ray": {"resources": {"far": 0.5}, "runtime_env": {"env_vars": {"SET_TASK": "t"}}}}
    return granted.with_options(resources=Resources(cpu=0.5, mem="64Mi"), options=options)()


@workflow
def ask_plainly() -> dict[str, Any]:
    return granted()


@task
def where() -> str:
    time.sleep(0.2)
    return here()


@workflow
def everywhere(n: int) -> list[str]:
    return [where() for _ in range(fixed(n))]


@workflow
def misspelt() -> dict[str, Any]:
    return granted.with_options(options={"ray": {"runtime_enf": {}}})()


@workflow
def greedy() -> dict[str, Any]:
    return granted.with_options(resources=Resources(cpu=64))()


# -- what tasks say --------------------------------------------------------------------------------


@task
def talk() -> int:
    log.debug("a detail")
    log.info("a hint")
    log.warning("a warning")
    print("a line that is printed", flush=True)
    turnout.current().log_metrics(loss=0.25)
    return 1


@workflow
def talkative() -> int:
    return talk()


@task
def surroundings() -> dict[str, Any]:
    now = turnout.current()
    return {
        "node": now.node,
        "task": now.task,
        "attempt": now.attempt,
        "environment": now.execution_environment,
        "run": now.run_id,
    }


@workflow
def ask_surroundings() -> dict[str, Any]:
    return surroundings()


@task(cache=True)
def costly(scratch: str, x: int) -> np.ndarray:
    leave(scratch, "computed")
    return np.full(10, x)


@task(cache=True)
def mean(array: np.ndarray) -> float:
    return float(array.mean())


@workflow
def cached(scratch: str, x: int) -> float:
    return mean(costly(scratch, x))


@workflow
def chain(n: int) -> int:
    x = inc(0)
    for _ in range(fixed(n) - 1):
        x = inc(x)
    return x


# -- drivers that go away --------------------------------------------------------------------------


@task
def beat(scratch: str, number: int) -> int:
    while True:
        leave(scratch, "beat")
        time.sleep(0.05)


@workflow
def endless(scratch: str) -> int:
    return total([inc(beat(scratch, number)) for number in range(6)])
