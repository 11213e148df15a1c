"""200 chained and 1,000 independent tasks that do next to nothing, building included.

The body is the same for all: one addition. A result is checked, so that nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

CHAINED = 200
INDEPENDENT = 1000


class Contest(NamedTuple):
    """What one contestant runs, again and again.

    Attributes:
        run: runs it once, and gives its result.
        expected: what the result must be.
        tasks: how many tasks that are.
        build_s: what was built once, before, in seconds.
    """

    run: Callable[[], Any]
    expected: Any
    tasks: int
    build_s: float = 0.0


def add_one(x: int) -> int:
    return x + 1


def chained_plain() -> Contest:
    def run() -> int:
        x = 0
        for _ in range(CHAINED):
            x = add_one(x)
        return x

    return Contest(run, CHAINED, CHAINED)


def independent_plain() -> Contest:
    return Contest(
        lambda: [add_one(i) for i in range(INDEPENDENT)],
        list(range(1, INDEPENDENT + 1)),
        INDEPENDENT,
    )


def chained_turnout() -> Contest:
    import turnout

    task = turnout.task(add_one)

    @turnout.workflow
    def chain() -> int:
        x = 0
        for _ in range(CHAINED):
            x = task(x)
        return x

    return Contest(lambda: turnout.run(chain).outputs, CHAINED, CHAINED)


def independent_turnout() -> Contest:
    import turnout

    task = turnout.task(add_one)

    @turnout.workflow
    def wide() -> list[int]:
        return [task(i) for i in range(INDEPENDENT)]

    return Contest(lambda: turnout.run(wide).outputs, list(range(1, INDEPENDENT + 1)), INDEPENDENT)


def chained_flytekit() -> Contest:
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

    return Contest(run, CHAINED, CHAINED)


def independent_flytekit() -> Contest:
    import flytekit

    task = flytekit.task(add_one)

    def run() -> list[int]:
        @flytekit.workflow
        def wide() -> list[int]:
            return [task(x=i) for i in range(INDEPENDENT)]

        return wide()

    return Contest(run, list(range(1, INDEPENDENT + 1)), INDEPENDENT)


def chained_pipefunc() -> Contest:
    from pipefunc import PipeFunc, Pipeline

    def build() -> Pipeline:
        return Pipeline(
            [PipeFunc(add_one, f"x{i + 1}", renames={"x": f"x{i}"}) for i in range(CHAINED)]
        )

    return built(build, f"x{CHAINED}", {"x0": 0}, CHAINED, CHAINED)


def independent_pipefunc() -> Contest:
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
) -> Contest:
    """Building is done once and told apart: it takes pipefunc seconds."""
    start = perf_counter()
    pipeline = build()
    seconds = perf_counter() - start
    return Contest(lambda: pipeline.run(output, kwargs=given), expected, tasks, seconds)
