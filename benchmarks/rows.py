"""The rows of the table: what is measured, its bound, and the peers beside it."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.processes import contest, measure, medians, startup_folder, whole

PEERS = ("flytekit", "pipefunc")
REFERENCE = {"flytekit": (800.0,), "pipefunc": (6.0, 12.0)}
"""Microseconds, or from which to which, the peers take for a trivial task on the machine that the
bounds were set on."""
HYDRA_S = 0.22
"""Seconds that `startup/plain.py` takes there."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        what: what is measured.
        cells: the contestant and what to print for it.
        bound: the bound in words; ``""`` where there is none.
        met: whether turnout keeps it.
    """

    what: str
    cells: dict[str, str] = field(default_factory=dict)
    bound: str = ""
    met: bool = True


def installed() -> tuple[str, ...]:
    """The peers there are; flytekit has none for the newest Pythons."""
    return tuple(peer for peer in PEERS if importlib.util.find_spec(peer))


def rows() -> Iterator[Row]:
    """Measure, row by row."""
    yield from trivial("chained", "200 chained trivial tasks, µs a task")
    yield from trivial("independent", "1,000 independent trivial tasks, µs a task")
    yield from building()
    yield from startup()
    yield imported()
    yield frame()
    yield cpu()


def trivial(shape: str, what: str) -> Iterator[Row]:
    """Absolute times tell more of a machine than of a program, so the bound moves with flytekit.

    What it would be by the other peers is told beside it.
    """
    systems = ("plain", "turnout", *installed())
    found = contest("trivial", {system: f"{shape}_{system}" for system in systems})
    taken = {system: median(told.turns) for system, told in found.items()}
    limits = {
        peer: [15 * taken[peer] / reference for reference in REFERENCE[peer]]
        for peer in installed()
    }
    here = [
        f"{' to '.join(map(_number, sorted(limit)))} by {peer}'s {_said(REFERENCE[peer])}"
        for peer, limit in limits.items()
    ]
    cells = {system: _number(time) for system, time in taken.items()}
    for system, told in found.items():
        if told.build_s:
            cells[system] += f" and {_number(told.build_s)} s of building"
    yield Row(
        what=what,
        cells=cells,
        bound="at most 15" + (f"; here {', '.join(here)}" if here else ""),
        met=taken["turnout"] <= max([15.0, *limits.get("flytekit", [])]),
    )
    firsts = {system: _number(told.first) for system, told in found.items()}
    yield Row(what="  the same, the first time in a process", cells=firsts)


def _said(reference: tuple[float, ...]) -> str:
    return " to ".join(f"{number:g}" for number in reference)


def building() -> Iterator[Row]:
    ours = measure("building", "turnout")
    theirs = measure("building", "flytekit") if "flytekit" in installed() else None
    times = ours["times"]
    for key, what, bound, met in (
        ("small_ms", "graph of 1,000 nodes, ms", "at most 10", ours["small_ms"] <= 10),
        (
            "large_ms",
            "graph of 10,000 nodes, ms",
            f"at most 12 times that (is {times:.1f}, turn by turn)",
            times <= 12,
        ),
    ):
        cells = {"turnout": _number(ours[key])}
        if theirs:
            cells["flytekit"] = _number(theirs[key])
        yield Row(what=what, cells=cells, bound=bound, met=met)


def startup() -> Iterator[Row]:
    scripts = {"plain": ["plain.py"], "turnout": ["on_turnout.py"]}
    scripts |= {peer: [f"on_{peer}.py"] for peer in installed()}
    with tempfile.TemporaryDirectory() as folder:
        results = whole(scripts, startup_folder(Path(folder)))
    ours = zip(results["turnout"], results["plain"], strict=True)
    seconds, peak = zip(*((own[0] / its[0], own[1] / its[1]) for own, its in ours), strict=True)
    yield Row(
        what="`python main.py`, three tasks and a Hydra config, s",
        cells={name: f"{median(t.seconds for t in turns):.3f}" for name, turns in results.items()},
        bound=f"at most 1.25 times plain Hydra (is {median(seconds):.2f}, turn by turn)",
        met=median(seconds) <= 1.25,
    )
    yield Row(
        what="  its peak memory, MB",
        cells={name: f"{median(t.peak_mb for t in turns):.0f}" for name, turns in results.items()},
        bound=f"at most 1.25 times plain Hydra (is {median(peak):.2f})",
        met=median(peak) <= 1.25,
    )


def imported() -> Row:
    heavy = ("pandas", "numpy", "ray", "flytekit", "docker", "mlflow")
    code = f"import sys, {{}}; sys.exit(len(set({heavy!r}) & set(sys.modules)))"
    with tempfile.TemporaryDirectory() as folder:
        results = whole(
            {
                "plain": ["-c", "pass"],
                "turnout": ["-c", code.format("turnout")],
                **{peer: ["-c", f"import {peer}"] for peer in installed()},
            },
            Path(folder),
        )
    return Row(
        what="`import turnout`, or the peer, interpreter included, s",
        cells={name: f"{median(t.seconds for t in turns):.3f}" for name, turns in results.items()},
        bound="none of " + ", ".join(heavy),
    )


def frame() -> Row:
    names = ("plain", "turnout", *installed())
    results = medians("frame", (*names, "imported_turnout"))
    above = {name: result["peak_mb"] for name, result in results.items()}
    ours = above["imported_turnout"]
    return Row(
        what="100 MB DataFrame through five tasks, peak MB",
        cells={
            name: f"{above[name]:.0f} in {_number(results[name]['seconds'])} s" for name in names
        },
        bound=f"not copied ({above['turnout'] - ours:.0f} above one frame and `import turnout`)",
        met=above["turnout"] - ours < 50,
    )


def cpu() -> Row:
    """What is above the processor time is starting processes, so the bound moves with such."""
    names = ("plain", "pool", "turnout", *installed())
    with tempfile.TemporaryDirectory() as folder:
        hydra = whole({"plain": ["plain.py"]}, startup_folder(Path(folder)))["plain"]
    here = 1 + 0.15 * median(turn.seconds for turn in hydra) / HYDRA_S
    results = {name: result["seconds"] for name, result in medians("cpu", names).items()}
    cells = {name: f"{seconds:.2f}" for name, seconds in results.items() if name != "pool"}
    cells["plain"] += f"; {results['pool']:.2f} with a process pool"
    return Row(
        what="8 CPU-bound tasks of 0.25 s, two workers, s",
        cells=cells,
        bound=f"at most 1.15; here {here:.2f} by plain Hydra's {HYDRA_S}",
        met=results["turnout"] <= max(1.15, here),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
