"""The engine's own account of a run: jobs and frames."""

from __future__ import annotations

import enum
import time
from collections import deque
from typing import Final

from turnout.backend.base import Executor
from turnout.backend.call import Attempt, Handle, Summary, Ticket
from turnout.plan import Step, Tree


class State(enum.Enum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


# For what is done to every job: naming a member of an enum takes as long as a small call.
WAITING: Final = State.WAITING
RUNNING: Final = State.RUNNING
DONE: Final = State.DONE


class Frame:
    """The part of the run that a map or a dynamic task has grown.

    Attributes:
        owner: the job it stands for.
        jobs: its jobs.
        remaining: how many of them have not ended.
        failed: how many of them failed.
        allowed: how many may fail before the owner does.
        waiting: jobs held back by a map's concurrency.
        parts: handles of a list's items, to be released with the owner's end.
        began: when its owner began, by the driver's clock.
    """

    __slots__ = ("allowed", "began", "failed", "jobs", "owner", "parts", "remaining", "waiting")

    def __init__(self, owner: Job, allowed: int = 0) -> None:
        self.owner = owner
        self.jobs: list[Job] = []
        self.remaining = 0
        self.failed = 0
        self.allowed = allowed
        self.waiting: deque[Job] = deque()
        self.parts: list[Handle] = []
        spent = 0.0 if owner.summary is None else owner.summary.seconds
        self.began = time.perf_counter() - spent


class Job:
    """A step in a run.

    Attributes:
        step: what is to be done.
        state: where it stands.
        missing: how many needs have not finished; the guard counts as one.
        consumers: jobs that need this one.
        guarded: for a branch, the jobs of its cases as (case, job).
        uses: how many ended jobs must still end before the result can be dropped.
        handle: the result, if it is a value of an executor.
        tree: the result, if it is put together from other jobs' results.
        executor: where it ran.
        ticket: the submitted call.
        frame: the map or dynamic task it belongs to.
        grown: the frame it has grown itself.
        summary: what the worker said.
        attempts: the attempts that failed, over all submissions.
        lost: how often its worker went away.
        announced: whether it has been reported as started.
        error: what it failed with.
    """

    __slots__ = (
        "announced", "attempts", "consumers", "error", "executor", "frame", "grown", "guarded",
        "handle", "lost", "missing", "state", "step", "summary", "ticket", "tree", "uses",
    )  # fmt: skip

    def __init__(self, step: Step, frame: Frame | None) -> None:
        self.step = step
        self.frame = frame
        self.state: State = WAITING
        self.missing = 0
        self.consumers: list[Job] | tuple[()] = ()
        self.guarded: list[tuple[int, Job]] | None = None
        self.uses = 0
        self.handle: Handle | None = None
        self.tree: Tree | None = None
        self.executor: Executor | None = None
        self.ticket: Ticket | None = None
        self.grown: Frame | None = None
        self.summary: Summary | None = None
        self.attempts: tuple[Attempt, ...] = ()
        self.lost = 0
        self.announced = False
        self.error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<job {self.step.id} {self.state.value}>"
