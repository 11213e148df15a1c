"""The store of a run as a worker sees it, once it is sure to be the driver's."""

from __future__ import annotations

import functools

from turnout.backend.call import RunInfo
from turnout.errors import ConfigError
from turnout.storage.identity import identity_of, is_the_same
from turnout.storage.store import Store


def identified(info: RunInfo) -> RunInfo:
    """What calls carry, with what the run's store is told by in other processes.

    A store that cannot be reached here stays without: who needs it will hear why.
    """
    if not info.store or info.store_id or (info.keep == "none" and info.cache == "off"):
        return info
    try:
        return info._replace(store_id=identity(info))
    except Exception:  # file systems behind URLs have exceptions of their own
        return info


def identity(info: RunInfo) -> str:
    """What other processes tell the store of a run by.

    Raises:
        Exception: it cannot be reached from here; what its file system raises.
    """
    writes = info.keep in ("auto", "all") or info.cache in ("use", "refresh")
    return identity_of(Store(info.store), make=writes)


def store_of(info: RunInfo) -> Store:
    """The store of a run.

    Raises:
        ConfigError: in this process its path or URL is not the driver's store.
    """
    return _store(info.store, info.store_id)


def unreached(info: RunInfo) -> str:
    """Why this process cannot use the store of a run; empty where it can."""
    try:
        store_of(info)
    except Exception as error:
        return str(error)
    return ""


# Only what succeeds is remembered: a file system may be mounted later.
@functools.lru_cache(maxsize=16)
def _store(root: str, identity: str) -> Store:
    store = Store(root)
    if not identity:
        return store
    try:
        found = is_the_same(store, identity)
    except Exception as error:
        told = f"the store {root} cannot be reached from {_here()}: {type(error).__name__}: {error}"
        raise ConfigError(told) from error
    if not found:
        raise ConfigError(
            f"the driver's store {root} is another place, or none, on {_here()}; set "
            "execution_environment.store to a path or URL that is the same store everywhere"
        )
    return store


def _here() -> str:
    import socket

    return f"machine {socket.gethostname()!r}"
