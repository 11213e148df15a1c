"""OmegaConf's containers, taken apart and put together.

Called only with values or annotations that come from OmegaConf, so that importing it here costs
nothing that was not paid before.
"""

from __future__ import annotations

import sys
from typing import Any

from turnout.types.foreign import is_config, is_dict_config, is_list_config


def plain(value: Any) -> Any:
    """A config container as fresh dicts and lists, resolved; every other value as it is.

    Raises:
        MissingMandatoryValue: something in it has no value yet.
        InterpolationResolutionError: an interpolation in it leads nowhere.
    """
    if not is_config(type(value)):
        return value
    from omegaconf import OmegaConf

    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True)


def plain_class(cls: type) -> type:
    """The class that `plain` makes of a container."""
    return dict if is_dict_config(cls) else list if is_list_config(cls) else cls


def objects(value: Any) -> Any:
    """As `plain`, with structured parts as objects of the classes they were declared with."""
    if not is_config(type(value)):
        return value
    from omegaconf import OmegaConf

    return OmegaConf.to_object(value)


def items(value: Any) -> list[Any]:
    """The items of a `ListConfig`, resolved; containers among them stay config containers."""
    # Unlike iteration, this names the item that has no value.
    return [value[index] for index in range(len(value))]


def pairs(value: Any) -> dict[Any, Any]:
    """The items of a `DictConfig`, resolved; containers among them stay config containers."""
    return dict(value.items())


def declared(value: Any) -> Any:
    """The class a structured `DictConfig` was declared with; ``None`` for other values."""
    if not is_dict_config(type(value)):
        return None
    from omegaconf import OmegaConf

    found = OmegaConf.get_type(value)
    return found if isinstance(found, type) and found is not dict else None


def make(value: Any) -> Any:
    """A dict or a list as a config container."""
    from omegaconf import OmegaConf

    return OmegaConf.create(value, flags={"allow_objects": True})


def override_key(name: str) -> str:
    """The key of an override for what OmegaConf names: Hydra spells an item of a list otherwise.

    >>> override_key("model.layers[0].size")
    'model.layers.0.size'
    """
    return name.replace("[", ".").replace("]", "")


def unresolved(value: Any) -> dict[str, Exception]:
    """The full keys in a config container whose interpolations lead nowhere, and why each does.

    What an interpolation leads to is not looked into: it stands elsewhere, or leads back here.
    """
    if not is_config(type(value)) or value._is_none() or value._is_missing():
        return {}
    found: dict[str, Exception] = {}
    keys = list(value.keys()) if is_dict_config(type(value)) else range(len(value))
    for key in keys:
        node = value._get_node(key)
        if node._is_interpolation():
            try:
                value[key]
            except Exception as error:
                found[value._get_full_key(key)] = error
        else:
            found |= unresolved(node)
    return found


def explain(problem: Exception) -> str | None:
    """What OmegaConf complains about, and the way out; ``None`` for other exceptions."""
    errors = getattr(sys.modules.get("omegaconf"), "errors", None)
    if errors is None or not isinstance(problem, errors.OmegaConfBaseException):
        return None
    key = getattr(problem, "full_key", None) or getattr(problem, "key", None)
    if isinstance(problem, errors.MissingMandatoryValue):
        return (
            f"'{key}' has no value (???); give it one in the config "
            f"or on the command line: {override_key(str(key))}=..."
        )
    lines = str(getattr(problem, "msg", None) or problem).strip().splitlines()
    text = lines[0] if lines else type(problem).__name__
    return text if key is None else f"'{key}': {text}"
