"""Which values of a config come from the environment by ``oc.env``: records do not show them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from omegaconf import DictConfig

_RESOLVER: Final = "oc.env"
_swapping: Final = threading.RLock()


def masked(config: DictConfig) -> dict[str, str]:
    """The interpolations that reach ``oc.env``, by themselves or by what they lead to.

    Args:
        config: a whole config; its ``hydra`` node is left out.

    Returns:
        The interpolation's text by the full key of the value.

    >>> from omegaconf import OmegaConf
    >>> masked(OmegaConf.create({"a": "${oc.env:HOME}", "b": ["x${a}"], "c": "${d}", "d": 1}))
    {'a': '${oc.env:HOME}', 'b[0]': 'x${a}'}
    """
    found = list(_interpolations(config))
    if not any(_RESOLVER in text for *_, text in found):
        return {}
    with _asked() as asked:
        reaching = {}
        for container, key, node, text in found:
            asked.clear()
            _resolve(node)
            if asked:
                reaching[container._get_full_key(key)] = text
    return reaching


def masked_settings(group: str, settings: Any) -> dict[str, str]:
    """The same of an environment's settings that were given apart from a config."""
    from omegaconf import DictConfig, OmegaConf

    if isinstance(settings, DictConfig):
        held = OmegaConf.create()
        held._set_item_impl(group, settings)
        return masked(held)
    if not isinstance(settings, Mapping) or _RESOLVER not in str(settings):
        return {}
    return masked(OmegaConf.create({group: dict(settings)}))


def _interpolations(container: Any) -> Iterator[tuple[Any, Any, Any, str]]:
    from omegaconf import Container

    content = container._content  # a text where the whole is missing or an interpolation
    if isinstance(content, dict):
        nodes: Iterable[tuple[Any, Any]] = content.items()
    elif isinstance(content, list):
        nodes = enumerate(content)
    else:
        return
    root = container._get_parent() is None
    for key, node in nodes:
        if root and key == "hydra":
            continue
        if node._is_interpolation():
            yield container, key, node, str(node._value())
        elif isinstance(node, Container):
            yield from _interpolations(node)


def _resolve(node: Any) -> None:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    with contextlib.suppress(OmegaConfBaseException, RecursionError):
        value = node._dereference_node()
        if OmegaConf.is_config(value):
            OmegaConf.to_container(value, resolve=True)


@contextlib.contextmanager
def _asked() -> Iterator[list[bool]]:
    """A list that grows when this thread asks the resolver for a variable.

    What a text leads to cannot be read off it: keys and arguments may be interpolations, and
    resolvers of the user's may look at the config.
    """
    from omegaconf.basecontainer import BaseContainer

    asked: list[bool] = []
    me = threading.get_ident()
    with _swapping:
        resolver = BaseContainer._resolvers.get(_RESOLVER)
        if resolver is None:  # the user has removed it
            yield asked
            return

        def noting(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == me:
                asked.append(True)
            return resolver(*args, **kwargs)

        BaseContainer._resolvers[_RESOLVER] = noting
        try:
            yield asked
        finally:
            BaseContainer._resolvers[_RESOLVER] = resolver
