"""The cache as a call sees it: its key, looking up, and storing."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turnout.backend.call import Call
from turnout.errors import EncodeError, TypeMismatch
from turnout.graph import Cache, TaskOptions
from turnout.worker.arguments import arguments

if TYPE_CHECKING:
    from turnout.dsl import Task
    from turnout.storage.cache import Hit, ResultCache


def mode_of(call: Call) -> str:
    """How this call uses the cache: the task's own word, else the environment's."""
    cache = call.options.cache
    return (cache.mode if isinstance(cache, Cache) else None) or call.run.cache


def input_digests(
    call: Call, values: Sequence[Any], task: Task[..., Any], digests: Sequence[str]
) -> dict[str, str]:
    """The digests of the inputs a call really received, by parameter; those that count.

    An object that is built from a config here counts as that config.

    Raises:
        EncodeError: an input has no digest; the message names it.
    """
    from turnout.storage.digest import digest

    ignored = ignored_inputs(call.options)
    kwargs = arguments(call, values, task, for_key=True)
    inputs: dict[str, str] = {}
    for position, name in enumerate(call.names):
        if name in ignored:
            continue
        known = ""
        shape = call.shapes[position] if call.shapes is not None else ("leaf", position)
        if shape[0] == "leaf" and len(shape) == 2 and name not in call.unproven:
            known = digests[shape[1]] if digests else ""
        try:
            inputs[name] = known or digest(kwargs[name])
        except EncodeError as error:
            where = f"parameter {name!r} of task {call.task.name!r}"
            raise EncodeError(f"{where} counts in the cache key: {error}") from error
    for name, parameter in task.signature.parameters.items():
        if parameter.default is inspect.Parameter.empty or name in inputs or name in ignored:
            continue
        inputs[name] = digest(parameter.default)
    return inputs


def key_of(call: Call, inputs: Mapping[str, str]) -> str:
    """The cache key of a call: the task, its version, and the digests of its inputs."""
    from turnout.storage.cache import cache_key

    return cache_key(identity(call), call.version, inputs)


def still_holds(
    call: Call, inputs: Mapping[str, str], values: Sequence[Any], task: Task[..., Any]
) -> bool:
    """Whether the inputs still have the content their digests tell, so that a result fits its key.

    An input that was changed in place is told of in the log: by this task, or by one that took
    the same value before it.
    """
    from turnout.storage.digest import was_changed

    try:
        kwargs = arguments(call, values, task, for_key=True)
    except TypeMismatch:  # it fitted before
        changed = list(call.unproven)
    else:
        counted = [name for name in inputs if name in kwargs]
        changed = [name for name in counted if was_changed(kwargs[name], inputs[name])]
    for name in changed:
        import logging

        logging.getLogger(__name__).warning(
            "node %r: the value of parameter %r was changed in place, by task %r or by one that "
            "took the value before it, so the result is not cached; work on a copy of it there",
            call.id,
            name,
            call.task.name,
        )
    return not changed


def identity(call: Call) -> str:
    """What a task is known by in cache keys: its ``name`` if it was given one, else its code."""
    own_name = call.task.ref.rpartition(":")[2].rpartition(".")[2]
    return call.task.ref if call.task.name == own_name else call.task.name


def ignored_inputs(options: TaskOptions) -> frozenset[str]:
    """The parameters that do not count in the key."""
    cache = options.cache
    return frozenset(cache.ignored_inputs) if isinstance(cache, Cache) else frozenset()


def load(call: Call, key: str) -> Hit | None:
    """A result kept under this key, if the mode allows to use it."""
    return _cache(call, mode_of(call)).load(key)


def save(call: Call, key: str, value: Any) -> tuple[str, str]:
    """Keep a result; gives its digest, and ``stored`` if it was kept.

    Raises:
        EncodeError: the value cannot be stored.
    """
    mode = mode_of(call)
    cache = _cache(call, mode)
    where = f"the result of node {call.id!r}"
    try:
        found = cache.save(key, value, {"task": call.task.name}, where=where)
    except EncodeError as error:
        if where in str(error):
            raise
        raise EncodeError(f"{where}: {error}") from error
    return found, "stored" if mode in ("use", "refresh") else ""


def _cache(call: Call, mode: str) -> ResultCache:
    from turnout.storage.cache import ResultCache
    from turnout.worker.stores import store_of

    return ResultCache(store_of(call.run), mode, call.run.allow_pickle)
