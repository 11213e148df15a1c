"""A call, and what becomes of it: the values that pass between engine, executor and worker.

A call is self-contained. The worker rebuilds the arguments from `Call.shapes` and the values
of `Call.leaves`; it never traces the workflow around the task.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from turnout.graph import Shape, TaskOptions, TaskSpec

PROTOCOL_VERSION: Final = 1


class Handle:
    """A value that lives wherever its backend keeps it; backends derive their own from it."""

    __slots__ = ()


class Ticket:
    """One submitted call, by identity; backends may derive their own from it.

    Attributes:
        handle: the result, where the backend hands handles out before the call has ended.
    """

    __slots__ = ("handle",)

    def __init__(self, handle: Handle | None = None) -> None:
        self.handle = handle


class RunInfo(NamedTuple):
    """What every call of a run shares.

    Attributes:
        run_id: the run's id.
        workflow: the workflow's name.
        environment: name of the execution environment.
        store: root of the store, a path or an fsspec URL; ``""`` when nothing is stored.
        cache: the environment's cache mode.
        keep: which results are stored: ``auto``, ``all``, ``cached`` or ``none``.
        allow_pickle: whether a cached value may be unpickled.
        env_vars: environment variables of the environment.
        store_id: what other processes tell the store by; ``""`` where there are none.
    """

    run_id: str
    workflow: str
    environment: str
    store: str = ""
    cache: str = "use"
    keep: str = "none"
    allow_pickle: bool = True
    env_vars: tuple[tuple[str, str], ...] = ()
    store_id: str = ""


class Call(NamedTuple):
    """One execution of one task.

    Attributes:
        id: the node's name in the run, such as ``train`` or ``tune/fit[3]``.
        run: what it shares with the other calls of the run.
        task: the task.
        options: its options, with node and config laid over.
        version: the task's version for the cache key; ``""`` when it is not cached.
        names: the parameters that are given.
        shapes: how each argument is rebuilt from the leaves; ``None`` when the i-th argument
            is just the i-th leaf.
        leaves: inline values and `Handle` objects.
        unproven: parameters to convert and check before the task runs.
        attempt: number of the first attempt this call makes, from 1.
    """

    id: str
    run: RunInfo
    task: TaskSpec
    options: TaskOptions
    version: str = ""
    names: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] | None = None
    leaves: tuple[Any, ...] = ()
    unproven: tuple[str, ...] = ()
    attempt: int = 1


class Attempt(NamedTuple):
    """One failed attempt.

    Attributes:
        number: from 1.
        error: the exception.
        seconds: how long it took.
        retried: whether another attempt followed inside the same call.
    """

    number: int
    error: BaseException
    seconds: float
    retried: bool


class Kept(NamedTuple):
    """Where a result was kept.

    Attributes:
        codec: how it is encoded.
        payload: its bytes, when they are few.
        artifact: the name of the entry of the store with them otherwise.
    """

    codec: str
    payload: bytes | None
    artifact: str | None


class Unset(enum.Enum):
    """Marks "no value", where ``None`` is one."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Summary(NamedTuple):
    """What the worker says of a call, beside its result: a few hundred bytes at most.

    Attributes:
        seconds: how long the call took in the worker.
        started: when it began, in seconds since the epoch.
        attempts: the attempts that failed.
        cached: ``""``, ``"hit"`` or ``"stored"``.
        key: the cache key, if the task is cached.
        digest: digest of the result, if it was taken.
        length: number of items of a list result, which a map over it needs.
        small: the result itself when it is plain and small, so that branches need no fetch.
        kept: where the result was stored for the record of the run.
        expands: whether the result is a graph to be run in the node's place.
        metrics: name and value of what the task logged with ``current().log_metrics``.
    """

    seconds: float = 0.0
    started: float = 0.0
    small: Any = UNSET
    attempts: tuple[Attempt, ...] = ()
    cached: str = ""
    key: str = ""
    digest: str = ""
    length: int | None = None
    kept: Kept | None = None
    expands: bool = False
    metrics: tuple[tuple[str, float], ...] = ()


class Status(enum.StrEnum):
    """How a ticket ended."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    LOST = "lost"
    UPSTREAM_FAILED = "upstream failed"
    CANCELLED = "cancelled"


class Completion(NamedTuple):
    """The end of a ticket.

    Attributes:
        ticket: which one.
        status: how it ended.
        handle: the result, when done.
        summary: the worker's summary, when there is one.
        error: the exception, when it did not end well.
    """

    ticket: Ticket
    status: Status
    handle: Handle | None = None
    summary: Summary | None = None
    error: BaseException | None = None


# What is made for every call, from all its fields in order: a class's own constructor, which
# takes them by name and fills in defaults, costs three times as much.
new_call: Final[Callable[[tuple[Any, ...]], Call]] = partial(tuple.__new__, Call)
new_summary: Final[Callable[[tuple[Any, ...]], Summary]] = partial(tuple.__new__, Summary)
new_completion: Final[Callable[[tuple[Any, ...]], Completion]] = partial(tuple.__new__, Completion)
