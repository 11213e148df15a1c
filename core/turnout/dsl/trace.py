"""A trace: the workflow body runs once, with promises, and leaves a graph behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from turnout.dsl import arguments, known, predicate
from turnout.dsl.fields import union_of
from turnout.dsl.frames import CallSites, location
from turnout.dsl.inputs import use
from turnout.dsl.known import OPEN
from turnout.dsl.predicate import Predicate
from turnout.dsl.promise import Output, name_of, steering
from turnout.errors import GraphError
from turnout.graph import (
    AnyNode,
    Binding,
    Fixed,
    Graph,
    MapNode,
    NodeId,
    Path,
    TaskKey,
    TaskNode,
    TaskSpec,
    Value,
    WorkflowNode,
)
from turnout.graph.binding import path_text
from turnout.graph.model import new_node

if TYPE_CHECKING:
    from turnout.dsl.task import Task

_current: ContextVar[Trace | None] = ContextVar("turnout_trace", default=None)
current = _current.get


class OpenInput(GraphError):
    """A body steers by an input that has no value.

    Attributes:
        path: the input, as the outermost workflow knows it.
    """

    path: Path = ()


class Traced(NamedTuple):
    """A graph with the task objects it was made from.

    Attributes:
        graph: the compiled workflow.
        tasks: the tasks by their key in the graph, of inner workflows too.
        annotations: parameter annotations of the workflows, by their ``module:qualname``.
        fixed_values: what Python saw of the fixed inputs, by path and kind.
        returns: what the result is to be checked against once it is there; ``Any`` where the
            annotations prove that it fits.
    """

    graph: Graph
    tasks: Mapping[TaskKey, Task[..., Any]]
    annotations: Mapping[str, Mapping[str, Any]] = {}
    fixed_values: Mapping[tuple[Path, str], Any] = {}
    returns: Any = Any


class Trace:
    """What has been traced so far of one workflow or dynamic body.

    Args:
        name: the workflow's name, for messages.
        parent: the trace of the workflow this one is called in.
        within: the node of the dynamic task whose body this is. Functions that cannot be
            imported are then known by that node too: the same body run again defines others.

    Attributes:
        body: the function that is traced.
        values_given: the inputs' values by parameter, while there are any.
        hints: the parameters' annotations.
        bound: parameters that stand for task outputs of the workflow around this one.
        allowed: the inputs Python may use; ``None`` allows all.
        handed: plain values of a dynamic body that came in as arguments and go on by handle.
        guard: the branch and case that nodes made now belong to.
        guards: what each guarded node belongs to.
        open_branches: what to say of conditionals that have not been ended, and their line.
        after: the nodes each node waits for though no data flows.
        returned: the annotation of the body's result, as far as its promises tell.
        proven: whether the annotations prove that the result is what was promised.
        sites: the lines that tasks are called from.
        unordered: whether nodes may stand before some they need.
    """

    def __init__(self, name: str, parent: Trace | None = None, within: str = "") -> None:
        self.name = name
        self.parent = parent
        self.within: str = within or ("" if parent is None else parent.within)
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.nodes: list[AnyNode] = []
        self.tasks: dict[TaskKey, Task[..., Any]] = {} if parent is None else parent.tasks
        self.annotations: dict[str, Mapping[str, Any]] = (
            {} if parent is None else parent.annotations
        )
        self.specs: dict[TaskKey, TaskSpec] = {}
        self.workflows: dict[str, Graph] = {}
        self.values: list[Value] = []
        self.body: object = None
        self.values_given: Mapping[str, Any] = {}
        self.hints: Mapping[str, Any] = {}
        self.bound: Mapping[str, str] = {}
        self.fixed: dict[tuple[Path, str], Fixed] = {}
        self.fixed_values: dict[tuple[Path, str], Any] = {}
        self.allowed: frozenset[str] | None = None
        self.after: dict[NodeId, list[NodeId]] = {}
        self.guard: tuple[NodeId, int] | None = None
        self.guards: dict[NodeId, tuple[NodeId, int]] = {}
        self.open_branches: dict[NodeId, tuple[str, str]] = {}
        self.unordered = False
        self.returned: Any = Any
        self.proven = True
        self.handed: dict[int, Binding] = {}
        self.sites = CallSites()
        # How far each name has been numbered.
        self._counts: dict[str, int] = {}
        self._keys: dict[Task[..., Any], TaskKey] = {}

    # -- nodes ---------------------------------------------------------------------------------

    def new_id(self, name: str) -> NodeId:
        """A node id that is not taken: the name, then ``name-2`` and so on."""
        counts = self._counts
        count = counts.get(name, 0) + 1
        free = name
        if count > 1 or self._is_taken(name):
            count = max(count, 2)
            free = f"{name}-{count}"
            while free in counts:  # so another task is called
                count += 1
                free = f"{name}-{count}"
        counts[name] = count
        return free  # type: ignore[return-value]  # naming the type is a call

    def _is_taken(self, name: str) -> bool:
        """Whether a name that is new is an id already, as the ``a-2`` of a task ``a`` is."""
        stem, _, number = name.rpartition("-")
        if not number.isdecimal() or number != str(int(number)):
            return False
        return 2 <= int(number) <= self._counts.get(stem, 0)

    def add(self, node: AnyNode) -> None:
        """Append a node and remember what it is guarded by."""
        self.nodes.append(node)
        if node.guard is not None:
            self.guards[node.id] = node.guard

    def add_task(self, task: Task[..., Any], names: Iterable[str], values: Sequence[Any]) -> Output:
        """A node for one call of a task; gives the promise of its result."""
        node_id = self.new_id(task.name)
        args, unproven = arguments.bind(self, task, names, values)
        key = self._keys.get(task) or self.use_task(task)
        line = self.sites.location()
        fields = (
            node_id, key, args, unproven, task.node_options, self.guard, line, (), (), None, 1.0
        )  # fmt: skip
        self.add(new_node(fields))
        return Output(self, node_id, (), task.gives)

    def add_map(
        self,
        task: Task[..., Any],
        bound: Mapping[str, Any],
        mapped: Mapping[str, Any],
        concurrency: int | None,
        ratio: float,
    ) -> Output:
        """A node for a task mapped over lists; gives the promise of the list of results."""
        node_id = self.new_id(task.name)
        args, unproven = arguments.bind(self, task, bound, [*bound.values()])
        lists: list[tuple[str, Binding]] = []
        for name, value in mapped.items():
            binding, proven = arguments.bind_list(self, task, name, value)
            lists.append((name, binding))
            if not proven:
                unproven = (*unproven, name)
        self.add(
            MapNode(
                id=node_id,
                task=self.use_task(task),
                args=(*args, *lists),
                unproven=unproven,
                guard=self.guard,
                options=task.node_options,
                line=location(),
                mapped=tuple(mapped),
                concurrency=concurrency,
                min_success_ratio=ratio,
            )
        )
        item: Any = task.gives if ratio >= 1 else union_of([task.gives, type(None)])
        return Output(self, node_id, (), list.__class_getitem__(item))

    def add_workflow(
        self, name: str, graph: Graph, args: Sequence[tuple[str, Any]], returns: Any
    ) -> Output:
        """A node for a workflow inside this one; equal specialisations share one graph."""
        node_id = self.new_id(name)
        key = self.share(name, graph)
        bound = tuple([(param, self.take_apart(value)) for param, value in args])
        self.add(
            WorkflowNode(id=node_id, workflow=key, args=bound, guard=self.guard, line=location())
        )
        return Output(self, node_id, (), returns)

    def share(self, name: str, graph: Graph) -> str:
        """The key of a sub-workflow's graph, the same for equal graphs."""
        key, count = name, 1
        while key in self.workflows and self.workflows[key] != graph:
            count += 1
            key = f"{name}-{count}"
        self.workflows[key] = graph
        return key

    def use_task(self, task: Task[..., Any]) -> TaskKey:
        """The task's key in the graph, the task entered in the side table.

        Tasks of one qualified name, such as those made in a loop, get keys of their own.
        """
        known_key = self._keys.get(task)
        if known_key is not None:
            return known_key
        first = task.key
        if self.within and not task.importable:
            first = TaskKey(f"{first}@{self.within}")
        key, count = first, 1
        found = self.tasks.get(key)
        while found is not None and not found.same_as(task):
            count += 1
            key = TaskKey(f"{first}#{count}")
            found = self.tasks.get(key)
        if found is None:
            self.tasks[key] = task.plain
        if key not in self.specs:
            self.specs[key] = task.spec(key)
        self._keys[task] = key
        return key

    def task_name(self, node_id: NodeId) -> str:
        """The name of the task or workflow behind a node, for messages."""
        for node in self.nodes:
            if node.id == node_id:
                if isinstance(node, TaskNode):
                    return self.specs[node.task].name
                return node.workflow if isinstance(node, WorkflowNode) else str(node.id)
        return str(node_id)

    # -- promises ------------------------------------------------------------------------------

    def take_apart(self, value: Any) -> Binding:
        """The binding of any value; see `turnout.dsl.arguments.take_apart`."""
        return arguments.take_apart(self, value)

    def compare(self, operation: str, left: Any, right: Any) -> Predicate:
        """The predicate of a comparison; see `turnout.dsl.predicate.compare`."""
        return predicate.compare(self, operation, left, right)

    def condition(self, value: Any) -> Predicate:
        """The predicate a value is; see `turnout.dsl.predicate.as_predicate`."""
        return predicate.as_predicate(value, self)

    def plain_key(self, key: Any) -> Any:
        """What an output is indexed with: an input's plain value, anything else as it is."""
        return use(key)

    def usable(self, output: Output) -> None:
        """Check that a promise may be used here.

        Raises:
            GraphError: it belongs to another workflow, or to a case that may not run.
        """
        if output._turnout_trace is not self:
            raise GraphError(
                f"{output!r} belongs to workflow {output._turnout_trace.name!r} and is used in "
                f"{self.name!r}; pass it as an argument",
                location=location(),
            )
        guard = self.guards.get(output._turnout_node)
        if guard is not None and guard not in self._guard_chain():
            raise GraphError(
                f"{name_of(output)!r} was made in a case of conditional {guard[0]!r} and is used "
                "outside of it, where it may not exist; use what the conditional gives",
                location=location(),
            )

    def _guard_chain(self) -> Iterable[tuple[NodeId, int]]:
        guard = self.guard
        while guard is not None:
            yield guard
            guard = self.guards.get(guard[0])

    def add_order(self, first: Any, then: Any) -> None:
        """``then`` runs after ``first``, though no data flows.

        Raises:
            GraphError: one of them is no task output, or they are the same.
        """
        for value in (first, then):
            if type(value) is not Output:
                raise GraphError(
                    f"order (>>) is between task outputs, and {value!r} is none",
                    location=location(),
                )
            self.usable(value)
        earlier, later = first._turnout_node, then._turnout_node
        if earlier == later:
            raise GraphError(
                f"a cycle: {name_of(first)!r} cannot come after itself", location=location()
            )
        self.after.setdefault(later, []).append(earlier)
        self.unordered = True

    # -- inputs --------------------------------------------------------------------------------

    def value_at(self, path: Path) -> Any:
        """The value of an input path."""
        return known.at_path(self.values_given.get(str(path[0]), OPEN), path[1:])

    def fix(self, path: Path, what: str, value: Any, where: str | None = None) -> None:
        """Record that Python used an input.

        Args:
            path: the input.
            what: ``value``, or ``keys`` when only the key set or length was looked at.
            value: its value.
            where: ``file:line`` of the use; found in the stack if not given.

        Raises:
            GraphError: the input is open, or ``@workflow(fixed=...)`` does not allow it.
        """
        key = (path, what)
        if value is not OPEN and key in self.fixed:
            return
        where = location() if where is None else where
        if value is OPEN:
            raise self._open(path, where)
        if self.allowed is not None and not self._allows(path):
            raise GraphError(
                f"input {path_text(path)!r} is fixed here, and workflow {self.name!r} allows only: "
                f"{', '.join(sorted(self.allowed)) or 'none'}",
                location=where,
            )
        kind: Literal["value", "keys"] = "keys" if what == "keys" else "value"
        self.fixed[key] = Fixed(path=path, what=kind, line=where)
        with known.told_with(path):
            seen = known.plain(value) if kind == "value" else known.keys_of(value)
        self.fixed_values[key] = seen

    def _open(self, path: Path, where: str) -> GraphError:
        source = self.bound.get(str(path[0]))
        if source is not None:
            text = f"{path_text(path)!r} of workflow {self.name!r}, bound to {source}"
            return GraphError(text, location=where)
        text = (
            f"input {path_text(path)!r} has no value yet and steers the workflow; give it a "
            "value, or pass it to a task"
        )
        error = OpenInput(text, location=where)
        error.path = path
        return error

    def _allows(self, path: Path) -> bool:
        """Whether the path or what it lies in is allowed, with or without its parameter."""
        assert self.allowed is not None
        texts = {path_text(path[:end]) for end in range(1, len(path) + 1)}
        texts |= {path_text(path[1:end]) for end in range(2, len(path) + 1)}
        return bool(texts & self.allowed)


def bound_text(output: Output) -> str:
    """What is said of a sub-workflow's parameter that stands for a task's output."""
    task = output._turnout_trace.task_name(output._turnout_node)
    return f"{name_of(output)!r}, {steering(task, 'used by Python here')}"


def start(trace: Trace) -> Token[Trace | None]:
    """Make a trace the current one; the token ends it with `stop`."""
    return _current.set(trace)


def stop(token: Token[Trace | None]) -> None:
    """Make the trace before the current one again."""
    _current.reset(token)
