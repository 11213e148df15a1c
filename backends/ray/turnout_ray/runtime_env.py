"""What is said of a ``runtime_env``: what is wrong with it, and that it takes a while."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

_LOCAL: Final = ("working_dir", "py_modules")
_SLOW: Final = ("pip", "uv", "conda", "image_uri", "container")


def problems_in(environment: Mapping[str, Any], where: str, *, of_task: bool) -> Iterator[str]:
    """What Ray would refuse later or drop, each in a sentence.

    Args:
        environment: the ``runtime_env``.
        where: what it is, for messages.
        of_task: whether it is a single task's, which takes no folders of this machine.
    """
    from ray.runtime_env import RuntimeEnv

    excludes = environment.get("excludes")
    if excludes is not None and not _are_texts(excludes):
        yield f"{where}.excludes is a list of patterns, not {excludes!r}"
        return
    known = RuntimeEnv.known_fields - RuntimeEnv.extensions_fields
    # Plugins of Ray's have fields of their own.
    for name in environment if "RAY_RUNTIME_ENV_PLUGINS" not in os.environ else ():
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            yield f"{where} has no {name!r}; {hint}Ray knows: {', '.join(sorted(known))}"
            return
    rest = dict(environment)
    for name in _LOCAL:
        value = rest.pop(name, None)
        places = value if isinstance(value, list) else [value]
        local = [place for place in places if place is not None and "://" not in str(place)]
        if local and of_task:
            yield (
                f"{where}.{name} is {local[0]!r}, and for a single task Ray takes URLs only; set "
                f"execution_environment.runtime_env.{name}, which is for all tasks"
            )
        missing = [place for place in local if not os.path.exists(place)]
        if missing and not of_task:
            yield f"{where}.{name} is {missing[0]!r}, and there is nothing of that name"
    try:
        RuntimeEnv(**rest)
    except (TypeError, ValueError) as error:
        yield f"{where}: {error}"


def slow_part(environment: Mapping[str, Any]) -> str:
    """What of it Ray installs or fetches before a task begins, saying nothing.

    >>> slow_part({"pip": ["scikit-learn"], "env_vars": {"A": "1"}})
    'pip'
    """
    return ", ".join(name for name in _SLOW if environment.get(name))


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
