"""The words for what is in a graph: bindings, predicates, options, kinds of node."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Any, Final

from turnout.graph import (
    AnyNode,
    Binding,
    BranchNode,
    Graph,
    MapNode,
    NodeId,
    Predicate,
    TaskNode,
    WorkflowNode,
)
from turnout.graph.binding import leaves, path_text

__all__ = [
    "Kind",
    "binding_text",
    "calls",
    "kind",
    "members",
    "needs",
    "numbered",
    "option_json",
    "option_texts",
    "predicate_leaves",
    "predicate_text",
    "shorten",
    "shorten_middle",
]

_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")
_SIGNS: Final = {"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">"}


class Kind(enum.StrEnum):
    """What a node is, as pictures and tables tell it."""

    TASK = "task"
    MAP = "map"
    DYNAMIC = "dynamic"
    BRANCH = "branch"
    WORKFLOW = "workflow"


def kind(node: AnyNode, graph: Graph) -> Kind:
    """What kind of node this is."""
    if isinstance(node, BranchNode):
        return Kind.BRANCH
    if isinstance(node, WorkflowNode):
        return Kind.WORKFLOW
    if isinstance(node, MapNode):
        return Kind.MAP
    return Kind.DYNAMIC if graph.tasks[node.task].dynamic else Kind.TASK


def calls(node: AnyNode, graph: Graph) -> str:
    """The name of the task or workflow a node calls; ``""`` for a branch."""
    if isinstance(node, TaskNode):
        return graph.tasks[node.task].name
    return graph.workflows[node.workflow].name if isinstance(node, WorkflowNode) else ""


def shorten(text: str, width: int) -> str:
    r"""At most ``width`` characters on one line, with an ellipsis where some were left out.

    >>> shorten("one line\nand more", 12)
    'one line an…'
    """
    text = " ".join(text.split())
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def shorten_middle(text: str, width: int) -> str:
    """At most ``width`` characters; the end stays, because numbered names differ there.

    >>> shorten_middle("a_long_name_12", 9)
    'a_lo…e_12'
    """
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def binding_text(binding: Binding, graph: Graph, width: int = 60) -> str:
    """A binding as the workflow's author would write it.

    >>> pair = ("list", (("input", "cfg", "C"), ("output", "load", 0)))
    >>> binding_text(pair, Graph(name="w"))
    '[cfg.C, load[0]]'
    """
    return shorten(_binding(binding, graph), width)


def _binding(binding: Binding, graph: Graph) -> str:
    tag = binding[0]
    if tag == "const":
        return repr(binding[1])
    if tag == "value":
        path = path_text(binding[2:])
        shown = _ADDRESS.sub("", graph.values[binding[1]].show())
        return shown + (f".{path}" if path and not path.startswith("[") else path)
    if tag in ("input", "output"):
        return path_text(binding[1:])
    if tag in ("list", "tuple"):
        items = [_binding(item, graph) for item in binding[1]]
        if tag == "list":
            return f"[{', '.join(items)}]"
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if tag in ("dict", "config"):
        pairs = ", ".join(f"{key!r}: {_binding(item, graph)}" for key, item in binding[1])
        return f"{{{pairs}}}"
    if tag == "object":
        name = _binding(binding[1], graph).removeprefix("<class '").removesuffix("'>")
        fields = ", ".join(f"{key}={_binding(item, graph)}" for key, item in binding[2])
        return f"{name.replace(':', '.').rpartition('.')[2]}({fields})"
    if tag == "instantiate":
        return f"instantiate({_binding(binding[1], graph)})"
    return repr(binding)


def predicate_text(predicate: Predicate, graph: Graph, width: int = 80) -> str:
    """A predicate as a condition.

    >>> predicate_text(("not", ("ge", ("output", "score"), ("const", 0.9))), Graph(name="w"))
    'not score >= 0.9'
    """
    return shorten(_predicate(predicate, graph), width)


def _predicate(predicate: Predicate, graph: Graph) -> str:
    tag = predicate[0]
    if tag in ("and", "or"):
        parts = [
            f"({_predicate(part, graph)})" if part[0] in ("and", "or") else _predicate(part, graph)
            for part in predicate[1:]
        ]
        return f" {tag} ".join(parts)
    if tag == "not":
        inner = _predicate(predicate[1], graph)
        return f"not ({inner})" if predicate[1][0] in ("and", "or") else f"not {inner}"
    if tag == "true":
        return _binding(predicate[1], graph)
    return f"{_binding(predicate[1], graph)} {_SIGNS[tag]} {_binding(predicate[2], graph)}"


def predicate_leaves(predicate: Predicate) -> Iterator[Binding]:
    """Every leaf of the bindings a predicate compares."""
    tag = predicate[0]
    if tag in ("and", "or", "not"):
        for part in predicate[1:]:
            yield from predicate_leaves(part)
    else:
        for binding in predicate[1:]:
            yield from leaves(binding)


def needs(node: AnyNode) -> dict[NodeId, list[str]]:
    """The nodes whose outputs a node reads, with what it reads each one for.

    A branch reads what its conditions compare; what its cases hold is read by those.
    """
    found: dict[NodeId, list[str]] = {}
    if isinstance(node, BranchNode):
        for case in node.cases:
            for leaf in predicate_leaves(case.when) if case.when else ():
                if leaf[0] == "output":
                    found.setdefault(leaf[1], []).append("condition")
    else:
        for name, binding in node.args:
            for leaf in leaves(binding):
                if leaf[0] == "output":
                    found.setdefault(leaf[1], []).append(name)
    return found


def members(graph: Graph) -> dict[tuple[NodeId, int] | None, list[AnyNode]]:
    """The nodes by the case they belong to; those of no case under ``None``."""
    found: dict[tuple[NodeId, int] | None, list[AnyNode]] = {None: []}
    for node in graph.nodes:
        found.setdefault(node.guard, []).append(node)
    return found


def numbered(node_id: str, name: str) -> bool:
    """Whether a node is called after what it calls, but for a number.

    >>> numbered("fit-2", "fit"), numbered("final", "fit")
    (True, False)
    """
    return node_id == name or node_id.rstrip("0123456789").rstrip("_-") == name


def option_texts(node: AnyNode, graph: Graph) -> list[str]:
    """What a node says about how it is run, one ``name=value`` each; empty where it says nothing.

    >>> from turnout.graph import TaskOptions, TaskSpec
    >>> spec = TaskSpec(key="t", name="t", ref="m:t", options=TaskOptions(cache=True, retries=2))
    >>> option_texts(TaskNode(id="t", task="t"), Graph(name="w", tasks={"t": spec}))
    ['cache', 'retries=2']
    """
    texts = []
    for name, value in option_json(node, graph).items():
        if value is True:
            texts.append(name)
        elif isinstance(value, dict):
            inner = ", ".join(f"{key}={item}" for key, item in value.items())
            texts.append(f"{name}({inner})")
        elif name == "secrets":
            texts.append(f"secrets({', '.join(secret['name'] for secret in value)})")
        else:
            texts.append(f"{name}={value}")
    return texts


def option_json(node: AnyNode, graph: Graph) -> dict[str, Any]:
    """What a node says about how it is run, as JSON values."""
    if not isinstance(node, TaskNode):
        return {}
    said = graph.tasks[node.task].options.merged(node.options).to_json()
    if isinstance(node, MapNode):
        if node.concurrency is not None:
            said["concurrency"] = node.concurrency
        if node.min_success_ratio < 1:
            said["min_success_ratio"] = node.min_success_ratio
    return said
