"""Objects that Hydra builds from configs."""

from __future__ import annotations

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from turnout.errors import ConfigError


def build(config: Any) -> Any:
    """The object a config with ``_target_`` describes.

    Raises:
        ConfigError: the config has no target, or the target cannot be found.
        Exception: whatever the target itself raises.

    >>> build({"_target_": "fractions.Fraction", "numerator": 1, "denominator": 3})
    Fraction(1, 3)
    """
    if not hasattr(config, "keys") or "_target_" not in config:
        raise ConfigError(f"turnout.instantiate takes a config with _target_, not {config!r}")
    try:
        return instantiate(config)
    except InstantiationException as error:
        # What the target raised is the user's; Hydra's wrapping hides its type and frames.
        if error.__cause__ is not None and not isinstance(error.__cause__, ImportError):
            raise error.__cause__ from None
        raise ConfigError(str(error)) from error
