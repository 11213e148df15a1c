"""Notes for exceptions a body raises: where, and which promises it handed on as values."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from turnout.dsl.frames import is_library, is_ours
from turnout.dsl.inputs import Input
from turnout.dsl.promise import Output, name_of
from turnout.errors import TurnoutError, raised_in_body
from turnout.graph.binding import path_text

_LINES: Final = 20
"""Longest call that is read, in lines."""


def note_body(error: Exception, workflow: str) -> None:
    """Note whose body raised an exception, and the promises in the expressions it passed through.

    A TypeError always gets the note on promises; another exception only if code that is not the
    user's raised it.
    """
    if isinstance(error, TurnoutError) or raised_in_body(error):
        return
    frames = [frame for frame in _frames(error.__traceback__) if not is_ours(_file(frame))]
    if frames:
        error.__turnout__ = {"workflow": workflow}  # type: ignore[attr-defined]
    _note_promises(error, frames)


def _note_promises(error: Exception, frames: list[TracebackType]) -> None:
    if not isinstance(error, TypeError) and not _raised_by_others(frames):
        return
    # What the user wrote last comes first; then what libraries were given.
    theirs = [frame for frame in reversed(frames) if is_library(_file(frame))]
    users = [frame for frame in reversed(frames) if not is_library(_file(frame))]
    for frame in (*users, *theirs):
        inputs, outputs = _promises(frame)
        if inputs:
            error.add_note(
                f"inputs involved: {', '.join(inputs)}; while the graph is built an input is a "
                f"promise: use turnout.fixed({inputs[0]}) where its plain value is needed"
            )
        if outputs or "'Output'" in str(error):
            named = f" ({', '.join(outputs)})" if outputs else ""
            error.add_note(
                f"task outputs are involved{named}; they have no value while the graph is built: "
                "use them inside a task or a @dynamic task"
            )
        if hasattr(error, "__notes__"):
            return


def _frames(traceback: TracebackType | None) -> list[TracebackType]:
    found = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def _file(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename


def _raised_by_others(frames: list[TracebackType]) -> bool:
    if not frames:
        return False
    last = frames[-1]
    tree = _expression(last)
    return is_library(_file(last)) or (tree is not None and not _raises(tree))


def _raises(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(tree))


def _promises(frame: TracebackType) -> tuple[list[str], list[str]]:
    """Inputs and outputs in the expression a frame was evaluating."""
    names = frame.tb_frame.f_locals
    tree = _expression(frame)
    inputs: dict[str, None] = {}
    outputs: dict[str, None] = {}
    for value, rest in _chains(tree, names) if tree is not None else _locals(names):
        if type(value) is Input:
            inputs[path_text(value._turnout_path) + rest] = None
        elif type(value) is Output:
            outputs[name_of(value) + rest] = None
    return list(inputs), list(outputs)


def _locals(names: Any) -> Iterator[tuple[Any, str]]:
    for value in list(names.values()):
        yield value, ""


def _chains(tree: ast.AST, names: Any) -> Iterator[tuple[Any, str]]:
    """The local names an expression starts from, with the attributes and items after them."""
    for node in ast.iter_child_nodes(tree):
        root, chain = node, node
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if isinstance(root, ast.Name):
            if root.id in names:
                yield names[root.id], ast.unparse(chain)[len(root.id) :]
        else:
            yield from _chains(node, names)


def _expression(frame: TracebackType) -> ast.AST | None:
    """What a frame was evaluating, read from its source."""
    code = frame.tb_frame.f_code
    positions = list(code.co_positions())[frame.tb_lasti // 2]
    first, last, start, end = positions
    if first is None or last is None or start is None or end is None or last - first > _LINES:
        return None
    lines = [linecache.getline(code.co_filename, number) for number in range(first, last + 1)]
    if not all(lines):
        return None
    # Columns count bytes.
    raw = [line.encode() for line in lines]
    raw[-1] = raw[-1][:end]
    raw[0] = raw[0][start:]
    text = b"".join(raw).decode(errors="replace")
    for candidate in (text, f"({text})", textwrap.dedent(text)):
        try:
            return ast.parse(candidate)
        except SyntaxError:
            continue
    return None
