"""Lays a graph out as steps: inputs filled in and converted, sub-workflows dissolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from turnout.dsl.known import OPEN, kind_of
from turnout.graph import (
    AnyNode,
    Binding,
    BranchNode,
    Graph,
    NodeId,
    Predicate,
    TaskKey,
    TaskNode,
    TaskOptions,
    TaskSpec,
    WorkflowNode,
)
from turnout.graph.binding import leaves, map_leaves, path_text
from turnout.plan.inputs import Findings, Inputs, owned, part
from turnout.plan.steps import Program, Scope, Step, Tree

__all__ = ["Layout", "part", "sources"]


class Layout:
    """Adds graphs to a program.

    Problems with inputs are collected in `findings` rather than raised, so that all of them can
    be told at once.

    Args:
        annotations: gives the parameter annotations of a task.
        version: gives a task's version for the cache key.
        options: gives a node's options.
        workflows: parameter annotations of the workflows, by ``module:qualname``.
    """

    def __init__(
        self,
        annotations: Callable[[TaskKey], Mapping[str, Any]],
        version: Callable[[TaskKey, TaskOptions], str],
        options: Callable[[TaskKey, TaskOptions | None], TaskOptions],
        workflows: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.program = Program()
        self.findings = Findings()
        self.workflows = workflows or {}
        self.annotations = annotations
        self.version = version
        self.options = options

    @property
    def problems(self) -> list[str]:
        """What is wrong with the values of inputs."""
        return self.findings.problems

    def add(
        self,
        graph: Graph,
        inputs: Mapping[str, Tree],
        *,
        prefix: str = "",
        guard: tuple[int, int] | None = None,
        parent: int | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Tree | None:
        """Lay out a graph; gives the tree of its result.

        Args:
            graph: the graph.
            inputs: where each of its inputs comes from.
            prefix: what the names of its steps begin with.
            guard: the branch and case all of it belongs to.
            parent: the scope around it.
            names: how the config spells its inputs; as they are called, if not given.
        """
        index = len(self.program.scopes)
        scope = Scope(graph, inputs, prefix, parent, graph.on_failure)
        self.program.scopes.append(scope)
        frame = _Frame(
            self, graph, Inputs(graph, inputs, names, self.findings), prefix, guard, index
        )
        scope.result = frame.run()
        scope.after = frame.after
        return scope.result

    def handler(self, scope: int, error: str) -> Tree | None:
        """Lay out a scope's failure handler."""
        found = self.program.scopes[scope]
        assert found.handler is not None
        trees = {**found.inputs, "error": ("const", error)}
        inputs = Inputs(found.graph, trees, None, self.findings)
        frame = _Frame(self, found.graph, inputs, found.prefix, None, scope)
        frame.add(found.handler)
        return frame.places[found.handler.id]


class _Shared(NamedTuple):
    """What the nodes of one task with the same options have in common."""

    annotations: Mapping[str, Any]
    spec: TaskSpec
    options: TaskOptions
    version: str


class _Frame:
    """One graph being laid out."""

    def __init__(
        self,
        layout: Layout,
        graph: Graph,
        inputs: Inputs,
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
        self.shared: dict[tuple[TaskKey, int], _Shared] = {}
        self.names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.members: dict[NodeId, range] = {}
        # What workflows stand after: their results may be values they only pass through.
        self.waits: dict[NodeId, set[int]] = {}
        self.after: frozenset[int] = frozenset()
        self.branches: list[tuple[BranchNode, Step, list[Predicate | None]]] = []

    def run(self) -> Tree | None:
        for node in self.graph.nodes:
            if type(node) is TaskNode:  # as nearly all are
                self._task(node)
            else:
                self.add(node)
        # What the cases of branches give is known once their nodes are laid out.
        for node, step, predicates in self.branches:
            step.cases = tuple(
                (when, None if case.then is None else self.tree(case.then), case.fail)
                for when, case in zip(predicates, node.cases, strict=True)
            )
            results = [case.then for case in node.cases if case.then is not None]
            # The steps of its own cases begin when the branch has been decided.
            late = {index for index in self._awaited(results) if index < step.index}
            if late:
                step.needs = tuple(sorted({*step.needs, *late}))
        if self.graph.result is None:
            return None
        self.after = frozenset(self._awaited([self.graph.result]))
        return self.tree(self.graph.result)

    def add(self, node: AnyNode) -> None:
        if isinstance(node, TaskNode):
            self._task(node)
        elif isinstance(node, WorkflowNode):
            self._workflow(node)
        else:
            self._branch(node)

    def _task(self, node: TaskNode) -> None:
        node_id, key, given, unproven, own, guard, _, after, mapped, concurrency, ratio = node
        annotations, spec, options, version = self.shared.get((key, id(own))) or self._share(node)
        needs: list[int] = []
        names: list[str] = []
        trees: list[Tree] = []
        for name, binding in given:
            names.append(name)
            tag = binding[0]
            if tag == "const":
                trees.append(binding)  # is a tree as it stands
                continue
            if tag == "output" and len(binding) == 2:
                tree = self.places[binding[1]]
                if tree[0] == "step":
                    needs.append(tree[1])
                else:
                    needs += sources(tree)
            elif tag == "input":
                wanted = annotations.get(name)
                if name in mapped and wanted is not None:
                    wanted = list.__class_getitem__(wanted)
                tree, proven = self.inputs.tree(binding[1:], wanted, self.prefix + node_id, name)
                if not proven:
                    needs += sources(tree)
                elif name in unproven:
                    unproven = tuple([other for other in unproven if other != name])
            else:
                tree = self.tree(binding)
                needs += sources(tree)
            trees.append(tree)
        if after or self.waits:
            needs += self._also_needs(node)
        said = tuple(names)
        index = len(self.steps)
        step = Step(
            index,
            self.prefix + node_id,
            spec,
            options,
            version,
            self.names.setdefault(said, said),
            tuple(trees),
            unproven,
            tuple(needs) if len(needs) < 2 else tuple(sorted(set(needs))),
            self.outer_guard if guard is None else self._guard(guard),
            self.scope,
        )
        if mapped:
            step.mapped = mapped
            step.concurrency = concurrency
            step.ratio = ratio
            self._check_lengths(step)
        self.steps.append(step)
        self.places[node_id] = ("step", index)

    def _share(self, node: TaskNode) -> _Shared:
        layout = self.layout
        options = layout.options(node.task, node.options)
        version = layout.version(node.task, options) if options.cache else ""
        made = _Shared(layout.annotations(node.task), self.graph.tasks[node.task], options, version)
        self.shared[node.task, id(node.options)] = made
        return made

    def _check_lengths(self, step: Step) -> None:
        """Lists of unequal length are told now if they are known."""
        lengths = {name: _length(tree) for name, tree in step.args if name in step.mapped}
        known = {name: length for name, length in lengths.items() if length is not None}
        if len(set(known.values())) > 1:
            told = ", ".join(f"{name} has {length}" for name, length in known.items())
            self.layout.problems.append(f"map {step.id!r}: lists of unequal length: {told}")

    def _also_needs(self, node: AnyNode) -> set[int]:
        """What a node stands after though it takes no value from it."""
        found: set[int] = set()
        for earlier in node.after:
            found |= self._steps_of(earlier)
        if self.waits and not isinstance(node, BranchNode):
            found |= self._awaited([binding for _, binding in node.args])
        return found

    def _awaited(self, bindings: Sequence[Binding]) -> set[int]:
        """What the workflows stand after whose results the bindings take."""
        found: set[int] = set()
        for binding in bindings if self.waits else ():
            for leaf in leaves(binding):
                if leaf[0] == "output":
                    found |= self.waits.get(leaf[1], set())
        return found

    def _steps_of(self, node: NodeId) -> set[int]:
        """The steps that must have finished for a node to have finished."""
        found = set(self.waits.get(node, ()))
        found.update(sources(self.places[node]))
        members = self.members.get(node)
        if members is not None:
            # A step in a case of a branch inside may never run; its branch waits for those that do.
            found.update(
                index
                for index in members
                if (guard := self.steps[index].guard) is None or guard[0] < members.start
            )
        return found

    def _guard(self, guard: tuple[NodeId, int] | None) -> tuple[int, int] | None:
        if guard is None:
            return self.outer_guard
        branch, case = guard
        return (self.places[branch][1], case)

    def _branch(self, node: BranchNode) -> None:
        needs: set[int] = set()
        index = len(self.steps)
        self.places[node.id] = ("step", index)
        predicates = [
            None if case.when is None else self._predicate(case.when, needs) for case in node.cases
        ]
        step = Step(
            index, self.prefix + node.id, None, TaskOptions(), "", (), (), (),
            tuple(sorted(needs | self._also_needs(node))), self._guard(node.guard), self.scope,
        )  # fmt: skip
        self.steps.append(step)
        self.branches.append((node, step, predicates))

    def _predicate(self, predicate: Predicate, needs: set[int]) -> Predicate:
        if predicate[0] in ("and", "or", "not"):
            return (predicate[0], *(self._predicate(inner, needs) for inner in predicate[1:]))
        trees = tuple(self.tree(binding) for binding in predicate[1:])
        needs |= self._awaited(predicate[1:])
        for tree in trees:
            needs.update(sources(tree))
        return (predicate[0], *trees)

    def _workflow(self, node: WorkflowNode) -> None:
        inner = self.graph.workflows[node.workflow]
        annotations = self.layout.workflows.get(inner.ref, {})
        trees = {}
        for name, binding in node.args:
            tree = self._argument(binding)
            wanted = annotations.get(name)
            if wanted is not None and tree[0] in ("const", "own") and tree[1] is not OPEN:
                where = f"input {name!r} of node {self.prefix + node.id!r}"
                path = binding[1:] if binding[0] == "input" else ()
                tree = self.inputs.fitting(tree[1], wanted, where, path, node.id, name)
            trees[name] = tree
        first, scope = len(self.steps), len(self.layout.program.scopes)
        result = self.layout.add(
            inner,
            trees,
            prefix=f"{self.prefix}{node.id}/",
            guard=self._guard(node.guard),
            parent=self.scope,
            names=self.inputs.names_for(node.args, node.id),
        )
        self.places[node.id] = ("const", None) if result is None else result
        self.members[node.id] = range(first, len(self.steps))
        needs = self._also_needs(node)
        waits = needs | self.layout.program.scopes[scope].after
        if waits:
            self.waits[node.id] = waits
        if not needs:
            return
        for step in self.steps[first:]:
            step.needs = tuple(sorted({*step.needs, *needs}))

    def _argument(self, binding: Binding) -> Tree:
        """The tree of a sub-workflow's argument; what has no value is missed by who reads it."""
        if binding[0] == "input" and self.inputs.is_open(binding[1:]):
            return ("const", OPEN)
        return self.tree(binding)

    def tree(self, binding: Binding) -> Tree:
        """A binding with its leaves filled in."""
        tag = binding[0]
        if tag == "output":
            place = self.places[binding[1]]
            if len(binding) == 2:
                return place
            return self.layout.findings.part(place, binding[2:], path_text(binding[1:]))
        if tag == "const":
            return binding
        if tag == "value":
            return owned(self.graph.values[binding[1]].object)
        if tag == "input":
            return self.inputs.tree(binding[1:])[0]
        return map_leaves(binding, self.tree)


def sources(tree: Tree) -> Sequence[int]:
    """The steps a tree takes values from; one may come several times."""
    tag = tree[0]
    if tag == "step":
        return (tree[1],)
    if tag in ("const", "own"):
        return ()
    return [leaf[1] for leaf in leaves(tree) if leaf[0] == "step"]


def _length(tree: Tree) -> int | None:
    """How many items a list has, where that is known before the run."""
    if tree[0] in ("list", "tuple"):
        items: Sequence[Any] = tree[1]
        return len(items)
    if tree[0] in ("const", "own") and kind_of(tree[1]) == "sequence":
        return len(tree[1])
    return None
