"""Captures the files a task returns, before the task's directory can change."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from turnout.backend.call import Call
from turnout.errors import ConfigError


def capture(value: Any, call: Call) -> Any:
    """The result with every local `File` and `Directory` in it replaced by its copy in the store.

    Files are found in lists, tuples, dicts, dataclasses and named tuples.

    Raises:
        ConfigError: a file is not there, or the store cannot be reached.
    """
    files = sys.modules.get("turnout.storage.files")
    if files is None or not call.run.store:
        return value
    return _captured(value, files, call)


def _captured(value: Any, files: Any, call: Call) -> Any:
    kind = type(value)
    if kind is files.File or kind is files.Directory:
        from turnout.worker.stores import store_of

        try:
            return value.captured(store_of(call.run))
        except ConfigError as error:
            told = f"the result of node {call.id!r} of task {call.task.name!r}"
            raise ConfigError(f"{told}: {error}") from None
    if kind is list:
        return _same(value, [_captured(item, files, call) for item in value])
    if kind is tuple:
        return _same(value, tuple([_captured(item, files, call) for item in value]))
    if kind is dict:
        made = {key: _captured(item, files, call) for key, item in value.items()}
        return value if all(made[key] is value[key] for key in made) else made
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return _same(value, kind(*[_captured(item, files, call) for item in value]))
    if dataclasses.is_dataclass(kind):
        changed = {}
        for field in dataclasses.fields(kind):
            if field.init and hasattr(value, field.name):
                item = getattr(value, field.name)
                found = _captured(item, files, call)
                if found is not item:
                    changed[field.name] = found
        return dataclasses.replace(value, **changed) if changed else value
    return value


def _same(value: Any, made: Any) -> Any:
    """The value itself where nothing in it was captured, so that results keep their identity."""
    return value if all(a is b for a, b in zip(value, made, strict=True)) else made
