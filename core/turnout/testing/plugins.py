"""Plugins of a test: installed while a block runs, and forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from turnout.backend import registry as plugins
from turnout.backend.base import Backend
from turnout.backend.hooks import hookimpl
from turnout.backend.registry import Registry
from turnout.errors import PluginError
from turnout.worker.wrapping import forget_hooks


class _Brings:
    """A plugin that brings one backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @hookimpl
    def turnout_backends(self) -> Sequence[Backend]:
        return [self.backend]


@contextmanager
def installed(*added: object) -> Iterator[Registry]:
    """The plugins of this process with more of them, until the block ends.

    Args:
        added: backends, and objects or modules whose functions are marked with `hookimpl`.

    Raises:
        PluginError: one of those added is wrong.

    >>> from turnout.testing import ThreadsBackend
    >>> with installed(ThreadsBackend()) as found:
    ...     "threads" in found.backends
    True
    """
    before = plugins.registry()
    now = Registry()
    for name, plugin in before.manager.list_name_plugin():
        now.register(plugin, name)
    for number, plugin in enumerate(added):
        brought = _Brings(plugin) if isinstance(plugin, Backend) else plugin
        now.register(brought, f"{type(plugin).__name__}-{len(now.origins)}-{number}", "this test")
    for broken in now.broken:
        raise PluginError(str(broken)) from broken.error
    now.broken += before.broken
    plugins.use(now)
    forget_hooks()
    try:
        yield now
    finally:
        plugins.use(before)
        forget_hooks()
