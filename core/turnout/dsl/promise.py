"""Promises: the values a workflow body handles before they exist.

An `Output` stands for what a node will return. It has no public attributes of its own, so
``out.items`` is the user's field. Python cannot look inside it: whatever would need the value
is a `GraphError` that says what to use instead.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from turnout.dsl.frames import location
from turnout.errors import GraphError
from turnout.graph import Binding, NodeId, Path
from turnout.graph.binding import path_text

if TYPE_CHECKING:
    from turnout.dsl.trace import Trace

_SCALARS: Final = (bool, int, float, complex, str, bytes)


class Output:
    """What a node returns, or a part of it."""

    __slots__ = ("_turnout_annotation", "_turnout_node", "_turnout_path", "_turnout_trace")

    def __init__(self, trace: Trace, node: NodeId, path: Path, annotation: Any) -> None:
        self._turnout_trace = trace
        self._turnout_node = node
        self._turnout_path = path
        self._turnout_annotation = annotation

    def __repr__(self) -> str:
        return f"<output {_name(self)}>"

    def __getattr__(self, name: str) -> Output:
        if name.startswith("__"):
            raise AttributeError(name)
        return _part(self, name, _field_annotation(self, name))

    def __getitem__(self, key: Any) -> Output:
        if not isinstance(key, (int, str)) or isinstance(key, bool):
            return _refuse(self, f"indexed with {type(key).__name__}")
        annotation = _item_annotation(self, key)
        if isinstance(key, int) and key < 0:
            fields = output_fields(self._turnout_annotation)
            key += len(fields) if fields is not None else 0
        return _part(self, key, annotation)

    def __iter__(self) -> Iterator[Output]:
        fields = output_fields(self._turnout_annotation)
        if fields is None or dataclasses.is_dataclass(self._turnout_annotation):
            _refuse(self, "iterated over")
        return iter([_part(self, key, hint) for key, hint in fields.items()])

    def __rshift__(self, other: Any) -> Any:
        self._turnout_trace.add_order(self, other)
        return other

    def __rrshift__(self, other: Any) -> Any:
        self._turnout_trace.add_order(other, self)
        return self

    def __eq__(self, other: object) -> Any:
        return compare("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return compare("ne", self, other)

    def __lt__(self, other: Any) -> Any:
        return compare("lt", self, other)

    def __le__(self, other: Any) -> Any:
        return compare("le", self, other)

    def __gt__(self, other: Any) -> Any:
        return compare("gt", self, other)

    def __ge__(self, other: Any) -> Any:
        return compare("ge", self, other)

    def __and__(self, other: Any) -> Predicate:
        return as_predicate(self) & other

    def __or__(self, other: Any) -> Predicate:
        return as_predicate(self) | other

    def __invert__(self) -> Predicate:
        return ~as_predicate(self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return _refuse(self, "used as a condition (if, while, and, or, not)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _refuse(self, "called")

    def __len__(self) -> int:
        return _refuse(self, "asked for its length")

    def __contains__(self, item: Any) -> bool:
        return _refuse(self, "searched with 'in'")

    def __str__(self) -> str:
        return _refuse(self, "turned into text")

    def __format__(self, spec: str) -> str:
        return _refuse(self, "turned into text")

    def __reduce__(self) -> Any:
        return _refuse(self, "pickled or copied")


def _refusing(operation: str) -> Any:
    def method(self: Output, *others: Any) -> NoReturn:
        _refuse(self, operation)

    return method


for _names, _operation in (
    ("int float complex index round trunc floor ceil", "converted to a number"),
    (
        "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow "
        "matmul rmatmul neg pos abs divmod rdivmod lshift rlshift xor rxor",
        "computed with",
    ),
):
    for _n in _names.split():
        setattr(Output, f"__{_n}__", _refusing(_operation))


def binding_of(output: Output) -> Binding:
    """The binding a promise stands for."""
    return ("output", output._turnout_node, *output._turnout_path)


class Predicate:
    """A comparison of outputs, decided at run time; combine predicates with ``&``, ``|``, ``~``."""

    __slots__ = ("_turnout_predicate", "_turnout_trace")

    def __init__(self, trace: Trace, predicate: tuple[Any, ...]) -> None:
        self._turnout_trace = trace
        self._turnout_predicate = predicate

    def __and__(self, other: Any) -> Predicate:
        right = as_predicate(other, self._turnout_trace)._turnout_predicate
        return Predicate(self._turnout_trace, ("and", self._turnout_predicate, right))

    def __or__(self, other: Any) -> Predicate:
        right = as_predicate(other, self._turnout_trace)._turnout_predicate
        return Predicate(self._turnout_trace, ("or", self._turnout_predicate, right))

    def __invert__(self) -> Predicate:
        return Predicate(self._turnout_trace, ("not", self._turnout_predicate))

    def __bool__(self) -> bool:
        raise GraphError(
            "a comparison of task outputs has no value while the graph is built; "
            "use conditional(...).if_(...), and & | ~ in place of and, or, not",
            location=location(),
        )

    def __repr__(self) -> str:
        return f"<predicate {self._turnout_predicate!r}>"


def as_predicate(value: Any, trace: Trace | None = None) -> Predicate:
    """A predicate from a predicate, or from an output or input that is a boolean itself.

    Raises:
        GraphError: the value is none of these.
    """
    kind = type(value)
    if kind is Predicate:
        return value  # type: ignore[no-any-return]
    if kind is Output:
        annotation = value._turnout_annotation
        if annotation not in (bool, Any) and isinstance(annotation, type):
            raise GraphError(
                f"{_name(value)} is {annotation.__name__}, not a boolean; compare it with something",
                location=location(),
            )
        return Predicate(value._turnout_trace, ("true", binding_of(value)))
    if trace is not None and (kind is bool or hasattr(kind, "_turnout_trace")):
        return Predicate(trace, ("true", trace.take_apart(value)))
    raise GraphError(
        f"a condition is a comparison of task outputs or a boolean output, not {value!r}; "
        "for a value known at launch use a plain if",
        location=location(),
    )


def compare(operation: str, left: Output, right: Any) -> Predicate:
    """The predicate for ``left <operation> right``; inputs stay projected."""
    trace = left._turnout_trace
    return Predicate(trace, (operation, binding_of(left), trace.take_apart(right)))


def output_fields(annotation: Any) -> dict[str | int, Any] | None:
    """Fields of a type that has several outputs: tuple, NamedTuple or dataclass; else ``None``.

    >>> output_fields(tuple[int, str]), output_fields(list[int])
    ({0: <class 'int'>, 1: <class 'str'>}, None)
    """
    if isinstance(annotation, type) and not isinstance(annotation, typing.GenericAlias):
        if dataclasses.is_dataclass(annotation):
            from turnout.types import hints

            known = hints(annotation)
            return {f.name: known.get(f.name, Any) for f in dataclasses.fields(annotation)}
        if issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
            from turnout.types import hints

            known = hints(annotation)
            return {name: known.get(name, Any) for name in annotation._fields}
        return None
    if typing.get_origin(annotation) is tuple:
        args = typing.get_args(annotation)
        if args and Ellipsis not in args:
            return dict(enumerate(args))
    return None


def _part(output: Output, key: str | int, annotation: Any) -> Output:
    path = (*output._turnout_path, key)
    return Output(output._turnout_trace, output._turnout_node, path, annotation)


def _name(output: Output) -> str:
    return path_text((output._turnout_node, *output._turnout_path))


def _field_annotation(output: Output, name: str) -> Any:
    annotation = output._turnout_annotation
    fields = output_fields(annotation)
    if fields is not None and name in fields:
        return fields[name]
    if not isinstance(annotation, type) or isinstance(annotation, typing.GenericAlias):
        annotation = typing.get_origin(annotation) or annotation
    if annotation is type(None) or annotation is None:
        _refuse(output, f"asked for {name!r}, but it is None")
    if isinstance(annotation, type):
        found = getattr(annotation, name, None)
        if callable(found):
            _refuse(output, f"asked for its method {name!r}")
        if fields is not None or annotation in _SCALARS:
            choices = ", ".join(map(str, fields or ())) or "none"
            raise GraphError(
                f"{_name(output)} has no field {name!r}; its fields: {choices}",
                location=location(),
            )
    return Any


def _item_annotation(output: Output, key: str | int) -> Any:
    annotation = output._turnout_annotation
    fields = output_fields(annotation)
    if fields is not None and isinstance(key, int):
        values = list(fields.values())
        if not -len(values) <= key < len(values):
            raise GraphError(
                f"{_name(output)} has {len(values)} items, so no item {key}", location=location()
            )
        return values[key]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list and args:
        return args[0]
    if origin is dict and len(args) == 2:
        return args[1]
    if annotation in _SCALARS or annotation is None or annotation is type(None):
        _refuse(output, "indexed")
    return Any


def _refuse(output: Output, what: str) -> NoReturn:
    task = output._turnout_trace.task_name(output._turnout_node)
    raise GraphError(
        f"{_name(output)}, an output of task {task!r}, is {what}, but it has no value while the "
        "graph is built; to choose by it use conditional(...), to repeat over it map_task(...), "
        "for anything else do it inside a task or a @dynamic task",
        location=location(2),
    )
