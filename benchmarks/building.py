"""Building the graph of 1,000 and of 10,000 nodes; nothing is run."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

SMALL, LARGE = 1_000, 10_000


def add_one(x: int) -> int:
    return x + 1


def in_turns(build: Callable[[int], float], turns: int) -> dict[str, float]:
    """Medians of turns, each of five small graphs and a large one, and of how they compare."""
    small, large = [], []
    for _ in range(turns):
        small.append(median(build(SMALL) for _ in range(5)))
        large.append(build(LARGE))
    return {
        "small_ms": median(small) * 1e3,
        "large_ms": median(large) * 1e3,
        "times": median(b / a for a, b in zip(small, large, strict=True)),
    }


def turnout() -> dict[str, float]:
    import turnout

    task = turnout.task(add_one)

    @turnout.workflow
    def wide(n: int) -> list[int]:
        return [task(i) for i in range(n)]

    def build(n: int) -> float:
        start = perf_counter()
        traced = wide.trace({"n": n})
        seconds = perf_counter() - start
        if len(traced.graph.nodes) != n:
            raise AssertionError(len(traced.graph.nodes))
        return seconds

    return in_turns(build, 25)


def flytekit() -> dict[str, float]:
    import flytekit

    task = flytekit.task(add_one)

    def build(n: int) -> float:
        @flytekit.workflow
        def wide() -> list[int]:
            return [task(x=i) for i in range(n)]

        start = perf_counter()
        wide.compile()
        seconds = perf_counter() - start
        if len(wide.nodes) != n:
            raise AssertionError(len(wide.nodes))
        return seconds

    return in_turns(build, 3)
