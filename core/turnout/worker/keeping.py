"""Decides which results of a run are kept, and stores them.

Under ``auto`` a result is kept if it is small, or took longer to compute than it takes to
store. What is cached is kept by the cache.
"""

from __future__ import annotations

import functools
import logging
import sys
from typing import Any, Final

from turnout.backend.call import Call, Kept
from turnout.errors import ConfigError, EncodeError
from turnout.storage.checksum import checksum
from turnout.storage.codecs import encode
from turnout.worker.stores import store_of

_log = logging.getLogger(__name__)

SMALL_BYTES: Final = 1 << 20
INLINE_BYTES: Final = 4096
BYTES_PER_SECOND: Final = 200e6
"""How fast a result is taken to be encoded and written: a slow disk's pace."""


def keep(call: Call, value: Any, seconds: float) -> Kept | None:
    """Store a result if the run keeps it.

    Under ``auto`` a value that cannot be encoded is not kept, and a large one not where the store
    cannot be reached.

    Raises:
        EncodeError: ``keep=all``, and the value cannot be encoded.
        ConfigError: ``keep=all``, and the store cannot be reached.
    """
    mode = call.run.keep
    if mode in ("none", "cached"):
        return None
    if mode == "auto":
        size = size_of(value)
        if size > SMALL_BYTES and size / BYTES_PER_SECOND > seconds:
            return None
    try:
        codec, payload, _ = encode(value, f"the result of node {call.id!r}", stored=True)
    except EncodeError:
        if mode == "all":
            raise
        return None
    if len(payload) <= INLINE_BYTES:
        return Kept(codec, bytes(payload), None)
    try:
        store = store_of(call.run)
    except ConfigError as error:
        if mode == "all":
            raise
        _tell_once(str(error))
        return None
    name = f"artifacts/{call.run.run_id}/{checksum(call.id.encode())}"
    store.write(name, payload)
    return Kept(codec, None, name)


def size_of(value: Any) -> int:
    """About how many bytes a value takes, without encoding it.

    >>> size_of(b"x" * 1000) >= 1000
    True
    """
    nbytes = getattr(value, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    usage = getattr(value, "memory_usage", None)
    if usage is not None:
        try:
            total = usage(index=True)
            return int(total.sum() if hasattr(total, "sum") else total)
        except Exception:  # a foreign method of that name
            return sys.getsizeof(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = list(value)
        sample = items[:: max(1, len(items) // 100)][:100]
        if not sample:
            return sys.getsizeof(value)
        return sys.getsizeof(value) + sum(map(size_of, sample)) * len(items) // len(sample)
    if isinstance(value, dict):
        return size_of(list(value.values())) + size_of(list(value))
    return sys.getsizeof(value)


@functools.lru_cache(maxsize=16)
def _tell_once(why: str) -> None:
    _log.warning("results of more than %d bytes are not kept: %s", INLINE_BYTES, why)
