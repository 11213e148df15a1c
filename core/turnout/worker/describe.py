"""Values in a few words, for messages: type and size, never the content."""

from __future__ import annotations

from typing import Any


def describe(value: Any) -> str:
    """A value's type, with its size where it has one.

    >>> describe([1, 2]), describe(3), describe("abc")
    ('list (2 items)', 'int', 'str (3 characters)')
    """
    name = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape):
        if hasattr(value, "columns") and len(shape) == 2:
            return f"{name} ({shape[0]} rows x {shape[1]} columns)"
        return f"{name} ({' x '.join(map(str, shape))})" if shape else name
    if isinstance(value, str):
        return f"{name} ({len(value)} characters)"
    if isinstance(value, (list, tuple, dict, set, frozenset, bytes)):
        return f"{name} ({len(value)} {'bytes' if isinstance(value, bytes) else 'items'})"
    return name
