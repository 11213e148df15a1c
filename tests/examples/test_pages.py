"""What the pages show is what the files hold and the commands print."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnout.config.project import find

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "penguins",
    "examples/hello/README.md": "hello",
    "examples/penguins/README.md": "penguins",
    "examples/progression/README.md": "progression",
    "examples/wine/README.md": "wine",
}
TYPED = {"make demo": "python main.py"}
CHANGES = [
    (r"(?m)^\d\d:\d\d:\d\d .*\n", ""),  # progress as it looks without a terminal
    (r"(?m)^\[[\d, :-]+\]", "[...]"),
    (r"<1 ms|\b[\d.]+ (ms|s)\b", "TIME"),
    (r"run \d{8}-\d{6}-\w+.*", "run ID"),
    (r"\b[01]\.\d*", "NUMBER"),  # differs between versions of scikit-learn
    (r" +", " "),
]


def blocks(page: str, kind: str) -> list[str]:
    """The code blocks of a page that open so."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"{kind}\n(.*?)```", text, re.DOTALL)


def told(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    for pattern, replacement in CHANGES:
        text = re.sub(pattern, replacement, text)
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_is_what_is_printed(page: str, example: Callable[[str], Any]) -> None:
    copy = example(PAGES[page])
    shown = "".join(blocks(page, "```console"))
    commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)
    assert commands
    for command, expected in commands:
        program, *arguments = shlex.split(TYPED.get(command, command))
        printed = copy.typed(program, *arguments)
        assert told(printed) == told(expected), command


@pytest.mark.parametrize("page", PAGES)
def test_a_page_tells_where_runs_are_recorded(page: str) -> None:
    folder = ROOT / "examples" / PAGES[page]
    home = os.path.relpath(find(str(folder / "README.md")).root / ".turnout", folder)
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"recorded in (\S+)", text)) == {home}


def test_the_demo_is_the_example_that_is_shown() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^demo: .*\n\t@cd examples/penguins && \S+ main.py", recipe, re.MULTILINE)


@pytest.mark.parametrize("file", ["turnout_threads.py", "test_threads.py"])
def test_the_page_for_backend_authors_shows_the_example(file: str) -> None:
    path = f"examples/plugin_threads/{file}"
    marker = f"<!-- file: {path} -->\n\n```python"
    text = (ROOT / path).read_text(encoding="utf-8")
    assert blocks("backends/README.md", re.escape(marker)) == [text]
