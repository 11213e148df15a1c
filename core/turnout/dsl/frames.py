"""Where in the user's code a call was made."""

from __future__ import annotations

import inspect
import os
import sys
from types import CodeType, FrameType
from typing import Final

from turnout.graph.refs import module_name, short_file

_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PYTHON: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

# The file of a user's frame as it is told; "" for the frames that are passed over.
_told: dict[str, str] = {}


def location() -> str:
    """``file:line`` of the innermost frame of the user's code.

    Where none is the user's, because the workflow is itself part of an installed package, it
    is that of the innermost frame outside turnout.
    """
    frame: FrameType | None = sys._getframe(2)  # who asks is never the user
    while frame is not None:
        filename = frame.f_code.co_filename
        told = _told.get(filename)
        if told is None:
            told = _told[filename] = "" if is_library(filename) else _file_of(frame)
        if told:
            return f"{told}:{frame.f_lineno}"
        frame = frame.f_back
    frame = sys._getframe(1)
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else f"{_file_of(frame)}:{frame.f_lineno}"


class CallSites:
    """The lines a body calls from; most calls of a large one come from few of them."""

    def __init__(self) -> None:
        # The code is held, so that no other comes to have its id.
        self._told: dict[tuple[int, int], tuple[str, CodeType]] = {}

    def location(self) -> str:
        """As the function `location`; two frames further out is who may be the user."""
        frame = sys._getframe(3)
        code = frame.f_code
        site = (id(code), frame.f_lasti)
        told = self._told.get(site)
        if told is not None:
            return told[0]
        found = location()
        if not is_library(code.co_filename):  # a library's line stands for many of the user's
            self._told[site] = (found, code)
        return found


def helper(body: object) -> tuple[str, str]:
    """The plain function of the user's that asks, and the line of the body that called it.

    Args:
        body: the function that is being traced.

    Returns:
        Its name and ``file:line``; two empty texts where the body itself asks, or a function
        inside it.
    """
    code = getattr(inspect.unwrap(body), "__code__", None) if callable(body) else None
    frame: FrameType | None = sys._getframe(2)  # who asks is never the user
    name = ""
    while frame is not None and code is not None:
        asking = frame.f_code
        if asking is code:
            return (name, f"{_file_of(frame)}:{frame.f_lineno}") if name else ("", "")
        if not name and not is_library(asking.co_filename) and asking.co_name[0] != "<":
            if asking.co_qualname.startswith(f"{code.co_qualname}.<locals>."):
                break
            name = asking.co_name
        frame = frame.f_back
    return "", ""


def line_of(fn: object) -> str:
    """``file:line`` of a function's definition, ``""`` where it has no code."""
    code = getattr(fn, "__code__", None)
    if code is None:
        return ""
    module = module_name(getattr(fn, "__module__", None) or "__main__")
    return f"{short_file(code.co_filename, module)}:{code.co_firstlineno}"


def is_ours(filename: str) -> bool:
    """Whether a file belongs to turnout's core."""
    return filename.startswith(_OURS)


def is_library(filename: str) -> bool:
    """Whether a file is turnout's, Python's or an installed package's, and not the user's."""
    return (
        is_ours(filename)
        or filename.startswith((_PYTHON, "<frozen "))
        or any(folder in filename for folder in _INSTALLED)
    )


def _file_of(frame: FrameType) -> str:
    return short_file(
        frame.f_code.co_filename, module_name(frame.f_globals.get("__name__") or "__main__")
    )
