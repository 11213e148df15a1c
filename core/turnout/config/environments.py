"""The config group ``execution_environment``: its options, and the settings it ends as."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from turnout.backend.base import Backend, EnvironmentConfig
from turnout.backend.registry import choices, registry
from turnout.config.explain import explain
from turnout.errors import ConfigError, PluginError, cause

if TYPE_CHECKING:
    from omegaconf import DictConfig

GROUP: Final = "execution_environment"


def options() -> list[str]:
    """The names of the group's entries that backends contribute."""
    return sorted(registry().backends)


def entry(name: str) -> DictConfig:
    """A backend's entry of the group: its schema with ``backend`` filled in.

    Raises:
        PluginError: the backend's schema is nothing OmegaConf can express.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    backend = registry().backend(name)
    try:
        node: DictConfig = OmegaConf.structured(backend.schema)
        node.backend = name
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        raise PluginError(f"the schema of backend {name!r} cannot be used: {error}") from error
    return node


def resolve(
    node: DictConfig | Mapping[str, Any] | EnvironmentConfig | str | None,
    option: str | None = None,
) -> tuple[str, EnvironmentConfig]:
    """The environment's name and its settings, checked against its backend's schema.

    Args:
        node: the composed group, settings as a mapping, a backend's name, or ``None`` for the
            default environment.
        option: the option of the group that was chosen, where one was.

    Raises:
        ConfigError: the environment or a key is unknown, or a value has the wrong type.
        PluginError: the plugin that brings the backend is broken.

    >>> resolve({"wrokers": 2})
    Traceback (most recent call last):
    turnout.errors.ConfigError: unknown key 'execution_environment.wrokers'; \
did you mean 'workers'? There are: ...
    """
    if node is None or isinstance(node, str):
        backend = registry().default() if node is None else registry().backend(node)
        settings = backend.schema(backend=backend.name)
        for field in dataclasses.fields(settings):
            if getattr(settings, field.name) == "???":
                raise ConfigError(f"{GROUP}.{field.name} has no value")
        return backend.name, settings
    if isinstance(node, EnvironmentConfig):
        backend = _backend(node.backend, option)
        if not isinstance(node, backend.schema):
            raise ConfigError(
                f"{GROUP}: backend {backend.name!r} takes a {backend.schema.__name__}, "
                f"not a {type(node).__name__}"
            )
        return option or backend.name, dataclasses.replace(node, backend=backend.name)
    backend = _backend(_stated(node), option)
    plain = _plain_settings(backend, node) if type(node) is dict else None
    return option or backend.name, plain or _settings(backend, node)


def _stated(node: DictConfig | Mapping[str, Any]) -> str:
    if not isinstance(node, Mapping) and not hasattr(node, "_get_node"):
        raise ConfigError(f"{GROUP} takes a name or a mapping, not {node!r}")
    if type(node) is dict and isinstance(node.get("backend", ""), str):
        return str(node.get("backend", ""))
    from omegaconf.errors import OmegaConfBaseException

    try:
        stated = node.get("backend")
    except OmegaConfBaseException:
        return ""
    return str(stated or "")


def _backend(stated: str, option: str | None) -> Backend:
    known = registry()
    if stated:
        return known.backend(stated)
    if option is None:
        return known.default()
    if option in known.backends or any(broken.name == option for broken in known.broken):
        return known.backend(option)
    raise ConfigError(
        f"{GROUP} {option!r} does not say which backend is behind it; begin its file with "
        f"`defaults: [NAME]` or `backend: NAME`; {choices(option, known.backends)}"
    )


def _plain_settings(backend: Backend, node: dict[Any, Any]) -> EnvironmentConfig | None:
    """Settings that plainly fit; ``None`` for all that OmegaConf has to look at.

    Loading OmegaConf takes longer than many a run, and a caller of `turnout.run` may not need it.
    """
    schema = backend.schema
    try:
        hints = typing.get_type_hints(schema)
    except (NameError, TypeError):  # OmegaConf finds the words for it
        return None
    for name, value in node.items():
        kind = type(value)
        if kind not in (bool, int, str) or hints.get(name) not in (kind, kind | None):
            return None
        if kind is str and ("${" in value or value == "???"):
            return None
    for field in dataclasses.fields(schema):
        if field.name not in node and field.default == "???":
            return None
    try:
        return schema(**{**node, "backend": backend.name})
    except ValueError as error:  # from the schema's own checks
        raise ConfigError(str(error)) from cause(error)


def _settings(backend: Backend, node: Any) -> EnvironmentConfig:
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    schema = backend.schema
    try:
        if not isinstance(node, DictConfig) or OmegaConf.get_type(node) is not schema:
            merged = entry(backend.name)
            if isinstance(node, DictConfig):
                # Interpolations in it point into the config it stands in.
                merged._set_parent(node._get_parent())
                OmegaConf.set_readonly(merged, False)
            merged._metadata.key = GROUP
            merged.merge_with(node)
            node = merged
        _refuse_unknown(node, GROUP)
        missing = sorted(OmegaConf.missing_keys(node))
        if missing:
            raise ConfigError(f"{GROUP}.{missing[0]} has no value")
        settings = OmegaConf.to_object(node)
    except OmegaConfBaseException as error:
        raise explain(error, within=GROUP) from cause(error)
    except ValueError as error:  # from the schema's own checks
        raise ConfigError(str(error)) from cause(error)
    if not isinstance(settings, EnvironmentConfig):
        raise PluginError(
            f"the schema of backend {backend.name!r} is not derived from EnvironmentConfig"
        )
    settings.backend = backend.name
    return settings


def _refuse_unknown(node: DictConfig, where: str) -> None:
    """Refuse keys that a structured config was given by a ``+`` override, which overrules it."""
    from omegaconf import DictConfig, OmegaConf

    schema = OmegaConf.get_type(node)
    if not dataclasses.is_dataclass(schema) or node._is_none() or node._is_missing():
        return
    known = {field.name for field in dataclasses.fields(schema)}
    for name, child in node.items_ex(resolve=False):
        key = str(name)
        if key not in known:
            raise ConfigError(f"unknown key '{where}.{key}'; {choices(key, known)}")
        if isinstance(child, DictConfig) and not child._is_interpolation():
            _refuse_unknown(child, f"{where}.{key}")
