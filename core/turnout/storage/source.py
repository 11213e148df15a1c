"""What the code of one function or class says, and the names it uses.

Code is read as a syntax tree without docstrings and positions, so that formatting and comments
do not count. Where no source can be found, the compiled code stands in.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from turnout.storage.checksum import checksum

__all__ = ["Import", "Piece", "piece_of_class", "piece_of_file", "piece_of_function"]

_DYNAMIC: Final = frozenset(
    {"getattr", "__import__", "import_module", "instantiate", "eval", "exec"}
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Import(NamedTuple):
    """An import statement inside a function: ``from`` so many dots and ``module``, these names."""

    level: int
    module: str
    names: tuple[str, ...]


class Piece(NamedTuple):
    """The code of one function, class or file.

    Attributes:
        digest: checksum of what it says.
        chains: dotted names it uses whose first part it does not define, sorted.
        imports: import statements in it.
        notes: calls whose target cannot be known.
    """

    digest: str
    chains: tuple[tuple[str, ...], ...]
    imports: tuple[Import, ...]
    notes: tuple[str, ...]


def piece_of_function(code: types.CodeType, is_ours: Callable[[tuple[str, ...]], bool]) -> Piece:
    """The piece of a function's code.

    Args:
        code: the function's code.
        is_ours: whether a dotted name of a decorator is one of turnout's. Those say how a task
            is run, which is no part of what it does.
    """
    file = _parsed(code.co_filename)
    node = file.function(code) if file is not None else None
    if node is None:
        return _compiled(code)
    if not isinstance(node, ast.Lambda):
        node = _with(node, [d for d in node.decorator_list if not is_ours(_decorator(d))])
    made = _compile(node)
    if made is None or not _same(made, code):
        # The file was changed after it was imported, or the code was rewritten on import.
        return _compiled(code)
    return _piece([node], code.co_filename, _names(made))


def piece_of_class(qualname: str, filename: str) -> Piece | None:
    """The piece of a class of that file, with all its methods, or ``None`` without source."""
    file = _parsed(filename)
    nodes = file.classes.get(qualname) if file is not None else None
    if not nodes:
        return None
    names: set[str] = set()
    for node in nodes:
        made = _compile(node)
        names |= _names(made) if made is not None else set()
    return _piece(nodes, filename, names)


def piece_of_file(filename: str) -> Piece | None:
    """The piece of a whole module, or ``None`` without source."""
    file = _parsed(filename)
    return None if file is None else _piece([file.tree], filename, set())


class _File:
    """A parsed file, and where its functions and classes are."""

    __slots__ = ("classes", "functions", "lines", "tree")

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.tree = ast.parse("".join(lines))
        self.functions: dict[tuple[str, int], list[_Function]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self._index(self.tree, "")

    def _index(self, parent: ast.AST, prefix: str) -> None:
        for node in ast.iter_child_nodes(parent):
            inner = prefix
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                self.functions.setdefault((node.name, first), []).append(node)
                inner = f"{prefix}{node.name}.<locals>."
            elif isinstance(node, ast.Lambda):
                self.functions.setdefault(("<lambda>", node.lineno), []).append(node)
                inner = f"{prefix}<lambda>.<locals>."
            elif isinstance(node, ast.ClassDef):
                self.classes.setdefault(prefix + node.name, []).append(node)
                inner = f"{prefix}{node.name}."
            self._index(node, inner)

    def function(self, code: types.CodeType) -> _Function | None:
        found = self.functions.get((code.co_name, code.co_firstlineno), [])
        if len(found) > 1:
            found = [node for node in found if _stands_at(node, code)]
        return found[0] if len(found) == 1 else None


_files: dict[str, _File | None] = {}


def _parsed(filename: str) -> _File | None:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    if not lines:
        return None
    known = _files.get(filename)
    if known is None or known.lines is not lines:
        try:
            known = _File(lines)
        except (SyntaxError, ValueError, RecursionError):
            known = None
        _files[filename] = known
    return known


def _stands_at(node: _Function, code: types.CodeType) -> bool:
    """Whether the code's instructions are those of this one of several lambdas on a line."""
    if not isinstance(node, ast.Lambda):
        return False
    body = node.body
    span = ((body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset))
    places = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    starts = [(p[0], p[2]) for p in places]
    ends = [(p[1], p[3]) for p in places]
    return bool(places) and (min(starts), max(ends)) == span


def _with(node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: list[ast.expr]) -> Any:
    if len(decorators) == len(node.decorator_list):
        return node
    fields: dict[str, Any] = {name: getattr(node, name, None) for name in node._fields}
    fields["decorator_list"] = decorators
    return ast.copy_location(type(node)(**fields), node)


def _decorator(node: ast.expr) -> tuple[str, ...]:
    return _chain(node.func if isinstance(node, ast.Call) else node)


def _compile(node: ast.AST) -> types.CodeType | None:
    """The code of a function or class alone; what it takes from around it is global in it."""
    body: Any = ast.Expr(node) if isinstance(node, ast.expr) else node
    module = ast.Module(body=[ast.copy_location(body, node)], type_ignores=[])
    try:
        return compile(module, "<piece>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _codes(const)


def _names(code: types.CodeType) -> set[str]:
    return {name for part in _codes(code) for name in (*part.co_names, *part.co_freevars)}


def _same(made: types.CodeType, code: types.CodeType) -> bool:
    """Whether compiled source is the code that runs."""
    alike = [part for part in made.co_consts if isinstance(part, types.CodeType)]
    return any(_likeness(part) == _likeness(code) for part in alike if part.co_name == code.co_name)


def _likeness(code: types.CodeType) -> Any:
    parts = list(_codes(code))
    names = {name for part in parts for name in (*part.co_names, *part.co_freevars)}
    plain = [c for part in parts for c in part.co_consts if isinstance(c, (int, str, float))]
    return names - {"__class__"}, [part.co_argcount for part in parts], repr(plain)


def _piece(nodes: list[Any], filename: str, names: set[str]) -> Piece:
    chains: set[tuple[str, ...]] = set()
    imports: set[Import] = set()
    notes: list[str] = []
    place = os.path.basename(filename)
    stack: list[ast.AST] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        chain = _chain(node)
        if chain:
            if chain[0] in names:
                chains.add(chain)
            continue
        if isinstance(node, ast.Import):
            imports.update(Import(0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            taken = tuple(alias.name for alias in node.names)
            imports.add(Import(node.level, node.module or "", taken))
        elif isinstance(node, ast.Call):
            called = _chain(node.func)
            if called and called[-1] in _DYNAMIC:
                known = _constant_attribute(node) if called == ("getattr",) else ()
                if known:
                    chains.update({known} if known[0] in names else ())
                elif called != ("getattr",) or not _is_constant_getattr(node):
                    notes.append(
                        f"calls {called[-1]} at {place}:{node.lineno}, whose target does not count"
                    )
        stack.extend(reversed(list(ast.iter_child_nodes(node))))
    text = "\n".join(_shape(node) for node in nodes)
    return Piece(
        checksum(text.encode("utf-8", "surrogatepass")),
        tuple(sorted(chains)),
        tuple(sorted(imports)),
        tuple(notes),
    )


def _chain(node: ast.AST) -> tuple[str, ...]:
    """``a.b.c`` as its parts; empty for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def _is_constant_getattr(call: ast.Call) -> bool:
    name = call.args[1] if len(call.args) > 1 else None
    return isinstance(name, ast.Constant) and isinstance(name.value, str)


def _constant_attribute(call: ast.Call) -> tuple[str, ...]:
    """What ``getattr(a.b, "c")`` reads, as a chain."""
    if not _is_constant_getattr(call):
        return ()
    chain = _chain(call.args[0])
    name: Any = call.args[1]
    return (*chain, name.value) if chain else ()


def _shape(node: Any) -> str:
    """A tree as text, without what formatting, comments and docstrings change."""
    if isinstance(node, list):
        return f"[{','.join([_shape(item) for item in node])}]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    parts = [type(node).__name__]
    for name in node._fields:
        if name in ("ctx", "kind", "type_comment", "type_ignores"):
            continue
        value: Any = getattr(node, name, None)
        if name == "body" and isinstance(node, _DOCUMENTED) and _is_docstring(value):
            value = value[1:]
        # Newer versions of Python add fields, which are empty where they are not used.
        if value is not None and value != []:
            parts.append(f"{name}={_shape(value)}")
    return f"({' '.join(parts)})"


_DOCUMENTED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


def _is_docstring(body: list[Any]) -> bool:
    first = body[0] if body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def _compiled(code: types.CodeType) -> Piece:
    """The piece of code without source: its instructions, constants and names."""
    texts: list[str] = []
    for part in _codes(code):
        plain = [c for c in part.co_consts if not isinstance(c, types.CodeType)]
        words = (part.co_names, part.co_varnames, part.co_freevars, part.co_cellvars)
        texts.append(f"{part.co_code.hex()} {_constants(plain)} {words!r}")
    names = sorted(_names(code))
    chains = [(name,) for name in names if name not in _DYNAMIC]
    place = os.path.basename(code.co_filename)
    notes = [
        f"calls {name} at {place}:{code.co_firstlineno}, whose target does not count"
        for name in names
        if name in _DYNAMIC
    ]
    version = f"{sys.implementation.cache_tag} "
    text = version + "\n".join(texts)
    return Piece(checksum(text.encode("utf-8", "surrogatepass")), tuple(chains), (), tuple(notes))


def _constants(values: list[Any]) -> str:
    # A set literal is a frozenset here, whose order differs from process to process.
    return repr([sorted(map(repr, v)) if isinstance(v, frozenset) else v for v in values])
