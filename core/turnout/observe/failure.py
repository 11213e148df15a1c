"""A failure as its owner needs it: their own frames, the node, and what it was given."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from turnout.errors import (
    ConfigError,
    EncodeError,
    GraphError,
    PlanError,
    PluginError,
    RemoteError,
    RunCancelled,
    RunFailed,
    TurnoutError,
    raised_in_body,
)
from turnout.graph import AnyNode, BranchNode, Graph, TaskNode, WorkflowNode
from turnout.observe.describe import predicate_text

__all__ = ["show_error", "show_failure"]

_MACHINERY = ("hydra", "pluggy", "omegaconf", "click", "runpy", "importlib", "concurrent")
_PLAIN = (ConfigError, PlanError, GraphError, PluginError, EncodeError)


def show_error(error: BaseException, graph: Graph | None = None) -> str:
    """What a command says when it ends with an error; several lines, without a last line break.

    Messages of turnout stand for themselves; other exceptions are shown with the frames of the
    user's code.

    >>> show_error(ConfigError("no such key"))
    'error: no such key'
    """
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "cancelled"
    if isinstance(error, RunCancelled):
        return f"cancelled: {error}" if str(error) else "cancelled"
    if isinstance(error, _PLAIN):
        message = f"error: {error}"
        # A module of the user's that raised: what it raised comes first.
        inside = error.__cause__ if getattr(error, "show_cause", False) else None
        return message if inside is None else f"{show_failure(inside)}\n\n{message}"
    report = show_failure(error, graph)
    workflow = raised_in_body(error)
    if workflow:
        kind = type(error).__name__
        return f"{report}\n\nerror: no plan: the body of workflow {workflow!r} raised {kind}"
    if error.__traceback__ is not None and not isinstance(error, TurnoutError):
        machinery, _ = _folders()
        frames = traceback.extract_tb(error.__traceback__)
        if all(_within(frame.filename, machinery) for frame in frames):
            report += "\n(raised inside turnout; with HYDRA_FULL_ERROR=1 it shows where)"
    return report


def show_failure(error: BaseException, graph: Graph | None = None) -> str:
    """The report of a failed run.

    Args:
        error: a `RunFailed`, or the exception a task or workflow raised.
        graph: the graph that ran, to tell where in the workflow the node stands.
    """
    cause = error
    node = ""
    if isinstance(error, RunFailed):
        node = error.node
        cause = error.__cause__ or error
    # What failed may be wrapped: by `raise ... from`, by the engine, by a worker process.
    told = next((found for link in _chain(cause) if (found := _told(link))), {})
    node = str(told.get("node") or node)
    frames = _frames(cause)
    lines = [*frames, *_context(node, told, graph)]
    return "\n".join(lines)


def _told(error: BaseException) -> Mapping[str, Any]:
    found = getattr(error, "__turnout__", None)
    return found if isinstance(found, Mapping) else {}


def _context(node: str, told: Mapping[str, Any], graph: Graph | None) -> Iterator[str]:
    if not node:
        return
    found, around = _found(node, graph)
    line = found.line if isinstance(found, (TaskNode, BranchNode)) else ""
    yield ""
    yield f"node: {node}" + (f"  ({line})" if line else "")
    when = (
        found.cases[told["case"]].when if isinstance(found, BranchNode) and "case" in told else None
    )
    if when is not None and around is not None:
        yield f"condition: {predicate_text(when, around)}"
    if "compared" in told:
        yield f"compared: {' and '.join(told['compared'])}"
    inputs = told.get("inputs")
    if isinstance(inputs, Mapping) and inputs:
        yield "inputs: " + ", ".join(f"{name}={text}" for name, text in inputs.items())


def _found(node: str, graph: Graph | None) -> tuple[AnyNode | None, Graph | None]:
    """A node of a run, and the graph it stands in."""
    found = None
    for part in node.split("/"):
        name = part.partition("[")[0]
        found = next((n for n in graph.nodes if n.id == name), None) if graph else None
        if not isinstance(found, WorkflowNode) or graph is None:
            break
        graph = graph.workflows.get(found.workflow)
    return found, graph


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it came from, the newest first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _frames(error: BaseException) -> list[str]:
    lines: list[str] = []
    chain = [link for link in _chain(error) if link is error or not isinstance(link, RunFailed)]
    for position, link in enumerate(reversed(chain)):
        last = position == len(chain) - 1
        shown = _one(link, brief=not last)
        # What is raised anew, or told in the next message, is told once.
        following = "" if last else "\n".join(_one(chain[len(chain) - 2 - position])[-1:])
        alone = len(shown) == 1
        if not last and (shown[-1:] == [following] or (alone and _in(link, following))):
            continue
        if not last and alone and isinstance(error, EncodeError):  # it says why by itself
            continue
        if lines:
            lines += ["", "which led to:", ""]
        lines += shown
    return lines


def _in(error: BaseException, following: str) -> bool:
    text = str(error) if isinstance(error, TurnoutError) else ""
    return (text or "".join(traceback.format_exception_only(error)).strip()) in following


def _one(error: BaseException, *, brief: bool = False) -> list[str]:
    """One exception; a brief one without frames if none of them is the user's."""
    if isinstance(error, RemoteError):
        text = error.traceback_text.rstrip()
        return [*(text.splitlines() if text else []), *([] if text else [str(error)])]
    shown = traceback.TracebackException.from_exception(error, compact=True)
    lines = _folded(shown.stack, brief=brief)
    if lines:
        lines.insert(0, "Your code, the last call last:")
    if isinstance(error, BaseExceptionGroup):
        lines += "".join(shown.format_exception_only()).rstrip().splitlines()
        for number, inner in enumerate(error.exceptions, 1):
            lines.append(f"  {number} of {len(error.exceptions)}:")
            lines += [f"    {line}" for line in _frames(inner)]
        return lines
    if isinstance(error, TurnoutError):
        lines.append(f"{type(error).__name__}: {error}")
    else:
        # Python 3.13 colours by the environment; this text also goes into files.
        lines += "".join(shown.format_exception_only()).rstrip().splitlines()
    return lines


def _folded(stack: traceback.StackSummary, *, brief: bool) -> list[str]:
    """The frames of the user's code, and the last one; the library's between them as a number."""
    machinery, libraries = _folders()
    kept = [frame for frame in stack if not _within(frame.filename, machinery)]
    if brief and all(_foreign(frame.filename, libraries) for frame in kept):
        return []
    lines: list[str] = []
    skipped: list[str] = []
    for position, frame in enumerate(kept):
        foreign = _foreign(frame.filename, libraries)
        if foreign and position < len(kept) - 1:
            skipped.append(_in_library(frame.filename, libraries).split(os.sep, maxsplit=1)[0])
            continue
        lines += _fold(skipped)
        skipped = []
        name = _in_library(frame.filename, libraries) if foreign else _short(frame.filename)
        frame.filename = name
        lines += "".join(traceback.StackSummary.from_list([frame]).format()).rstrip().splitlines()
    return lines


def _fold(skipped: list[str]) -> list[str]:
    if not skipped:
        return []
    names = ", ".join(name.removesuffix(".py") for name in dict.fromkeys(skipped))
    return [f"  ... {len(skipped)} frame{'s' * (len(skipped) > 1)} in {names}"]


def _folders() -> tuple[list[str], list[str]]:
    """Where turnout and what drives it lie, and where libraries lie."""
    machinery = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "<frozen "]
    for name in list(sys.modules):
        if name in _MACHINERY or (name.startswith("turnout_") and "." not in name):
            file = getattr(sys.modules[name], "__file__", None)
            if file:
                single = os.path.basename(file) != "__init__.py"
                machinery.append(file if single else os.path.dirname(file))
    paths = sysconfig.get_paths()
    libraries = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return machinery, sorted({*libraries}, key=len, reverse=True)


def _within(file: str, folders: list[str]) -> bool:
    return any(
        file == folder or file.startswith((folder + os.sep, "<frozen ")) for folder in folders
    )


def _foreign(file: str, libraries: list[str]) -> bool:
    """Whether a frame is a library's; compiled ones name files that are not there."""
    return _within(file, libraries) or not (os.path.isabs(file) or os.path.exists(file))


def _in_library(file: str, folders: list[str]) -> str:
    """A library's file from where its package lies."""
    for folder in folders:
        if file.startswith(folder + os.sep):
            return file[len(folder) + 1 :]
    return file


def _short(file: str) -> str:
    """A file's name from the current directory where it lies below it."""
    try:
        here = os.path.relpath(file)
    except (OSError, ValueError):
        return file
    return file if here.startswith("..") or file.startswith("<") else here
