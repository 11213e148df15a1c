"""Values of inputs while a graph is built: how they are taken apart, and what is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias

from turnout.dsl.frames import location
from turnout.errors import ConfigError, cause
from turnout.graph import Path
from turnout.graph.binding import path_text
from turnout.types.config_values import explain
from turnout.types.foreign import is_config, is_list_config, is_named_tuple, is_pydantic


class Open(enum.Enum):
    """Marks an input without a value at planning."""

    OPEN = "open"


OPEN: Final = Open.OPEN

Kind: TypeAlias = Literal["config", "mapping", "sequence", "record", "scalar", "opaque"]

_SCALARS: Final = (int, float, str, bool, bytes, complex, type(None))
CONTAINERS: Final = ("config", "mapping", "sequence")


def kind_of(value: Any) -> Kind:
    """How a value is taken apart.

    >>> kind_of({"a": 1}), kind_of((1, 2)), kind_of(3), kind_of(object())
    ('mapping', 'sequence', 'scalar', 'opaque')
    """
    kind = type(value)
    if kind in _SCALARS or isinstance(value, enum.Enum):
        return "scalar"
    if is_config(kind):
        return "sequence" if is_list_config(kind) else "config"
    if issubclass(kind, dict):
        return "mapping"
    if dataclasses.is_dataclass(kind) or is_named_tuple(kind) or is_pydantic(kind):
        return "record"
    return "sequence" if issubclass(kind, (list, tuple)) else "opaque"


def record_fields(value: Any) -> tuple[str, ...]:
    """The field names of a dataclass, NamedTuple or pydantic model."""
    if dataclasses.is_dataclass(value):
        return tuple(f.name for f in dataclasses.fields(value))
    kind = type(value)
    return tuple(kind.model_fields if is_pydantic(kind) else kind._fields)


def has_key(value: Any, key: str | int) -> bool:
    """Whether a config or dict has a key, even where its value is missing (``???``)."""
    return key in value.keys()  # noqa: SIM118  (`in` on a config is false for a missing value)


def keys_of(value: Any) -> Any:
    """What is known of a container when only its keys or its length have been looked at."""
    kind = kind_of(value)
    if kind == "record":
        return record_fields(value)
    return len(value) if kind == "sequence" else tuple(value)


def child_value(value: Any, key: str | int) -> Any:
    """The part of an input value at one key; `OPEN` where it is missing (``???``).

    Raises:
        KeyError, IndexError, AttributeError: there is no such part.
    """
    if value is OPEN:
        return OPEN
    if is_config(type(value)):
        from turnout.types.configs import is_missing

        return OPEN if is_missing(value, key) else value[key]
    if isinstance(key, str) and kind_of(value) == "record":
        return getattr(value, key)
    return value[key]


def at_path(value: Any, path: Iterable[str | int]) -> Any:
    """The part of a value at a path.

    Raises:
        KeyError, IndexError, AttributeError: there is no such part.
    """
    for key in path:
        value = child_value(value, key)
    return value


def plain(value: Any) -> Any:
    """A value the user may keep: a resolved copy of a config part, anything else as it is."""
    if is_config(type(value)):
        from turnout.types.configs import detached

        return detached(value)
    return value


@contextlib.contextmanager
def told_with(path: Path) -> Iterator[None]:
    """Say which input it was when a config cannot give a value, and where it was asked for.

    Raises:
        ConfigError: OmegaConf raised something other than that there is no such key.
    """
    try:
        yield
    except Exception as error:
        told = explain(error)
        if told is None or isinstance(error, (LookupError, AttributeError)):
            raise
        raise ConfigError(f"{location()}: {path_text(path)}: {told}") from cause(error)


def holds_open(value: Any) -> bool:
    """Whether a value is open, or a list, tuple or dict with something open inside."""
    if value is OPEN:
        return True
    kind = type(value)
    if kind is list or kind is tuple:
        return any(map(holds_open, value))
    return kind is dict and any(map(holds_open, value.values()))
