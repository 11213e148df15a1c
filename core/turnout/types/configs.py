"""Parts of OmegaConf configs that can leave the tree they stand in.

Only imported where a value is an OmegaConf container already.
"""

from __future__ import annotations

import copy
from typing import Any

from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import InterpolationResolutionError, InterpolationToMissingValueError


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


def plain_container(value: Any) -> Any:
    """A config as plain dicts and lists, resolved; what is no config is given back.

    >>> from omegaconf import OmegaConf
    >>> plain_container(OmegaConf.create({"a": 1, "b": "${a}"}))
    {'a': 1, 'b': 1}
    """
    if not isinstance(value, BaseContainer):
        return value
    return OmegaConf.to_container(value, resolve=True, enum_to_str=True)
