"""The run records this process has open."""

from __future__ import annotations

import os
from typing import Final

from turnout.storage.records import Records

_OPEN_AT_MOST: Final = 8
_opened: dict[tuple[str, int], Records] = {}


def records_at(root: str) -> Records:
    """The records in a directory, one object per process; few are kept open at a time."""
    # SQLite connections do not survive a fork, so a forked process opens its own.
    key = (root, os.getpid())
    found = _opened.get(key)
    if found is None:
        if not _opened:
            import atexit

            atexit.register(_close_all)
        if len(_opened) >= _OPEN_AT_MOST:
            _close(next(iter(_opened)))
        found = _opened.setdefault(key, Records(root))
    return found


def _close_all() -> None:
    for key in list(_opened):
        _close(key)


def _close(key: tuple[str, int]) -> None:
    # Whoever still holds these records opens them again on use. A parent's connection is the
    # parent's to close.
    records = _opened.pop(key, None)
    if records is not None and key[1] == os.getpid():
        records.close()
