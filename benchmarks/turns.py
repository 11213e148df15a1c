"""One contestant in a process of its own: ``python -m benchmarks.turns MODULE FUNCTION``.

It prepares, prints what that took, and waits. For every line it is sent it takes a turn and prints
what a task took, so that all contestants of a row see the same moods of the machine.
"""

from __future__ import annotations

import importlib
import json
import sys
from statistics import median
from time import perf_counter

from benchmarks.trivial import Contest

RUNS, SECONDS = 5, 0.25
"""A turn is the median of so many runs, or of those that have begun within so long."""


def main() -> None:
    module, function = sys.argv[1:]
    contest: Contest = getattr(importlib.import_module(f"benchmarks.{module}"), function)()
    print(json.dumps({"build_s": contest.build_s, "first": once(contest)}), flush=True)
    for _ in sys.stdin:
        print(turn(contest), flush=True)


def turn(contest: Contest) -> float:
    """Microseconds a task."""
    found: list[float] = []
    begin = perf_counter()
    while len(found) < RUNS and (not found or perf_counter() - begin < SECONDS):
        found.append(once(contest))
    return median(found)


def once(contest: Contest) -> float:
    """Microseconds a task in one run."""
    start = perf_counter()
    result = contest.run()
    seconds = perf_counter() - start
    if result != contest.expected:
        raise AssertionError(f"expected {contest.expected!r}, found {result!r}")
    return seconds / contest.tasks * 1e6


if __name__ == "__main__":
    main()
