"""A function's annotations, resolved as far as they can be."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import types
import typing
import weakref
from collections.abc import Mapping
from typing import Any

_MEMO: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()


def hints(fn: Any) -> dict[str, Any]:
    """The annotations of a function, or of the fields of a class, as objects.

    Names that are only imported for type checking, or cannot be found for another reason, stand
    for `typing.Any`, each by itself. A function defined inside another one may name what
    that one has defined.

    >>> def scale(x: "list[float]", by: "list[Unheard]") -> "float": ...
    >>> hints(scale)
    {'x': list[float], 'by': list[typing.Any], 'return': <class 'float'>}
    """
    while isinstance(fn, functools.partial):
        fn = fn.func
    if not hasattr(fn, "__annotations__") and not isinstance(fn, type):
        fn = type(fn).__call__ if callable(fn) else fn
    try:
        known = _MEMO.get(fn)
    except TypeError:  # it cannot be hashed or referred to weakly
        return _resolve(fn)[0]
    if known is None:
        known, complete = _resolve(fn)
        if complete:  # a name that is not there yet may come
            _MEMO[fn] = known
    return dict(known)


def _resolve(fn: Any) -> tuple[dict[str, Any], bool]:
    """The annotations, and whether every name in them was found."""
    around = {**_enclosing(fn), **_closure(fn)}
    try:
        return typing.get_type_hints(fn, localns=around or None, include_extras=True), True
    except Exception:  # annotations are code of the user's, evaluated
        pass
    found: dict[str, Any] = {}
    complete = True
    for owner in reversed(fn.__mro__) if isinstance(fn, type) else (fn,):
        names = {**_globals(owner), **around}
        for name, annotation in _written(owner).items():
            found[name], whole = _one(annotation, names)
            complete = complete and whole
    return found, complete


def _written(owner: Any) -> Mapping[str, Any]:
    try:
        return inspect.get_annotations(owner)
    except Exception:  # not a thing that has any
        return {}


def _one(annotation: Any, names: Mapping[str, Any]) -> tuple[Any, bool]:
    """One annotation, and whether every name in it was found."""
    carrier = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        # As a carrier of annotations, which the signature in typeshed does not foresee.
        resolve: Any = typing.get_type_hints
        return resolve(carrier, dict(names), dict(names), include_extras=True)["it"], True
    except Exception:  # see above
        if not isinstance(annotation, str):
            return Any, False
    try:
        tree = _Known(names).visit(ast.parse(annotation, mode="eval"))
        code = compile(ast.fix_missing_locations(tree), "<annotation>", "eval")
        value = eval(code, dict(names) | {_ANY: Any})
    except Exception:  # see above
        return Any, False
    return type(None) if value is None else value, False


_ANY = "__any__"


class _Known(ast.NodeTransformer):
    """Puts `Any` for each dotted name that cannot be found."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = dict(names)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._or_any(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._or_any(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        return typing.cast("ast.AST", self.visit(ast.parse(node.value, mode="eval").body))

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        value = self.visit(node.value)
        if isinstance(value, ast.Name) and value.id == _ANY:
            return value
        name = ast.unparse(value).rpartition(".")[2]
        if name == "Literal":
            return node
        if name == "Annotated" and isinstance(node.slice, ast.Tuple):
            first, *rest = node.slice.elts
            node.slice.elts = [self.visit(first), *rest]
            return node
        node.value, node.slice = value, self.visit(node.slice)
        return node

    def _or_any(self, node: ast.expr) -> ast.AST:
        try:
            eval(ast.unparse(node), self._names)
        except Exception:
            return ast.Name(_ANY, ast.Load())
        return node


def _globals(owner: Any) -> dict[str, Any]:
    if isinstance(owner, type):
        module = sys.modules.get(owner.__module__)
        return {**(vars(module) if module else {}), **vars(owner)}
    return dict(getattr(inspect.unwrap(owner), "__globals__", {}))


def _closure(fn: Any) -> dict[str, Any]:
    """The names that a function shares with the functions around it."""
    fn = fn if isinstance(fn, type) else inspect.unwrap(fn)
    code, cells = getattr(fn, "__code__", None), getattr(fn, "__closure__", None)
    found = {}
    for name, cell in zip(code.co_freevars, cells, strict=True) if code and cells else ():
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for variable in getattr(fn, "__type_params__", ()):
        found[variable.__name__] = variable
    return found


def _enclosing(owner: Any) -> dict[str, Any]:
    """The local names around a definition, if the function around it is still running.

    A name that only an annotation mentions is in no closure.
    """
    outer, nested, _ = getattr(owner, "__qualname__", "").rpartition(".<locals>")
    frame = sys._getframe() if nested else None
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if frame.f_code.co_qualname == outer and module == owner.__module__:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}
