"""The plugins of this process: discovery that no broken plugin can spoil, and the backends.

Every plugin is loaded and checked in its own ``try``. What failed is kept with its name,
distribution and exception; it is reported when it is asked for and by ``turnout backends``.
"""

from __future__ import annotations

import difflib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from turnout.backend import hooks
from turnout.backend.base import Backend
from turnout.backend.discovery import entry_points
from turnout.errors import ConfigError, PluginError

_log = logging.getLogger(__name__)


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows turnout's hooks and no plugin."""
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    return manager


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """A plugin that could not be loaded.

    Attributes:
        name: its entry-point name.
        distribution: the installed package that brings it.
        error: what it failed with.
    """

    name: str
    distribution: str
    error: BaseException

    def __str__(self) -> str:
        kind = type(self.error).__name__
        return (
            f"plugin {self.name!r} of {self.distribution!r} cannot be loaded: {kind}: {self.error}"
        )


@dataclass(slots=True)
class Registry:
    """The plugins that were found, and what they bring."""

    manager: pluggy.PluginManager = field(default_factory=new_manager)
    backends: dict[str, Backend] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)

    def register(self, plugin: object, name: str, distribution: str = "") -> None:
        """Add a plugin; one that is wrong is recorded as broken instead.

        >>> registry = Registry()
        >>> registry.register(object(), "empty")
        >>> registry.broken
        []
        """
        try:
            self.manager.register(plugin, name)
            self._verify(plugin)
            for backend in self._given(plugin):
                self._add(backend, distribution or name)
        except Exception as error:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            self.broken.append(BrokenPlugin(name=name, distribution=distribution, error=error))

    def backend(self, name: str) -> Backend:
        """The backend of that name.

        Raises:
            PluginError: the plugin that would bring it is broken.
            ConfigError: there is none; the message lists those installed and the closest name.
        """
        if name in self.backends:
            return self.backends[name]
        for broken in self.broken:
            if broken.name == name:
                raise PluginError(str(broken)) from broken.error
        raise ConfigError(f"unknown execution environment {name!r}; {choices(name, self.backends)}")

    def default(self) -> Backend:
        """The one backend that declares itself the default.

        Raises:
            ConfigError: none does, or several do.
        """
        found = [backend for backend in self.backends.values() if backend.is_default]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(sorted(backend.name for backend in found))
            raise ConfigError(
                f"several backends declare themselves the default ({names}); "
                "say execution_environment=NAME"
            )
        reasons = "".join(f"\n  {broken}" for broken in self.broken)
        raise ConfigError(
            "no installed backend declares itself the default; say execution_environment=NAME"
            + reasons
        )

    def _verify(self, plugin: object) -> None:
        known = {name for name in dir(hooks) if name.startswith("turnout_")}
        for name in dir(plugin):
            if not name.startswith("turnout_"):
                continue
            if getattr(getattr(plugin, name), f"{hooks.GROUP}_impl", None) and name not in known:
                raise PluginError(f"there is no hook {name!r}; {choices(name, known)}")
        for caller in self.manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    self.manager._verify_hook(caller, implementation)

    def _given(self, plugin: object) -> Iterable[Backend]:
        hook = getattr(plugin, "turnout_backends", None)
        if hook is None or not getattr(hook, f"{hooks.GROUP}_impl", None):
            return ()
        given = list(hook())
        for backend in given:
            if not isinstance(backend, Backend):
                raise PluginError(
                    f"turnout_backends() gave {backend!r}, "
                    "which is neither an ExecutorBackend nor a CompilerBackend"
                )
        return given

    def _add(self, backend: Backend, origin: str) -> None:
        name = getattr(backend, "name", "")
        if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
            raise PluginError(f"a backend's name is a lower-case identifier, not {name!r}")
        if name in self.backends:
            raise PluginError(
                f"the backend name {name!r} is taken by {self.origins[name]!r} already"
            )
        self.backends[name] = backend
        self.origins[name] = origin


def choices(name: str, known: Iterable[str] | Mapping[str, Any]) -> str:
    """The closest of the known names, and all of them, for the end of a message.

    >>> choices("lokal", ["local", "ray", "local"])
    "did you mean 'local'? There are: local, ray"
    >>> choices("c", ["C", "kernel"])
    "did you mean 'C'? There are: C, kernel"
    """
    names = sorted(set(known))
    folded = {each.casefold(): each for each in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    hint = f"did you mean {folded[close[0]]!r}? " if close else ""
    listed = ", ".join(names) if names else "none"
    return f"{hint}{'There are' if hint else 'there are'}: {listed}"


def load() -> Registry:
    """Discover the plugins of the entry-point group; each in its own ``try``."""
    registry = Registry()
    loaded: dict[int, str] = {}
    for point, distribution in entry_points(hooks.GROUP):
        try:
            plugin = point.load()
        except Exception as error:
            registry.broken.append(
                BrokenPlugin(name=point.name, distribution=distribution, error=error)
            )
            continue
        if id(plugin) in loaded:
            twice = PluginError(f"{point.value} is registered as {loaded[id(plugin)]!r} already")
            registry.broken.append(
                BrokenPlugin(name=point.name, distribution=distribution, error=twice)
            )
            continue
        loaded[id(plugin)] = point.name
        registry.register(plugin, point.name, distribution)
    return registry


_registry: Registry | None = None
_lock = threading.Lock()


def registry() -> Registry:
    """The plugins of this process, discovered at the first call."""
    global _registry
    if _registry is None:
        with _lock:
            if _registry is None:
                _registry = load()
    return _registry


def use(replacement: Registry | None) -> Registry | None:
    """Replace this process's registry, for tests; gives the one before."""
    global _registry
    before, _registry = _registry, replacement
    return before


def notify(calls: Iterable[Callable[..., Any]], event: Any) -> None:
    """Call lifecycle hooks one by one; an exception is logged and changes nothing."""
    for call in calls:
        try:
            call(event)
        except Exception:
            _log.exception("%r failed on %s", call, type(event).__name__)
