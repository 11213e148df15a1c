from __future__ import annotations

from collections.abc import Callable
from typing import Any

Copy = Callable[[str], Any]


def test_it_is_short(example: Copy) -> None:
    text = (example("hello").folder / "hello.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 20


def test_as_a_script(example: Copy) -> None:
    hello = example("hello")
    assert "Hello, world!" in hello.python("hello.py")
    assert "Hello, you!" in hello.python("hello.py", "name=you")


def test_on_the_command_line(example: Copy) -> None:
    hello = example("hello")
    assert "Hello, you!" in hello.turnout("run", "hello.py:hello", "name=you")


def test_in_python(example: Copy) -> None:
    code = "from hello import greet, hello; print(greet('task'), hello('workflow'))"
    assert example("hello").python("-c", code) == "Hello, task! Hello, workflow!\n"
