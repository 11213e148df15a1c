"""Dataclasses, named tuples and pydantic models as ``[tag, content]`` of the tagged JSON.

Only a class that another process can import, and whose instances are their fields and nothing
more, is taken apart; any other instance is no plain data.
"""

from __future__ import annotations

import copyreg
import dataclasses
import sys
from typing import Any, Final

from turnout.graph.refs import importable, resolve
from turnout.graph.tags import NotPlain, tagged, untagged

__all__ = ["is_model", "is_only_its_state", "put_together", "take_apart"]

_BUILT_IN: Final = (dict, list, tuple, set, frozenset, str, bytes, int, float, complex)
_MODEL_STATE: Final = (
    "__dict__",
    "__pydantic_fields_set__",
    "__pydantic_extra__",
    "__pydantic_private__",
)


def take_apart(value: Any) -> list[Any]:
    """``[tag, [class, content]]`` of an instance.

    Raises:
        NotPlain: the class cannot be imported, or an instance is more than its fields.
    """
    kind = type(value)
    ref = importable(kind)
    if ref is None:
        raise NotPlain
    if dataclasses.is_dataclass(kind):
        return ["dataclass", [ref, _fields(value, kind)]]
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and kind.__bases__ == (tuple,):
        return ["namedtuple", [ref, [tagged(item, take_apart) for item in value]]]
    if is_model(kind):
        state = value.__getstate__()
        return ["model", [ref, [tagged(state.get(part), take_apart) for part in _MODEL_STATE]]]
    raise NotPlain


def put_together(tag: str, content: list[Any]) -> Any:
    """The instance that `take_apart` took apart; neither ``__init__`` nor validators run."""
    kind = resolve(content[0])
    if tag == "namedtuple":
        return kind._make(untagged(item, put_together) for item in content[1])
    value = kind.__new__(kind)
    if tag == "dataclass":
        for name, item in content[1]:
            object.__setattr__(value, name, untagged(item, put_together))
    elif tag == "model":
        parts = (untagged(item, put_together) for item in content[1])
        value.__setstate__(dict(zip(_MODEL_STATE, parts, strict=True)))
    else:
        raise ValueError(f"unknown tag {tag!r} in a stored value")
    return value


def is_model(kind: type) -> bool:
    """Whether a class is a pydantic model; never imports pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def is_only_its_state(kind: type) -> bool:
    """Whether instances are their ``__dict__`` and nothing else, to pickle too.

    That is a class written in Python, without slots, that says nothing of how it is pickled.
    """
    pointers = 2 * tuple.__itemsize__  # to the __dict__ and to weak references
    return (
        kind.__basicsize__ <= object.__basicsize__ + pointers
        and kind.__dictoffset__ != 0
        and not any(vars(base).get("__slots__") for base in kind.__mro__)
        and not _pickles_itself(kind)
        and kind not in copyreg.dispatch_table
    )


def _fields(value: Any, kind: type) -> list[Any]:
    names = [f.name for f in dataclasses.fields(value)]
    if issubclass(kind, (*_BUILT_IN, BaseException)) or _pickles_itself(kind):
        raise NotPlain
    if set(getattr(value, "__dict__", ())) - set(names):
        raise NotPlain
    try:
        return [[name, tagged(getattr(value, name), take_apart)] for name in names]
    except AttributeError:
        raise NotPlain from None


def _pickles_itself(kind: type) -> bool:
    """Whether the class says how it is pickled, other than frozen slotted dataclasses do."""
    for name in ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__"):
        found = getattr(kind, name, None)
        plain = found is getattr(object, name, None)
        if not plain and getattr(found, "__module__", "") != "dataclasses":
            return True
    return False
