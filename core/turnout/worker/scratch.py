"""A directory of an attempt's own, where the task does not work in the project's."""

from __future__ import annotations

import os

_made: dict[int, str] | None = None
"""The directory of each attempt of the call this process has; ``None``: they get none."""


def begin() -> None:
    """A call begins whose attempts get directories of their own; a process has one at a time."""
    global _made
    _made = {}


def workdir(attempt: int) -> str:
    """The directory of an attempt, which is made when it is asked for."""
    if _made is None:
        return os.getcwd()
    if attempt not in _made:
        import tempfile

        _made[attempt] = tempfile.mkdtemp(prefix="turnout-")
    return _made[attempt]


def end() -> None:
    """The call has ended, and what it returned has been captured: nobody needs them any more."""
    global _made
    made, _made = _made, None
    if made:
        import shutil

        for folder in made.values():
            shutil.rmtree(folder, ignore_errors=True)
