"""Exceptions on their way to another process, with what pickling loses: frames and causes."""

from __future__ import annotations

import os
import pickle
from types import TracebackType
from typing import Any, TypeAlias

from turnout.errors import RemoteError, TurnoutError

Packed: TypeAlias = tuple[Any, ...]

_DEPTH = 8
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# What runs a coroutine stands between us and the task.
_OURS = (_HERE, os.path.join(os.path.dirname(os.__file__), "asyncio") + os.sep)
_REBUILT = "__turnout_rebuilt__"

_moved: tuple[str, str] | None = None


def name_files(here: str, there: str) -> None:
    """Tell of files below ``here``, a copy of the project, by the names they have ``there``."""
    global _moved
    _moved = (here + os.sep, there + os.sep) if here != there else None


def pack(error: BaseException, depth: int = _DEPTH) -> Packed:
    """An exception as plain values."""
    import traceback

    kind = type(error)
    frames = _frames(error.__traceback__)
    told = traceback.TracebackException.from_exception(error)
    told.stack = traceback.StackSummary.from_list(
        [traceback.FrameSummary(file, line, name) for file, line, name in frames]
    )
    cause = error.__cause__
    context = None if error.__suppress_context__ else error.__context__
    return (
        _pickled(error),
        f"{kind.__module__}.{kind.__qualname__}",
        str(error),
        frames,
        "".join(told.format()),
        getattr(error, "__turnout__", None),
        pack(cause, depth - 1) if cause is not None and depth else None,
        pack(context, depth - 1) if context is not None and cause is None and depth else None,
        error.__suppress_context__,
    )


def unpack(packed: Packed) -> BaseException:
    """The exception again; a `RemoteError` where it cannot be rebuilt.

    Its traceback has the frames it was raised through, and ``__turnout__`` what the worker
    told of it, with the traceback as text.
    """
    data, name, text, frames, told, turnout, cause, context, suppressed = packed
    error: Any = None
    if data is not None:
        try:
            error = pickle.loads(data)
        except Exception:
            error = None
    if not isinstance(error, BaseException):
        error = RemoteError(name, text, told)
    error.__traceback__ = _traceback(frames)
    if cause is not None:
        error.__cause__ = unpack(cause)
    elif context is not None:
        error.__context__ = unpack(context)
    error.__suppress_context__ = suppressed
    # A class with slots takes no further attributes; what it says itself is enough then.
    if hasattr(error, "__dict__"):
        error.__turnout__ = {**(turnout or {}), "traceback": told}
    return error  # type: ignore[no-any-return]


def fold(error: BaseException) -> None:
    """Take our own frames from the front of an exception's traceback, and of those behind it.

    ``HYDRA_FULL_ERROR=1`` leaves them. What was raised by ourselves keeps its frames.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        return
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        traceback = link.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
            traceback = traceback.tb_next
        if traceback is not None:
            link.__traceback__ = traceback
        todo += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            todo += link.exceptions


def fold_refusal(error: TurnoutError) -> None:
    """Take all our own frames out of the traceback of what is wrong with the user's input.

    The message says it all; frames of the user's, as in a workflow's body, say where.
    ``HYDRA_FULL_ERROR=1`` leaves ours.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        return
    theirs: list[TracebackType] = []
    traceback = error.__traceback__
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_OURS):
            theirs.append(traceback)
        traceback = traceback.tb_next
    for found in reversed(theirs):
        traceback = TracebackType(traceback, found.tb_frame, found.tb_lasti, found.tb_lineno)
    error.__traceback__ = traceback


def is_rebuilt(traceback: TracebackType | None) -> bool:
    """Whether a traceback has come from another process, where its local variables have stayed."""
    return traceback is not None and _REBUILT in traceback.tb_frame.f_globals


def _pickled(error: BaseException) -> bytes | None:
    """The exception's pickle if it gives the like of it back."""
    from turnout.storage.pickling import dumps

    try:
        data = dumps(error)
        again = pickle.loads(data)
    except Exception:
        return None
    return data if type(again) is type(error) and str(again) == str(error) else None


def _frames(traceback: TracebackType | None) -> list[tuple[str, int, str]]:
    """File, line and function of each frame, without turnout's own in front."""
    found: list[tuple[str, int, str]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if found or not code.co_filename.startswith(_HERE):
            found.append((_name_of(code.co_filename), traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return found


def _name_of(file: str) -> str:
    if _moved is not None and file.startswith(_moved[0]):
        return _moved[1] + file[len(_moved[0]) :]
    return file


def _traceback(frames: list[tuple[str, int, str]]) -> TracebackType | None:
    """A traceback through frames of another process.

    Frames are only made by running code, so each is code of that name and file which raises.
    """
    from types import TracebackType

    made: TracebackType | None = None
    raised: TracebackType | None = None
    for file, line, name in reversed(frames):
        code = compile("raise LookupError", file, "exec").replace(co_name=name, co_qualname=name)
        try:
            exec(code, {"__name__": name, "__file__": file, _REBUILT: True})
        except LookupError as error:
            raised = error.__traceback__
        inner = raised.tb_next if raised is not None else None
        if inner is not None:
            # An instruction before the first has no column, so none is underlined.
            made = TracebackType(made, inner.tb_frame, -1, line)
    return made
