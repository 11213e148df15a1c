"""What to say of a result that cannot leave its worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from turnout.backend.call import Call
from turnout.dsl import Traced
from turnout.errors import EncodeError
from turnout.graph import Graph, TaskNode
from turnout.graph.binding import leaves
from turnout.worker.describe import describe


def refusal(
    call: Call, value: Any, error: Exception, dumps: Callable[[Any], object]
) -> EncodeError:
    """The error for a result, or for a constant in the graph that a dynamic task has built.

    Args:
        call: the call that gave it.
        value: the result.
        error: what encoding it raised.
        dumps: what encodes values.
    """
    where = f"the result of node {call.id!r}, {describe(value)},"
    if isinstance(value, Traced):
        for told, constant in _constants(value.graph):
            try:
                dumps(constant)
            except Exception as found:  # the first that cannot be sent is the culprit
                where, error = f"{told} inside node {call.id!r}, {describe(constant)},", found
                break
        else:
            where = f"the graph that node {call.id!r} has built"
    refused = EncodeError(
        f"{where} cannot leave its worker process: {type(error).__name__}: {error}; "
        f"{'pass' if isinstance(value, Traced) else 'return'} plain data"
    )
    refused.__cause__ = error
    return refused


def _constants(whole: Graph) -> Iterator[tuple[str, Any]]:
    for graph in whole.walk():
        for node in graph.nodes:
            for name, binding in getattr(node, "args", ()):
                for leaf in leaves(binding):
                    if leaf[0] == "value":
                        kind = "task" if isinstance(node, TaskNode) else "workflow"
                        told = f"what parameter {name!r} of {kind} {node.id!r} is given"
                        yield told, graph.values[leaf[1]].object
