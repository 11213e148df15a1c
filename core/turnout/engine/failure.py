"""What follows when a job fails: its frames, what depends on it, handlers, and the end of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from turnout.backend.base import Executor
from turnout.backend.call import Attempt, Ticket
from turnout.engine import growth
from turnout.engine.jobs import Frame, Job, State

if TYPE_CHECKING:
    from turnout.engine.engine import Engine

_log = logging.getLogger(__name__)


def fail(engine: Engine, job: Job, error: BaseException, told: bool = False) -> None:
    """A job has failed for good.

    With it fail the dynamic tasks and maps it is a part of, up to a map that allows for it.
    """
    culprit = job
    while True:
        _failed(engine, job, error, told)
        frame = job.frame
        if frame is not None and frame.failed < frame.allowed:
            frame.failed += 1
            owner = engine.left(frame)
            if owner is not None:
                engine.finish(owner)
            return
        skip_consumers(engine, job)
        if frame is None:
            break
        ratio = frame.owner.step.ratio
        if ratio < 1 and frame.owner.state is State.RUNNING:
            error.add_note(too_many(frame.failed + 1, len(frame.jobs), ratio, frame.allowed))
        abandon(engine, frame)
        job, told = frame.owner, False
        if job.state is not State.RUNNING:
            return
    if not engine.culprits:
        engine.result.status = "failed"
        engine.result.error = error
        engine.result.node = culprit.step.id
    engine.culprits.append(culprit)
    if engine.plan.on_error == "stop":
        engine.stopping = True
        cancel_all(engine)


def too_many(failed: int, items: int, ratio: float, allowed: int) -> str:
    """What is said where more items of a map have failed than may."""
    return f"{failed} of {items} items failed, and min_success_ratio={ratio:g} allows {allowed}"


def _failed(engine: Engine, job: Job, error: BaseException, told: bool) -> None:
    growth.note_time(job)
    if not told:
        grown = None if job.grown is None else job.summary
        seconds = 0.0 if grown is None else grown.seconds
        engine.attempts(job, (Attempt(len(job.attempts) + 1, error, seconds, False),))
        if grown is not None:
            job.summary = grown._replace(attempts=job.attempts)
    job.state = State.FAILED
    job.error = error
    if engine.ahead is not None:
        engine.ahead.forget(job)
    engine.ended(job)
    _let_go(engine, job)
    for _, guarded in job.guarded or ():
        skip(engine, guarded)


def _let_go(engine: Engine, job: Job) -> None:
    """A job that did not succeed needs nothing any more."""
    trees = [then for _, then, _ in job.step.cases or ()] if job.tree is None else [job.tree]
    job.tree = None
    for tree in trees:
        if tree is not None:
            engine.values.drop(tree)
    engine.values.drop_needs(job)


def abandon(engine: Engine, frame: Frame) -> None:
    """Nothing more of a failed map or dynamic task is started; what runs is cancelled."""
    frame.waiting.clear()
    _skip_all(engine, frame.jobs)
    growth.drop_parts(frame)


def skip_consumers(engine: Engine, job: Job) -> None:
    """What needs a job that has failed will not run."""
    _skip_all(engine, job.consumers)


def skip(engine: Engine, job: Job) -> None:
    """A job will not run: its case was not chosen, or what it needs has failed.

    One that was sent ahead, or is under way in a map that has failed, is cancelled.
    """
    _skip_all(engine, [job])


def _skip_all(engine: Engine, jobs: Iterable[Job]) -> None:
    todo = [*jobs][::-1]
    withdrawn: list[Job] = []
    while todo:
        job = todo.pop()
        if job.state is State.RUNNING:
            _withdraw(engine, job, withdrawn)
        elif job.state is State.WAITING:
            job.state = State.SKIPPED
            if job in engine.ready:
                engine.ready.remove(job)
        else:
            continue
        if engine.ahead is not None:
            engine.ahead.forget(job)
        growth.note_time(job)
        engine.ended(job)
        _let_go(engine, job)
        todo += [guarded for _, guarded in job.guarded or ()]
        todo += job.consumers
        if job.grown is not None:
            job.grown.waiting.clear()
            todo += job.grown.jobs
        if job.frame is not None:
            owner = engine.left(job.frame)
            if owner is not None:
                engine.finish(owner)
    _cancel_jobs(withdrawn)


def _withdraw(engine: Engine, job: Job, withdrawn: list[Job]) -> None:
    job.state = State.SKIPPED if job.missing else State.CANCELLED
    if job.ticket is not None and engine.running.pop(job.ticket, None) is not None:
        assert job.executor is not None
        engine.outstanding[job.executor] -= 1
        withdrawn.append(job)


def _cancel_jobs(jobs: Iterable[Job]) -> None:
    """Cancel jobs that are under way, all those of an executor at once."""
    tickets: dict[Executor, list[Ticket]] = {}
    for job in jobs:
        assert job.executor is not None
        assert job.ticket is not None
        tickets.setdefault(job.executor, []).append(job.ticket)
    for executor, theirs in tickets.items():
        _cancel(executor, theirs)


def cancel_all(engine: Engine) -> None:
    """End everything that is under way."""
    engine.ready.clear()
    jobs = [*engine.running.values()]
    engine.running.clear()
    for executor in engine.outstanding:
        engine.outstanding[executor] = 0
    _cancel_jobs(jobs)
    for job in engine.jobs:
        if job.state is State.RUNNING:
            job.state = State.CANCELLED
            if engine.ahead is not None:
                engine.ahead.forget(job)
            growth.note_time(job)
            engine.ended(job)


def _cancel(executor: Executor, tickets: list[Ticket]) -> None:
    try:
        executor.cancel(tickets)
    except Exception:
        # The run ends all the same; closing the executor is the last word.
        _log.exception("%s could not cancel %d calls", type(executor).__name__, len(tickets))


def handle(engine: Engine) -> None:
    """Run the failure handlers of the workflows around the jobs that failed, innermost first.

    Each runs once, with the error that came first in its workflow.
    """
    result = engine.result
    error, node = result.error, result.node
    program, layout = engine.plan.program, engine.plan.layout
    for number, first_error in _scopes_hit(engine):
        if program.scopes[number].handler is None:
            continue
        first = len(program.steps)
        engine.stopping = False
        layout.handler(number, f"{type(first_error).__name__}: {first_error}")
        handlers = engine.enter(program.steps[first:], None)
        engine.drive()
        for job in handlers:
            skip(engine, job)  # its inputs never came
        engine.stopping = True
    result.error, result.node, result.status = error, node, "failed"


def _scopes_hit(engine: Engine) -> list[tuple[int, BaseException | None]]:
    """The workflows something failed in and its first error, those inside before those around."""
    scopes = engine.plan.program.scopes
    errors: dict[int, BaseException | None] = {}
    if not engine.culprits:  # its result did not fit
        return [(0, engine.result.error)]
    depths: dict[int, int] = {}
    for culprit in engine.culprits:
        around: list[int] = []
        number: int | None = culprit.step.scope
        while number is not None:
            around.append(number)
            number = scopes[number].parent
        for depth, number in enumerate(reversed(around)):
            errors.setdefault(number, culprit.error)
            depths[number] = depth
    return sorted(errors.items(), key=lambda item: -depths[item[0]])
