"""Lays a graph out as steps: inputs filled in and converted, sub-workflows dissolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnout.dsl.known import OPEN, child_value, kind_of, plain
from turnout.errors import ConfigError, TypeMismatch
from turnout.graph import (
    Binding,
    BranchNode,
    Graph,
    MapNode,
    NodeId,
    Path,
    Predicate,
    TaskKey,
    TaskNode,
    TaskOptions,
    WorkflowNode,
)
from turnout.graph.binding import leaves, map_leaves, path_text, select
from turnout.plan.steps import Program, Scope, Step, Tree
from turnout.types import convert

_PLAIN = frozenset({bool, int, float, str, type(None)})


class Layout:
    """Adds graphs to a program.

    Problems with inputs are collected in `problems` rather than raised, so that all of them can
    be told at once.
    """

    def __init__(
        self,
        annotations: Callable[[TaskKey], Mapping[str, Any]],
        version: Callable[[TaskKey, TaskOptions], str],
        options: Callable[[TaskKey, TaskOptions | None], TaskOptions],
        program: Program | None = None,
        workflows: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.program = Program() if program is None else program
        self.problems: list[str] = []
        self.missing: dict[str, list[str]] = {}
        self.workflows = workflows or {}
        self._annotations = annotations
        self._version = version
        self._options = options

    def add(
        self,
        graph: Graph,
        inputs: Mapping[str, Tree],
        *,
        prefix: str = "",
        guard: tuple[int, int] | None = None,
        parent: int | None = None,
    ) -> Tree | None:
        """Lay out a graph; gives the tree of its result."""
        scope = len(self.program.scopes)
        self.program.scopes.append(Scope(graph, inputs, prefix, parent, graph.on_failure))
        return _Frame(self, graph, inputs, prefix, guard, scope).run()

    def handler(self, scope: int, error: str) -> Tree | None:
        """Lay out a scope's failure handler."""
        found = self.program.scopes[scope]
        assert found.handler is not None
        inputs = {**found.inputs, "error": ("inline", error)}
        frame = _Frame(self, found.graph, inputs, found.prefix, None, scope)
        frame.add(found.handler)
        return frame.result_of(found.handler.id)


class _Frame:
    """One graph being laid out."""

    def __init__(
        self,
        layout: Layout,
        graph: Graph,
        inputs: Mapping[str, Tree],
        prefix: str,
        guard: tuple[int, int] | None,
        scope: int,
    ) -> None:
        self.layout = layout
        self.steps = layout.program.steps
        self.graph = graph
        self.inputs = inputs
        self.prefix = prefix
        self.outer_guard = guard
        self.scope = scope
        self.places: dict[NodeId, Tree] = {}
        self.members: dict[NodeId, range] = {}
        self.branches: list[tuple[BranchNode, Step, list[Predicate | None]]] = []
        self.used: dict[Path, Tree] = {}

    def run(self) -> Tree | None:
        for node in self.graph.nodes:
            self.add(node)
        self._close_branches()
        return None if self.graph.result is None else self.tree(self.graph.result)

    def result_of(self, node: NodeId) -> Tree:
        return self.places[node]

    def add(self, node: Any) -> None:
        kind = type(node)
        if kind is TaskNode or kind is MapNode:
            self._task(node)
        elif kind is WorkflowNode:
            self._workflow(node)
        else:
            self._branch(node)

    def _task(self, node: TaskNode) -> None:
        layout = self.layout
        key = node.task
        annotations = layout._annotations(key)
        unproven = node.unproven
        needs: set[int] = set()
        args: list[tuple[str, Tree]] = []
        for name, binding in node.args:
            tag = binding[0]
            if tag == "output" and len(binding) == 2:
                tree = self.places[binding[1]]
                if tree[0] == "step":
                    needs.add(tree[1])
                else:
                    sources(tree, needs)
            elif tag == "const":
                tree = ("inline", binding[1])
            elif tag == "input":
                annotation = annotations.get(name)
                if type(node) is MapNode and name in node.mapped and annotation is not None:
                    annotation = list[annotation]  # type: ignore[valid-type]
                tree, proven = self._input(binding[1:], annotation, node, name)
                if proven:
                    if name in unproven:
                        unproven = tuple(n for n in unproven if n != name)
                else:
                    sources(tree, needs)
            else:
                tree = self.tree(binding)
                sources(tree, needs)
            args.append((name, tree))
        index = len(self.steps)
        options = layout._options(key, node.options)
        step = Step(
            index,
            self.prefix + node.id,
            self.graph.tasks[key],
            options,
            layout._version(key, options) if options.cache else "",
            tuple(args),
            unproven,
            self._needs(node, needs),
            self._guard(node),
            self.scope,
        )
        if type(node) is MapNode:
            step.mapped = node.mapped
            step.concurrency = node.concurrency
            step.ratio = node.min_success_ratio
        self.steps.append(step)
        self.places[node.id] = ("step", index)

    def _needs(self, node: Any, needs: set[int]) -> tuple[int, ...]:
        for earlier in node.after:
            needs |= self._steps_of(earlier)
        return tuple(sorted(needs)) if len(needs) > 1 else tuple(needs)

    def _steps_of(self, node: NodeId) -> set[int]:
        """The steps that must have finished for a node to have finished."""
        if node in self.members:
            return set(self.members[node])
        found: set[int] = set()
        sources(self.places[node], found)
        return found

    def _guard(self, node: Any) -> tuple[int, int] | None:
        if node.guard is None:
            return self.outer_guard
        branch, case = node.guard
        return (self.places[branch][1], case)

    def _branch(self, node: BranchNode) -> None:
        needs: set[int] = set()
        index = len(self.steps)
        self.places[node.id] = ("step", index)
        predicates: list[Predicate | None] = []
        for case in node.cases:
            predicates.append(None if case.when is None else self._predicate(case.when, needs))
        step = Step(
            index, self.prefix + node.id, None, TaskOptions(), "", (), (),
            self._needs(node, needs), self._guard(node), self.scope,
        )  # fmt: skip
        self.steps.append(step)
        # What the cases give is known once their nodes are laid out.
        self.branches.append((node, step, predicates))

    def _close_branches(self) -> None:
        for node, step, predicates in self.branches:
            step.cases = tuple(
                (when, None if case.then is None else self.tree(case.then), case.fail)
                for when, case in zip(predicates, node.cases, strict=True)
            )

    def _predicate(self, predicate: Predicate, needs: set[int]) -> Predicate:
        if predicate[0] in ("and", "or", "not"):
            return (predicate[0], *(self._predicate(inner, needs) for inner in predicate[1:]))
        trees = tuple(self.tree(binding) for binding in predicate[1:])
        for tree in trees:
            sources(tree, needs)
        return (predicate[0], *trees)

    def _workflow(self, node: WorkflowNode) -> None:
        inner = self.graph.workflows[node.workflow]
        annotations = self.layout.workflows.get(inner.ref, {})
        inputs = {}
        for name, binding in node.args:
            tree = self.tree(binding)
            annotation = annotations.get(name)
            if annotation is not None and tree[0] in ("inline", "own") and tree[1] is not OPEN:
                tree = self._fitting(tree[1], annotation, f"input {name!r} of node {node.id!r}")
            inputs[name] = tree
        first = len(self.steps)
        result = self.layout.add(
            inner,
            inputs,
            prefix=f"{self.prefix}{node.id}/",
            guard=self._guard(node),
            parent=self.scope,
        )
        self.places[node.id] = ("inline", None) if result is None else result
        self.members[node.id] = range(first, len(self.steps))
        if node.after:
            needs: set[int] = set()
            for earlier in node.after:
                needs |= self._steps_of(earlier)
            for step in self.steps[first:]:
                step.needs = tuple(sorted({*step.needs, *needs}))

    # -- trees ---------------------------------------------------------------------------------

    def tree(self, binding: Binding) -> Tree:
        """A binding with its leaves filled in."""
        tag = binding[0]
        if tag == "output":
            place = self.places[binding[1]]
            return part(place, binding[2:]) if len(binding) > 2 else place
        if tag == "const":
            return ("inline", binding[1])
        if tag == "value":
            return ("inline", self.graph.values[binding[1]].object)
        if tag == "input":
            return self._input(binding[1:], None, None, "")[0]
        return map_leaves(binding, self.tree)

    def _input(
        self, path: Path, annotation: Any, node: TaskNode | None, name: str
    ) -> tuple[Tree, bool]:
        """The tree of an input path, and whether its value is known to fit the annotation."""
        tree = self.inputs.get(path[0], ("inline", OPEN))
        if tree[0] not in ("inline", "own"):
            return part(tree, path[1:]), False
        found = self.used.get(path)
        if found is None:
            value = tree[1]
            for key in path[1:]:
                value = child_value(value, key)
            found = self.used[path] = _owned(value if value is OPEN else plain(value))
        value = found[1]
        reader = f"node {self.prefix}{node.id}, parameter {name!r}" if node is not None else ""
        if value is OPEN:
            self.layout.missing.setdefault(self.path_text(path), []).append(reader)
            return ("inline", None), True
        if annotation is None:
            return found, True
        if type(value) is annotation and found[0] == "inline":
            return found, True
        where = f"input {self.path_text(path)!r}" + (f" ({reader})" if reader else "")
        return self._fitting(value, annotation, where), True

    def _fitting(self, value: Any, annotation: Any, where: str) -> Tree:
        try:
            return _owned(convert(value, annotation, where))
        except (TypeMismatch, ConfigError) as error:
            self.layout.problems.append(str(error))
            return ("inline", value)

    def path_text(self, path: Path) -> str:
        """A path as the config spells it: without the parameter that holds the whole config."""
        for param in self.graph.params:
            if param.name == path[0] and param.whole and len(path) > 1:
                return path_text(path[1:])
        return path_text(path)


def _owned(value: Any) -> Tree:
    """A leaf for a value of an input: a task gets its own copy of what it could change."""
    if type(value) in _PLAIN or kind_of(value) in ("scalar", "opaque"):
        return ("inline", value)
    return ("own", value)


def part(tree: Tree, path: Path) -> Tree:
    """The part of a tree at a path, down into known values where they are."""
    for position, key in enumerate(path):
        if tree[0] == "step":
            return (*tree, *path[position:])
        if tree[0] in ("inline", "own"):
            value = tree[1]
            for step in path[position:]:
                value = child_value(value, step)
            return _owned(value)
        tree = select(tree, (key,))
    return tree


def sources(tree: Tree, needs: set[int]) -> None:
    """Add the steps a tree takes values from."""
    tag = tree[0]
    if tag == "step":
        needs.add(tree[1])
    elif tag not in ("inline", "own"):
        for leaf in leaves(tree):
            if leaf[0] == "step":
                needs.add(leaf[1])
