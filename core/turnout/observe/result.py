"""What a workflow returned, as lines for standard output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from turnout.worker.describe import describe

__all__ = ["result_text"]

_LONGEST: Final = 500


def result_text(value: Any) -> str:
    """A result as text: a line per field where it has fields, ``""`` where there is nothing.

    >>> print(result_text({"train": 0.5, "test": [1, 2]}))
    train: 0.5
    test: [1, 2]
    >>> result_text("done"), result_text(None)
    ('done', '')
    """
    if value is None:
        return ""
    return "\n".join(f"{name}: {_line(item)}" for name, item in _fields(value)) or _line(value)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from zip(value._fields, value, strict=True)
    elif isinstance(value, Mapping):
        yield from ((str(name), item) for name, item in value.items())


def _line(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape:  # a frame or an array; those of NumPy's scalars are empty
        return describe(value)
    if isinstance(value, str):
        return value  # a script may read it
    text = str(value) if shape == () else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
