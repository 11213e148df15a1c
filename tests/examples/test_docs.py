"""What the documentation shows is run, page by page, and prints what the pages say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"(?:<!-- file: (\S+) -->\n\n)?```(\w+)\n(.*?)```", re.DOTALL)
PRINTS = re.compile(r"^# prints: (.*(?:\n# {3,}.*)*)", re.MULTILINE)
PROGRAMS = f"""
python() {{ {shlex.quote(sys.executable)} "$@"; }}
turnout() {{ python -c 'import sys; from turnout.cli import main; sys.exit(main())' "$@"; }}
"""
DIFFERS = [
    (r"(?m)^\d\d:\d\d:\d\d .*\n", ""),  # progress as it looks without a terminal
    (r"(?m)^\[[\d, :-]+\]\[", "[...]["),
    (r"\.py:\d+", ".py:LINE"),
    (r"<1 ms|\b[\d.]+ (ms|s)\b", "TIME"),
    (r"\d{8}-\d{6}-\w+", "ID"),
    (r"(?m)^ *[~^]+\n", ""),  # where Python points in a line differs between its versions
    (r"[ \t]+", " "),
]


class Page:
    """A page of the documentation, laid out as a project in a directory.

    Its unnamed Python blocks make one module; blocks after ``<!-- file: NAME -->`` make that file.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.module = folder / Path(name).with_suffix(".py")
        (folder / ".turnout").mkdir()
        parts: list[str] = []
        commands: list[str] = []
        for file, kind, text in FENCE.findall((DOCS / name).read_text(encoding="utf-8")):
            if file:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                with (folder / file).open("a", encoding="utf-8") as out:
                    print(text, file=out)
            elif kind == "python":
                parts.append(text)
            elif kind == "console":
                commands.append(text)
        self._install()
        self.source = "\n\n".join(parts)
        self.module.write_text(self.source, encoding="utf-8")
        self.prints = [text.replace("\n#", " ") for text in PRINTS.findall(self.source)]
        shown = "".join(commands)
        self.commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)

    def _install(self) -> None:
        """Make a project with entry points one that is found, as an editable install does."""
        file = self.folder / "pyproject.toml"
        project = tomllib.loads(file.read_text()).get("project") if file.is_file() else None
        if project:
            info = self.folder / f"{project['name'].replace('-', '_')}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Name: {project['name']}\n")
            points = project["entry-points"]["turnout"].items()
            lines = "".join(f"{name} = {value}\n" for name, value in points)
            (info / "entry_points.txt").write_text(f"[turnout]\n{lines}")

    def typed(self, command: str) -> tuple[str, int]:
        """What a shell shows of a command, and its exit status."""
        paths = [str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(":") if p]
        done = subprocess.run(
            ["sh", "-c", PROGRAMS + command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.stdout, done.returncode


def told(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    for pattern, replacement in DIFFERS:
        text = re.sub(pattern, replacement, text)
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("name", sorted(path.name for path in DOCS.glob("*.md")))
def test_a_page_prints_what_it_says(name: str, tmp_path: Path) -> None:
    page = Page(name, tmp_path)
    for command, expected in page.commands:
        printed, _ = page.typed(command)
        assert told(printed) == told(expected), command
    if page.source:
        printed, status = page.typed(f"python {page.module.name}")
        assert status == 0, printed
        assert told(printed) == told("\n".join(page.prints))
