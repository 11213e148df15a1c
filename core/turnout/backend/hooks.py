"""The hooks a plugin may implement, and the events they are given.

A plugin is a module (or object) under the entry-point group ``turnout`` whose functions are
marked with ``turnout.spi.hookimpl``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pluggy

if TYPE_CHECKING:
    import click

    from turnout.backend.base import Backend
    from turnout.backend.call import Call
    from turnout.backend.checks import Check
    from turnout.storage.codecs import Codec

GROUP: Final = "turnout"
API_VERSION: Final = 1

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class RunEvent(NamedTuple):
    """Something that happened to a run.

    Attributes:
        run_id: the run.
        workflow: the workflow's name.
        environment: name of the execution environment.
        status: ``running``, ``succeeded``, ``failed`` or ``cancelled``.
        nodes: number of nodes known so far; dynamic graphs add to it.
        time: seconds since the epoch.
        error: the exception the run failed with.
    """

    run_id: str
    workflow: str
    environment: str
    status: str
    nodes: int = 0
    time: float = 0.0
    error: BaseException | None = None


class NodeEvent(NamedTuple):
    """Something that happened to a node.

    Attributes:
        run_id: the run.
        node: the node's name in the run.
        task: the task's name; ``""`` for a node that is no task.
        attempt: number of the attempt the event is about, from 1.
        time: when it happened, in seconds since the epoch.
        seconds: how long the attempt or the node took.
        error: the exception, for a failure.
        key: the cache key, for a node that was cached or stored.
        attempts: how many attempts the node may make in all: one, and its ``retries``.
    """

    run_id: str
    node: str
    task: str = ""
    attempt: int = 1
    time: float = 0.0
    seconds: float = 0.0
    error: BaseException | None = None
    key: str = ""
    attempts: int = 1


@hookspec
def turnout_backends() -> Sequence[Backend]:  # type: ignore[empty-body]
    """Give the backends this plugin brings.

    Called once per process, when environments are first asked for. The module must be light:
    import an SDK only where a backend uses it. An exception marks this plugin as broken, and
    leaves all others as they are.
    """


@hookspec
def turnout_codecs() -> Sequence[Codec]:  # type: ignore[empty-body]
    """Give codecs for types of values; asked before the built-in ones, the newest plugin first.

    Called once per process, driver and worker alike, when a value is first encoded. An
    exception fails the node whose value was to be encoded.
    """


@hookspec
def turnout_commands() -> Sequence[click.Command]:  # type: ignore[empty-body]
    """Give commands that ``turnout`` offers beside its own.

    Called when the command line starts. A command may not take the name of a built-in one. An
    exception is reported and leaves the other commands as they are.
    """


@hookspec
def turnout_checks() -> Iterable[Check]:  # type: ignore[empty-body]
    """Look whether what this plugin needs is there, for ``turnout doctor``.

    Called by that command only, once. Each check is shown as it comes. An exception is one more
    problem, and leaves the other plugins' checks as they are. What belongs to one backend is for
    its `Backend.doctor` to tell.
    """


@hookspec
def turnout_run_started(run: RunEvent) -> None:
    """A run has been planned and its first node is about to be submitted.

    Called on the driver, once per run. An exception is logged and changes nothing.
    """


@hookspec
def turnout_run_finished(run: RunEvent) -> None:
    """A run has ended, well or not; its executor is closed.

    Called on the driver, once per run that started. An exception is logged and changes nothing.
    """


@hookspec
def turnout_node_started(event: NodeEvent) -> None:
    """A node runs for the first time; everything it needs has finished.

    Called on the driver when it learns of it, once per node that is not cached. An exception
    is logged and changes nothing.
    """


@hookspec
def turnout_node_failed(event: NodeEvent) -> None:
    """An attempt of a node failed; `turnout_node_retried` follows, or it was the last.

    It is the last when ``event.attempt`` is ``event.attempts``, and also where its exception
    forbids another. Called on the driver, once per failed attempt. An exception is logged and
    changes nothing.
    """


@hookspec
def turnout_node_retried(event: NodeEvent) -> None:
    """A further attempt of a node begins; ``event.attempt`` is its number.

    Called on the driver, once per further attempt. An exception is logged and changes nothing.
    """


@hookspec
def turnout_node_finished(event: NodeEvent) -> None:
    """A node has succeeded.

    Called on the driver, once per node. An exception is logged and changes nothing.
    """


@hookspec
def turnout_node_cached(event: NodeEvent) -> None:
    """A node's result was found in the cache; none of the other node events comes for it.

    Called on the driver, once per node. An exception is logged and changes nothing.
    """


@hookspec
def turnout_wrap_call(call: Call) -> AbstractContextManager[Any] | None:
    """Wrap one attempt of a call, in the worker.

    Called before each attempt, in the worker's process and thread, with `turnout.current()`
    set. The context manager given is entered before the task and left after it, with the
    task's exception if it raised one; ``None`` wraps nothing. The plugin registered last is the
    innermost. An exception of the wrapper fails the attempt as if the task had raised it.
    """
