"""A graph as boxes inside boxes and arrows between them: what the pictures are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from turnout.graph import (
    AnyNode,
    Binding,
    BranchNode,
    Graph,
    MapNode,
    NodeId,
    TaskNode,
    WorkflowNode,
)
from turnout.graph.binding import leaves
from turnout.observe.describe import (
    Kind,
    binding_text,
    calls,
    kind,
    members,
    needs,
    numbered,
    option_json,
    option_texts,
    predicate_leaves,
    predicate_text,
    shorten,
)

__all__ = ["Arrow", "Box", "Sketch", "sketch"]


@dataclass(slots=True, kw_only=True)
class Box:
    """One thing in the picture.

    Attributes:
        key: unique in the picture: the node's name in a run, such as ``tune/fit``.
        kind: a `Kind`, or ``decision``, ``fail``, ``join``, ``port``, ``result``.
        title: the first line.
        notes: further lines.
        takes: parameter and what is bound to it; condition and outcome for a branch.
        facts: name and text of what else there is to say, for tooltips and tables.
        options: how it is run, as JSON values.
        handler: whether it runs only when the run fails.
        children: what is inside, for a sub-workflow or a branch.
    """

    key: str
    kind: str
    title: str
    notes: tuple[str, ...] = ()
    takes: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    handler: bool = False
    children: list[Box] = field(default_factory=list)

    def walk(self) -> Iterator[Box]:
        """This box and all inside it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """From one box to another; never to a box that has others inside.

    Attributes:
        source: key of the box it leaves.
        target: key of the box it enters.
        kind: ``data``, ``order`` (no data flows) or ``choice`` (a case of a branch).
        label: what it is read for, or the condition.
    """

    source: str
    target: str
    kind: str = "data"
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A whole picture."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def sketch(graph: Graph) -> Sketch:
    """The boxes and arrows of a graph; sub-workflows and branches hold theirs inside."""
    arrows: list[Arrow] = []
    scope = _Scope(graph, "", arrows)
    boxes = scope.boxes()
    if graph.result is not None:
        end = Box(
            key="=result",
            kind="result",
            title="result",
            facts=(("returns", binding_text(graph.result, graph, 200)),),
        )
        if scope.reads(graph.result, end.key, "result"):
            boxes.append(end)
    params = ", ".join(param.name for param in graph.params)
    return Sketch(title=f"{graph.name}({params})", boxes=tuple(boxes), arrows=_merged(arrows))


def _merged(arrows: list[Arrow]) -> tuple[Arrow, ...]:
    """One arrow for all that go the same way, with all their labels."""
    labels: dict[tuple[str, str, str], dict[str, None]] = {}
    for arrow in arrows:
        if arrow.source != arrow.target:
            same = labels.setdefault((arrow.source, arrow.target, arrow.kind), {})
            same[arrow.label] = None
    return tuple(
        Arrow(source=source, target=target, kind=kind, label=", ".join(found))
        for (source, target, kind), found in labels.items()
    )


class _Scope:
    """One graph of the picture: where its arrows leave from and arrive."""

    def __init__(
        self, graph: Graph, prefix: str, arrows: list[Arrow], ports: dict[str, str] | None = None
    ) -> None:
        self.graph = graph
        self.prefix = prefix
        self.arrows = arrows
        self.ports = ports or {}
        self.by_case = members(graph)
        everything = [*graph.nodes, *([graph.on_failure] if graph.on_failure else [])]
        self.exits = {node.id: self._exit(node) for node in everything}

    def boxes(self) -> list[Box]:
        boxes = [self.box(node) for node in self.by_case[None]]
        if self.graph.on_failure is not None:
            handler = self.box(self.graph.on_failure)
            handler.handler = True
            handler.title = calls(self.graph.on_failure, self.graph)
            others = (note for note in handler.notes if note != handler.title)
            handler.notes = ("on failure", *others)
            boxes.append(handler)
        return boxes

    def key(self, node_id: str) -> str:
        return f"{self.prefix}{node_id}"

    def _exit(self, node: AnyNode) -> str:
        """The box that arrows out of a node leave from."""
        key = self.key(node.id)
        if isinstance(node, BranchNode):
            return f"{key}/=end"
        if isinstance(node, WorkflowNode):
            inner = self.graph.workflows[node.workflow]
            if inner.result is not None:
                return f"{key}/=result"
            return f"{key}/=call" if not inner.nodes else f"{key}/{inner.nodes[-1].id}"
        return key

    def arrow(self, source: str, target: str, kind: str = "data", label: str = "") -> None:
        self.arrows.append(Arrow(source=source, target=target, kind=kind, label=label))

    def reads(self, binding: Binding, target: str, label: str) -> bool:
        """Draw what a binding needs as arrows; whether there was anything to draw."""
        before = len(self.arrows)
        for leaf in leaves(binding):
            if leaf[0] == "output" and leaf[1] in self.exits:
                self.arrow(self.exits[leaf[1]], target, label=label)
            elif leaf[0] == "input" and leaf[1] in self.ports:
                self.arrow(self.ports[leaf[1]], target, label=label)
        return len(self.arrows) > before

    def box(self, node: AnyNode) -> Box:
        if isinstance(node, BranchNode):
            return self.branch(node)
        if isinstance(node, WorkflowNode):
            return self.workflow(node)
        key = self.key(node.id)
        name = calls(node, self.graph)
        notes = []
        if isinstance(node, MapNode):
            notes.append(f"{name} for each of {', '.join(node.mapped)}")
        elif not numbered(node.id, name):
            notes.append(name)
        paths = [
            binding_text(leaf, self.graph)
            for _, binding in node.args
            for leaf in leaves(binding)
            if leaf[0] == "input" and leaf[1] not in self.ports
        ]
        if paths:
            notes.append(", ".join(dict.fromkeys(paths)))
        for param, binding in node.args:
            self.reads(binding, key, param)
        self.ordered(node, key)
        return Box(
            key=key,
            kind=str(kind(node, self.graph)),
            title=node.id,
            notes=tuple(notes),
            takes=self.takes(node),
            facts=self.facts(node),
            options=option_json(node, self.graph),
        )

    def ordered(self, node: AnyNode, key: str) -> None:
        for earlier in node.after:
            if earlier in self.exits:
                self.arrow(self.exits[earlier], key, "order", "after")

    def facts(self, node: AnyNode) -> tuple[tuple[str, str], ...]:
        facts = [("kind", str(kind(node, self.graph)))]
        name = calls(node, self.graph)
        if name:
            word = "workflow" if isinstance(node, WorkflowNode) else "task"
            facts.append((word, name))
        if node.after:
            facts.append(("after", ", ".join(node.after)))
        options = option_texts(node, self.graph)
        if options:
            facts.append(("options", ", ".join(options)))
        if node.line:
            facts.append(("line", node.line))
        return tuple(facts)

    def takes(self, node: TaskNode | WorkflowNode) -> tuple[tuple[str, str], ...]:
        return tuple(
            (param, binding_text(binding, self.graph, 120)) for param, binding in node.args
        )

    def workflow(self, node: WorkflowNode) -> Box:
        inner = self.graph.workflows[node.workflow]
        key = self.key(node.id)
        ports: list[Box] = []
        given = []
        for param, binding in node.args:
            port = f"{key}/={param}"
            if self.reads(binding, port, param):
                ports.append(Box(key=port, kind="port", title=param))
            else:
                given.append(f"{param}={binding_text(binding, self.graph, 30)}")
        known = {port.title: port.key for port in ports}
        scope = _Scope(inner, f"{key}/", self.arrows, known)
        children = [*ports, *scope.boxes()]
        if inner.result is not None:
            children.append(Box(key=f"{key}/=result", kind="port", title="result"))
            scope.reads(inner.result, f"{key}/=result", "result")
        if not children:
            children.append(Box(key=f"{key}/=call", kind="port", title="nothing to run"))
        self.ordered(node, _entry(children[0]))
        note = [] if numbered(node.id, inner.name) else [inner.name]
        return Box(
            key=key,
            kind=str(Kind.WORKFLOW),
            title=node.id,
            notes=tuple(note + given),
            takes=self.takes(node),
            facts=self.facts(node),
            children=children,
        )

    def branch(self, node: BranchNode) -> Box:
        key = self.key(node.id)
        decision = f"{key}/=decision"
        end = f"{key}/=end"
        children = [Box(key=decision, kind="decision", title="?")]
        takes: list[tuple[str, str]] = []
        ends = False
        for index, case in enumerate(node.cases):
            condition = predicate_text(case.when, self.graph) if case.when else "else"
            for leaf in predicate_leaves(case.when) if case.when else ():
                self.reads(leaf, decision, "condition")
            inner = self.by_case.get((node.id, index), [])
            for member in inner:
                box = self.box(member)
                children.append(box)
                if not self._follows(member, inner):
                    self.arrow(decision, _entry(box), "choice", condition)
            if case.fail is not None:
                stop = f"{key}/=fail{index}"
                message = shorten(case.fail, 200)
                children.append(
                    Box(
                        key=stop,
                        kind="fail",
                        title="fail",
                        notes=(message,),
                        facts=(("fails", message),),
                    )
                )
                self.arrow(decision, stop, "choice", condition)
                takes.append((condition, f"fails: {message}"))
            elif case.then is not None:
                ends = True
                if not self.reads(case.then, end, "result"):
                    self.arrow(decision, end, "choice", condition)
                takes.append((condition, binding_text(case.then, self.graph, 120)))
        if ends:
            children.append(Box(key=end, kind="join", title=node.id))
        self.ordered(node, decision)
        return Box(
            key=key,
            kind=str(Kind.BRANCH),
            title=node.id,
            takes=tuple(takes),
            facts=self.facts(node),
            children=children,
        )

    def _follows(self, member: AnyNode, inner: list[AnyNode]) -> bool:
        """Whether another node of the same case comes before this one anyway."""
        ids: set[NodeId] = {other.id for other in inner}
        return any(source in ids for source in (*needs(member), *member.after))


def _entry(box: Box) -> str:
    """The box that arrows into a box arrive at."""
    while box.children:
        box = box.children[0]
    return box.key
