"""Marks that tasks leave in a directory both sides see: how often, in which order, how many."""

from __future__ import annotations

import os
import time
from pathlib import Path


def leave(scratch: str, name: str) -> int:
    """Leave one more mark of a name; gives how many there are now.

    Args:
        scratch: a directory.
        name: what is marked.
    """
    path = os.path.join(scratch, "marks")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        # One short write to a file opened for appending is never torn.
        os.write(handle, f"{name}\n".encode())
    finally:
        os.close(handle)
    return left(scratch).count(name)


def left(scratch: str | Path) -> list[str]:
    """The marks left so far, in order."""
    path = Path(scratch, "marks")
    return path.read_text().splitlines() if path.exists() else []


def most_at_once(scratch: str | Path) -> int:
    """How many were busy at one time at most, by the marks `busy` leaves."""
    now = most = 0
    for name in left(scratch):
        now += {"busy": 1, "idle": -1}.get(name, 0)
        most = max(most, now)
    return most


def busy(scratch: str, seconds: float) -> None:
    """Be busy for a while, and leave marks of it."""
    leave(scratch, "busy")
    time.sleep(seconds)
    leave(scratch, "idle")
