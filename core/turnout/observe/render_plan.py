"""A plan as text and as JSON: what would run, with what, and what to know before it does."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from turnout.graph import Graph, TaskNode, TaskOptions
from turnout.graph.binding import Path, leaves, path_text
from turnout.observe.describe import predicate_leaves, shorten
from turnout.observe.render_text import render_text
from turnout.observe.sketch import Box, sketch
from turnout.plan import Plan

__all__ = ["plan_facts", "render_plan"]

_HIDDEN = frozenset({"decision", "join", "port", "result", "fail"})


def render_plan(plan: Plan, *, ascii_only: bool = False) -> str:
    """A plan for people to read."""
    facts = plan_facts(plan)
    environment = facts["environment"]
    head = f"{facts['workflow']} on {environment['name']}"
    if environment["backend"] != environment["name"]:
        head += f" ({environment['backend']})"
    count = len(facts["nodes"])
    lines = [f"{head}: {count} node{'s' * (count != 1)}", ""]
    graph = _with_options(plan.graph, plan)._replace(fixed=())
    lines.append(render_text(graph, ascii_only=ascii_only))
    if plan.until:
        runs = ", ".join(node["node"] for node in facts["nodes"])
        lines.append(f"\nuntil {plan.until!r}, so only these run: {runs}")
    lines += _section(
        "inputs",
        [(f"{i['path']} = {i['value']}", ", ".join(i["read_by"])) for i in facts["inputs"]],
    )
    lines += _section(
        "fixed: the graph was built for these, and another value may build another",
        [
            (f["path"] + (f" = {f['value']}" if f["what"] == "value" else " (its keys)"), f["line"])
            for f in facts["fixed"]
        ],
    )
    for kind in dict.fromkeys(note["kind"] for note in facts["notes"]):
        lines += ["", _TITLES.get(kind, kind)]
        lines += [f"  {note['text']}" for note in facts["notes"] if note["kind"] == kind]
    return "\n".join(lines)


_TITLES = {
    "advisory": "advice this environment does not take",
    "whole config": "tasks that depend on the whole config",
    "cache": "what the cache cannot see",
    "config": "config",
    "dynamic": "settings for tasks the workflow does not have by itself",
}


def plan_facts(plan: Plan) -> dict[str, Any]:
    """A plan as JSON values.

    Keys: ``workflow``, ``ref``, ``environment``, ``nodes``, ``inputs``, ``fixed``, ``notes``,
    ``on_error`` and ``until``.
    """
    graph = _with_options(plan.graph, plan)
    wanted = None
    if plan.wanted is not None:
        wanted = {plan.program.steps[index].id for index in plan.wanted}
    boxes = [box for outer in sketch(graph).boxes for box in outer.walk()]
    nodes = [_node(box) for box in boxes if box.kind not in _HIDDEN and _runs(box, wanted)]
    environment = plan.environment
    settings = environment.config
    return {
        "workflow": graph.name,
        "ref": graph.ref,
        "environment": {
            "name": environment.name,
            "backend": environment.backend.name,
            "settings": dataclasses.asdict(settings),
        },
        "nodes": nodes,
        "inputs": [
            {"path": path_text(path), "value": _value(plan.inputs, path), "read_by": readers}
            for path, readers in _read(graph).items()
        ],
        "fixed": [
            {
                "path": path_text(fixed.path),
                "what": fixed.what,
                "value": _value(plan.inputs, fixed.path),
                "line": fixed.line,
            }
            for fixed in graph.fixed
        ],
        "notes": [{"kind": note.kind, "node": note.node, "text": note.text} for note in plan.notes],
        "on_error": plan.on_error,
        "until": plan.until,
    }


def _section(title: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    width = min(max(len(first) for first, _ in rows), 60)
    return ["", title, *(f"  {first:<{width}}  {second}".rstrip() for first, second in rows)]


def _runs(box: Box, wanted: set[str] | None) -> bool:
    if wanted is None:
        return True
    return box.key in wanted or any(name.startswith(f"{box.key}/") for name in wanted)


def _node(box: Box) -> dict[str, Any]:
    facts = dict(box.facts)
    found: dict[str, Any] = {"node": box.key, "kind": box.kind}
    found |= {name: facts[name] for name in ("task", "workflow") if name in facts}
    found["inputs"] = dict(box.takes)
    if box.options:
        found["options"] = box.options
    found |= {name: facts[name] for name in ("after", "line") if name in facts}
    if box.handler:
        found["on_failure"] = True
    return found


def _with_options(graph: Graph, plan: Plan) -> Graph:
    """The graph with the options that count: the config's over those of node and task."""
    overrides = plan.rules.overrides

    def over(name: str, options: TaskOptions | None) -> TaskOptions | None:
        said = overrides.get(name)
        return said if options is None else options.merged(said)

    def node(one: Any) -> Any:
        if not isinstance(one, TaskNode):
            return one
        return one._replace(options=over(graph.tasks[one.task].name, one.options))

    if not overrides:
        return graph
    return graph._replace(
        nodes=tuple(node(one) for one in graph.nodes),
        workflows={key: _with_options(inner, plan) for key, inner in graph.workflows.items()},
        on_failure=node(graph.on_failure) if graph.on_failure is not None else None,
    )


def _read(graph: Graph) -> dict[Path, list[str]]:
    """The parts of the inputs that nodes read, and which nodes do."""
    found: dict[Path, list[str]] = {}
    nodes = [*graph.nodes, *([graph.on_failure] if graph.on_failure else [])]
    for node in nodes:
        bindings = [binding for _, binding in getattr(node, "args", ())]
        parts = [leaf for binding in bindings for leaf in leaves(binding)]
        for case in getattr(node, "cases", ()):
            parts += predicate_leaves(case.when) if case.when else ()
            parts += leaves(case.then) if case.then is not None else ()
        for leaf in parts:
            if leaf[0] == "input" and node.id not in found.setdefault(leaf[1:], []):
                found[leaf[1:]].append(node.id)
    return found


def _value(inputs: Mapping[str, Any], path: Path) -> str:
    """A part of an input as text; what comes from the environment stays a reference."""
    value: Any = inputs.get(str(path[0]))
    for key in path[1:]:
        try:
            raw = _raw(value, key)
            if raw is not None:
                return raw
            value = value[key] if hasattr(value, "__getitem__") else getattr(value, str(key))
        except Exception as error:  # a plan tells what it can of values it cannot read
            return f"({type(error).__name__})"
    return shorten(_text(value), 60)


def _raw(config: Any, key: Any) -> str | None:
    """The text of an interpolation that reads the environment or a secret."""
    node = getattr(config, "_get_node", None)
    raw = getattr(node(key), "_value", lambda: None)() if callable(node) else None
    private = isinstance(raw, str) and any(f"${{{n}" in raw for n in ("oc.env", "secret"))
    return raw if private else None


def _text(value: Any) -> str:
    if type(value).__module__.startswith("omegaconf."):
        from omegaconf import OmegaConf

        return str(OmegaConf.to_container(value, resolve=False))
    if isinstance(value, enum.Enum):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str, list, tuple, dict, PurePath)):
        return repr(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return repr(value)
    return type(value).__name__
