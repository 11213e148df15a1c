"""200 chained and 1,000 independent tasks that do next to nothing, building included.

The body is the same for all: one addition. A result is checked, so that nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

CHAINED = 200
INDEPENDENT = 1000


def add_one(x: int) -> int:
    return x + 1


def timed(run: Callable[[], Any], expected: Any, tasks: int) -> dict[str, float]:
    """Microseconds a task: the first time in a fresh process, and the median of five more."""
    seconds = []
    for _ in range(6):
        start = perf_counter()
        result = run()
        seconds.append(perf_counter() - start)
        if result != expected:
            raise AssertionError(f"expected {expected!r}, found {result!r}")
    first, *rest = seconds
    return {"first": first / tasks * 1e6, "median": sorted(rest)[2] / tasks * 1e6}


def chained_plain() -> dict[str, float]:
    def run() -> int:
        x = 0
        for _ in range(CHAINED):
            x = add_one(x)
        return x

    return timed(run, CHAINED, CHAINED)


def independent_plain() -> dict[str, float]:
    return timed(
        lambda: [add_one(i) for i in range(INDEPENDENT)],
        list(range(1, INDEPENDENT + 1)),
        INDEPENDENT,
    )


def chained_turnout() -> dict[str, float]:
    import turnout

    task = turnout.task(add_one)

    @turnout.workflow
    def chain() -> int:
        x = 0
        for _ in range(CHAINED):
            x = task(x)
        return x

    return timed(lambda: turnout.run(chain).outputs, CHAINED, CHAINED)


def independent_turnout() -> dict[str, float]:
    import turnout

    task = turnout.task(add_one)

    @turnout.workflow
    def wide() -> list[int]:
        return [task(i) for i in range(INDEPENDENT)]

    return timed(lambda: turnout.run(wide).outputs, list(range(1, INDEPENDENT + 1)), INDEPENDENT)


def chained_flytekit() -> dict[str, float]:
    import flytekit

    task = flytekit.task(add_one)

    def run() -> int:
        # Decorated anew each time: flytekit compiles once per workflow, at its first call.
        @flytekit.workflow
        def chain() -> int:
            x = task(x=0)
            for _ in range(CHAINED - 1):
                x = task(x=x)
            return x

        return chain()

    return timed(run, CHAINED, CHAINED)


def independent_flytekit() -> dict[str, float]:
    import flytekit

    task = flytekit.task(add_one)

    def run() -> list[int]:
        @flytekit.workflow
        def wide() -> list[int]:
            return [task(x=i) for i in range(INDEPENDENT)]

        return wide()

    return timed(run, list(range(1, INDEPENDENT + 1)), INDEPENDENT)


def chained_pipefunc() -> dict[str, float]:
    from pipefunc import PipeFunc, Pipeline

    def build() -> Pipeline:
        return Pipeline(
            [PipeFunc(add_one, f"x{i + 1}", renames={"x": f"x{i}"}) for i in range(CHAINED)]
        )

    return built(build, f"x{CHAINED}", {"x0": 0}, CHAINED, CHAINED)


def independent_pipefunc() -> dict[str, float]:
    from pipefunc import PipeFunc, Pipeline

    def build() -> Pipeline:
        return Pipeline(
            [PipeFunc(add_one, f"y{i}", renames={"x": f"x{i}"}) for i in range(INDEPENDENT)]
        )

    return built(
        build,
        [f"y{i}" for i in range(INDEPENDENT)],
        {f"x{i}": i for i in range(INDEPENDENT)},
        tuple(range(1, INDEPENDENT + 1)),
        INDEPENDENT,
    )


def built(
    build: Callable[[], Any], output: Any, given: dict[str, int], expected: Any, tasks: int
) -> dict[str, float]:
    """As `timed`, with building done once and told apart: it takes pipefunc seconds."""
    start = perf_counter()
    pipeline = build()
    build_seconds = perf_counter() - start
    result = timed(lambda: pipeline.run(output, kwargs=given), expected, tasks)
    return {**result, "build_s": build_seconds}
