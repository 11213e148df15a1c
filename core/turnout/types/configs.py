"""Parts of OmegaConf configs that can leave the tree they stand in.

Only imported where a value is an OmegaConf container already.
"""

from __future__ import annotations

import copy
import enum
from collections.abc import Mapping
from typing import Any

from omegaconf import ListConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import (
    InterpolationResolutionError,
    InterpolationToMissingValueError,
    OmegaConfBaseException,
)


def is_config(value: Any) -> bool:
    """Whether a value is a ``DictConfig`` or ``ListConfig``."""
    return isinstance(value, BaseContainer)


def is_missing(container: Any, key: str | int) -> bool:
    """Whether the value at ``key`` is ``???``, or an interpolation that leads to one."""
    try:
        return OmegaConf.is_missing(container, key)
    except InterpolationToMissingValueError:
        return True
    except InterpolationResolutionError:
        return False


def detached(value: Any) -> Any:
    """A resolved copy of a config part that no longer needs its parents.

    Structured types and the read-only and struct flags are kept; missing values stay missing.
    A value that is no config is given back as it is.

    >>> from omegaconf import OmegaConf
    >>> cfg = OmegaConf.create({"a": {"b": "${c}"}, "c": 3})
    >>> detached(cfg.a)
    {'b': 3}
    """
    if not isinstance(value, BaseContainer):
        return value
    part = copy.deepcopy(value)
    flags = {
        "readonly": OmegaConf.is_readonly(value) or None,
        "struct": OmegaConf.is_struct(value) or None,
    }
    part._set_parent(value._get_parent())
    part._set_flag(["readonly", "struct"], [None, None])
    # While it still has its parents, interpolations that point outside can be followed.
    part._set_flag("readonly", False)
    OmegaConf.resolve(part)
    part._set_parent(None)
    part._set_flag(list(flags), list(flags.values()))
    return part


def missing_keys(value: Any) -> list[str]:
    """Dotted names of the values inside a config that are ``???``."""
    return sorted(OmegaConf.missing_keys(value)) if isinstance(value, BaseContainer) else []


def plain_container(value: Any, kept: Mapping[str, str]) -> Any:
    """A config as plain dicts and lists, resolved as far as it can be.

    Args:
        value: the config.
        kept: texts that stand in for values, by full key.

    Returns:
        Interpolations that lead nowhere, or back to where they stand, as their text.

    >>> from omegaconf import OmegaConf
    >>> cfg = OmegaConf.create({"a": 1, "b": "${a}", "c": "${nope}", "d": "secret"})
    >>> plain_container(cfg, {"d": "${oc.env:D}"})
    {'a': 1, 'b': 1, 'c': '${nope}', 'd': '${oc.env:D}'}
    """
    return _contained(value, kept, ())


def _contained(container: Any, kept: Mapping[str, str], around: tuple[int, ...]) -> Any:
    if container._is_none():
        return None
    if container._is_missing():
        return "???"
    around = (*around, id(container))
    if isinstance(container, ListConfig):
        return [_part(container, index, kept, around) for index in range(len(container))]
    return {
        key.name if isinstance(key, enum.Enum) else key: _part(container, key, kept, around)
        for key in container
    }


def _part(container: Any, key: Any, kept: Mapping[str, str], around: tuple[int, ...]) -> Any:
    text = kept.get(container._get_full_key(key)) if kept else None
    if text is not None:
        return text
    node = container._get_node(key)
    if node._is_interpolation():
        text = str(node._value())
        try:
            node = node._dereference_node()
        except (OmegaConfBaseException, RecursionError):
            return text
        if id(node) in around:
            return text
    if isinstance(node, BaseContainer):
        return _contained(node, kept, around)
    found = node._value()
    return found.name if isinstance(found, enum.Enum) else found
