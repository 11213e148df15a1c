"""Graphs as JSON and back.

`dumps` gives the same bytes for the same workflow and config in every process: keys are
sorted, tables are in the order of their keys, and nothing depends on hashing or time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

from turnout.graph.binding import freeze
from turnout.graph.model import (
    FORMAT_VERSION,
    AnyNode,
    BranchNode,
    Case,
    Fixed,
    Graph,
    MapNode,
    NodeId,
    Param,
    TaskKey,
    TaskNode,
    TaskSpec,
    WorkflowNode,
)
from turnout.graph.options import TaskOptions
from turnout.graph.values import Value

__all__ = ["dumps", "from_json", "loads", "to_json"]

# A graph is a tree, so looking for circles, a third of the work, is left out.
_encode: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def dumps(graph: Graph, *, brief: bool = False) -> str:
    """The graph as canonical JSON text.

    Args:
        graph: the graph.
        brief: describe constants that are large or would have to be pickled, and do not keep them.

    Raises:
        EncodeError: a constant cannot be pickled.
    """
    return _text(graph, brief, turnout_graph=FORMAT_VERSION)


def loads(text: str) -> Graph:
    """The graph `dumps` wrote.

    Raises:
        ValueError: the text is no graph, or one of a newer format.
    """
    return from_json(json.loads(text))


def to_json(graph: Graph, *, brief: bool = False) -> dict[str, Any]:
    """The graph as JSON values, as for `dumps`; what is empty is left out."""
    return {"turnout_graph": FORMAT_VERSION, **_graph(graph, brief)}


def from_json(data: dict[str, Any]) -> Graph:
    """The graph of `to_json`.

    Raises:
        ValueError: the data is no graph, or one of a newer format.
    """
    version = data.get("turnout_graph")
    if version != FORMAT_VERSION:
        raise ValueError(f"a graph of format {version!r}; this turnout reads {FORMAT_VERSION}")
    return _read_graph(data)


def _said(**items: Any) -> dict[str, Any]:
    return {key: item for key, item in items.items() if item not in (None, (), {}, [], "", False)}


def _graph(graph: Graph, brief: bool) -> dict[str, Any]:
    inside = _said(
        nodes=[_node(node) for node in graph.nodes],
        workflows={key: _graph(inner, brief) for key, inner in graph.workflows.items()},
    )
    return {**_about(graph, brief), **inside}


def _about(graph: Graph, brief: bool) -> dict[str, Any]:
    """What is said of a graph beside its nodes and the workflows in it."""
    return _said(
        name=graph.name,
        ref=graph.ref,
        params=[_param(param) for param in graph.params],
        result=graph.result,
        tasks={key: _task(spec) for key, spec in graph.tasks.items()},
        values=[list(value.brief() if brief else value.encoded) for value in graph.values],
        fixed=[{"path": f.path, "what": f.what, "line": f.line} for f in graph.fixed],
        on_failure=_node(graph.on_failure) if graph.on_failure else None,
    )


def _text(graph: Graph, brief: bool, **more: Any) -> str:
    """`_graph` as text, with ``more`` beside it."""
    parts = {key: _encode(item) for key, item in {**more, **_about(graph, brief)}.items()}
    if graph.nodes:
        parts["nodes"] = f"[{','.join(_node_texts(graph.nodes))}]"
    if graph.workflows:
        inner = sorted(graph.workflows.items())
        texts = [f"{_quoted(key)}:{_text(other, brief)}" for key, other in inner]
        parts["workflows"] = f"{{{','.join(texts)}}}"
    return f"{{{','.join([f'{_quoted(key)}:{parts[key]}' for key in sorted(parts)])}}}"


def _node_texts(nodes: Iterable[AnyNode]) -> Iterable[str]:
    """Each `_node` as text.

    That of a task of which only the arguments are to be told, as of nearly all, is put together
    here: by way of a dict it takes three times as long.
    """
    texts: list[str] = []
    known: dict[str, str] = {}
    said, tail = ("", ""), ""
    for node in nodes:
        if type(node) is not TaskNode:
            texts.append(_encode(_node(node)))
            continue
        node_id, task, args, unproven, options, guard, line, after, _, _, _ = node
        if unproven or options is not None or guard is not None or after:
            texts.append(_encode(_node(node)))
            continue
        bound = []
        for name, binding in args:
            source = binding[1]
            if binding[0] == "output" and len(binding) == 2:
                text = f'["output",{known.get(source) or _quoted(source)}]'
            elif binding[0] == "const" and type(source) is int:
                text = f'["const",{source}]'
            else:
                text = _encode(binding)
            what = known.get(name) or known.setdefault(name, _quoted(name))
            bound.append(f"[{what},{text}]")
        if said != (line, task):  # seldom: most nodes come from loops
            said, tail = (line, task), f'"line":{_quoted(line)},"task":{_quoted(task)}'
        own = known[node_id] = _quoted(node_id)
        texts.append(f'{{"args":[{",".join(bound)}],"id":{own},{tail}}}')
    return texts


def _param(param: Param) -> dict[str, Any]:
    data = _said(name=param.name, annotation=param.annotation, whole=param.whole)
    return data if param.required else {**data, "required": False}


def _task(spec: TaskSpec) -> dict[str, Any]:
    data = _said(
        key=spec.key,
        name=spec.name,
        ref=spec.ref,
        params=[_param(param) for param in spec.params],
        returns=spec.returns,
        fields=spec.fields,
        options=spec.options.to_json(),
        dynamic=spec.dynamic,
    )
    return data if spec.importable else {**data, "importable": False}


def _node(node: AnyNode) -> dict[str, Any]:
    data: dict[str, Any] = {"id": node.id, "line": node.line}
    if node.after:
        data["after"] = node.after
    if node.guard is not None:
        data["guard"] = node.guard
    if isinstance(node, TaskNode):
        data["task"] = node.task
        data["args"] = node.args
        if node.unproven:
            data["unproven"] = node.unproven
        if node.options is not None:
            data["options"] = node.options.to_json()
        if node.mapped:
            data |= _said(mapped=node.mapped, concurrency=node.concurrency)
            data["min_success_ratio"] = node.min_success_ratio
    elif isinstance(node, WorkflowNode):
        data["workflow"] = node.workflow
        data["args"] = node.args
    else:
        data["cases"] = [
            {
                key: item
                for key, item in (("when", c.when), ("then", c.then), ("fail", c.fail))
                if item is not None
            }
            for c in node.cases
        ]
    return data


def _read_graph(data: dict[str, Any]) -> Graph:
    failure = data.get("on_failure")
    return Graph(
        name=data["name"],
        ref=data.get("ref", ""),
        params=tuple(Param(**param) for param in data.get("params", ())),
        nodes=tuple(_read_node(node) for node in data.get("nodes", ())),
        result=freeze(data.get("result")),
        tasks={TaskKey(key): _read_task(spec) for key, spec in data.get("tasks", {}).items()},
        workflows={key: _read_graph(inner) for key, inner in data.get("workflows", {}).items()},
        values=tuple(Value(encoded=(codec, text)) for codec, text in data.get("values", ())),
        fixed=tuple(
            Fixed(path=freeze(f["path"]), what=f["what"], line=f["line"])
            for f in data.get("fixed", ())
        ),
        on_failure=_read_node(failure) if failure else None,  # type: ignore[arg-type]
    )


def _read_task(data: dict[str, Any]) -> TaskSpec:
    said = dict(data)
    said["params"] = tuple(Param(**param) for param in data.get("params", ()))
    said["fields"] = tuple(data.get("fields", ()))
    said["options"] = TaskOptions.from_json(data.get("options", {}))
    return TaskSpec(**said)


def _read_node(data: dict[str, Any]) -> AnyNode:
    base: dict[str, Any] = {
        "id": NodeId(data["id"]),
        "after": tuple(data.get("after", ())),
        "guard": freeze(data.get("guard")),
        "line": data.get("line", ""),
    }
    if "cases" in data:
        cases = tuple(
            Case(when=freeze(c.get("when")), then=freeze(c.get("then")), fail=c.get("fail"))
            for c in data["cases"]
        )
        return BranchNode(**base, cases=cases)
    args = freeze(data["args"])
    if "workflow" in data:
        return WorkflowNode(**base, workflow=data["workflow"], args=args)
    options = data.get("options")
    base |= {
        "task": TaskKey(data["task"]),
        "args": args,
        "unproven": tuple(data.get("unproven", ())),
        "options": TaskOptions.from_json(options) if options is not None else None,
    }
    if "mapped" in data:
        return MapNode(
            **base,
            mapped=tuple(data["mapped"]),
            concurrency=data.get("concurrency"),
            min_success_ratio=data["min_success_ratio"],
        )
    return TaskNode(**base)
