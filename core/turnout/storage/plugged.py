"""The codecs that plugins bring."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnout.storage.codecs import Codec

_looks = True


def plugin_codecs() -> Sequence[Codec]:
    """The codecs of this process's plugins, asked for once."""
    if not _looks:
        return ()
    from turnout.backend.registry import registry

    return _plugins_of(_Same(registry()))


def no_plugin_codecs() -> None:
    """Take it that no plugin brings codecs: a worker was told so, and need not look for plugins."""
    global _looks
    _looks = False


@functools.lru_cache(maxsize=1)
def _plugins_of(registry: Any) -> Sequence[Codec]:
    return tuple(codec for given in registry.manager.hook.turnout_codecs() for codec in given)


class _Same:
    """A registry as a key: itself and no equal one, so that a replaced one is asked anew."""

    __slots__ = ("manager",)

    def __init__(self, registry: Any) -> None:
        self.manager = registry.manager

    def __hash__(self) -> int:
        return id(self.manager)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.manager is self.manager
