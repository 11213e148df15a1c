"""Rebuilds the arguments of a call from shapes and values, where the task runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from turnout.graph import Path, Shape


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

        return OmegaConf.create({key: build(item, values) for key, item in shape[1]})
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
