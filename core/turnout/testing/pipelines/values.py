"""Values of all kinds through tasks, and the ways arguments and results are put together."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from turnout import dynamic, map_task, task, workflow


class Colour(enum.Enum):
    """An enum of the user's."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A dataclass of the user's."""

    x: int
    y: float = 0.5
    tags: list[str] = field(default_factory=list)


class Model:
    """A plain class of the user's."""

    def __init__(self, weights: list[float]) -> None:
        self.weights = weights

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.weights == self.weights

    __hash__ = None  # type: ignore[assignment]


class Split(NamedTuple):
    """Two outputs by name."""

    train: list[int]
    test: list[int]


@dataclass
class Scores:
    """Two outputs of a dataclass."""

    best: float
    names: list[str]


def _array() -> Any:
    import numpy as np

    return np.arange(12, dtype="float32").reshape(3, 4)


def _frame() -> Any:
    import pandas as pd

    return pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None], "c": [0.1, 0.2, 0.3]})


KINDS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "bool": lambda: True,
    "int": lambda: -7,
    "big int": lambda: 3**100,
    "float": lambda: 0.1,
    "infinity": lambda: float("inf"),
    "complex": lambda: 1 + 2j,
    "text": lambda: "snow \u2603",
    "long text": lambda: "x" * 100_000,
    "bytes": lambda: b"\x00\xff",
    "list": lambda: [1, "a", None, [2.5]],
    "tuple": lambda: (1, (2, 3)),
    "dict": lambda: {"a": 1, 2: [3], (4, 5): {"b": None}},
    "set": lambda: {1, 2, 3},
    "frozenset": lambda: frozenset({"a"}),
    "dataclass": lambda: Point(1, 2.0, ["a"]),
    "named tuple": lambda: Split([1], [2]),
    "enum": lambda: Colour.BLUE,
    "class": lambda: Model([0.5, 1.5]),
    "list of classes": lambda: [Model([1.0]), Model([2.0])],
    "path": lambda: Path("some/where"),
    "date": lambda: dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC),
    "decimal": lambda: decimal.Decimal("1.10"),
    "type": lambda: Point,
    "function": lambda: _frame,
    "array": _array,
    "frame": _frame,
}
"""What makes a value of each kind; the last two need numpy and pandas."""


@task
def make(kind: str) -> Any:
    """A value made in the worker."""
    return KINDS[kind]()


@task
def echo(value: Any) -> Any:
    """The value it was given."""
    return value


@task
def type_name(value: Any) -> str:
    """The type of what arrives."""
    return type(value).__name__


@workflow
def through(kind: str) -> Any:
    """A value through three tasks."""
    return echo(echo(make(kind)))


@workflow
def given(value: Any) -> Any:
    """An input of the run through a task."""
    return echo(value)


@task
def add(a: int, b: int = 10, *, c: int = 100) -> int:
    """A task with defaults and a keyword-only parameter."""
    return a + b + c


@task
def minus(a: int, b: int, /) -> int:
    """A task with positional-only parameters."""
    return a - b


@task
def join(**parts: str) -> str:
    """A task that takes any keywords."""
    return ",".join(f"{name}={parts[name]}" for name in sorted(parts))


@workflow
def signatures() -> tuple[int, int, int, str]:
    """Defaults, keyword-only, positional-only and free keywords."""
    one = add(1)
    return one, add(one, 2, c=3), minus(one, 1), join(b="2", a=echo("1"))


@task
def cut(numbers: list[int]) -> Split:
    """Two outputs by name."""
    return Split(numbers[:-1], numbers[-1:])


@task
def divide(a: int, b: int) -> tuple[int, int]:
    """Two outputs by position."""
    return a // b, a % b


@task
def rate(names: list[str]) -> Scores:
    """Two outputs of a dataclass."""
    return Scores(best=len(names) / 2, names=sorted(names))


@workflow
def several() -> dict[str, Any]:
    """Outputs by name, by position, unpacked, and as a whole."""
    parts = cut([1, 2, 3])
    quotient, rest = divide(17, 5)
    scores = rate(["b", "a"])
    return {
        "train": echo(parts.train),
        "test": parts.test,
        "whole": echo(parts),
        "quotient": echo(quotient),
        "rest": rest,
        "best": echo(scores.best),
        "names": scores.names,
    }


@task
def structure(value: Any) -> Any:
    """What arrives, spelled out."""
    if isinstance(value, Point):
        return ("Point", value.x, value.y, value.tags)
    return value


@workflow
def containers() -> list[Any]:
    """Outputs inside lists, tuples, dicts and dataclasses."""
    one = echo(1)
    return [
        structure([one, 2, [one]]),
        structure((one, 2)),
        structure({"a": one, "b": {"c": one}}),
        structure(Point(one, 2.0, ["t"])),
        [one, {"k": (one, 5)}],
    ]


@workflow
def constant() -> list[Any]:
    """A result that no task has made."""
    return [1, "two", None]


@workflow
def nothing() -> None:
    """Tasks, and no result."""
    echo(1)


@task
def spoil(part: DictConfig) -> int:
    """A task that changes the config part it was given."""
    part.size = part.size + 1
    part.layers.append(9)
    return int(part.size)


@task
def look(part: DictConfig, after: int) -> list[int]:
    """The same part, once another task has changed its own."""
    return [part.size, len(part.layers)]


@workflow
def own_copies(cfg: DictConfig) -> list[int]:
    """Each task has its own copy of a config part."""
    return look(cfg.model, spoil(cfg.model))


@dataclass
class Options:
    """A dataclass that a config part becomes."""

    rate: float
    names: list[str] = field(default_factory=list)


@task
def converted(
    number: float,
    names: list[str],
    options: Options,
    colour: Colour,
    place: Path,
    table: dict[str, float],
) -> list[str]:
    """What the values of a config arrive as."""
    arrived = [number, names, options, colour, place, table]
    told = [type(value).__name__ for value in arrived]
    return [*told, type(options.rate).__name__, type(table["a"]).__name__, options.names[0]]


@workflow
def conversion(cfg: DictConfig) -> list[str]:
    """Config values are converted to what the parameters say."""
    return converted(cfg.number, cfg.names, cfg.options, cfg.colour, cfg.place, cfg.table)


@task
def lies() -> list[int]:
    """Its second item is not what it promises."""
    return [1, "two"]  # type: ignore[list-item]


@task
def count(numbers: list[int]) -> int:
    """Takes whole numbers."""
    return len(numbers)


@workflow
def wrong_result() -> int:
    """A result that does not fit its annotation."""
    return count(lies())


@task
def anything() -> Any:
    """Says nothing of what it returns."""
    return ["a"]


@workflow
def wrong_argument() -> int:
    """An argument that does not fit, which no annotation can tell."""
    return count(anything())


@task
def hold(value: Any) -> str:
    """Takes what may not be able to travel."""
    return type(value).__name__


@task
def lock() -> Any:
    """A value that exists in one process only."""
    return threading.Lock()


@workflow
def lock_given(value: Any) -> str:
    """An input that may not be able to travel."""
    return hold(value)


@workflow
def lock_made() -> str:
    """A result that may not be able to travel."""
    return hold(lock())


@dynamic
def each(numbers: list[int]) -> list[int]:
    """A map over what only exists at run time."""
    return map_task(add)(a=numbers)


@task
async def later(value: int) -> int:
    """A coroutine function."""
    import asyncio

    await asyncio.sleep(0.001)
    return value + 1


@workflow
def awaited(value: int) -> int:
    """Async tasks."""
    return later(later(value))
