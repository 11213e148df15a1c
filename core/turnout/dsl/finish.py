"""Turns a trace into a graph: order checked and made topological, open branches refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnout.dsl.trace import Trace
from turnout.errors import GraphError
from turnout.graph import (
    AnyNode,
    BranchNode,
    Graph,
    NodeId,
    Param,
    Predicate,
    TaskNode,
    WorkflowNode,
)
from turnout.graph.binding import Binding, leaves


def finish(
    trace: Trace,
    result: Any,
    *,
    ref: str,
    params: tuple[Param, ...] = (),
    on_failure: TaskNode | WorkflowNode | None = None,
) -> Graph:
    """The graph of a trace whose body has returned ``result``.

    Raises:
        GraphError: a conditional was left open, or ``>>`` made a cycle.
    """
    for complaint, line in trace.open_branches.values():
        raise GraphError(complaint, location=line)
    binding = None if result is None else trace.take_apart(result)
    nodes: list[AnyNode] = trace.nodes
    if trace.after:
        nodes = [
            node._replace(after=tuple(dict.fromkeys(trace.after[node.id])))
            if node.id in trace.after
            else node
            for node in nodes
        ]
    if trace.unordered:
        nodes = _sorted(nodes)
    return Graph(
        name=trace.name,
        ref=ref,
        params=params,
        nodes=tuple(nodes),
        result=binding,
        tasks=dict(sorted(trace.specs.items())),
        workflows=dict(sorted(trace.workflows.items())),
        values=tuple(trace.values),
        fixed=tuple(sorted(trace.fixed.values(), key=lambda f: ([*map(str, f.path)], f.what))),
        on_failure=on_failure,
    )


def needs(node: AnyNode) -> Iterator[NodeId]:
    """The nodes of the same graph that must have finished before this one can start."""
    yield from node.after
    if node.guard is not None:
        yield node.guard[0]
    if isinstance(node, BranchNode):
        for case in node.cases:
            if case.when is not None:
                yield from _sources(predicate_bindings(case.when))
        return
    yield from _sources(binding for _, binding in node.args)


def predicate_bindings(predicate: Predicate) -> Iterator[Binding]:
    """The bindings a predicate compares."""
    if predicate[0] in ("and", "or"):
        yield from predicate_bindings(predicate[1])
        yield from predicate_bindings(predicate[2])
    elif predicate[0] == "not":
        yield from predicate_bindings(predicate[1])
    else:
        yield from predicate[1:]


def _sources(bindings: Any) -> Iterator[NodeId]:
    for binding in bindings:
        for leaf in leaves(binding):
            if leaf[0] == "output":
                yield leaf[1]


def _sorted(nodes: list[AnyNode]) -> list[AnyNode]:
    """A topological order that keeps the order of the body where it can."""
    by_id = {node.id: node for node in nodes}
    position = {node.id: index for index, node in enumerate(nodes)}
    needed = {node.id: sorted(set(needs(node)), key=position.__getitem__) for node in nodes}
    done: dict[NodeId, AnyNode] = {}
    for node in nodes:
        stack: list[tuple[NodeId, Iterator[NodeId]]] = []
        if node.id not in done:
            stack.append((node.id, iter(needed[node.id])))
        while stack:
            current, rest = stack[-1]
            for earlier in rest:
                if earlier in done:
                    continue
                path = [name for name, _ in stack]
                if earlier in path:
                    cycle = [*path[path.index(earlier) :], earlier]
                    lines = " -> ".join(f"{name} ({by_id[name].line})" for name in cycle)
                    raise GraphError(
                        f"a cycle, each waits for the next: {lines}", location=by_id[earlier].line
                    )
                stack.append((earlier, iter(needed[earlier])))
                break
            else:
                done[current] = by_id[current]
                stack.pop()
    return list(done.values())
