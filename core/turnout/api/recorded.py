"""The config of a run as its record has it, and its settings as they are used again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from turnout.backend.base import EnvironmentConfig
    from turnout.config.composed import Composed
    from turnout.storage.records import RunRecord

_GROUP: Final = "execution_environment"
_CREDENTIAL: Final = re.compile(r"(?i)(^|[&_-])(key|secret|token|sig|signature|password|pwd)=")


def recorded(composed: Composed) -> dict[str, Any]:
    """The resolved config as JSON values; what came from ``oc.env`` as the text that asks for it.

    The store is told all the same, unless its URL holds credentials: without it nobody would find
    the results.
    """
    inputs = composed.cfg
    if type(inputs) is not dict:
        from turnout.types.configs import plain_container

        inputs = plain_container(inputs, composed.masked)
    settings = _settings(composed.settings)
    for key, text in composed.masked.items():
        first, _, rest = key.partition(".")
        if first == _GROUP and (rest != "store" or holds_credentials(str(settings["store"]))):
            _put(settings, rest, text)
    return {
        "inputs": inputs,
        _GROUP: settings,
        "overrides": list(composed.overrides),
    }


def settings_of(record: RunRecord) -> Mapping[str, Any]:
    """The settings of a recorded run; what is from the environment, from this process's."""
    config = record.config or {}
    settings: dict[str, Any] = config.get(_GROUP) or {}
    if "${" not in str(settings):
        return settings
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        whole = OmegaConf.create({**(config.get("inputs") or {}), _GROUP: settings})
        found = OmegaConf.to_container(whole[_GROUP], resolve=True)
    except OmegaConfBaseException:
        return settings
    return cast("Mapping[str, Any]", found)  # as it was recorded


def holds_credentials(url: str) -> bool:
    """Whether a URL names a password, or a key among its parameters.

    >>> [holds_credentials(url) for url in ("s3://key:pw@bucket", "abfs://a?sig=x", "s3://bucket")]
    [True, True, False]
    """
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.password is not None or bool(_CREDENTIAL.search(parts.query))


def _settings(settings: EnvironmentConfig) -> dict[str, Any]:
    """The fields of an environment's settings; `dataclasses.asdict` would copy every value."""
    found = dict(vars(settings))
    for name, value in found.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found[name] = dataclasses.asdict(value)
    return found


def _put(settings: dict[str, Any], path: str, text: str) -> None:
    """Put a text at a path, which may end in something that is no mapping: then in its place."""
    name, _, rest = path.partition(".")
    name, bracket, _ = name.partition("[")
    if rest and not bracket and isinstance(settings.get(name), dict):
        settings[name] = dict(settings[name])
        _put(settings[name], rest, text)
    else:
        settings[name] = text
