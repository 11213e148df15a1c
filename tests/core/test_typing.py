"""What editors and type checkers see: revealed types and mistakes, for mypy and pyright."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "typing"
# By line number: the revealed types, and the lines with errors.
Seen = tuple[dict[int, str], set[int]]


def mypy(file: Path, cache: Path) -> Seen:
    command = ["mypy", "--strict", "--no-error-summary", "--cache-dir", str(cache), str(file)]
    revealed, errors = {}, set()
    for line in _run(command).splitlines():
        found = re.match(r".*?:(\d+): (error|note): (?:Revealed type is \"(.*)\")?", line)
        if found is not None and found[3]:
            revealed[int(found[1])] = found[3]
        elif found is not None and found[2] == "error":
            errors.add(int(found[1]))
    return revealed, errors


def pyright(file: Path, _: Path) -> Seen:
    text = _run(["pyright", "--outputjson", "--pythonpath", sys.executable, str(file)])
    if not text.startswith("{"):
        pytest.skip(f"pyright could not be fetched: {text.strip()[:200]}")
    revealed, errors = {}, set()
    for told in json.loads(text)["generalDiagnostics"]:
        line = told["range"]["start"]["line"] + 1
        if told["severity"] == "error":
            errors.add(line)
        elif " is " in told["message"]:
            revealed[line] = told["message"].rpartition(' is "')[2].rstrip('"')
    return revealed, errors


def _run(arguments: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=CASES, capture_output=True, text=True, check=False
    )
    return done.stdout or done.stderr


def spelt(revealed: str) -> str:
    """A revealed type without what the two checkers write differently."""
    text = re.sub(r"\b[a-z_]+(\.[a-z_]+)*\.(?=[A-Za-z])", "", revealed)
    text = re.sub(r" =( ?[\w.]+)?(?=[,\])])", " = ...", text)
    return re.sub(r"\[\(([^)]*)\), ", r"[[\1], ", text)


def test_spellings_of_the_checkers() -> None:
    assert (
        spelt("turnout.dsl.task.Task[[x: a.b.C, *, n: int =], float]")
        == spelt("Task[(x: C, *, n: int = 3), float]")
        == "Task[[x: C, *, n: int = ...], float]"
    )


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_revealed_types(checker: Callable[[Path, Path], Seen], tmp_path: Path) -> None:
    file = CASES / "users.py"
    lines = enumerate(file.read_text().splitlines(), 1)
    wanted = {
        n: line.partition("  # ")[2]
        for n, line in lines
        if line.lstrip().startswith("reveal_type(")
    }
    revealed, errors = checker(file, tmp_path)
    assert errors == set()
    assert {n: spelt(text) for n, text in revealed.items()} == {
        n: spelt(text) for n, text in wanted.items()
    }
    assert len(wanted) > 30


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_mistakes_are_found(checker: Callable[[Path, Path], Seen], tmp_path: Path) -> None:
    file = CASES / "mistakes.py"
    lines = enumerate(file.read_text().splitlines(), 1)
    _, errors = checker(file, tmp_path)
    assert errors == {number for number, line in lines if line.endswith("# mistake")}


def test_the_types_ship() -> None:
    import turnout

    assert (Path(turnout.__file__).parent / "py.typed").is_file()
