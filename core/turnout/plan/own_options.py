"""The settings a task gives to one backend alone, held against that backend's schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, get_type_hints

from turnout.backend.base import Backend
from turnout.backend.registry import choices
from turnout.errors import ConfigError, TypeMismatch
from turnout.graph import TaskOptions
from turnout.types import convert


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
