"""The observer that fits a stream: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from turnout.observe.live import LiveProgress
    from turnout.observe.plain import PlainProgress

__all__ = ["progress_for"]


def progress_for(stream: TextIO) -> LiveProgress | PlainProgress:
    """An observer of runs that writes to a stream.

    >>> import io
    >>> type(progress_for(io.StringIO())).__name__
    'PlainProgress'
    """
    try:
        terminal = stream.isatty()
    except (AttributeError, ValueError):
        terminal = False
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    if not terminal or os.environ.get("TERM") == "dumb" or not encoding.startswith("utf"):
        from turnout.observe.plain import PlainProgress

        return PlainProgress(stream)
    from turnout.observe.live import LiveProgress

    return LiveProgress(stream, colour="NO_COLOR" not in os.environ)
