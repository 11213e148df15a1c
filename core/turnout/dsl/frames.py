"""Where in the user's code a call was made."""

from __future__ import annotations

import os
import sys
from types import FrameType

from turnout.graph.refs import short_file

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_shortened: dict[str, str] = {}


def user_frame(depth: int) -> FrameType | None:
    """The innermost frame outside turnout, from ``depth`` frames above the caller outwards."""
    frame: FrameType | None = sys._getframe(depth + 1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame


def is_ours(filename: str) -> bool:
    """Whether a file belongs to turnout's core."""
    return filename.startswith(_OURS)


def location(depth: int = 1) -> str:
    """``file:line`` of the innermost frame outside turnout."""
    frame = user_frame(depth + 1)
    if frame is None:
        return ""
    filename = frame.f_code.co_filename
    name = _shortened.get(filename)
    if name is None:
        name = short_file(filename, frame.f_globals.get("__name__") or "")
        _shortened[filename] = name
    return f"{name}:{frame.f_lineno}"
