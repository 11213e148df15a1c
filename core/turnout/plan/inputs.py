"""Inputs of a graph as leaves of trees: found by path, converted, and missing ones noted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from turnout.dsl.known import OPEN, at_path, child_value, kind_of, plain, record_fields
from turnout.errors import ConfigError, TypeMismatch
from turnout.graph import Binding, Graph, Path
from turnout.graph.binding import path_text, select
from turnout.plan.missing import Missing, first_open, joined, missing_keys
from turnout.plan.steps import Tree
from turnout.types import convert
from turnout.types.config_values import explain, unresolved
from turnout.types.foreign import is_config, is_named_tuple, table_size

_PLAIN: Final = frozenset({bool, int, float, str, type(None)})
_SMALL: Final = 1000
"""Plain data of up to this many values is copied for each task, as a part of a config is."""


@dataclass(slots=True)
class Findings:
    """What is wrong with inputs, and what is worth a note; collected, to be told at once.

    Attributes:
        problems: values that do not fit, one message each.
        missing: the inputs without a value.
        whole: nodes and parameters that take a whole config.
    """

    problems: list[str] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    whole: list[tuple[str, str]] = field(default_factory=list)

    def part(self, tree: Tree, path: Path, name: str) -> Tree:
        """The part of a tree at a path; one that is not there is a problem of what is named."""
        try:
            return part(tree, path)
        except (LookupError, AttributeError, TypeError):
            self.problems.append(f"{name!r} does not exist: what it is a part of has no such part")
            return ("const", None)


class Inputs:
    """The inputs of one graph being laid out.

    Args:
        graph: the graph.
        trees: where each input comes from.
        names: how the config spells each; a sub-workflow's inputs are spelt as those it was given.
        findings: collects what is wrong.
    """

    def __init__(
        self,
        graph: Graph,
        trees: Mapping[str, Tree],
        names: Mapping[str, str] | None,
        findings: Findings,
    ) -> None:
        self._trees = trees
        self._names = names if names is not None else _own_names(graph)
        self._findings = findings
        self._used: dict[Path, Tree] = {}
        self._broken: set[Path] = set()

    def tree(
        self, path: Path, annotation: Any = None, node: str = "", parameter: str = ""
    ) -> tuple[Tree, bool]:
        """The tree of an input path, and whether its value is known to fit the annotation."""
        tree = self._trees.get(str(path[0]), ("const", OPEN))
        if tree[0] not in ("const", "own"):
            return self._findings.part(tree, path[1:], self.name(path)), False
        found = self._used.get(path)
        if found is None:
            found = self._used[path] = self._known(tree[1], path)
        value = found[1]
        if len(path) == 1 and node and not self._names.get(str(path[0]), "given"):
            self._findings.whole.append((node, parameter))
        if value is OPEN:
            absent = first_open(tree[1], path)
            part = len(absent) < len(path)
            self._findings.missing.add(self.name(absent), _reader(node, parameter), part=part)
            return ("const", None), True
        if (
            path in self._broken
            or annotation is None
            or (type(value) is annotation and found[0] == "const")
        ):
            return found, True
        reader = _reader(node, parameter)
        where = f"input {self.name(path)!r}" + (f" ({reader})" if reader else "")
        return self.fitting(value, annotation, where, path, node, parameter), True

    def is_open(self, path: Path) -> bool:
        """Whether an input path has no value."""
        tree = self._trees.get(str(path[0]), ("const", OPEN))
        if tree[0] not in ("const", "own"):
            return False
        if path not in self._used:
            self._used[path] = self._known(tree[1], path)
        return self._used[path][1] is OPEN

    def fitting(
        self,
        value: Any,
        annotation: Any,
        where: str,
        path: Path = (),
        node: str = "",
        parameter: str = "",
    ) -> Tree:
        """The leaf of a value made to fit an annotation."""
        try:
            return owned(convert(value, annotation, where))
        except (TypeMismatch, ConfigError) as error:
            absent = missing_keys(value)
            for key in absent:
                self._findings.missing.add(joined(self.name(path), key), _reader(node, parameter))
            if not absent:
                self._findings.problems.append(str(error))
            return ("const", value)

    def name(self, path: Path) -> str:
        """A path as the config spells it: without the parameter that holds the whole config."""
        if not path:
            return ""
        first = str(path[0])
        return path_text((self._names.get(first, first), *path[1:])).lstrip(".")

    def names_for(self, args: Sequence[tuple[str, Binding]], node: str) -> dict[str, str]:
        """How the config spells the inputs of a sub-workflow called with these arguments."""
        return {
            name: self.name(binding[1:]) if binding[0] == "input" else f"{node}/{name}"
            for name, binding in args
        }

    def _known(self, value: Any, path: Path) -> Tree:
        found = value
        try:
            found = at_path(value, path[1:])
            return owned(found if found is OPEN else plain(found))
        except Exception as error:
            errors = unresolved(found) or {self.name(path) or "the whole config": error}
            for name, reason in errors.items():
                told = explain(reason)
                if told is None:
                    raise
                problem = "input " + (
                    told if told.startswith(f"{name!r}:") else f"{name!r}: {told}"
                )
                if problem not in self._findings.problems:
                    self._findings.problems.append(problem)
            self._broken.add(path)
            return ("const", None)


def _own_names(graph: Graph) -> dict[str, str]:
    return {param.name: "" if param.whole else param.name for param in graph.params}


def _reader(node: str, parameter: str) -> str:
    return f"node {node!r}, parameter {parameter!r}" if node else ""


def owned(value: Any) -> Tree:
    """A leaf for an input or a constant: a task gets its own copy of what is, or is like, a config.

    What nobody can change is not copied, and neither is what is large.

    >>> owned(3), owned({"lr": 0.1}), owned((1, "a")), owned([0.0] * 2000)[0]
    (('const', 3), ('own', {'lr': 0.1}), ('const', (1, 'a')), 'const')
    """
    if type(value) in _PLAIN or _is_frozen(value):
        return ("const", value)
    small = is_config(type(value)) or (kind_of(value) != "scalar" and _count(value, _SMALL) > 0)
    return ("own" if small else "const", value)


def _is_frozen(value: Any) -> bool:
    kind = type(value)
    if kind is tuple or is_named_tuple(kind):
        return all(type(item) in _PLAIN or _is_frozen(item) for item in value)
    if dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return all(_is_frozen(getattr(value, name)) for name in record_fields(value))
    return kind_of(value) == "scalar" or kind is frozenset


def _count(value: Any, left: int) -> int:
    """What is left of an allowance after a structure of plain data; 0 for anything else."""
    kind = kind_of(value)
    if kind == "scalar":
        return left - 1
    if left <= 0:
        return 0
    if kind == "record":
        items: Any = [getattr(value, name) for name in record_fields(value)]
    elif kind == "opaque" and type(value) not in (set, frozenset):
        return max(0, left - (table_size(value) or left))
    elif len(value) > left:
        return 0
    else:
        items = value.values() if kind in ("mapping", "config") else value
    for item in items:
        left = _count(item, left)
        if left <= 0:
            return 0
    return left


def part(tree: Tree, path: Path) -> Tree:
    """The part of a tree at a path, down into known values where they are."""
    for position, key in enumerate(path):
        if tree[0] == "step":
            return (*tree, *path[position:])
        if tree[0] in ("const", "own"):
            value = tree[1]
            for step in path[position:]:
                value = child_value(value, step)
            return owned(value)
        tree = select(tree, (key,))
    return tree
