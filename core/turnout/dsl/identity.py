"""Refuses ``is`` on an input: a promise is never the object it stands for.

Python gives no way to see ``is`` while it runs, so the body's source is read, and only when
its bytecode holds such a comparison at all.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from opcode import opmap
from typing import Any, Protocol

from turnout.errors import GraphError
from turnout.graph.refs import module_name, short_file

_IS_OP = opmap["IS_OP"]


class _HasFunction(Protocol):
    fn: Callable[..., Any]
    name: str


def check(workflow: _HasFunction) -> None:
    """Look for ``is`` and ``is not`` between an input and anything but ``None``.

    Raises:
        GraphError: there is one.
    """
    fn = workflow.fn
    code = getattr(fn, "__code__", None)
    if code is None or _IS_OP not in code.co_code[::2]:
        return
    try:
        source = textwrap.dedent(inspect.getsource(fn))
        tree = ast.parse(source)
    except (OSError, SyntaxError):
        return
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        return
    arguments = function.args
    tainted = {
        argument.arg
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _root(node.value) in tainted:
            tainted |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(function):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if not isinstance(operator, (ast.Is, ast.IsNot)):
                continue
            if any(isinstance(side, ast.Constant) and side.value is None for side in (left, right)):
                continue
            culprit = next((side for side in (left, right) if _root(side) in tainted), None)
            if culprit is not None:
                file = short_file(code.co_filename, module_name(fn.__module__))
                line = code.co_firstlineno + node.lineno - 1
                raise GraphError(
                    f"'{ast.unparse(node)}' compares the input {ast.unparse(culprit)} by identity, "
                    "which a promise cannot answer; write == or turnout.fixed(...)",
                    location=f"{file}:{line}",
                )


def _root(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
