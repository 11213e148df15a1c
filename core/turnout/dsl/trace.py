"""A trace: the workflow body runs once, with promises, and leaves a graph behind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, Literal, NamedTuple, TYPE_CHECKING, get_args, get_origin

from turnout.dsl import inputs, promise
from turnout.dsl.frames import location
from turnout.dsl.inputs import OPEN, Input
from turnout.dsl.promise import Output
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
from turnout.graph.binding import leaves, path_text
from turnout.types import Relation, relate, show

if TYPE_CHECKING:
    from turnout.dsl.task import Task

ANY: Final = Any
_PLAIN: Final = frozenset({bool, int, str, type(None)})

_current: ContextVar[Trace | None] = ContextVar("turnout_trace", default=None)
current = _current.get


class Traced(NamedTuple):
    """A graph with the task objects it was made from.

    Attributes:
        graph: the compiled workflow.
        tasks: the tasks by their key in the graph, of inner workflows too.
        annotations: parameter annotations of the workflows, by their ``module:qualname``.
        fixed_values: what Python saw of the fixed inputs, by path and kind.
    """

    graph: Graph
    tasks: Mapping[TaskKey, Task[..., Any]]
    annotations: Mapping[str, Mapping[str, Any]] = {}  # noqa: RUF012  (never changed)
    fixed_values: Mapping[tuple[Path, str], Any] = {}  # noqa: RUF012  (never changed)


class Instantiate:
    """An argument Hydra will build from a config, in the worker."""

    __slots__ = ("config",)

    def __init__(self, config: Any) -> None:
        self.config = config


class Trace:
    """What has been traced so far of one workflow or dynamic body."""

    def __init__(self, name: str, parent: Trace | None = None) -> None:
        self.name = name
        self.parent = parent
        self.nodes: list[AnyNode] = []
        self.ids: dict[str, int] = {}
        self.tasks: dict[TaskKey, Task[..., Any]] = {} if parent is None else parent.tasks
        self.annotations: dict[str, Mapping[str, Any]] = (
            {} if parent is None else parent.annotations
        )
        self.specs: dict[TaskKey, TaskSpec] = {}
        self.workflows: dict[str, Graph] = {}
        self.values: list[Value] = []
        self.fixed: dict[tuple[Path, str], Fixed] = {}
        self.fixed_values: dict[tuple[Path, str], Any] = {}
        self.after: dict[NodeId, list[NodeId]] = {}
        self.guard: tuple[NodeId, int] | None = None
        self.guards: dict[NodeId, tuple[NodeId, int]] = {}
        self.open_branches: list[tuple[str, str]] = []
        self.allowed: frozenset[str] | None = None
        # Plain values of a dynamic body that came in as arguments go on by handle.
        self.handed: dict[int, Binding] = {}
        self.result_annotation: Any = ANY

    # -- nodes ---------------------------------------------------------------------------------

    def new_id(self, name: str) -> NodeId:
        """A node id that is not taken: the name, then ``name-2`` and so on."""
        count = self.ids.get(name)
        if count is None:
            self.ids[name] = 1
            return NodeId(name)
        while True:
            count += 1
            candidate = f"{name}-{count}"
            if candidate not in self.ids:
                self.ids[name] = count
                self.ids[candidate] = 1
                return NodeId(candidate)

    def add(self, node: AnyNode, position: int | None = None) -> None:
        """Append or insert a node and remember what it is guarded by."""
        self.nodes.insert(len(self.nodes) if position is None else position, node)
        if node.guard is not None:
            self.guards[node.id] = node.guard

    def add_task(self, task: Task[..., Any], given: Iterable[tuple[str, Any]]) -> Output:
        """A node for one call of a task; gives the promise of its result."""
        node_id = self.new_id(task.name)
        args, unproven = self.bind(task, given)
        self.add(
            TaskNode(
                id=node_id,
                task=self.use_task(task),
                args=args,
                unproven=unproven,
                guard=self.guard,
                options=task.node_options,
                line=location(2),
            )
        )
        return Output(self, node_id, (), task.returns)

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
        args, unproven = self.bind(task, bound.items())
        lists: list[tuple[str, Binding]] = []
        checks = list(unproven)
        for name, value in mapped.items():
            wanted = task.annotations.get(name, ANY)
            binding, proven = self._list_argument(task, name, value, wanted)
            lists.append((name, binding))
            if not proven:
                checks.append(name)
        self.add(
            MapNode(
                id=node_id,
                task=self.use_task(task),
                args=(*args, *lists),
                unproven=tuple(checks),
                guard=self.guard,
                options=task.node_options,
                line=location(2),
                mapped=tuple(mapped),
                concurrency=concurrency,
                min_success_ratio=ratio,
            )
        )
        item = task.returns
        if ratio < 1:
            item = ANY if item is ANY else item | None
        return Output(self, node_id, (), list[item])  # type: ignore[valid-type]

    def add_workflow(
        self, name: str, graph: Graph, args: Sequence[tuple[str, Any]], returns: Any
    ) -> Output:
        """A node for a workflow inside this one; equal specialisations share one graph."""
        node_id = self.new_id(name)
        key = self.share(name, graph)
        bound = tuple((param, self.take_apart(value)) for param, value in args)
        self.add(
            WorkflowNode(
                id=node_id, workflow=key, args=bound, guard=self.guard, line=location(2)
            )
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
        """The task's key, the task entered in the side table."""
        key = task.key
        found = self.tasks.get(key)
        count = 1
        while found is not None and found.fn is not task.fn:
            count += 1
            key = TaskKey(f"{task.key}#{count}")
            found = self.tasks.get(key)
        if found is None:
            self.tasks[key] = task.plain
        if key not in self.specs:
            self.specs[key] = task.spec(key)
        return key

    def task_name(self, node_id: NodeId) -> str:
        """The name of the task or workflow behind a node, for messages."""
        for node in self.nodes:
            if node.id == node_id:
                if isinstance(node, TaskNode):
                    return self.specs[node.task].name
                return node.workflow if isinstance(node, WorkflowNode) else str(node.id)
        return str(node_id)

    # -- arguments -----------------------------------------------------------------------------

    def bind(
        self, task: Task[..., Any], given: Iterable[tuple[str, Any]]
    ) -> tuple[tuple[tuple[str, Binding], ...], tuple[str, ...]]:
        """Bindings of a call's arguments, and the parameters the annotations do not prove.

        Raises:
            GraphError: an argument can never fit its parameter.
        """
        args: list[tuple[str, Binding]] = []
        unproven: tuple[str, ...] = ()
        annotations = task.annotations
        for name, value in given:
            kind = type(value)
            if kind is Output:
                self.usable(value)
                wanted = annotations.get(name, ANY)
                if wanted is not ANY:
                    relation = relate(value._turnout_annotation, wanted)
                    if relation is not Relation.PROVEN:
                        if relation is Relation.REFUSED:
                            self._refuse(task, name, wanted, show(value._turnout_annotation), value)
                        unproven = (*unproven, name)
                args.append(
                    (name, ("output", value._turnout_node, *value._turnout_path))
                )
            elif kind is Input:
                args.append((name, ("input", *value._turnout_path)))
                if annotations.get(name, ANY) is not ANY:
                    unproven = (*unproven, name)
            else:
                wanted = annotations.get(name, ANY)
                if wanted is not ANY and kind is not wanted:
                    binding, proven = self._fit(task, name, value, wanted)
                    if not proven:
                        unproven = (*unproven, name)
                elif kind in _PLAIN:
                    binding = ("const", value)
                else:
                    binding = self.take_apart(value)
                args.append((name, binding))
        return tuple(args), unproven

    def _fit(
        self, task: Task[..., Any], name: str, value: Any, wanted: Any
    ) -> tuple[Binding, bool]:
        """The binding of a constant or structure, converted and checked as far as is known."""
        binding = self.take_apart(value)
        if all(leaf[0] in ("const", "value") for leaf in leaves(binding)):
            if binding[0] == "instantiate":
                return binding, True
            from turnout.types import convert

            where = f"parameter {name!r} of task {task.name!r}"
            try:
                fitting = convert(value, wanted, where)
            except TypeError as error:
                raise GraphError(str(error), location=location(2)) from None
            return (binding if fitting is value else self.take_apart(fitting)), True
        for part, hint in _parts(value, wanted):
            if type(part) is Output and relate(part._turnout_annotation, hint) is Relation.REFUSED:
                self._refuse(task, name, hint, show(part._turnout_annotation), part)
        return binding, False

    def _list_argument(
        self, task: Task[..., Any], name: str, value: Any, wanted: Any
    ) -> tuple[Binding, bool]:
        where = f"mapped parameter {name!r} of task {task.name!r}"
        if type(value) is Output:
            self.usable(value)
            produced = value._turnout_annotation
            if produced is ANY:
                return promise.binding_of(value), False
            if get_origin(produced) is not list and produced is not list:
                raise GraphError(
                    f"{where} takes a list to map over, and {value!r} is {show(produced)}",
                    location=location(2),
                )
            item = (get_args(produced) or (ANY,))[0]
            relation = relate(item, wanted)
            if relation is Relation.REFUSED:
                self._refuse(task, name, wanted, show(item), value)
            return promise.binding_of(value), relation is Relation.PROVEN
        if type(value) is Input:
            known = value._turnout_value
            if known is not OPEN and inputs.kind_of(known) != "sequence":
                raise GraphError(
                    f"{where} takes a list to map over, and {value!r} is {type(known).__name__}",
                    location=location(2),
                )
            return inputs.binding_of(value), wanted is ANY
        if not isinstance(value, (list, tuple)):
            raise GraphError(
                f"{where} takes a list to map over, not {type(value).__name__}",
                location=location(2),
            )
        for item in value:
            if type(item) is Output and relate(item._turnout_annotation, wanted) is Relation.REFUSED:
                self._refuse(task, name, wanted, show(item._turnout_annotation), item)
        return ("list", tuple(self.take_apart(item) for item in value)), wanted is ANY

    def take_apart(self, value: Any) -> Binding:
        """The binding of any value: promises inside lists, dicts, dataclasses and configs are
        found, and what holds none is a constant."""
        kind = type(value)
        if kind is Output:
            self.usable(value)
            return promise.binding_of(value)
        if kind is Input:
            if value._turnout_trace is not self:
                raise GraphError(
                    f"{value!r} belongs to workflow {value._turnout_trace.name!r} and is used in "
                    f"{self.name!r}; pass it as an argument",
                    location=location(2),
                )
            return inputs.binding_of(value)
        if kind in _PLAIN or (kind is float and math.isfinite(value)):
            return ("const", value)
        if kind is Instantiate:
            return ("instantiate", self.take_apart(value.config))
        if kind is promise.Predicate:
            bool(value)
        if self.handed and id(value) in self.handed:
            return self.handed[id(value)]
        if holds_promise(value):
            return self._structure(value, kind)
        self.values.append(Value(_own_copy(value)))
        return ("value", len(self.values) - 1)

    def _structure(self, value: Any, kind: type) -> Binding:
        if kind is list:
            return ("list", tuple(self.take_apart(item) for item in value))
        if kind is tuple:
            return ("tuple", tuple(self.take_apart(item) for item in value))
        if kind is dict:
            return ("dict", tuple((key, self.take_apart(item)) for key, item in value.items()))
        if kind is set or kind is frozenset:
            raise GraphError(
                "a set cannot hold task outputs or inputs; use a list", location=location(2)
            )
        fields = inputs.record_fields(value)
        self.values.append(Value(kind))
        cls: Binding = ("value", len(self.values) - 1)
        return (
            "object",
            cls,
            tuple((name, self.take_apart(getattr(value, name))) for name in fields),
        )

    def usable(self, output: Output) -> None:
        """Check that a promise may be used here.

        Raises:
            GraphError: it belongs to another workflow, or to a case that may not run.
        """
        if output._turnout_trace is not self:
            raise GraphError(
                f"{output!r} belongs to workflow {output._turnout_trace.name!r} and is used in "
                f"{self.name!r}; pass it as an argument",
                location=location(2),
            )
        if self.guards:
            guard = self.guards.get(output._turnout_node)
            if guard is not None and guard not in self._guard_chain():
                raise GraphError(
                    f"{output!r} was made in a case of conditional {guard[0]!r} and is used "
                    "outside of it, where it may not exist; use what the conditional gives",
                    location=location(2),
                )

    def _guard_chain(self) -> Iterable[tuple[NodeId, int]]:
        guard = self.guard
        while guard is not None:
            yield guard
            guard = self.guards.get(guard[0])

    def _refuse(
        self, task: Task[..., Any], name: str, wanted: Any, found: str, value: Output
    ) -> None:
        source = path_text((value._turnout_node, *value._turnout_path))
        raise GraphError(
            f"node {task.name!r}: parameter {name!r} expects {show(wanted)}, "
            f"found {found} from {source!r}",
            location=location(2),
        )

    # -- order, fixed inputs -------------------------------------------------------------------

    def add_order(self, first: Any, then: Any) -> None:
        """``then`` runs after ``first``, though no data flows.

        Raises:
            GraphError: one of them is no task output.
        """
        for value in (first, then):
            if type(value) is not Output:
                raise GraphError(
                    f"order is between task outputs, not {value!r}", location=location(2)
                )
            self.usable(value)
        earlier, later = first._turnout_node, then._turnout_node
        if earlier == later:
            raise GraphError(
                f"a cycle: {earlier!r} cannot come after itself", location=location(2)
            )
        self.after.setdefault(later, []).append(earlier)

    def fix(
        self,
        path: Path,
        what: str,
        value: Any,
        where: str | None = None,
    ) -> None:
        """Record that Python used an input.

        Raises:
            GraphError: the input is open, or ``@workflow(fixed=...)`` does not allow it.
        """
        where = location(2) if where is None else where
        if value is OPEN:
            raise GraphError(
                f"input {path_text(path)!r} has no value yet and steers the workflow; give it a "
                "value, or pass it to a task",
                location=where,
            )
        key = (path, what)
        if key in self.fixed:
            return
        if self.allowed is not None and not self._allows(path):
            raise GraphError(
                f"input {path_text(path)!r} is fixed here, and the workflow allows only: "
                f"{', '.join(sorted(self.allowed)) or 'none'}",
                location=where,
            )
        kind: Literal["value", "keys"] = "keys" if what == "keys" else "value"
        self.fixed[key] = Fixed(path=path, what=kind, line=where)
        self.fixed_values[key] = (
            inputs.plain(value) if kind == "value" else _key_set(value)
        )

    def _allows(self, path: Path) -> bool:
        assert self.allowed is not None
        texts = {path_text(path[:end]) for end in range(1, len(path) + 1)}
        texts |= {path_text(path[1:end]) for end in range(2, len(path) + 1)}
        return bool(texts & self.allowed)


def _key_set(value: Any) -> Any:
    kind = inputs.kind_of(value)
    return len(value) if kind == "sequence" else tuple(value)


def holds_promise(value: Any) -> bool:
    """Whether a value is a promise, or a container with one inside."""
    kind = type(value)
    if kind in _PLAIN or kind is float:
        return False
    if kind is Output or kind is Input or kind is Instantiate or kind is promise.Predicate:
        return True
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return any(map(holds_promise, value))
    if kind is dict:
        return any(map(holds_promise, value.values()))
    if dataclasses.is_dataclass(kind) or (isinstance(value, tuple) and hasattr(kind, "_fields")):
        return any(
            holds_promise(getattr(value, name, None)) for name in inputs.record_fields(value)
        )
    return False


def _own_copy(value: Any) -> Any:
    """Containers copied, so that a list changed after the call does not change the graph."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind(map(_own_copy, value))
    if kind is dict:
        return {key: _own_copy(item) for key, item in value.items()}
    if kind.__module__.startswith("omegaconf."):
        return inputs.plain(value)
    return value


def _parts(value: Any, wanted: Any) -> Iterable[tuple[Any, Any]]:
    """The promises inside a structure with the annotation each must fit, where it is known."""
    origin, args = get_origin(wanted), get_args(wanted)
    kind = type(value)
    if kind is Output or kind is Input:
        yield value, wanted
    elif kind is list and origin is list and args:
        for item in value:
            yield from _parts(item, args[0])
    elif kind is dict and origin is dict and len(args) == 2:
        for item in value.values():
            yield from _parts(item, args[1])
    elif kind is tuple and origin is tuple and args:
        hints = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        for item, hint in zip(value, hints, strict=False):
            yield from _parts(item, hint)


def start(trace: Trace) -> Any:
    """Make a trace the current one; the token ends it with `stop`."""
    return _current.set(trace)


def stop(token: Any) -> None:
    """Make the trace before the current one again."""
    _current.reset(token)

