"""Conditionals: the first case whose predicate holds runs, and nothing of the others.

``if_``, ``elif_`` and ``else_`` open a case; Python then evaluates the argument of ``then``, so
whatever is called there is traced while the case is open and belongs to it.
"""

from __future__ import annotations

from typing import Any, Generic, Never, TypeVar, cast

from turnout.dsl import trace as tracing
from turnout.dsl.frames import location
from turnout.dsl.promise import Output, Predicate, as_predicate
from turnout.dsl.trace import ANY, Trace
from turnout.errors import GraphError
from turnout.graph import BranchNode, Case

R = TypeVar("R")
S = TypeVar("S")


class _State:
    """What the steps of one conditional share."""

    def __init__(self, trace: Trace, name: str, line: str) -> None:
        self.trace = trace
        self.node = trace.new_id(name)
        self.line = line
        self.outer = trace.guard
        self.cases: list[Case] = []
        self.when: tuple[Any, ...] | None = None
        self.annotations: list[Any] = []
        self.opened_at = 0
        # The branch stands before the nodes of its cases, which it decides on.
        self.position = len(trace.nodes)
        trace.open_branches.append((name, line))

    def open(self, when: tuple[Any, ...] | None) -> None:
        self.when = when
        self.trace.guard = (self.node, len(self.cases))
        self.opened_at = len(self.trace.nodes)

    def close(self, then: Any, fail: str | None) -> None:
        if fail is None:
            self._refuse_earlier(then)
        binding = None if fail is not None else self.trace.take_apart(then)
        self.cases.append(Case(when=self.when, then=binding, fail=fail))
        if fail is None:
            self.annotations.append(then._turnout_annotation if type(then) is Output else type(then))
        self.trace.guard = self.outer

    def finish(self) -> Output:
        self.trace.open_branches.pop()
        node = BranchNode(
            id=self.node, cases=tuple(self.cases), guard=self.outer, line=self.line
        )
        self.trace.add(node, self.position)
        return Output(self.trace, self.node, (), _union(self.annotations))

    def _refuse_earlier(self, then: Any) -> None:
        if type(then) is Output:
            inside = {node.id for node in self.trace.nodes[self.opened_at :]}
            if then._turnout_trace is self.trace and then._turnout_node not in inside:
                raise GraphError(
                    f"then({then!r}) is given a result made before the case was opened, so it "
                    "would run in any case; call the task inside then(...)",
                    location=location(2),
                )


class Conditional:
    """A conditional with no case yet."""

    def __init__(self, name: str) -> None:
        trace = tracing.current()
        if trace is None:
            raise GraphError(
                f"conditional({name!r}) stands outside a workflow; in plain Python use if",
                location=location(),
            )
        self._name = name
        self._trace = trace
        self._line = location()

    def if_(self, predicate: Predicate | bool) -> Open[Never]:
        """Open the first case."""
        when = as_predicate(predicate, self._trace)
        state = _State(self._trace, self._name, self._line)
        state.open(when._turnout_predicate)
        return Open(state)


class Open(Generic[R]):
    """A case that has been opened; `then` or `fail` closes it."""

    def __init__(self, state: _State) -> None:
        self._state = state

    def then(self, result: S) -> Closed[R | S]:
        """Close the case with its result."""
        self._state.close(result, None)
        return Closed(self._state)

    def fail(self, message: str) -> Closed[R]:
        """Close the case: reaching it fails the node with ``message``."""
        self._state.close(None, message)
        return Closed(self._state)


class Closed(Generic[R]):
    """A conditional that may get further cases and needs its ``else_``."""

    def __init__(self, state: _State) -> None:
        self._state = state

    def elif_(self, predicate: Predicate | bool) -> Open[R]:
        """Open a further case, tried if none before it holds."""
        when = as_predicate(predicate, self._state.trace)
        self._state.open(when._turnout_predicate)
        return Open(self._state)

    def else_(self) -> Last[R]:
        """Open the case for when no other holds."""
        self._state.open(None)
        return Last(self._state)

    def __getattr__(self, name: str) -> Any:
        raise GraphError(
            f"conditional {self._state.node!r} has no else_() yet; end it with "
            "else_().then(...) or else_().fail(...)",
            location=location(),
        )


class Last(Generic[R]):
    """The ``else_`` case; closing it gives the conditional's result."""

    def __init__(self, state: _State) -> None:
        self._state = state

    def then(self, result: S) -> R | S:
        """Close the conditional; gives the promise of the result of the case that runs."""
        self._state.close(result, None)
        return cast("R | S", self._state.finish())

    def fail(self, message: str) -> R:
        """Close the conditional: no other case holding fails the node with ``message``."""
        self._state.close(None, message)
        return cast("R", self._state.finish())


def conditional(name: str) -> Conditional:
    """Choose between tasks by what other tasks returned.

    ``conditional("gate").if_(acc >= 0.9).then(deploy(model)).else_().fail("too weak")`` runs
    ``deploy`` only when the first case holds; its value is that of the case that ran.

    Args:
        name: the node's name.

    Raises:
        GraphError: used outside a workflow.
    """
    return Conditional(name)


def _union(annotations: list[Any]) -> Any:
    union: Any = None
    for index, annotation in enumerate(annotations):
        if annotation is ANY:
            return ANY
        union = annotation if index == 0 else union | annotation
    return ANY if not annotations else union

