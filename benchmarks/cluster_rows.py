"""The rows of the table about Ray, and how it is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.processes import measure, said_by, startup_folder

GRAPHS = {
    "chain": "chain of 300 tasks",
    "fan": "fan-out of 1,000 tasks",
    "map_over": "map over 5,000 items",
    "frame": "100 MB DataFrame through five tasks",
}
STARTS = 15
"""Starts of Ray differ by seconds, so there are more turns of them than of anything else."""
SIZES = {"scale_100": 100, "scale_1000": 1_000, "scale_10000": 10_000}


class Line(NamedTuple):
    """One line of the table.

    Attributes:
        cells: what stands in it.
        met: whether turnout keeps its bound.
    """

    cells: tuple[str, ...]
    met: bool = True


def lines() -> Iterator[Line]:
    """Measure, line by line."""
    for name, what in GRAPHS.items():
        found = measure("cluster", name)
        met = found["none"] <= 1.15
        bound = "at most 1.15" + ("" if met else " **missed**")
        hand = f"{found['hand']:.2f} s"
        yield Line((what, hand, _spread(found, "none"), _spread(found, "auto"), bound), met)
    yield startup()


def _spread(found: dict[str, float], name: str) -> str:
    """The median, and what half of the comparisons lie between."""
    return f"{found[name]:.2f} ({found[name + '_low']:.2f} to {found[name + '_high']:.2f})"


def startup() -> Line:
    """From the start of the process to Ray, and to the first task on it."""
    begins, apart = [], []
    with tempfile.TemporaryDirectory() as parent:
        folder = startup_folder(Path(parent))
        for _ in range(STARTS):
            (there,) = said_by(["on_ray.py"], folder)
            (first,) = said_by(["turnout_on_ray.py", "execution_environment=ray"], folder)
            begins.append(there)
            apart.append(first - there)
    met = median(apart) <= 0.5
    bound = "at most 0.5 s more than `ray.init`" + ("" if met else " **missed**")
    what = "`python main.py` to its first task"
    return Line((what, f"{median(begins):.2f} s", f"{median(apart):+.2f} s", "", bound), met)


def render(found: Iterable[Line]) -> str:
    """The table as Markdown, and the one of how the driver grows."""
    told = [
        "| on Ray | by hand, with `ray.remote` | turnout, `keep=none` | `keep=auto` | bound |",
        "|---|---|---|---|---|",
        *("| " + " | ".join(line.cells) + " |" for line in found),
        "",
        "| independent nodes | driver's time, ms a node | wall, ms a node | memory, KB a node |",
        "|---|---|---|---|",
    ]
    for name, nodes in SIZES.items():
        size = measure("cluster", name)
        cells = (
            f"{nodes:,}",
            f"{size['driver'] / nodes * 1e3:.2f}",
            f"{size['wall'] / nodes * 1e3:.2f}",
            f"{size['grown_mb'] / nodes * 1e3:.1f}",
        )
        told.append("| " + " | ".join(cells) + " |")
    return "\n".join(told)
