"""What the names in a function's source stand for: inputs, outputs of tasks, functions."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any, Final, NamedTuple, TypeAlias

from turnout.dsl.branch import conditional
from turnout.dsl.control import Mapped, map_task
from turnout.dsl.decorators import dynamic, task
from turnout.dsl.reach import NOTHING, Names, attribute
from turnout.dsl.signatures import Placeable
from turnout.dsl.task import Task
from turnout.dsl.workflow import workflow

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DECORATORS: Final = (task, dynamic, workflow)


class Promised(NamedTuple):
    """What stands for a promise.

    Attributes:
        task: the task, workflow or conditional that gives it; ``""`` for an input.
        given: of a parameter: what a call gave it, and where.
    """

    task: str = ""
    given: str = ""


class Inner(NamedTuple):
    """A function inside a function.

    Attributes:
        node: its source.
        scope: the function around it.
    """

    node: Function
    scope: Scope


class _Maker(NamedTuple):
    """What gives a promise when it is called, known from its source only."""

    name: str


class _Options(NamedTuple):
    """The ``with_options`` of a task."""

    task: Any


class Scope:
    """The names of one function.

    A name stands for a promise as long as nothing else is assigned to it.

    Args:
        node: the function's source.
        names: what the names stand for that no function around it assigns.
        given: the parameters that stand for promises.
        outer: the function around it.
    """

    def __init__(
        self,
        node: Function,
        names: Names,
        given: Mapping[str, Promised],
        outer: Scope | None = None,
    ) -> None:
        self.node = node
        self.names = names
        self.outer = outer
        self.key: tuple[Any, ...] = (id(node), frozenset(given.items()), outer and outer.key)
        self._given = given
        self._assigned: dict[str, list[ast.AST | None]] = {}
        for name in parameters(node):
            self._assigned[name] = [] if name in given else [None]
        for name, value in _assignments(node):
            self._assigned.setdefault(name, []).append(value)
        self._promised = dict(given)
        self._open: set[str] = set()
        self._settle()

    def _settle(self) -> None:
        found = True
        while found:
            found = False
            for name in self._assigned.keys() - self._promised.keys():
                kinds = [self.promise(value) for value in self._assigned[name]]
                kind = next(filter(None, kinds), None)
                if kind is not None:
                    self._promised[name], found = kind, True
        while not found:
            found = True
            for name, kind in [*self._promised.items()]:
                kinds = [self.promise(value) for value in self._assigned[name]]
                if any(one is None or bool(one.task) != bool(kind.task) for one in kinds):
                    del self._promised[name]
                    found = False

    def promise(self, value: ast.AST | None) -> Promised | None:
        """The promise an expression stands for, ``None`` where it is none for certain."""
        while isinstance(value, (ast.Attribute, ast.Subscript)):
            value = value.value
        if isinstance(value, ast.Name):
            if value.id in self._assigned:
                return self._promised.get(value.id)
            return None if self.outer is None else self.outer.promise(value)
        if isinstance(value, ast.NamedExpr):
            return self.promise(value.value)
        if isinstance(value, ast.IfExp):
            one, other = self.promise(value.body), self.promise(value.orelse)
            return one if one and other and bool(one.task) == bool(other.task) else None
        return self._called(value) if isinstance(value, ast.Call) else None

    def _called(self, call: ast.Call) -> Promised | None:
        callee = self.thing(call.func)
        if isinstance(callee, (Placeable, _Maker)):
            return Promised(str(getattr(callee, "name", "")))
        if isinstance(callee, Mapped):
            return Promised(callee._task.name)
        if not isinstance(call.func, ast.Attribute):
            return None
        if call.func.attr in ("items", "values") and not call.args:
            source = self.promise(call.func.value)
            return source if source is not None and not source.task else None
        root: ast.AST = call
        while isinstance(root, ast.Call) and isinstance(root.func, ast.Attribute):
            root = root.func.value
        if isinstance(root, ast.Call) and self.thing(root.func) is conditional:
            first = root.args[0] if root.args else None
            named = first.value if isinstance(first, ast.Constant) else "conditional"
            return Promised(str(named))
        return None

    def thing(self, value: ast.AST | None) -> Any:
        """The object or inner function an expression gives; `NOTHING` where it is not known."""
        if isinstance(value, ast.Name):
            return self._named(value.id)
        if isinstance(value, ast.Lambda):
            return Inner(value, self)
        if isinstance(value, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return self._defined(value)
        if isinstance(value, ast.Attribute):
            owner = self.thing(value.value)
            if value.attr == "with_options" and isinstance(owner, (Task, _Maker)):
                return _Options(owner)
            return attribute(owner, value.attr)
        if isinstance(value, ast.Call):
            callee = self.thing(value.func)
            if isinstance(callee, _Options):
                return callee.task
            if callee is map_task:
                mapped = self.thing(value.args[0]) if value.args else NOTHING
                return _Maker(str(getattr(mapped, "name", "map_task")))
        return NOTHING

    def _named(self, name: str) -> Any:
        values = self._assigned.get(name)
        if values is None:
            return self.names.of(name) if self.outer is None else self.outer._named(name)
        if len(values) != 1 or name in self._open:
            return NOTHING
        self._open.add(name)  # what is assigned to it may name it
        try:
            return self.thing(values[0])
        finally:
            self._open.discard(name)

    def _defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Any:
        if not node.decorator_list:
            return Inner(node, self)
        for decorator in node.decorator_list:
            made = self.thing(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if any(made is one for one in _DECORATORS):
                return _Maker(node.name)
        return NOTHING


def parameters(node: Function) -> list[str]:
    """The names of a function's parameters."""
    args = node.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    every += [one for one in (args.vararg, args.kwarg) if one is not None]
    return [one.arg for one in every]


def own_nodes(node: Function) -> Iterator[ast.AST]:
    """What a function's body is made of, without what is inside inner functions and classes."""
    todo: list[ast.AST] = []
    todo += node.body[::-1] if isinstance(node.body, list) else [node.body]
    while todo:
        part = todo.pop()
        yield part
        inside: Iterable[ast.AST | None] = ast.iter_child_nodes(part)
        if isinstance(part, _FUNCTIONS):
            decorators = [] if isinstance(part, ast.Lambda) else part.decorator_list
            inside = [*decorators, *part.args.defaults, *part.args.kw_defaults]
        elif isinstance(part, ast.ClassDef):
            inside = part.decorator_list
        todo += [*filter(None, inside)][::-1]


def source_of(fn: FunctionType) -> Function | None:
    """The source of a function, ``None`` where it cannot be read."""
    code = fn.__code__
    linecache.checkcache(code.co_filename)
    try:
        tree = _tree("".join(linecache.getlines(code.co_filename, fn.__globals__)))
    except SyntaxError:
        return None
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, _FUNCTIONS)
        and _first_line(node) == code.co_firstlineno
        and getattr(node, "name", "<lambda>") == code.co_name
    ]
    if len(found) > 1:  # several lambdas in one line, the inner ones last
        spans = {*code.co_positions()}
        found = [node for node in found if not spans.isdisjoint(map(_span, own_nodes(node)))]
    return found[-1] if found else None


@functools.lru_cache(maxsize=32)
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _first_line(node: Function) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(one.lineno for one in decorators)])


def _span(node: ast.AST) -> tuple[Any, ...]:
    names = ("lineno", "end_lineno", "col_offset", "end_col_offset")
    return tuple([getattr(node, name, None) for name in names])


def _assignments(function: Function) -> Iterator[tuple[str, ast.AST | None]]:
    """Every name that is given a value, with what the value is, or comes from, if that is known."""
    for node in own_nodes(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _targets(target, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            yield from _targets(node.target, node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            literal = isinstance(node.iter, (ast.Tuple, ast.List))
            for item in node.iter.elts if literal else [node.iter]:  # type: ignore[attr-defined]
                yield from _targets(node.target, item)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node
        else:
            yield from _others(node)
    for node in ast.walk(function):
        if isinstance(node, (ast.Nonlocal, ast.Global)):
            yield from ((name, None) for name in node.names)


def _others(node: ast.AST) -> Iterator[tuple[str, None]]:
    """Names given a value that is not looked at."""
    if isinstance(node, ast.AugAssign):
        yield from _unknown(node.target)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from _unknown(node.optional_vars)
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0], None
    elif isinstance(node, (ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        if node.name is not None:
            yield node.name, None
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        yield node.rest, None


def _unknown(target: ast.expr) -> Iterator[tuple[str, None]]:
    stored = (node for node in ast.walk(target) if isinstance(node, ast.Name))
    yield from ((node.id, None) for node in stored if isinstance(node.ctx, ast.Store))


def _targets(target: ast.expr, value: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
        same = values is not None and len(values) == len(target.elts)
        for index, part in enumerate(target.elts):
            yield from _targets(part, values[index] if values is not None and same else value)
    elif isinstance(target, ast.Starred):
        yield from _unknown(target)
