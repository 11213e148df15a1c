"""Promises: the values a workflow body handles before they exist.

An `Output` stands for what a node will return. It has no public attributes of its own, so
``out.items`` is the user's field. Python cannot look inside it: whatever would need the value
is a `GraphError` that says what to use instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from turnout.dsl.fields import NoPart, attribute_of, item_of, output_fields, unpacked
from turnout.dsl.frames import helper, location
from turnout.errors import GraphError
from turnout.graph import Binding, NodeId, Path
from turnout.graph.binding import path_text

if TYPE_CHECKING:
    from turnout.dsl.trace import Trace


class Promise:
    """What stands for a value while a graph is built."""

    __slots__ = ()


class Unfinished(Promise):
    """What must be completed before it stands for a value.

    Attributes:
        _turnout_complaint: what it is and how to complete it.
    """

    __slots__ = ("_turnout_complaint",)

    _turnout_complaint: str

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise GraphError(self._turnout_complaint, location=location())


class Output(Promise):
    """What a node returns, or a part of it."""

    __slots__ = ("_turnout_annotation", "_turnout_node", "_turnout_path", "_turnout_trace")

    def __init__(self, trace: Trace, node: NodeId, path: Path, annotation: Any) -> None:
        self._turnout_trace = trace
        self._turnout_node = node
        self._turnout_path = path
        self._turnout_annotation = annotation

    def __repr__(self) -> str:
        return f"<output {name_of(self)}>"

    def __getattr__(self, name: str) -> Output:
        if name.startswith("__"):
            raise AttributeError(name)
        return _part(self, name, attribute_of)

    def __getitem__(self, key: Any) -> Output:
        if type(key) is not int and type(key) is not str:
            key = self._turnout_trace.plain_key(key)
            if type(key) is not int and type(key) is not str:
                return refuse(self, f"indexed with {type(key).__name__}")
        if type(key) is int and key < 0:
            fields = output_fields(self._turnout_annotation)
            if fields is not None and -len(fields) <= key:
                key += len(fields)
        return _part(self, key, item_of)

    def __iter__(self) -> Iterator[Output]:
        fields = unpacked(self._turnout_annotation)
        if fields is None:
            refuse(self, "iterated over")
        path, node, trace = self._turnout_path, self._turnout_node, self._turnout_trace
        return iter([Output(trace, node, (*path, key), hint) for key, hint in fields.items()])

    def __rshift__(self, other: Any) -> Any:
        self._turnout_trace.add_order(self, other)
        return other

    def __rrshift__(self, other: Any) -> Any:
        self._turnout_trace.add_order(other, self)
        return self

    def __eq__(self, other: object) -> Any:
        return self._turnout_trace.compare("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return self._turnout_trace.compare("ne", self, other)

    def __lt__(self, other: Any) -> Any:
        return self._turnout_trace.compare("lt", self, other)

    def __le__(self, other: Any) -> Any:
        return self._turnout_trace.compare("le", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._turnout_trace.compare("gt", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._turnout_trace.compare("ge", self, other)

    def __and__(self, other: Any) -> Any:
        return self._turnout_trace.condition(self) & other

    def __rand__(self, other: Any) -> Any:
        return self & other  # the order of two conditions makes no difference

    def __or__(self, other: Any) -> Any:
        return self._turnout_trace.condition(self) | other

    def __ror__(self, other: Any) -> Any:
        return self | other

    def __invert__(self) -> Any:
        return ~self._turnout_trace.condition(self)

    __hash__ = object.__hash__

    # NumPy's scalars then leave comparisons to the promise, and NumPy's functions refuse it.
    __array_ufunc__ = None


def _refusing(operation: str) -> Any:
    def method(self: Output, *_others: Any, **_named: Any) -> NoReturn:
        refuse(self, operation)

    return method


for _operation, _methods in {
    "used as a condition (if, while, and, or, not)": "bool",
    "called": "call",
    "asked for its length": "len length_hint",
    "searched with 'in'": "contains",
    "changed": "setitem delitem",
    "turned into text": "str format bytes fspath",
    "pickled or copied": "reduce",
    "turned into an array": "array",
    "converted to a number": "int float complex index round trunc floor ceil",
    "computed with": (
        "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow "
        "matmul rmatmul neg pos abs divmod rdivmod lshift rlshift xor rxor"
    ),
    "used in a with statement": "enter exit",
    "awaited": "await",
    "used as an iterator": "next reversed",
}.items():
    for _method in _methods.split():
        setattr(Output, f"__{_method}__", _refusing(_operation))


def binding_of(output: Output) -> Binding:
    """The binding a promise stands for."""
    return ("output", output._turnout_node, *output._turnout_path)


def name_of(output: Output) -> str:
    """A promise as messages name it: its node, then the path in its result."""
    return path_text((output._turnout_node, *output._turnout_path))


def refuse(output: Output, what: str) -> NoReturn:
    """Refuse a use of an output that would need its value.

    Raises:
        GraphError: always.
    """
    trace = output._turnout_trace
    instead = _INSTEAD.get(what, _ANYTHING)
    name, line = helper(trace.body)
    if name:
        what = f"{what} in {name}(), called at {line}"
        instead = f"{name}() is no task: decorate it with @task, or {instead}"
    told = steering(trace.task_name(output._turnout_node), what, instead)
    raise GraphError(f"{name_of(output)!r}, {told}", location=location())


_ANYTHING: Final = (
    "to choose by it use conditional(...), to repeat over it map_task(...), for anything "
    "else do it inside a task or a @dynamic task"
)
_INSTEAD: Final = {
    "turned into text": "print or format it inside a task",
    "computed with": "compute inside a task or a @dynamic task",
    "converted to a number": "convert it inside a task or a @dynamic task",
    "turned into an array": "make the array inside a task or a @dynamic task",
}


def steering(task: str, what: str, instead: str = _ANYTHING) -> str:
    """What is said of a task's output that Python wants to look into."""
    return (
        f"an output of task {task!r}, is {what}, but it has no value while the graph is built; "
        + instead
    )


def _part(output: Output, key: str | int, annotation_of: Any) -> Output:
    try:
        annotation = annotation_of(output._turnout_annotation, key)
    except NoPart as reason:
        task = output._turnout_trace.task_name(output._turnout_node)
        raise GraphError(
            f"{name_of(output)!r}, an output of task {task!r}, {reason}", location=location()
        ) from None
    path = (*output._turnout_path, key)
    return Output(output._turnout_trace, output._turnout_node, path, annotation)
