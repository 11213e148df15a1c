"""Starts the measures, each in a fresh process, in a directory that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TURNS = 9


def measure(module: str, function: str) -> dict[str, float]:
    """What ``benchmarks.MODULE.FUNCTION`` gives in a fresh process and a project of its own."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "benchmarks", Path(folder) / "benchmarks")
        (Path(folder) / ".turnout").mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.measure", module, function],
            cwd=folder,
            env=_environment(folder),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


def medians(module: str, functions: Iterable[str]) -> dict[str, dict[str, float]]:
    """The median of each number of each function, over nine fresh processes that take turns."""
    functions = tuple(functions)
    turns = [[measure(module, function) for function in functions] for _ in range(TURNS)]
    return {
        function: {key: median(turn[place][key] for turn in turns) for key in turns[0][place]}
        for place, function in enumerate(functions)
    }


class Contestant(NamedTuple):
    """What one contestant took, by its own clock.

    Attributes:
        build_s: what it built once, in seconds.
        first: its first run in the process, in microseconds a task.
        turns: each further turn, in microseconds a task.
    """

    build_s: float
    first: float
    turns: list[float]


def contest(module: str, functions: Mapping[str, str]) -> dict[str, Contestant]:
    """Let ``benchmarks.MODULE.FUNCTION`` of each contestant take turns, each in its own process."""
    with tempfile.TemporaryDirectory() as parent, ExitStack() as stack:
        found: dict[str, tuple[subprocess.Popen[str], Contestant]] = {}
        for name, function in functions.items():
            folder = Path(parent) / name
            shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
            (folder / ".turnout").mkdir()
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.turns", module, function],
                cwd=folder,
                env=_environment(str(folder)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            ready = json.loads(_answer(process))
            found[name] = process, Contestant(ready["build_s"], ready["first"], [])
        for _ in range(TURNS):
            for process, told in found.values():
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
                told.turns.append(float(_answer(process)))
    return {name: told for name, (_, told) in found.items()}


def _answer(process: subprocess.Popen[str]) -> str:
    """The next line a contestant prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended with status {process.wait()}")
    return line


class Process(NamedTuple):
    """What a whole process took.

    Attributes:
        seconds: wall time, interpreter start included.
        peak_mb: its peak resident memory.
    """

    seconds: float
    peak_mb: float


def whole(arguments: Mapping[str, Sequence[str]], folder: Path) -> dict[str, list[Process]]:
    """What commands took in each of their turns, so that all see the same noise.

    A first turn is not counted: it writes the byte code.
    """
    turns: dict[str, list[Process]] = {name: [] for name in arguments}
    for turn in range(TURNS + 1):
        for name, given in arguments.items():
            result = _one(given, folder)
            if turn:
                turns[name].append(result)
    return turns


def said_by(arguments: Sequence[str], folder: Path) -> list[float]:
    """The numbers in the last line a script prints; it is told when it was started."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**_environment(), "BEGAN": repr(time())},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def startup_folder(parent: Path) -> Path:
    """A copy of the scripts of ``benchmarks/startup``, a project of its own."""
    folder = Path(shutil.copytree(ROOT / "benchmarks" / "startup", parent / "startup"))
    (folder / ".turnout").mkdir()
    return folder


def _one(arguments: Sequence[str], folder: Path) -> Process:
    with tempfile.TemporaryFile("w+") as said:
        start = perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(arguments)} ended with status {status}:\n{said.read()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Process(seconds, usage.ru_maxrss * unit / 1e6)


def _environment(*paths: str) -> dict[str, str]:
    """This process's variables, for a process in another directory.

    Byte code is written, as it is where a package has been installed: a checkout whose files
    have changed would be compiled again by every process that is measured.
    """
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths += tuple(str(Path(path).resolve()) for path in inherited if path)
    own = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPATH": os.pathsep.join(paths)}
