"""Whether two processes mean the same store: a path may be another place on another machine.

The first driver to use a store writes an empty ``identity/<id>`` into it. Several may do so at
once, so there can be several, and each of them proves that the store is the one meant.
"""

from __future__ import annotations

import os

from turnout.storage.store import Store

__all__ = ["identity_of", "is_the_same"]

_FOLDER = "identity"


def identity_of(store: Store, *, make: bool = True) -> str:
    """What another process can tell the store by.

    Args:
        store: the store.
        make: whether one that has no identity is given one; otherwise that is ``""``.

    Raises:
        OSError: the store cannot be reached from here.

    >>> import tempfile
    >>> store = Store(tempfile.mkdtemp())
    >>> identity_of(store) == identity_of(store)
    True
    >>> is_the_same(store, identity_of(store)), is_the_same(store, "another")
    (True, False)
    """
    for name in store.list(_FOLDER):
        return name.rpartition("/")[2]
    if not make:
        return ""
    identity = os.urandom(8).hex()
    store.write(f"{_FOLDER}/{identity}", b"")
    return identity


def is_the_same(store: Store, identity: str) -> bool:
    """Whether this is the store of that identity.

    Raises:
        OSError: the store cannot be reached from here.
    """
    return store.exists(f"{_FOLDER}/{identity}")
