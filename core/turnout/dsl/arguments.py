"""Arguments taken apart: every leaf is a constant, a part of an input or of a node's output."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args, get_origin

from turnout.dsl.fields import NoPart, items_of, output_fields
from turnout.dsl.frames import location
from turnout.dsl.inputs import Input, use
from turnout.dsl.inputs import annotation_of as annotation_of_input
from turnout.dsl.known import OPEN, kind_of, plain
from turnout.dsl.predicate import Predicate
from turnout.dsl.promise import Output, Promise, Unfinished, name_of
from turnout.errors import ConfigError, GraphError
from turnout.graph import Binding, Value
from turnout.types import Relation, convert, relate, show
from turnout.types.foreign import is_config, is_list_config, is_named_tuple

if TYPE_CHECKING:
    from turnout.dsl.task import Task
    from turnout.dsl.trace import Trace

Bound = tuple[tuple[str, Binding], ...]

# Written into a binding as they are; other constants stand beside it.
_SCALARS: Final = frozenset({bool, int, str, type(None)})
_ATOMS: Final = frozenset({bool, int, str, float, type(None), bytes, complex})


class Instantiate(Promise):
    """An argument Hydra will build from a config, in the worker."""

    __slots__ = ("config",)

    def __init__(self, config: Any) -> None:
        self.config = config


def bind(
    trace: Trace, task: Task[..., Any], names: Iterable[str], values: Sequence[Any]
) -> tuple[Bound, tuple[str, ...]]:
    """Bindings of a call's arguments, and the parameters the annotations do not prove.

    Args:
        trace: the trace the call is made in.
        task: what is called.
        names: the parameters that are given.
        values: the value of each.

    Raises:
        GraphError: an argument can never fit its parameter.
    """
    args: list[tuple[str, Binding]] = []
    unproven: tuple[str, ...] = ()
    annotations = task.annotations
    for index, name in enumerate(names):
        value = values[index]
        kind = type(value)
        wanted = annotations.get(name)
        if kind is Output:
            if value._turnout_trace is not trace or trace.guards:
                trace.usable(value)
            produced = value._turnout_annotation
            if wanted is not None and wanted is not produced:
                relation = relate(produced, wanted)
                if relation is not Relation.PROVEN:
                    if relation is Relation.REFUSED:
                        _refuse(task, name, wanted, produced, value)
                    unproven = (*unproven, name)
            binding: Binding = ("output", value._turnout_node)
            if value._turnout_path:
                binding += value._turnout_path
        elif kind in _SCALARS and (wanted is kind or wanted is None):
            binding = ("const", value)
        else:
            binding, proven = _argument(trace, task, name, value, wanted)
            if not proven:
                unproven = (*unproven, name)
        args.append((name, binding))
    return tuple(args), unproven


def bind_list(trace: Trace, task: Task[..., Any], name: str, value: Any) -> tuple[Binding, bool]:
    """The binding of a list to be mapped over, and whether its items are known to fit.

    Raises:
        GraphError: it is no list, or its items can never fit the parameter.
    """
    wanted = task.annotations.get(name)
    kind = type(value)
    if kind is Output:
        try:
            produced = items_of(value._turnout_annotation)
        except NoPart:
            _no_list(task, name, f"{name_of(value)!r} is {show(value._turnout_annotation)}")
        proven = produced is not Any and _fits(task, name, wanted, produced, value)
        return take_apart(trace, value), wanted is None or proven
    if kind is Input:
        known = value._turnout_value
        if known is not OPEN and kind_of(known) != "sequence":
            _no_list(task, name, f"{value!r} is {type(known).__name__}")
        return take_apart(trace, value), wanted is None
    if trace.handed and id(value) in trace.handed:
        return trace.handed[id(value)], wanted is None
    if not (isinstance(value, (list, tuple)) or is_list_config(kind)):
        _no_list(task, name, f"{type(value).__name__} is none")
    proven = True
    items = []
    for item in value:
        if type(item) is Output:
            proven &= _fits(task, name, wanted, item._turnout_annotation, item)
            items.append(take_apart(trace, item))
        else:
            binding, fits = _argument(trace, task, name, item, wanted)
            proven &= fits
            items.append(binding)
    return ("list", tuple(items)), proven


def take_apart(trace: Trace, value: Any) -> Binding:
    """The binding of any value.

    Promises inside lists, dicts, dataclasses and configs are found; what holds none is a constant.

    Raises:
        GraphError: a promise belongs elsewhere, or stands where none can.
    """
    kind = type(value)
    if kind is Output:
        if value._turnout_trace is not trace or trace.guards:
            trace.usable(value)
        return ("output", value._turnout_node, *value._turnout_path)
    if kind is Input:
        if value._turnout_trace is not trace:
            raise GraphError(
                f"{value!r} belongs to workflow {value._turnout_trace.name!r} and is used in "
                f"{trace.name!r}; pass it as an argument",
                location=location(),
            )
        return ("input", *value._turnout_path)
    if kind in _SCALARS or (kind is float and math.isfinite(value)):
        return ("const", value)
    if kind is Instantiate:
        return ("instantiate", take_apart(trace, value.config))
    if kind is Predicate:
        raise GraphError(
            "a comparison of task outputs is decided by conditional(...); to pass its result on, "
            "compare inside a task",
            location=location(),
        )
    if isinstance(value, Unfinished):
        raise GraphError(value._turnout_complaint, location=location())
    if trace.handed and id(value) in trace.handed:
        return trace.handed[id(value)]
    if holds_promise(value, trace.handed):
        return _structure(trace, value, kind)
    return _constant(trace, value)


def holds_promise(value: Any, handed: Container[int] = ()) -> bool:
    """Whether a value is a promise, or a container with one inside.

    Args:
        value: what is looked at.
        handed: ids of further objects that stand for inputs.
    """
    kind = type(value)
    if kind in _ATOMS:
        return False
    if isinstance(value, Promise) or id(value) in handed:
        return True
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return any(type(item) not in _ATOMS and holds_promise(item, handed) for item in value)
    if kind is dict:
        return any(
            type(item) not in _ATOMS and holds_promise(item, handed)
            for pair in value.items()
            for item in pair
        )
    if is_config(kind):
        return any(holds_promise(item, handed) for _, item in _config_items(value))
    if dataclasses.is_dataclass(kind) or is_named_tuple(kind):
        return any(holds_promise(item, handed) for _, item in fields_of(value))
    return False


def parts(value: Any, wanted: Any) -> Iterator[tuple[Output, Any]]:
    """The outputs inside a structure with the annotation each must fit, where it is known."""
    kind = type(value)
    if kind is Output:
        yield value, wanted
        return
    origin, args = get_origin(wanted), get_args(wanted)
    if kind is list and origin is list and args:
        for item in value:
            yield from parts(item, args[0])
    elif kind is dict and origin is dict and len(args) == 2:
        for item in value.values():
            yield from parts(item, args[1])
    elif kind is tuple and origin is tuple and args:
        hints = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        for item, hint in zip(value, hints, strict=False):
            yield from parts(item, hint)
    elif kind is (origin or wanted):
        fields = output_fields(wanted) or {}
        for name, item in fields_of(value) if fields else ():
            yield from parts(item, fields.get(name, Any))


def annotation_of(result: Any) -> Any:
    """The annotation of a result, as far as its promises tell."""
    kind = type(result)
    if kind is Output:
        return result._turnout_annotation
    if kind is Input:
        return annotation_of_input(result)
    if kind is tuple and result:
        return tuple.__class_getitem__(tuple(map(annotation_of, result)))
    return kind if kind in _ATOMS else Any


def _argument(
    trace: Trace, task: Task[..., Any], name: str, value: Any, wanted: Any
) -> tuple[Binding, bool]:
    """The binding of an input, constant or structure, and whether it is known to fit.

    A constant is converted here, once.
    """
    kind = type(value)
    if kind is Input:
        if wanted is not None and value._turnout_value is OPEN:
            produced = annotation_of_input(value)
            if relate(produced, wanted) is Relation.REFUSED:
                raise GraphError(
                    f"node {task.name!r}: parameter {name!r} expects {show(wanted)}, "
                    f"found {show(produced)} from {value!r}",
                    location=location(),
                )
        return take_apart(trace, value), wanted is None
    if holds_promise(value, trace.handed):
        if wanted is not None:
            for part, hint in parts(value, wanted):
                _fits(task, name, hint, part._turnout_annotation, part)
        return take_apart(trace, value), wanted is None
    if wanted is not None and kind is not wanted:
        try:
            value = convert(value, wanted, f"parameter {name!r} of task {task.name!r}")
        except (TypeError, ConfigError) as error:
            raise GraphError(str(error), location=location()) from None
    return take_apart(trace, value), True


def _fits(task: Task[..., Any], name: str, wanted: Any, produced: Any, value: Output) -> bool:
    """Whether an output is proven to fit.

    Raises:
        GraphError: it can never fit.
    """
    if wanted is None:
        return True
    relation = relate(produced, wanted)
    if relation is Relation.REFUSED:
        _refuse(task, name, wanted, produced, value)
    return relation is Relation.PROVEN


def _constant(trace: Trace, value: Any) -> Binding:
    trace.values.append(Value(_own_copy(value)))
    return ("value", len(trace.values) - 1)


def _own_copy(value: Any) -> Any:
    """Containers copied, so that a list changed after the call does not change the graph."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([item if type(item) in _ATOMS else _own_copy(item) for item in value])
    if kind is dict:
        return {key: _own_copy(item) for key, item in value.items()}
    return plain(value)


def _structure(trace: Trace, value: Any, kind: type) -> Binding:
    if kind is list or is_list_config(kind):
        items = value if kind is list else [item for _, item in _config_items(value)]
        return ("list", tuple([take_apart(trace, item) for item in items]))
    if kind is tuple:
        return ("tuple", tuple([take_apart(trace, item) for item in value]))
    if kind is dict:
        return ("dict", tuple([(_key(key), take_apart(trace, v)) for key, v in value.items()]))
    if is_config(kind):
        entries = _config_items(value)
        return ("config", tuple([(_key(key), take_apart(trace, item)) for key, item in entries]))
    if kind is set or kind is frozenset:
        raise GraphError(
            "a set cannot hold task outputs or inputs; use a list", location=location()
        )
    fields = tuple([(name, take_apart(trace, item)) for name, item in fields_of(value)])
    return ("object", _constant(trace, kind), fields)


def _key(key: Any) -> Any:
    if type(key) in _SCALARS:
        return key
    if type(key) is Input:
        return _key(use(key))
    raise GraphError(
        f"a dict that holds task outputs or inputs has keys that are text, numbers or None, "
        f"not {key!r}",
        location=location(),
    )


def fields_of(value: Any) -> list[tuple[str, Any]]:
    """The fields a dataclass or NamedTuple is made from, with their values."""
    if dataclasses.is_dataclass(value):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.init]
    return list(value._asdict().items())


def _config_items(config: Any) -> list[tuple[Any, Any]]:
    """The entries of an OmegaConf container, its promises as they were put in."""
    if not config._get_flag("allow_objects") or config._is_none() or config._is_missing():
        return []  # without that flag OmegaConf takes no promise
    keys = range(len(config)) if is_list_config(type(config)) else list(config.keys())
    entries = []
    for key in keys:
        node = config._get_node(key)
        held = node if is_config(type(node)) else node._value()
        plainly = isinstance(held, Promise) or held is node or node._is_missing()
        entries.append((key, held if plainly else config[key]))
    return entries


def _no_list(task: Task[..., Any], name: str, what: str) -> NoReturn:
    raise GraphError(
        f"map over {task.name!r}: parameter {name!r} takes a list to map over, and {what}; "
        "bind what is the same for all items with functools.partial",
        location=location(),
    )


def _refuse(task: Task[..., Any], name: str, wanted: Any, produced: Any, value: Output) -> NoReturn:
    raise GraphError(
        f"node {task.name!r}: parameter {name!r} expects {show(wanted)}, "
        f"found {show(produced)} from {name_of(value)!r}",
        location=location(),
    )
