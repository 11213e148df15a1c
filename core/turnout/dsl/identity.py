"""Refuses ``is`` on a promise, which is never the object it stands for.

Python gives no way to see ``is`` while it runs, and a pattern looks at the class of its subject,
so sources are read: the body's, and those of the project's functions that it hands promises to.
That is done only where `turnout.dsl.reach.looks_closely`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from types import FunctionType
from typing import Any, Final

from turnout.dsl.promise import steering
from turnout.dsl.reach import Names, layers
from turnout.dsl.scope import Function, Inner, Promised, Scope, own_nodes, parameters, source_of
from turnout.errors import GraphError

_INPUT: Final = Promised()
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def check(fn: Callable[..., Any], inputs: Collection[str]) -> None:
    """Look for ``is`` and patterns on inputs and task outputs; ``is None`` on an input is fine.

    Both are followed through the names they are assigned to, as long as nothing else is, and
    into the functions of the project they are given to. A parameter that a task output is given
    to may be compared with ``None``, which another call may give it.

    Args:
        fn: the body of a workflow or of a dynamic task.
        inputs: the parameters that stand for inputs.

    Raises:
        GraphError: there is one.
    """
    walk = _Walk()
    for layer in layers(fn):
        node = source_of(layer)
        if node is None:
            continue
        rest = [one.arg for one in (node.args.vararg, node.args.kwarg) if one is not None]
        names = {*parameters(node)} & {*inputs, *(rest if inputs else ())}
        walk.body(Scope(node, Names(layer), dict.fromkeys(names, _INPUT)))


class _Walk:
    """The functions that have been looked at, each once for what it is given."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], Scope] = {}

    def body(self, scope: Scope) -> None:
        if scope.key in self._seen:
            return
        self._seen[scope.key] = scope
        for node in own_nodes(scope.node):
            if isinstance(node, ast.Compare):
                _compared(scope, node)
            elif isinstance(node, ast.Match):
                for case in node.cases:
                    _matched(scope, node.subject, case.pattern)
            elif isinstance(node, ast.Call):
                self._called(scope, node)
            elif isinstance(node, _FUNCTIONS):
                self.body(Scope(node, scope.names, {}, scope))

    def _called(self, scope: Scope, call: ast.Call) -> None:
        callee, args, each = scope.thing(call.func), call.args, ""
        if (callee is map or callee is filter) and args:
            callee, args, each = scope.thing(args[0]), args[1:], "an item of "
        if isinstance(callee, Inner):
            given = _given(callee.node, scope, args, call, each)
            self.body(Scope(callee.node, callee.scope.names, given, callee.scope))
        elif isinstance(callee, FunctionType):
            for layer in layers(callee):
                node = source_of(layer)
                if node is not None:
                    self.body(Scope(node, Names(layer), _given(node, scope, args, call, each)))


def _given(
    node: Function, scope: Scope, args: list[ast.expr], call: ast.Call, each: str
) -> dict[str, Promised]:
    """The parameters of a function that a call gives promises to."""
    by_position = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    pairs: list[tuple[str, ast.expr]] = []
    for name, value in zip(by_position, args, strict=False):
        if isinstance(value, ast.Starred):
            break
        pairs.append((name, value))
    pairs += [(one.arg, one.value) for one in call.keywords if one.arg is not None]
    takes = {*parameters(node)}
    found = {}
    for name, value in pairs:
        promise = scope.promise(value)
        if promise is not None and name in takes:
            where = f"{each}{ast.unparse(value)} at {scope.names.file}:{call.lineno}"
            found[name] = promise._replace(given=where)
    return found


def _compared(scope: Scope, node: ast.Compare) -> None:
    sides = [node.left, *node.comparators]
    for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if not isinstance(operator, (ast.Is, ast.IsNot)):
            continue
        for side, other in ((left, right), (right, left)):
            none = isinstance(other, ast.Constant) and other.value is None
            _judge(scope, node, ast.unparse(node), side, none=none)


def _matched(scope: Scope, subject: ast.expr, pattern: ast.pattern) -> None:
    for part, of in _patterns(subject, pattern):
        none = isinstance(part, ast.MatchSingleton) and part.value is None
        _judge(scope, part, f"case {ast.unparse(part)}", of, none=none)


def _patterns(subject: ast.expr, pattern: ast.pattern) -> Iterator[tuple[ast.pattern, ast.expr]]:
    """The patterns that compare by identity or look at a class, with what they are matched on."""
    if isinstance(pattern, ast.MatchOr):
        for one in pattern.patterns:
            yield from _patterns(subject, one)
    elif isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        yield from _patterns(subject, pattern.pattern)
    elif isinstance(pattern, (ast.MatchSingleton, ast.MatchMapping)):
        yield pattern, subject
    elif isinstance(pattern, ast.MatchSequence):
        items = subject.elts if isinstance(subject, (ast.Tuple, ast.List)) else None
        if items is None:
            yield pattern, subject
        elif len(items) == len(pattern.patterns):
            for item, one in zip(items, pattern.patterns, strict=True):
                yield from _patterns(item, one)
    elif isinstance(pattern, ast.MatchClass):
        yield pattern, subject
        for name, one in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
            yield from _patterns(ast.Attribute(subject, name, ast.Load()), one)


def _judge(scope: Scope, node: Any, text: str, side: ast.expr, *, none: bool) -> None:
    """Refuse a comparison or pattern, if the one side is a promise.

    Args:
        scope: the function it is in.
        node: the comparison or pattern.
        text: it, as it is written.
        side: what may be a promise.
        none: whether it asks for ``None``.

    Raises:
        GraphError: it can never be what it says.
    """
    promise = scope.promise(side)
    if promise is None or (none and (not promise.task or promise.given)):
        return
    culprit, where = ast.unparse(side), f"{scope.names.file}:{node.lineno}"
    given = f" (given {promise.given})" if promise.given else ""
    if promise.task:
        told = steering(promise.task, f"compared by identity in {text!r}{given}")
        raise GraphError(f"{culprit!r}, {told}", location=where)
    if isinstance(node, ast.MatchClass):
        return  # an input tells the class of its value
    way = f"turnout.fixed({culprit})"
    way = f"match {way}" if isinstance(node, ast.pattern) else f"==, or {way}"
    raise GraphError(
        f"{text!r} compares the input {culprit} by identity{given}, which a promise cannot answer; "
        f"write {way}",
        location=where,
    )
