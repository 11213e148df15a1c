"""Conditionals: the first case whose predicate holds runs, and nothing of the others.

``if_``, ``elif_`` and ``else_`` open a case; Python then evaluates the argument of ``then``, so
whatever is called there is traced while the case is open and belongs to it.
"""

from __future__ import annotations

from typing import Any, Generic, Never, TypeVar, cast

from turnout.dsl import trace as tracing
from turnout.dsl.arguments import annotation_of
from turnout.dsl.frames import location
from turnout.dsl.inputs import use
from turnout.dsl.predicate import Predicate
from turnout.dsl.promise import Output, Unfinished
from turnout.dsl.signatures import check_name
from turnout.dsl.trace import Trace
from turnout.errors import GraphError
from turnout.graph import BranchNode, Case, NodeId
from turnout.graph.binding import leaves
from turnout.types import each_of

R = TypeVar("R")
S = TypeVar("S")


class _State:
    """What the steps of one conditional share."""

    def __init__(self, trace: Trace, name: str, line: str) -> None:
        self.trace = trace
        self.node = trace.new_id(name)
        self.outer = trace.guard
        self.cases: list[Case] = []
        self.step = 0
        self.complaint = (
            f"conditional {name!r} is left open; end it with else_().then(...) or else_().fail(...)"
        )
        self._line = line
        self._when: tuple[Any, ...] | None = None
        self._annotations: list[Any] = []
        self._opened_at = 0
        trace.open_branches[self.node] = (self.complaint, line)

    def open(self, when: Predicate | None) -> int:
        """Open a case; gives the number of the step that may close it."""
        self._when = None if when is None else when._turnout_predicate
        self.trace.guard = (self.node, len(self.cases))
        self._opened_at = len(self.trace.nodes)
        self.step += 1
        return self.step

    def close(self, then: Any, fail: str | None) -> int:
        """Close the case; gives the number of the step that may go on."""
        if fail is not None:
            fail = use(fail)
            if not isinstance(fail, str):
                raise GraphError(f"fail(...) takes a message, not {fail!r}", location=location())
            self.cases.append(Case(when=self._when, fail=fail))
        else:
            binding = self.trace.take_apart(then)
            made = {node.id for node in self.trace.nodes[self._opened_at :]}
            for leaf in leaves(binding):
                if leaf[0] == "output" and leaf[1] not in made:
                    self._refuse_earlier(leaf[1])
            self.cases.append(Case(when=self._when, then=binding))
            self._annotations.append(annotation_of(then))
        self.trace.guard = self.outer
        self.step += 1
        return self.step

    def finish(self) -> Output:
        """The promise of the conditional's result."""
        del self.trace.open_branches[self.node]
        self.trace.unordered = True
        self.trace.add(
            BranchNode(id=self.node, cases=tuple(self.cases), guard=self.outer, line=self._line)
        )
        return Output(self.trace, self.node, (), each_of(self._annotations))

    def at(self, step: int) -> _State:
        """This state, if nothing has been said since a step.

        Raises:
            GraphError: the conditional has gone on from there already.
        """
        if step != self.step:
            raise GraphError(
                f"conditional {self.node!r} has gone on from here already; its cases are said "
                "once, in one chain",
                location=location(),
            )
        return self

    def _refuse_earlier(self, node: NodeId) -> None:
        raise GraphError(
            f"then(...) is given {node!r}, which was made before the case was opened and would "
            "run in any case; call the task inside then(...), or, where its result is to be handed "
            "on, a task that returns what it is given: then(keep(...))",
            location=location(),
        )


class Conditional(Unfinished):
    """A conditional with no case yet."""

    def __init__(self, name: str) -> None:
        trace = tracing.current()
        if trace is None:
            raise GraphError(
                f"conditional({name!r}) stands outside a workflow; in plain Python use if",
                location=location(),
            )
        name = use(name)
        check_name(name)
        self._state = _State(trace, name, location())
        self._turnout_complaint = self._state.complaint

    def if_(self, predicate: Predicate | bool) -> Open[Never]:
        """Open the first case."""
        state = self._state.at(0)
        return Open(state, state.open(state.trace.condition(predicate)))


class Open(Unfinished, Generic[R]):
    """A case that has been opened; `then` or `fail` closes it."""

    def __init__(self, state: _State, step: int) -> None:
        self._turnout_complaint = state.complaint
        self._state = state
        self._step = step

    def then(self, result: S) -> Closed[R | S]:
        """Close the case with its result."""
        state = self._state.at(self._step)
        return Closed(state, state.close(result, None))

    def fail(self, message: str) -> Closed[R]:
        """Close the case: reaching it fails the node with ``message``."""
        state = self._state.at(self._step)
        return Closed(state, state.close(None, message))


class Closed(Unfinished, Generic[R]):
    """A conditional that may get further cases and needs its ``else_``."""

    def __init__(self, state: _State, step: int) -> None:
        self._turnout_complaint = state.complaint
        self._state = state
        self._step = step

    def elif_(self, predicate: Predicate | bool) -> Open[R]:
        """Open a further case, tried if none before it holds."""
        state = self._state.at(self._step)
        return Open(state, state.open(state.trace.condition(predicate)))

    def else_(self) -> Last[R]:
        """Open the case for when no other holds."""
        state = self._state.at(self._step)
        return Last(state, state.open(None))


class Last(Unfinished, Generic[R]):
    """The ``else_`` case; closing it gives the conditional's result."""

    def __init__(self, state: _State, step: int) -> None:
        self._turnout_complaint = state.complaint
        self._state = state
        self._step = step

    def then(self, result: S) -> R | S:
        """Close the conditional; gives the promise of the result of the case that runs."""
        state = self._state.at(self._step)
        state.close(result, None)
        return cast("R | S", state.finish())

    def fail(self, message: str) -> R:
        """Close the conditional: no other case holding fails the node with ``message``."""
        state = self._state.at(self._step)
        state.close(None, message)
        return cast("R", state.finish())


def conditional(name: str) -> Conditional:
    """Choose between tasks by what other tasks returned.

    ``conditional("gate").if_(acc >= 0.9).then(deploy(model)).else_().fail("too weak")`` runs
    ``deploy`` only when the first case holds; its value is that of the case that ran.

    Args:
        name: the node's name.

    Raises:
        GraphError: used outside a workflow.

    >>> from turnout.dsl import task, workflow
    >>> @task
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> @workflow
    ... def bounded(x: int) -> int:
    ...     y = double(x)
    ...     return conditional("small").if_(y < 10).then(double(y)).else_().then(-1)
    >>> [node.id for node in bounded.trace({"x": 1}).graph.nodes]
    ['double', 'small', 'double-2']
    """
    return Conditional(name)
