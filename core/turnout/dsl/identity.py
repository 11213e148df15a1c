"""Refuses ``is`` on an input: a promise is never the object it stands for.

Python gives no way to see ``is`` while it runs, so the body's source is read, which is done only
when its bytecode holds such a comparison at all.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Final

from turnout.errors import GraphError
from turnout.graph.refs import module_name, short_file

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def check(fn: Callable[..., Any]) -> None:
    """Look for ``is`` and ``is not`` between an input and anything but ``None``.

    An input is followed through the names it is assigned to, as long as nothing else is.

    Raises:
        GraphError: there is one.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, SyntaxError):
        return
    function = next((node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)), None)
    if function is None:
        return
    names = _names_of_inputs(function)
    for comparison, culprit in _comparisons(function, names):
        code = fn.__code__
        file = short_file(code.co_filename, module_name(fn.__module__))
        raise GraphError(
            f"'{ast.unparse(comparison)}' compares the input {ast.unparse(culprit)} by identity, "
            f"which a promise cannot answer; write ==, or turnout.fixed({ast.unparse(culprit)})",
            location=f"{file}:{code.co_firstlineno + comparison.lineno - 1}",
        )


def _names_of_inputs(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """The names that stand for inputs, and for nothing else, in all of a function."""
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    names = {argument.arg for argument in every}
    assigned = list(_assignments(function))
    while True:
        found = names | {name for name, value in assigned if _root(value) in names}
        if found == names:
            break
        names = found
    return names - {name for name, value in assigned if _root(value) not in names}


def _assignments(function: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Every name that is given a value, with what the value is, or comes from."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _targets(target, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            yield from _targets(node.target, node.value)
        elif isinstance(node, ast.AugAssign):
            yield from _targets(node.target, node)
        elif isinstance(node, (ast.For, ast.comprehension)):
            yield from _targets(node.target, node.iter)


def _targets(target: ast.expr, value: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
        for index, part in enumerate(target.elts):
            same = values is not None and len(values) == len(target.elts)
            yield from _targets(part, values[index] if values is not None and same else value)


def _comparisons(function: ast.AST, names: set[str]) -> Iterator[tuple[ast.Compare, ast.expr]]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if not isinstance(operator, (ast.Is, ast.IsNot)) or _is_none(left) or _is_none(right):
                continue
            for side in (left, right):
                if _root(side) in names:
                    yield node, side


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _root(node: ast.AST) -> str | None:
    """The name an attribute or item is taken of."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
