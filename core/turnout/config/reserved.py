"""The reserved node ``turnout``: options of tasks, what a failure does, the objective, plugins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from turnout.backend.registry import choices, registry
from turnout.errors import ConfigError
from turnout.graph.options import OPTION_NAMES, Cache, Resources, Secret, TaskOptions

_T = TypeVar("_T")

NODE: Final = "turnout"
ON_ERROR: Final = ("stop", "continue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The ``turnout`` node, checked.

    Attributes:
        tasks: options for every node of a task, by the task's name.
        on_error: ``stop`` or ``continue`` after a node has failed.
        objective: outputs a sweep optimises; empty for the workflow's own result.
        plugins: settings of plugins, by plugin name.
    """

    tasks: Mapping[str, TaskOptions] = field(default_factory=dict)
    on_error: str = "stop"
    objective: tuple[str, ...] = ()
    plugins: Mapping[str, Any] = field(default_factory=dict)


def defaults() -> dict[str, Any]:
    """The node as a config shows it before anyone has set anything."""
    return {"tasks": {}, "on_error": "stop", "objective": None, "plugins": {}}


def parse(node: Mapping[str, Any] | None) -> Settings:
    """Check the node, given as plain values.

    Raises:
        ConfigError: a key is unknown or a value has the wrong type.

    >>> parse({"tasks": {"train": {"retries": 5}}}).tasks["train"].retries
    5
    >>> parse({"on_eror": "stop"})
    Traceback (most recent call last):
    turnout.errors.ConfigError: unknown key 'turnout.on_eror'; did you mean 'on_error'? \
There are: objective, on_error, plugins, tasks
    """
    said = _mapping(NODE, node)
    for key in said:
        if key not in defaults():
            raise ConfigError(f"unknown key '{NODE}.{key}'; {choices(str(key), defaults())}")
    on_error = said.get("on_error") or "stop"
    if on_error not in ON_ERROR:
        raise ConfigError(f"{NODE}.on_error is {' or '.join(ON_ERROR)}, not {on_error!r}")
    tasks = _mapping(f"{NODE}.tasks", said.get("tasks"))
    return Settings(
        tasks={
            str(name): _options(f"{NODE}.tasks.{name}", options)
            for name, options in tasks.items()
            if options is not None
        },
        on_error=on_error,
        objective=_objective(said.get("objective")),
        plugins=_plugins(said.get("plugins")),
    )


def _options(where: str, given: Any) -> TaskOptions:
    said: dict[str, Any] = {}
    for name, value in _mapping(where, given).items():
        if name not in OPTION_NAMES:
            raise ConfigError(f"unknown key '{where}.{name}'; {choices(str(name), OPTION_NAMES)}")
        if value is not None:
            said[name] = _OPTIONS[name](f"{where}.{name}", value)
    try:
        return TaskOptions(**said)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} takes a mapping, not {value!r}")
    return value


def _plugins(value: Any) -> Mapping[str, Any]:
    said = _mapping(f"{NODE}.plugins", value)
    for name in said:
        known = registry()
        names = [name for name, _ in known.manager.list_name_plugin()]
        names += [broken.name for broken in known.broken]
        if name not in names:
            raise ConfigError(
                f"{NODE}.plugins.{name}: no plugin of that name is installed; "
                f"{choices(str(name), names)}"
            )
    return said


def _objective(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    names = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{NODE}.objective takes the name of an output or a list, not {value!r}")
    return tuple(names)


def _plain(kind: type, text: str) -> Callable[[str, Any], Any]:
    def read(where: str, value: Any) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(f"{where} takes {text}, not {value!r}")
        return value

    return read


def _cache(where: str, value: Any) -> bool | Cache:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = {"mode": value}
    return _built(Cache, where, value)


def _timeout(where: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ConfigError(f"{where} takes seconds or text such as '5m', not {value!r}")
    return value


def _resources(where: str, value: Any) -> Resources:
    return _built(Resources, where, value)


def _secrets(where: str, value: Any) -> tuple[Secret, ...]:
    if isinstance(value, (str, Mapping)):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} takes a list of names or mappings, not {value!r}")
    return tuple(
        Secret(item) if isinstance(item, str) else _built(Secret, where, item) for item in value
    )


def _env_vars(where: str, value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in _mapping(where, value).items()}


def _built(kind: type[_T], where: str, value: Any) -> _T:
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    fields = _mapping(where, value)
    for key in fields:
        if key not in known:
            raise ConfigError(f"unknown key '{where}.{key}'; {choices(str(key), known)}")
    try:
        return kind(**fields)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


_OPTIONS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "cache": _cache,
    "retries": _plain(int, "a whole number"),
    "timeout": _timeout,
    "resources": _resources,
    "image": _plain(str, "an image's name"),
    "env_vars": _env_vars,
    "secrets": _secrets,
    "interruptible": _plain(bool, "true or false"),
    "execution_environment": _plain(str, "an environment's name"),
    "report": _plain(bool, "true or false"),
    "options": _mapping,
}
