"""The graph: a workflow after tracing, as a frozen value without callables.

A graph names code by ``module:qualname`` and files by names relative to the project, so the
same workflow with the same config compiles to the same bytes in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple, NewType, TypeAlias

from turnout.graph.binding import Binding, Path
from turnout.graph.options import TaskOptions
from turnout.graph.values import Value

NodeId = NewType("NodeId", str)
TaskKey = NewType("TaskKey", str)

FORMAT_VERSION = 1


class Param(NamedTuple):
    """A parameter of a task or workflow.

    Attributes:
        name: as the function spells it.
        annotation: the annotation as text; ``""`` where there is none.
        required: whether it has no default.
        whole: for a workflow: it receives the whole config, not the key of its name.
    """

    name: str
    annotation: str = ""
    required: bool = True
    whole: bool = False


class TaskSpec(NamedTuple):
    """A task as the graph knows it.

    Attributes:
        key: unique in the graph.
        name: what nodes, config and messages call it.
        ref: ``module:qualname`` of the function.
        importable: whether ``ref`` can be imported in another process; if not, it goes by value.
        params: the function's parameters, in order.
        returns: the return annotation as text.
        fields: names of the outputs where the annotation declares several.
        options: as written at the task.
        dynamic: whether the body builds a graph at run time.
    """

    key: TaskKey
    name: str
    ref: str
    importable: bool = True
    params: tuple[Param, ...] = ()
    returns: str = ""
    fields: tuple[str, ...] = ()
    options: TaskOptions = TaskOptions()
    dynamic: bool = False


class TaskNode(NamedTuple):
    """A task placed in the workflow.

    Attributes:
        id: unique in the graph.
        task: key into ``Graph.tasks``.
        args: parameter name and binding, in the order of the call.
        unproven: parameters whose value must be converted and checked where the task runs,
            because the annotations alone do not prove that it fits.
        options: what ``with_options`` said for this node.
        guard: the branch node and the index of the case this node belongs to, if any.
        line: ``file:line`` of the call in the workflow.
        after: nodes that must finish first though no data flows.
        mapped: of a map: the parameters of ``args`` that are lists to be zipped.
        concurrency: of a map: how many items may run at once; ``None`` is no limit of its own.
        min_success_ratio: of a map: the part of the items that must succeed, in (0, 1].
    """

    id: NodeId
    task: TaskKey
    args: tuple[tuple[str, Binding], ...] = ()
    unproven: tuple[str, ...] = ()
    options: TaskOptions | None = None
    guard: tuple[NodeId, int] | None = None
    line: str = ""
    after: tuple[NodeId, ...] = ()
    mapped: tuple[str, ...] = ()
    concurrency: int | None = None
    min_success_ratio: float = 1.0


# As the constructor, from all fields in order; every call in a workflow makes one.
new_node: Final[Callable[[tuple[Any, ...]], TaskNode]] = partial(tuple.__new__, TaskNode)


class MapNode(TaskNode):
    """A task mapped over lists of equal length; at least one parameter is ``mapped``."""

    __slots__ = ()


class Case(NamedTuple):
    """One case of a branch.

    Attributes:
        when: the predicate; ``None`` for ``else``.
        then: the binding of the case's result; ``None`` if it fails.
        fail: the message it fails with.
    """

    when: Predicate | None = None
    then: Binding | None = None
    fail: str | None = None


class BranchNode(NamedTuple):
    """A conditional: the first case whose predicate holds runs, the others do not.

    Attributes:
        id: unique in the graph.
        cases: in the order they are asked.
        guard: as for a task's node.
        line: ``file:line`` of the ``conditional``.
        after: as for a task's node.
    """

    id: NodeId
    cases: tuple[Case, ...]
    guard: tuple[NodeId, int] | None = None
    line: str = ""
    after: tuple[NodeId, ...] = ()


class WorkflowNode(NamedTuple):
    """A workflow placed in a workflow.

    Attributes:
        id: unique in the graph.
        workflow: key into ``Graph.workflows``.
        args: parameter name and binding.
        guard: as for a task's node.
        line: ``file:line`` of the call.
        after: as for a task's node.
    """

    id: NodeId
    workflow: str
    args: tuple[tuple[str, Binding], ...] = ()
    guard: tuple[NodeId, int] | None = None
    line: str = ""
    after: tuple[NodeId, ...] = ()


# ("and" | "or", p, q), ("not", p), ("true", binding) or (comparison, binding, binding) with
# comparison one of lt, le, eq, ne, ge, gt.
Predicate: TypeAlias = tuple[Any, ...]

AnyNode: TypeAlias = TaskNode | MapNode | BranchNode | WorkflowNode


class Fixed(NamedTuple):
    """A part of an input that the graph's structure depends on.

    Attributes:
        path: the parameter, then the keys below it.
        what: ``value``, or ``keys`` when only the key set or length was looked at.
        line: ``file:line`` of the first use that fixed it.
    """

    path: Path
    what: Literal["value", "keys"]
    line: str


class Graph(NamedTuple):
    """A compiled workflow.

    Attributes:
        name: the workflow's name.
        ref: ``module:qualname`` of the workflow function.
        params: its inputs.
        nodes: in an order in which every node follows those it needs.
        result: binding of what the workflow returns; ``None`` for nothing.
        tasks: the tasks the nodes refer to.
        workflows: the sub-workflows the nodes refer to.
        values: constants that are no JSON scalars.
        fixed: the parts of the inputs that Python used while tracing.
        on_failure: the task or workflow to call when the run fails.
    """

    name: str
    ref: str = ""
    params: tuple[Param, ...] = ()
    nodes: tuple[AnyNode, ...] = ()
    result: Binding | None = None
    tasks: Mapping[TaskKey, TaskSpec] = {}
    workflows: Mapping[str, Graph] = {}
    values: tuple[Value, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    on_failure: WorkflowNode | TaskNode | None = None

    def node(self, node_id: str) -> AnyNode:
        """The node with that id.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def walk(self) -> Iterator[Graph]:
        """This graph and every graph inside it, each once."""
        seen: dict[int, Graph] = {}
        todo = [self]
        while todo:
            graph = todo.pop(0)
            if id(graph) not in seen:
                seen[id(graph)] = graph
                yield graph
                todo.extend(graph.workflows.values())
