"""Inputs while a workflow is traced: promises that also know their value.

Handed to a task, an `Input` binds that task to its path only: it is *projected*. Used by
Python, it gives its plain value and the path is recorded as *fixed*, with file and line.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from turnout.dsl.frames import location
from turnout.dsl.promise import Output
from turnout.errors import GraphError
from turnout.graph import Binding, Path
from turnout.graph.binding import path_text

if TYPE_CHECKING:
    from turnout.dsl.trace import Trace


class Open(enum.Enum):
    """Marks an input without a value at planning."""

    OPEN = "open"


OPEN: Final = Open.OPEN
_MAPPING_METHODS: Final = frozenset({"keys", "values", "items", "get"})


class Input:
    """A part of an input of the workflow: its path, and its value while it is known."""

    __slots__ = ("_turnout_path", "_turnout_trace", "_turnout_value")

    def __init__(self, trace: Trace, path: Path, value: Any) -> None:
        self._turnout_trace = trace
        self._turnout_path = path
        self._turnout_value = value

    def __repr__(self) -> str:
        return f"<input {path_text(self._turnout_path)}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        value = self._turnout_value
        if value is OPEN:
            return Input(self._turnout_trace, (*self._turnout_path, name), OPEN)
        kind = kind_of(value)
        if kind == "config":
            if has_key(value, name):
                return _child(self, name)
            if name in _MAPPING_METHODS:
                return _mapping_method(self, name)
            _fix(self, "keys")
            return getattr(value, name)  # raises OmegaConf's own error, or a KeyError's kin
        if kind == "record" and name in record_fields(value):
            return _child(self, name)
        if kind == "mapping" and name in _MAPPING_METHODS:
            return _mapping_method(self, name)
        return getattr(use(self), name)

    def __getitem__(self, key: Any) -> Any:
        key = use(key) if type(key) is Input else key
        value = self._turnout_value
        if value is OPEN:
            return Input(self._turnout_trace, (*self._turnout_path, key), OPEN)
        kind = kind_of(value)
        if kind in ("config", "mapping") and isinstance(key, (str, int)):
            if not has_key(value, key):
                _fix(self, "keys")
                return value[key]
            return _child(self, key)
        if kind == "sequence" and type(key) is int:
            if key < 0:
                _fix(self, "keys")
                key += len(value)
            value[key]  # an index past the end raises the user's own IndexError
            return _child(self, key)
        if kind == "sequence" and isinstance(key, slice):
            _fix(self, "keys")
            return [_child(self, index) for index in range(*key.indices(len(value)))]
        return use(self)[key]

    def __iter__(self) -> Iterator[Any]:
        value = self._turnout_value
        kind = kind_of(value)
        if kind == "sequence":
            _fix(self, "keys")
            return iter([_child(self, index) for index in range(len(value))])
        if kind in ("config", "mapping"):
            _fix(self, "keys")
            return iter(list(value))
        return iter(use(self))

    def __len__(self) -> int:
        if kind_of(self._turnout_value) in ("config", "mapping", "sequence"):
            _fix(self, "keys")
            return len(self._turnout_value)
        return len(use(self))

    def __contains__(self, item: Any) -> bool:
        if kind_of(self._turnout_value) in ("config", "mapping"):
            _fix(self, "keys")
            return (use(item) if type(item) is Input else item) in self._turnout_value
        return (use(item) if type(item) is Input else item) in use(self)

    def __bool__(self) -> bool:
        if kind_of(self._turnout_value) in ("config", "mapping", "sequence"):
            _fix(self, "keys")
            return len(self._turnout_value) > 0
        return bool(use(self))

    def __hash__(self) -> int:
        return hash(use(self))

    def __str__(self) -> str:
        return str(use(self))

    def __format__(self, spec: str) -> str:
        return format(use(self), spec)

    def __fspath__(self) -> str:
        return operator_fspath(use(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return use(self)(*args, **kwargs)

    def __eq__(self, other: object) -> Any:
        return _binary(self, other, operator.eq)

    def __ne__(self, other: object) -> Any:
        return _binary(self, other, operator.ne)

    def __rshift__(self, other: Any) -> Any:
        return _binary(self, other, operator.rshift)

    @property
    def __class__(self) -> type:  # so that isinstance(cfg.n, int) is asked of the value
        value = object.__getattribute__(self, "_turnout_value")
        if value is OPEN or kind_of(value) != "scalar":
            return Input
        _fix(self, "value")
        return type(value)

    @__class__.setter
    def __class__(self, value: type) -> None:
        raise TypeError("an input's type cannot be changed")

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self!r} cannot be pickled or copied while the graph is built; "
            f"use turnout.fixed({path_text(self._turnout_path)})"
        )


def operator_fspath(value: Any) -> str:
    """The file-system path of a plain value."""
    import os

    return os.fspath(value)


def use(value: Any) -> Any:
    """The plain value of an input, its path recorded as fixed.

    Raises:
        GraphError: the input is open.
    """
    if type(value) is not Input:
        return value
    _fix(value, "value")
    return plain(value._turnout_value)


def plain(value: Any) -> Any:
    """A value the user may keep: a resolved copy of a config part, anything else as it is."""
    if type(value).__module__.startswith("omegaconf."):
        from turnout.types.configs import detached

        return detached(value)
    return value


def kind_of(value: Any) -> str:
    """How a value is taken apart: config, mapping, sequence, record, scalar or opaque."""
    kind = type(value)
    if kind in (int, float, str, bool, bytes, complex) or isinstance(value, enum.Enum):
        return "scalar"
    if kind.__module__.startswith("omegaconf."):
        return "sequence" if kind.__name__ == "ListConfig" else "config"
    if kind is dict:
        return "mapping"
    if kind is list or kind is tuple:
        return "sequence"
    if dataclasses.is_dataclass(kind) or hasattr(kind, "model_fields") or hasattr(kind, "_fields"):
        return "record"
    return "opaque"


def record_fields(value: Any) -> tuple[str, ...]:
    """The field names of a dataclass, NamedTuple or pydantic model."""
    if dataclasses.is_dataclass(value):
        return tuple(f.name for f in dataclasses.fields(value))
    return tuple(getattr(type(value), "model_fields", None) or type(value)._fields)


def has_key(value: Any, key: str | int) -> bool:
    """Whether a config or dict has a key, even where its value is missing (``???``)."""
    return key in value.keys()  # noqa: SIM118  (`in` on a config is false for a missing value)


def child_value(value: Any, key: str | int) -> Any:
    """The part of an input value at one key; `OPEN` where it is missing (``???``).

    Raises:
        KeyError, IndexError, AttributeError: there is no such part.
    """
    if value is OPEN:
        return OPEN
    kind = kind_of(value)
    if type(value).__module__.startswith("omegaconf."):
        from turnout.types.configs import is_missing

        if is_missing(value, key):
            return OPEN
        return value[key]
    if kind == "record" and isinstance(key, str):
        return getattr(value, key)
    return value[key]


def _child(parent: Input, key: str | int) -> Any:
    value = child_value(parent._turnout_value, key)
    path = (*parent._turnout_path, key)
    return known(parent._turnout_trace, path, value)


def child_or_none(parent: Input, key: str | int) -> Any:
    """The promise for a part of an input, ``None`` where there is no such part."""
    try:
        return _child(parent, key)
    except (KeyError, IndexError, AttributeError):
        return None


def known(trace: Trace, path: Path, value: Any) -> Any:
    """The promise for a part of an input; a null value is plain ``None``, and fixed."""
    if value is None:
        trace.fix(path, "value", None)
        return None
    return Input(trace, path, value)


def _fix(value: Input, what: str) -> None:
    value._turnout_trace.fix(
        value._turnout_path, what, value._turnout_value, location(2)
    )


def _mapping_method(parent: Input, name: str) -> Callable[..., Any]:
    def keys() -> list[Any]:
        _fix(parent, "keys")
        return list(parent._turnout_value)

    def values() -> list[Any]:
        return [_child(parent, key) for key in keys()]

    def items() -> list[tuple[Any, Any]]:
        return [(key, _child(parent, key)) for key in keys()]

    def get(key: Any, default: Any = None) -> Any:
        return _child(parent, key) if key in parent else default

    return {"keys": keys, "values": values, "items": items, "get": get}[name]


def _binary(left: Input, right: Any, operation: Callable[[Any, Any], Any]) -> Any:
    if type(right) is Output:
        return NotImplemented
    return operation(use(left), use(right))


def _install() -> None:
    binary = "add sub mul truediv floordiv mod pow matmul and or xor lshift lt le gt ge"
    for name in binary.split():
        operation = getattr(operator, f"__{name}__")

        def forward(self: Input, other: Any, _operation: Any = operation) -> Any:
            return _binary(self, other, _operation)

        def reflected(self: Input, other: Any, _operation: Any = operation) -> Any:
            return _operation(use(other), use(self))

        setattr(Input, f"__{name}__", forward)
        if name not in ("lt", "le", "gt", "ge"):
            setattr(Input, f"__r{name}__", reflected)
    unary: dict[str, Callable[..., Any]] = {
        "neg": operator.neg, "pos": operator.pos, "abs": abs, "invert": operator.invert,
        "int": int, "float": float, "complex": complex, "index": operator.index,
        "round": round, "trunc": math.trunc, "floor": math.floor, "ceil": math.ceil,
        "bytes": bytes, "divmod": divmod, "reversed": reversed,
    }  # fmt: skip
    for name, convert in unary.items():

        def method(self: Input, *others: Any, _convert: Any = convert) -> Any:
            return _convert(use(self), *map(use, others))

        setattr(Input, f"__{name}__", method)


_install()


def binding_of(value: Input) -> Binding:
    """The binding an input stands for."""
    return ("input", *value._turnout_path)

