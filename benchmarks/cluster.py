"""Graphs on Ray, beside the same graphs written by hand with ``ray.remote``; bodies are equal.

All contestants share one instance and take turns, so that what else the machine does meets all
of them. Ray's start is not part of it.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

import pandas as pd

CHAIN, FAN, MAP = 300, 1_000, 5_000
FRAME_BYTES = 100_000_000
ROUNDS = {"chain": 31, "fan": 25, "map": 9, "frame": 25}
"""How many pairs of turns: the shorter a run, the more one turn differs from the next."""


def add_one(x: int) -> int:
    return x + 1


def make_frame(size: int) -> pd.DataFrame:
    import numpy as np

    return pd.DataFrame({name: np.arange(size // 40, dtype="int64") for name in "abcde"})


def same_frame(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def rows_of(frame: pd.DataFrame) -> int:
    return len(frame)


def chain() -> dict[str, float]:
    return _measured("chain")


def fan() -> dict[str, float]:
    return _measured("fan")


def map_over() -> dict[str, float]:
    return _measured("map")


def frame() -> dict[str, float]:
    return _measured("frame")


def scale_100() -> dict[str, float]:
    return _scale(100)


def scale_1000() -> dict[str, float]:
    return _scale(1_000)


def scale_10000() -> dict[str, float]:
    return _scale(10_000)


def _measured(name: str) -> dict[str, float]:
    """Seconds by hand, and the times of them that turnout takes with ``keep`` none and auto."""
    ray = _started()
    try:
        return _compared(*_graphs(ray)[name], rounds=ROUNDS[name])
    finally:
        ray.shutdown()


def _scale(nodes: int) -> dict[str, float]:
    """What independent nodes cost the driver: its own seconds, and its memory."""
    import turnout

    ray = _started()
    try:
        task = turnout.task(add_one)

        @turnout.workflow
        def wide(n: int) -> list[int]:
            return [task(i) for i in range(n)]

        environment = {"backend": "ray", "keep": "none"}
        turnout.run(wide, execution_environment=environment, n=10)  # imports are done now
        before, start, wall = _resident(), process_time(), perf_counter()
        found = turnout.run(wide, execution_environment=environment, n=nodes).outputs
        if found != list(range(1, nodes + 1)):
            raise AssertionError(nodes)
        return {
            "driver": process_time() - start,
            "wall": perf_counter() - wall,
            "grown_mb": _resident() - before,
        }
    finally:
        ray.shutdown()


def _started() -> Any:
    import ray

    ray.init(
        address="local", num_cpus=os.cpu_count(), include_dashboard=False, logging_level="ERROR"
    )
    return ray


def _resident() -> float:
    """The most memory this process has held, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _compared(
    by_hand: Callable[[], Any], ours: Callable[[str], Any], expected: Any, rounds: int
) -> dict[str, float]:
    """The seconds by hand, and how many times that the others take: medians, and quartiles.

    Times go up and down from one turn to the next by more than the contestants differ, and
    who comes first may matter. So every other turn goes the other way round, and two such turns
    together give one comparison.
    """
    contestants = [
        ("hand", by_hand),
        ("none", lambda: ours("none")),
        ("auto", lambda: ours("auto")),
    ]
    times: dict[str, list[float]] = {name: [] for name, _ in contestants}
    for turn in range(2 * rounds + 1):
        for name, contestant in contestants:
            gc.collect()
            start = perf_counter()
            found = contestant()
            took = perf_counter() - start
            if found != expected:
                raise AssertionError(found)
            if turn:  # in the first, workers import what they need
                times[name].append(took)
        contestants.reverse()
    hand, none, auto = (
        [a + b for a, b in zip(t[::2], t[1::2], strict=True)] for t in times.values()
    )
    found = {"hand": median(hand) / 2}
    for name, taken in {"none": none, "auto": auto}.items():
        ratios = quantiles([a / b for a, b in zip(taken, hand, strict=True)], method="inclusive")
        found |= zip((f"{name}_low", name, f"{name}_high"), ratios, strict=True)
    return found


def _graphs(ray: Any) -> dict[str, tuple[Callable[[], Any], Callable[[str], Any], Any]]:
    import turnout

    one, make, same, rows = map(ray.remote, (add_one, make_frame, same_frame, rows_of))
    task, map_task = turnout.task, turnout.map_task
    t_one, t_make, t_same, t_rows = map(task, (add_one, make_frame, same_frame, rows_of))

    def chain_by_hand() -> int:
        x = one.remote(0)
        for _ in range(CHAIN - 1):
            x = one.remote(x)
        return ray.get(x)

    def frame_by_hand() -> int:
        frame = make.remote(FRAME_BYTES)
        for _ in range(3):
            frame = same.remote(frame)
        return ray.get(rows.remote(frame))

    @turnout.workflow
    def chain(n: int) -> int:
        x = t_one(0)
        for _ in range(n - 1):
            x = t_one(x)
        return x

    @turnout.workflow
    def fan(n: int) -> list[int]:
        return [t_one(i) for i in range(n)]

    @turnout.workflow
    def mapped(numbers: list[int]) -> list[int]:
        return map_task(t_one)(x=numbers)

    @turnout.workflow
    def frames(size: int) -> int:
        frame = t_make(size)
        for _ in range(3):
            frame = t_same(frame)
        return t_rows(frame)

    def on_ray(workflow: Any, **inputs: Any) -> Callable[[str], Any]:
        def run(keep: str) -> Any:
            environment = {"backend": "ray", "keep": keep}
            return turnout.run(workflow, execution_environment=environment, **inputs).outputs

        return run

    def fan_by_hand(n: int) -> Callable[[], list[int]]:
        return lambda: ray.get([one.remote(i) for i in range(n)])

    return {
        "chain": (chain_by_hand, on_ray(chain, n=CHAIN), CHAIN),
        "fan": (fan_by_hand(FAN), on_ray(fan, n=FAN), list(range(1, FAN + 1))),
        "map": (
            fan_by_hand(MAP), on_ray(mapped, numbers=list(range(MAP))), list(range(1, MAP + 1)),
        ),
        "frame": (frame_by_hand, on_ray(frames, size=FRAME_BYTES), FRAME_BYTES // 40),
    }  # fmt: skip
