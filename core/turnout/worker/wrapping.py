"""What surrounds an attempt: environment variables, and the plugins that wrap calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from turnout.backend.call import Call
from turnout.errors import PluginError

hook: Any = None
"""The plugins' hook that wraps calls; ``None`` before anybody looked, ``False``: there is none."""


def wraps_calls() -> bool:
    """Whether any plugin wraps calls; looked up once per process."""
    global hook
    if hook is None:
        from turnout.backend.registry import registry

        found = registry().manager.hook.turnout_wrap_call
        hook = found if found.get_hookimpls() else False
    return hook is not False


def no_wrappers() -> None:
    """Take it that no plugin wraps calls: a worker was told so, and need not look for plugins."""
    global hook
    hook = False


def forget_hooks() -> None:
    """Look the wrapping hooks up again; for tests that change the registry."""
    global hook
    hook = None


@contextmanager
def surroundings(call: Call) -> Iterator[None]:
    """The environment variables of the call, and the plugins' wrappers, around an attempt."""
    wanted = {**dict(call.run.env_vars), **(call.options.env_vars or {})}
    before = {name: os.environ.get(name) for name in wanted}
    swallowed = True
    try:
        os.environ.update({name: str(value) for name, value in wanted.items()})
        with ExitStack() as stack:
            if wraps_calls():
                # pluggy asks the plugin registered last first; it is to be the innermost.
                for wrapper in reversed(hook(call=call)):
                    stack.enter_context(wrapper)
            yield
            swallowed = False
        if swallowed:
            raise PluginError(f"a plugin that wraps calls swallowed the exception of {call.id!r}")
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
