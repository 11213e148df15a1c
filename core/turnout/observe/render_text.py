"""A graph as a tree of lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from turnout.graph import AnyNode, BranchNode, Graph, MapNode, NodeId, WorkflowNode
from turnout.observe.describe import (
    Kind,
    binding_text,
    calls,
    kind,
    members,
    numbered,
    option_texts,
    predicate_text,
    shorten,
)

__all__ = ["render_text"]

_ASCII = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "…": "~", "→": ">"})


def render_text(graph: Graph, *, ascii_only: bool = False) -> str:
    """A graph as a tree: each node with what it takes and from where.

    Args:
        graph: the graph.
        ascii_only: draw with ASCII, for terminals that cannot show anything else.

    >>> from turnout.graph import TaskNode, TaskSpec
    >>> spec = TaskSpec(key="load", name="load", ref="main:load")
    >>> node = TaskNode(id="load", task="load", args=(("cfg", ("input", "cfg", "data")),))
    >>> graph = Graph(name="hello", ref="main:hello", nodes=(node,), tasks={"load": spec},
    ...               result=("output", "load"))
    >>> print(render_text(graph))
    hello()  main:hello
    ├─ load          cfg=cfg.data
    └─ returns load
    """
    params = ", ".join(param.name for param in graph.params)
    rows = [_Row(_safe(f"{graph.name}({params})"), _safe(graph.ref)), *_body(graph, "")]
    lines = _aligned(rows)
    for fixed in graph.fixed:
        what = "fixed" if fixed.what == "value" else "keys fixed"
        path = binding_text(("input", *fixed.path), graph)
        lines.append(f"{what}: {path}" + (f"  ({fixed.line})" if fixed.line else ""))
    text = "\n".join(lines)
    return text.translate(_ASCII) if ascii_only else text


@dataclass(frozen=True, slots=True)
class _Row:
    """One line: the tree's part, what the node takes, how it is run."""

    tree: str
    takes: str = ""
    options: str = ""


def _body(graph: Graph, indent: str) -> Iterator[_Row]:
    by_case = members(graph)
    shown: dict[str, str] = {}
    ends = []
    if graph.on_failure is not None:
        handler = graph.on_failure
        ends.append(_Row(f"on failure: {calls(handler, graph)}", _takes(handler, graph)))
    if graph.result is not None:
        ends.append(_Row(f"returns {binding_text(graph.result, graph)}"))
    nodes = by_case[None]
    for position, node in enumerate(nodes):
        last = position == len(nodes) - 1 and not ends
        yield from _node(node, graph, indent, last, by_case, shown)
    for position, row in enumerate(ends):
        mark = "└─ " if position == len(ends) - 1 else "├─ "
        yield _Row(indent + mark + _safe(row.tree), row.takes)


def _node(
    node: AnyNode,
    graph: Graph,
    indent: str,
    last: bool,
    by_case: dict[tuple[NodeId, int] | None, list[AnyNode]],
    shown: dict[str, str],
) -> Iterator[_Row]:
    mark, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
    options = ", ".join(option_texts(node, graph))
    title = _safe(_title(node, graph))
    if isinstance(node, BranchNode):
        yield _Row(indent + mark + title, _takes(node, graph))
        for index, case in enumerate(node.cases):
            final = index == len(node.cases) - 1
            word = "else" if case.when is None else "elif" if index else "if"
            condition = f" {predicate_text(case.when, graph)}" if case.when else ""
            if case.fail is not None:
                end = f" fails: {shorten(case.fail, 60)}"
            else:
                end = f" → {binding_text(case.then, graph)}" if case.then is not None else ""
            head = f"{indent}{below}{'└─ ' if final else '├─ '}{word}{condition}"
            yield _Row(_safe(head + end))
            inner = by_case.get((node.id, index), [])
            deeper = indent + below + ("   " if final else "│  ")
            for position, member in enumerate(inner):
                end_here = position == len(inner) - 1
                yield from _node(member, graph, deeper, end_here, by_case, shown)
    elif isinstance(node, WorkflowNode):
        seen = shown.get(node.workflow)
        note = f"as in {seen}" if seen else ""
        yield _Row(indent + mark + title, _takes(node, graph), _safe(note))
        if not seen:
            shown[node.workflow] = node.id
            yield from _body(graph.workflows[node.workflow], indent + below)
    else:
        yield _Row(indent + mark + title, _takes(node, graph), _safe(options))


def _title(node: AnyNode, graph: Graph) -> str:
    name = calls(node, graph)
    what = kind(node, graph)
    if what is Kind.BRANCH:
        return f"{node.id}  (branch)"
    if isinstance(node, MapNode):
        return f"{node.id}  ({name} for each of {', '.join(node.mapped)})"
    word = "" if what is Kind.TASK else str(what)
    if not numbered(node.id, name):
        word = f"{word} {name}".strip()
    return f"{node.id}  ({word})" if word else node.id


def _takes(node: AnyNode, graph: Graph) -> str:
    parts = []
    if not isinstance(node, BranchNode):
        for name, binding in node.args:
            text = binding_text(binding, graph, 40)
            parts.append(name if text == name else f"{name}={text}")
    if node.after:
        parts.append(f"after {', '.join(node.after)}")
    return _safe(", ".join(parts))


def _safe(text: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _aligned(rows: list[_Row]) -> list[str]:
    """The rows in columns; a long cell pushes its own row out, not all others."""
    tree = max(len(row.tree) for row in rows if len(row.tree) <= 44 or row is rows[0])
    tree = min(tree, 44)
    takes = max((len(row.takes) for row in rows[1:] if len(row.takes) <= 44), default=0)
    lines = []
    for row in rows:
        if row is rows[0]:
            lines.append(f"{row.tree}  {row.takes}".rstrip())
            continue
        line = f"{row.tree:<{tree}}  {row.takes:<{takes}}  {row.options}"
        lines.append(line.rstrip())
    return lines
