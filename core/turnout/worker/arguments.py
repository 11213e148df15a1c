"""Rebuilds the arguments of a call from shapes and values, where the task runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turnout.backend.call import Call
from turnout.graph import Path, Shape
from turnout.types import convert

if TYPE_CHECKING:
    from turnout.dsl import Task


def arguments(
    call: Call, values: Sequence[Any], task: Task[..., Any], *, for_key: bool = False
) -> dict[str, Any]:
    """The keyword arguments of a call, rebuilt, converted and checked.

    Args:
        call: the call.
        values: the values of its leaves.
        task: the task, whose annotations count.
        for_key: leave what Hydra would build as the config it is built from.

    Raises:
        TypeMismatch: a value does not fit its parameter.
    """
    if call.shapes is None:
        kwargs = dict(zip(call.names, values))  # noqa: B905  (a strict one takes twice as long)
    else:
        kwargs = {}
        for name, shape in zip(call.names, call.shapes, strict=True):
            kwargs[name] = build(_as_config(shape) if for_key else shape, values)
    for name in call.unproven:
        if for_key and call.shapes is not None and _builds(call.shapes[call.names.index(name)]):
            continue  # what it is built from need not fit
        annotation = task.annotations.get(name)
        if annotation is not None:
            where = f"node {call.id!r}, parameter {name!r}"
            kwargs[name] = convert(kwargs[name], annotation, where)
    return kwargs


def _builds(shape: Any) -> bool:
    """Whether a shape has something for Hydra to build."""
    if not isinstance(shape, tuple):
        return False
    return shape[:1] == ("instantiate",) or any(map(_builds, shape))


def _as_config(shape: Shape) -> Shape:
    """A shape with every ``instantiate`` replaced by what it would be built from."""
    tag = shape[0]
    if tag == "instantiate":
        return ("tuple", (("const", tag), shape[1]))
    if tag in ("list", "tuple"):
        return (tag, tuple(map(_as_config, shape[1])))
    if tag in ("dict", "config"):
        return (tag, tuple((key, _as_config(item)) for key, item in shape[1]))
    return shape


def build(shape: Shape, values: Sequence[Any]) -> Any:
    """The value a shape describes.

    >>> build(("list", (("leaf", 1), ("leaf", 0, "rows"))), [{"rows": 7}, 5])
    [5, 7]
    """
    tag = shape[0]
    if tag == "leaf":
        value = values[shape[1]]
        return select(value, shape[2:]) if len(shape) > 2 else value
    if tag == "own":
        return copy.deepcopy(values[shape[1]])
    if tag == "const":
        return shape[1]
    if tag == "list":
        return [build(item, values) for item in shape[1]]
    if tag == "tuple":
        return tuple(build(item, values) for item in shape[1])
    if tag == "dict":
        return {key: build(item, values) for key, item in shape[1]}
    if tag == "config":
        from omegaconf import OmegaConf

        content = {key: build(item, values) for key, item in shape[1]}
        return OmegaConf.create(content, flags={"allow_objects": True})
    if tag == "object":
        cls = build(shape[1], values)
        return cls(**{name: build(item, values) for name, item in shape[2]})
    if tag == "instantiate":
        from turnout.config.instantiate import build as instantiate

        return instantiate(build(shape[1], values))
    raise ValueError(f"unknown shape {shape!r}")


def select(value: Any, path: Path) -> Any:
    """The part of a value at a path: keys of mappings, indices, and attributes.

    >>> select({"a": [1, 2]}, ("a", -1))
    2
    """
    for key in path:
        if isinstance(value, Mapping):
            value = value[key]
        elif isinstance(key, str) and not _is_config(value):
            value = getattr(value, key)
        else:
            value = value[key]
    return value


def _is_config(value: Any) -> bool:
    return type(value).__module__.startswith("omegaconf.")
