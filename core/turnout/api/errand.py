"""A run that a process elsewhere drives: what that is sent, and what it leaves in the store.

The sender writes ``errands/<run>/errand`` and starts ``python -m turnout.api.drive STORE RUN``
where the run is to be driven. What that process tells on the way goes to
``errands/<run>/events/<number>``, and in the end there is ``errands/<run>/end``.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from turnout.backend.base import Project
from turnout.backend.hooks import NodeEvent
from turnout.errors import PlanError
from turnout.storage.store import Store
from turnout.version import __version__, see_to_version

if TYPE_CHECKING:
    from turnout.config.composed import Composed
    from turnout.dsl import Workflow
    from turnout.storage.records import NodeRow


class Errand(NamedTuple):
    """A run as it is sent.

    Attributes:
        workflow: ``module:qualname``.
        file: the module's file, within the project.
        root: where the project is, where the run comes from.
        main: name of the script that was started, and its file within the project.
        source: where the project's modules are, within the project.
        path: its folders that modules are found in, first ones first, within the project.
        folder: the working directory, within the project.
        argv: the command line.
        rest: pickle of the composed config, and of what else `turnout.api.prepare` takes; it
            can be read once the modules can be imported.
    """

    workflow: str
    file: str | None
    root: str
    main: tuple[str, str] | None
    source: str
    path: tuple[str, ...]
    folder: str
    argv: tuple[str, ...]
    rest: bytes


class End(NamedTuple):
    """How a run ended elsewhere.

    Attributes:
        status: ``succeeded``, ``failed`` or ``cancelled``.
        node: the node that failed first.
        error: its exception, packed.
        codec: how the result is encoded.
        payload: the result.
        rows: the record's rows.
    """

    status: str
    node: str = ""
    error: tuple[Any, ...] | None = None
    codec: str = ""
    payload: bytes = b""
    rows: tuple[NodeRow, ...] = ()


def name_of(run_id: str, part: str) -> str:
    """The name in the store of a part of an errand."""
    return f"errands/{run_id}/{part}"


def pack(
    workflow: Workflow[..., Any], composed: Composed, project: Project, arguments: dict[str, Any]
) -> bytes:
    """A run as bytes.

    Raises:
        PlanError: another process could not import the workflow.
    """
    from turnout.graph.refs import importable
    from turnout.storage.pickling import dumps
    from turnout.worker.paths import folders_of

    found = importable(workflow.fn) or _named(workflow)
    if found is None:
        problem = (
            f"workflow {workflow.name!r} cannot be imported by the process that is to drive it; "
            "move it from the notebook into a module"
        )
        raise PlanError([problem])

    def inside(path: str | Path) -> str:
        return os.path.relpath(path, project.root)

    main = project.main
    code = getattr(workflow.fn, "__code__", None)
    errand = Errand(
        found,
        None if code is None else inside(code.co_filename),
        os.fspath(project.root),
        None if main is None else (main[0], inside(main[1])),
        inside(project.source),
        tuple(inside(folder) for folder in folders_of(os.fspath(project.root))),
        inside(os.getcwd()),
        tuple(sys.argv),
        dumps((composed, arguments)),
    )
    packed = pickle.dumps(errand, protocol=5)
    # Another version may not even be able to read the rest.
    return pickle.dumps((__version__, sys.version_info[:2], packed), protocol=5)


def unpack(data: bytes) -> Errand:
    """A run that was sent here.

    Raises:
        TurnoutError: it was sent by another version.
    """
    version, python, packed = pickle.loads(data)
    see_to_version(version, here="what is to drive it")
    if python != sys.version_info[:2]:
        theirs, ours = (f"{major}.{minor}" for major, minor in (python, sys.version_info[:2]))
        sys.stderr.write(f"warning: the run comes from Python {theirs}, Python {ours} drives it\n")
    errand: Errand = pickle.loads(packed)
    return errand


def _named(workflow: Workflow[..., Any]) -> str | None:
    """``module:name`` under which the workflow's module holds it: it stands for its function."""
    module, _, name = workflow.ref.partition(":")
    holder = sys.modules.get(module) or sys.modules.get("__main__")
    known = module != "__main__" and getattr(holder, name, None) is workflow
    return workflow.ref if known else None


def read_events(data: bytes) -> list[tuple[str, NodeEvent]]:
    """The events of a batch."""
    from turnout.worker import failures

    found = []
    for name, values, error in pickle.loads(data):
        event = NodeEvent(*values)
        found.append((name, event._replace(error=error and failures.unpack(error))))
    return found


def forget(store: Store, run_id: str) -> None:
    """Remove what a run has left in the store, once it has been taken over."""
    store.clear(f"errands/{run_id}")


def read_end(store: Store, run_id: str) -> End | None:
    """How a run ended elsewhere; ``None`` while it goes on."""
    data = store.read(name_of(run_id, "end"))
    return None if data is None else pickle.loads(data)
