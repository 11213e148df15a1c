"""Inputs while a workflow is traced: promises that also know their value.

Handed to a task, an `Input` binds that task to its path only: it is *projected*. Used by
Python, it gives its plain value and the path is recorded as *fixed*, with file and line.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from turnout.dsl.fields import NoPart, attribute_of, item_of, unpacked
from turnout.dsl.frames import location
from turnout.dsl.known import (
    CONTAINERS,
    OPEN,
    child_value,
    has_key,
    holds_open,
    kind_of,
    plain,
    record_fields,
    told_with,
)
from turnout.dsl.promise import Output, Promise, refuse
from turnout.errors import ConfigError, GraphError
from turnout.graph import Binding, Path
from turnout.graph.binding import path_text

if TYPE_CHECKING:
    from turnout.dsl.trace import Trace

_MAPPING_METHODS: Final = frozenset({"keys", "values", "items", "get"})
_CHANGES: Final = frozenset(
    {
        "append", "clear", "extend", "insert", "merge_with", "pop", "popitem", "remove", "reverse",
        "setdefault", "sort", "update",
    }
)  # fmt: skip


class Input(Promise):
    """A part of an input of the workflow: its path, and its value while it is known."""

    __slots__ = ("_turnout_path", "_turnout_trace", "_turnout_value")

    _turnout_trace: Trace
    _turnout_path: Path
    _turnout_value: Any

    def __init__(self, trace: Trace, path: Path, value: Any) -> None:
        object.__setattr__(self, "_turnout_trace", trace)
        object.__setattr__(self, "_turnout_path", path)
        object.__setattr__(self, "_turnout_value", value)

    def __repr__(self) -> str:
        return f"<input {path_text(self._turnout_path)}>"

    # -- parts stay projected ------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        value = self._turnout_value
        if value is OPEN:
            return child(self, name)
        kind = kind_of(value)
        if kind == "config" and has_key(value, name):
            return child(self, name)
        if kind == "record" and name in record_fields(value):
            return child(self, name)
        if kind in ("config", "mapping") and name in _MAPPING_METHODS:
            return _mapping_method(self, name)
        if kind in CONTAINERS and name in _CHANGES:
            _unchangeable(self)
        if kind == "config":
            return _config_attribute(self, name)
        return getattr(use(self), name)

    def __getitem__(self, key: Any) -> Any:
        if type(key) is Output:
            refuse(key, "used as a key")
        key = use(key)
        value = self._turnout_value
        kind = kind_of(value)
        if value is OPEN:
            return child(self, key) if type(key) in (str, int) else use(self)
        if kind in ("config", "mapping") and type(key) in (str, int):
            if has_key(value, key):
                return child(self, key)
            _fix(self, "keys")
            return value[key]  # raises what a missing key raises
        if kind == "sequence" and type(key) is int:
            length = len(value)
            if not 0 <= key < length:
                _fix(self, "keys")
                if not -length <= key < 0:
                    raise _no_item(self, key)
                key += length
            return child(self, key)
        if kind == "sequence" and isinstance(key, slice):
            return _children(self)[key]
        return use(self)[key]

    def __iter__(self) -> Iterator[Any]:
        value = self._turnout_value
        kind = kind_of(value)
        fields = unpacked(annotation_of(self)) if value is OPEN else None
        if fields is not None:
            return iter([child(self, key) for key in fields])
        if kind == "sequence":
            return iter(_children(self))
        if kind in ("config", "mapping"):
            _fix(self, "keys")
            return iter(list(value))
        items: Iterator[Any] = iter(use(self))
        return items

    def __reversed__(self) -> Iterator[Any]:
        if kind_of(self._turnout_value) == "sequence":
            return iter(_children(self)[::-1])
        items: Iterator[Any] = reversed(use(self))
        return items

    def __len__(self) -> int:
        if kind_of(self._turnout_value) in CONTAINERS:
            _fix(self, "keys")
            return len(self._turnout_value)
        return len(use(self))

    def __contains__(self, item: Any) -> bool:
        if kind_of(self._turnout_value) in ("config", "mapping"):
            _fix(self, "keys")
            return use(item) in self._turnout_value
        return use(item) in use(self)

    def __bool__(self) -> bool:
        return len(self) > 0 if kind_of(self._turnout_value) in CONTAINERS else bool(use(self))

    # -- everything else fixes -----------------------------------------------------------------

    def __hash__(self) -> int:
        return hash(use(self))

    def __str__(self) -> str:
        return str(use(self))

    def __format__(self, spec: str) -> str:
        return format(use(self), spec)

    def __fspath__(self) -> str:
        path: str = os.fspath(use(self))
        return path

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102  (as the magic methods)
        # A config may have a key named "items" beside its method: only a method can be called.
        path, trace = self._turnout_path, self._turnout_trace
        if path[-1] in _MAPPING_METHODS and len(path) > 1:
            parent = Input(trace, path[:-1], trace.value_at(path[:-1]))
            if kind_of(parent._turnout_value) == "config":
                return _mapping_method(parent, str(path[-1]))(*args, **kwargs)
        return use(self)(*args, **kwargs)

    def __rdivmod__(self, other: Any) -> Any:
        return divmod(use(other), use(self))

    def __rshift__(self, other: Any) -> Any:
        return _computed(self, other, operator.rshift)

    def __and__(self, other: Any) -> Any:
        if self._turnout_value is OPEN:
            return self._turnout_trace.condition(self) & other
        return _computed(self, other, operator.and_)

    def __or__(self, other: Any) -> Any:
        if self._turnout_value is OPEN:
            return self._turnout_trace.condition(self) | other
        return _computed(self, other, operator.or_)

    def __invert__(self) -> Any:
        if self._turnout_value is OPEN:
            return ~self._turnout_trace.condition(self)
        return operator.invert(use(self))

    @property
    def __class__(self) -> type:  # so that isinstance(cfg.n, int) is asked of the value
        value = self._turnout_value
        kind = kind_of(value)
        if value is OPEN:
            return Input
        _fix(self, "keys" if kind in (*CONTAINERS, "record") else "value")
        return type(value)

    @__class__.setter
    def __class__(self, value: type) -> None:
        _unchangeable(self)

    __array_ufunc__ = None  # NumPy's scalars then leave arithmetic to the input

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        _look_openly(self, "turned into an array")

    def __reduce__(self) -> NoReturn:
        _look_openly(self, "pickled or copied")

    def __setattr__(self, name: str, value: Any) -> None:
        _unchangeable(self)

    def __delattr__(self, name: str) -> None:
        _unchangeable(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        _unchangeable(self)

    def __delitem__(self, key: Any) -> None:
        _unchangeable(self)


def use(value: Any) -> Any:
    """The plain value of an input, its path recorded as fixed; anything else as it is.

    Raises:
        GraphError: the input has no value yet.
    """
    if type(value) is not Input:
        return value
    _fix(value, "value")
    with told_with(value._turnout_path):
        return plain(value._turnout_value)


def known(trace: Trace, path: Path, value: Any, where: str | None = None) -> Any:
    """The promise for a part of an input; a null value is plain ``None``, and fixed."""
    if value is None:
        trace.fix(path, "value", None, where)
        return None
    return Input(trace, path, value)


def child(parent: Input, key: str | int) -> Any:
    """The promise for one part of an input.

    Raises:
        KeyError, IndexError, AttributeError: there is no such part.
        ConfigError: it is an interpolation that cannot be resolved.
    """
    path = (*parent._turnout_path, key)
    with told_with(path):
        value = child_value(parent._turnout_value, key)
    return known(parent._turnout_trace, path, value)


def annotation_of(value: Input) -> Any:
    """The annotation of an input, as far as the workflow's own annotations tell."""
    first, *rest = value._turnout_path
    annotation = value._turnout_trace.hints.get(str(first), Any)
    try:
        for key in rest:
            if isinstance(key, str):
                annotation = attribute_of(annotation, key)
            else:
                annotation = item_of(annotation, key)
    except NoPart:
        return Any
    return annotation


def binding_of(value: Input) -> Binding:
    """The binding an input stands for."""
    return ("input", *value._turnout_path)


def _fix(value: Input, what: str) -> None:
    known_value = value._turnout_value
    if what == "value" and known_value is not OPEN and holds_open(known_value):
        known_value = OPEN
    value._turnout_trace.fix(value._turnout_path, what, known_value)


def _children(parent: Input) -> list[Any]:
    _fix(parent, "keys")
    return [child(parent, index) for index in range(len(parent._turnout_value))]


class MissingKey(ConfigError, AttributeError):
    """A config has no such key; an ``AttributeError`` too, so that ``hasattr`` works."""


class MissingItem(ConfigError, IndexError):
    """A list has no such item; an ``IndexError`` too, for those who expect one."""


def _no_item(items: Input, index: int) -> MissingItem:
    where, length = path_text(items._turnout_path), len(items._turnout_value)
    holds = f"has {length} item{'s' * (length != 1)}" if length else "is empty"
    return MissingItem(f"{location()}: input {where!r} {holds}, so there is no item {index}")


def _no_key(config: Input, name: str) -> MissingKey:
    where = path_text(config._turnout_path)
    known = ", ".join(map(str, config._turnout_value)) or "none"
    return MissingKey(
        f"{location()}: the config {where!r} has no key {name!r}; its keys: {known}. "
        "To give it one on the command line, write +KEY=VALUE"
    )


def _config_attribute(config: Input, name: str) -> Any:
    """An attribute of a config that is none of its keys."""
    value = config._turnout_value
    if name.startswith("_"):
        # OmegaConf's functions look into a config this way, unseen by the graph.
        if hasattr(value, name):
            _look_openly(config, "looked into by OmegaConf")
        raise AttributeError(name)
    if callable(getattr(type(value), name, None)):
        return getattr(use(config), name)
    _fix(config, "keys")
    try:
        return getattr(value, name)
    except AttributeError as error:
        raise _no_key(config, name) from error


def _mapping_method(parent: Input, name: str) -> Callable[..., Any]:
    def keys() -> list[Any]:
        _fix(parent, "keys")
        return list(parent._turnout_value)

    def values() -> list[Any]:
        return [child(parent, key) for key in keys()]

    def items() -> list[tuple[Any, Any]]:
        return [(key, child(parent, key)) for key in keys()]

    def get(key: Any, default: Any = None) -> Any:
        key = use(key)
        return parent[key] if key in parent else default  # noqa: SIM401  (this is its `get`)

    methods: dict[str, Callable[..., Any]] = {
        "keys": keys,
        "values": values,
        "items": items,
        "get": get,
    }
    return methods[name]


def _look_openly(value: Input, what: str) -> NoReturn:
    name = path_text(value._turnout_path)
    raise GraphError(
        f"input {name!r} is {what} while the graph is built, where it is a promise; "
        f"use turnout.fixed({name}) for its plain value",
        location=location(),
    )


def _unchangeable(value: Input) -> NoReturn:
    name = path_text(value._turnout_path)
    raise GraphError(
        f"input {name!r} cannot be changed while the graph is built; change a copy, "
        f"turnout.fixed({name}), or give the task a further argument",
        location=location(),
    )


def _computed(left: Input, right: Any, operation: Callable[[Any, Any], Any]) -> Any:
    # What compares or joins the right side with an input is the right side's to say.
    if isinstance(right, Promise) and type(right) is not Input:
        return NotImplemented
    return operation(use(left), use(right))


def _comparison(name: str) -> Any:
    operation = getattr(operator, name)

    def method(self: Input, other: Any) -> Any:
        if type(other) is Output:
            return NotImplemented
        if self._turnout_value is OPEN or (type(other) is Input and other._turnout_value is OPEN):
            return self._turnout_trace.compare(name, self, other)
        return _computed(self, other, operation)

    return method


def _arithmetic(operation: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    def forward(self: Input, other: Any) -> Any:
        return _computed(self, other, operation)

    def reflected(self: Input, other: Any) -> Any:
        return operation(use(other), use(self))

    return forward, reflected


def _conversion(convert: Callable[..., Any]) -> Any:
    def method(self: Input, *others: Any) -> Any:
        return convert(use(self), *map(use, others))

    return method


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Input, f"__{_name}__", _comparison(_name))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "xor", "lshift"):
    _forward, _reflected = _arithmetic(getattr(operator, f"__{_name}__"))
    setattr(Input, f"__{_name}__", _forward)
    setattr(Input, f"__r{_name}__", _reflected)
for _name in ("and", "or", "rshift"):
    setattr(Input, f"__r{_name}__", _arithmetic(getattr(operator, f"__{_name}__"))[1])
_CONVERSIONS: Final[dict[str, Callable[..., Any]]] = {
    "neg": operator.neg, "pos": operator.pos, "abs": abs, "int": int, "float": float,
    "complex": complex, "index": operator.index, "round": round, "trunc": math.trunc,
    "floor": math.floor, "ceil": math.ceil, "bytes": bytes, "divmod": divmod,
}  # fmt: skip
for _name, _convert in _CONVERSIONS.items():
    setattr(Input, f"__{_name}__", _conversion(_convert))
