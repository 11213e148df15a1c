"""The settings a task gives to one backend alone, held against the backends there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from turnout.backend.base import Backend
from turnout.backend.registry import choices, registry
from turnout.errors import ConfigError, TypeMismatch
from turnout.graph import TaskOptions
from turnout.types import convert


def without_backend(options: Mapping[str, Any], own: str) -> list[str]:
    """What is said of each key of a node's ``options`` that is the name of no backend.

    >>> without_backend({"loca": {}}, own="local")
    ["options.loca, and no backend of that name is installed; did you mean 'local'? There are: ..."]
    """
    known = registry()
    return [
        f"options.{name}, and no backend of that name is installed; {choices(name, known.backends)}"
        for name in options
        if name != own and not _is_known(name)
    ]


def has_others(options: Mapping[str, Any], backend: str) -> bool:
    """Whether a node's ``options`` have settings for another backend that is installed."""
    return any(name != backend and _is_known(name) for name in options)


def _is_known(name: str) -> bool:
    known = registry()
    return name in known.backends or any(broken.name == name for broken in known.broken)


def problems_with(options: TaskOptions, backend: Backend, node: str) -> Iterator[str]:
    """What of a node's ``options[backend.name]`` its backend does not take, each in a sentence.

    >>> from turnout.backend.base import ExecutorBackend
    >>> @dataclasses.dataclass
    ... class Settings:
    ...     queue: str = "default"
    >>> class Slurm(ExecutorBackend):
    ...     name, task_options = "slurm", Settings
    ...     def open(self, session): ...
    >>> list(problems_with(TaskOptions(options={"slurm": {"queue": 3}}), Slurm(), "fit"))
    ["node 'fit': options.slurm.queue: expected str, found int 3"]
    >>> list(problems_with(TaskOptions(options={"slurm": {"qeue": "a"}}), Slurm(), "fit"))
    ["node 'fit': options.slurm has no 'qeue'; did you mean 'queue'? There are: queue"]
    """
    said: Any = (options.options or {}).get(backend.name)
    if not said:
        return
    where = f"node {node!r}: options.{backend.name}"
    schema = backend.task_options
    if schema is None:
        yield f"{where} is set, and {backend.name!r} has no settings for single tasks"
        return
    if not hasattr(said, "items"):
        yield f"{where} is a mapping of settings, not {said!r}"
        return
    known = {field.name for field in dataclasses.fields(schema)}
    hints = get_type_hints(schema)
    fine: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            yield f"{where} has no {name!r}; {choices(str(name), known)}"
            continue
        try:
            fine[name] = convert(value, hints[name], f"{where}.{name}")
        except (TypeMismatch, ConfigError) as error:
            yield str(error)
    try:
        schema(**fine)
    except ValueError as error:
        yield f"{where}: {error}"
    except TypeError:
        missing = [
            field.name
            for field in dataclasses.fields(schema)
            if field.name not in said
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        if missing:
            yield f"{where} needs {', '.join(missing)}"
