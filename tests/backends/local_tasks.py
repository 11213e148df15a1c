"""Tasks and workflows for the tests of the local backend, in a module that workers import."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import turnout
from turnout import Resources, dynamic, fixed, map_task, task, workflow
from turnout.errors import NonRetryable

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class TwoArguments(Exception):
    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} at {where}")


class SlottedError(Exception):
    __slots__ = ()


@task
def pid() -> int:
    return os.getpid()


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def rows(n: int) -> list[int]:
    return list(range(n))


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def make(x: int) -> Point:
    return Point(x)


@task
def move(point: Point, by: int) -> Point:
    return dataclasses.replace(point, x=point.x + by)


@task
async def later(x: int) -> int:
    await asyncio.sleep(0.001)
    return x + 1


@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task
def span(folder: str, name: str, seconds: float) -> str:
    """Leaves the times it began and ended."""
    begin = time.monotonic()
    time.sleep(seconds)
    Path(folder, name).write_text(f"{begin} {time.monotonic()} {os.getpid()}")
    return os.environ.get("CUDA_VISIBLE_DEVICES", "unset")


@task
def device() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "unset")


@task
def variable(name: str) -> str:
    return os.environ.get(name, "unset")


@task
def fail(kind: str) -> int:
    if kind == "cause":
        try:
            return int("no")
        except ValueError as error:
            raise RuntimeError("wrapped") from error
    if kind == "two":
        raise TwoArguments("wheel", "track 3")
    if kind == "slots":
        raise SlottedError("narrow")
    if kind == "final":
        raise NonRetryable("for good")
    raise KeyError("nothing")


@task
def lock() -> object:
    import threading

    return threading.Lock()


@task
def leave(folder: str, how: str, times: int) -> int:
    """Ends its process in the first tries."""
    tries = len(list(Path(folder).iterdir()))
    Path(folder, str(tries)).touch()
    if tries >= times:
        return tries
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(7)
    elif how == "abort":
        os.abort()
    sys.exit("enough")


@task
def slow_then_quick(folder: str, naps: str) -> int:
    """Sleeps, or raises, as each letter says, one letter an attempt."""
    tries = len(list(Path(folder).iterdir()))
    Path(folder, str(tries)).touch()
    letter = naps[tries] if tries < len(naps) else "."
    if letter == "s":
        time.sleep(30)
    if letter == "x":
        raise ValueError(f"attempt {tries + 1}")
    return turnout.current().attempt


@task
def family(folder: str) -> None:
    """Starts a process of its own and never ends."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(folder, "pids.new").write_text(f"{os.getpid()} {child.pid}")
    os.rename(Path(folder, "pids.new"), Path(folder, "pids"))
    time.sleep(60)


@task
def speak(lines: int) -> None:
    for number in range(lines):
        print("line", number, "of", lines)


@dynamic
def fan(n: int) -> list[int]:
    return [add(i, 1) for i in range(n)]


@dynamic
def fan_by_value(n: int) -> list[int]:
    @task
    def shift(x: int) -> int:
        return x + 10 * n

    return [shift(i) for i in range(n)]


@workflow
def chain(n: int) -> int:
    value = add(n, 1)
    for _ in range(3):
        value = add(value, 1)
    return value


@workflow
def two_pids() -> tuple[int, int]:
    return pid(), pid()


@workflow
def points() -> Point:
    return move(make(1), 5)


@workflow
def mapped(n: int) -> int:
    return total(map_task(later)(x=rows(n)))


@workflow
def fanned(n: int) -> int:
    return total(fan(n))


@workflow
def fanned_by_value(n: int) -> int:
    return total(fan_by_value(n))


@task
def logs(x: int) -> int:
    log.debug("not heard")
    log.info("x is %s", x)
    return x


@workflow
def logging_one(x: int) -> int:
    return logs(x)


@workflow
def fanned_twice() -> list[int]:
    return joined([fan_by_value(1), fan_by_value(2), fan_by_value(3)])


@task
def joined(lists: list[list[int]]) -> list[int]:
    return sorted(value for values in lists for value in values)


@workflow
def failing(kind: str) -> int:
    return fail(kind)


@workflow
def retrying(kind: str) -> int:
    return fail.with_options(retries=2)(kind)


@workflow
def locked() -> object:
    return lock()


@workflow
def leaving(folder: str, how: str, times: int) -> int:
    return leave(folder, how, times)


@workflow
def timed(folder: str, naps: str, retries: int, seconds: float) -> int:
    limits = {"retries": fixed(retries), "timeout": fixed(seconds)}
    return slow_then_quick.with_options(**limits)(folder, naps)


@workflow
def timed_and_not() -> int:
    here = make(1)
    there = move.with_options(timeout=30)(here, 2)
    back = move(there, 3)
    return add(move.with_options(timeout=30)(back, 4).x, 0)


@workflow
def family_then_failure(folder: str) -> tuple[None, int]:
    return family(folder), wait_for(folder)


@task
def wait_for(folder: str) -> int:
    while not Path(folder, "pids").exists():
        time.sleep(0.01)
    raise ValueError("the other one is running")


@workflow
def talking() -> tuple[None, None]:
    return speak(200), speak(200)


@workflow
def big_and_small(folder: str) -> list[str]:
    big = span.with_options(resources=Resources(cpu=2))
    first = span(folder, "first", 0.8)
    whole = big(folder, "big", 0.05)
    return [first, whole, *(span(folder, f"small{i}", 0.02) for i in range(30))]


@workflow
def devices(folder: str) -> list[str]:
    one = span.with_options(resources=Resources(gpu=1))
    return [one(folder, "a", 0.8), one(folder, "b", 0.8), device(), one(folder, "c", 0.01)]


@workflow
def too_many() -> str:
    return device.with_options(resources=Resources(cpu=3, gpu=1))()


@workflow
def lambda_value(f: object) -> int:
    return takes(f)


@task
def takes(f: object) -> int:
    return f(20) + 1  # type: ignore[operator]


@workflow
def variables() -> tuple[str, str]:
    return variable.with_options(env_vars={"TURNOUT_TEST": "set"})("TURNOUT_TEST"), variable(
        "TURNOUT_WORKER"
    )


@workflow
def forever(folder: str) -> None:
    return family(folder)


@dynamic
def hands_on_a_lock() -> int:
    import threading

    return takes(threading.Lock())


@workflow
def lock_in_a_graph() -> int:
    return hands_on_a_lock()
