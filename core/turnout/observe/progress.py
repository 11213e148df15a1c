"""The observer that fits a stream: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from turnout.observe.live import LiveProgress
    from turnout.observe.plain import PlainProgress

__all__ = ["is_live", "progress_for"]


def progress_for(stream: TextIO) -> LiveProgress | PlainProgress:
    """An observer of runs that writes to a stream.

    >>> import io
    >>> type(progress_for(io.StringIO())).__name__
    'PlainProgress'
    """
    if not is_live(stream):
        from turnout.observe.plain import PlainProgress

        return PlainProgress(stream)
    from turnout.observe.live import LiveProgress

    return LiveProgress(stream, colour="NO_COLOR" not in os.environ)


def is_live(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can show a live view."""
    try:
        terminal = stream.isatty()
    except (AttributeError, ValueError):
        return False
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    return terminal and os.environ.get("TERM") != "dumb" and encoding.startswith("utf")
