"""Chooses the case of a conditional, and skips what belongs to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnout.engine import failure
from turnout.engine.jobs import Job, State
from turnout.engine.predicates import holds
from turnout.errors import BranchFailed
from turnout.plan import Tree
from turnout.plan.layout import sources

if TYPE_CHECKING:
    from turnout.engine.engine import Engine


def decide(engine: Engine, job: Job) -> None:
    """Choose the case of a branch; its jobs become ready, those of the others are skipped."""
    step = job.step
    assert step.cases is not None
    index = 0
    chosen = -1
    try:
        for index, (when, _, _) in enumerate(step.cases):
            if when is None or holds(when, engine.values.of):
                chosen = index
                break
    except Exception as error:
        told = getattr(error, "__turnout__", {})
        error.__turnout__ = {**told, "node": step.id, "case": index}  # type: ignore[attr-defined]
        engine.fail(job, error)
        return
    if chosen < 0:
        engine.fail(job, BranchFailed(f"conditional {step.id!r}: no case holds"))
        return
    _, then, fail = step.cases[chosen]
    if fail is not None:
        engine.fail(job, BranchFailed(f"conditional {step.id!r}: {fail}"))
        return
    assert then is not None
    if engine.watch.active:
        engine.watch.started(job)
    for case, guarded in job.guarded or ():
        if case != chosen and guarded.state is State.WAITING:
            failure.skip(engine, guarded)
    _take(engine, job, chosen, then)


def hold_results(engine: Engine, job: Job) -> None:
    """A branch needs what any of its cases would give, until it is decided."""
    for _, then, _ in job.step.cases or ():
        if then is not None:
            engine.values.hold(then)


def _take(engine: Engine, job: Job, chosen: int, then: Tree) -> None:
    """The branch's result is that of the chosen case, whose jobs may run now."""
    for index, (_, other, _) in enumerate(job.step.cases or ()):
        if index != chosen and other is not None:
            engine.values.drop(other)
    job.tree = then
    for index in set(sources(then)):
        source = engine.jobs[index]
        if source.state is not State.DONE:
            source.consumers = [*source.consumers, job]
            job.missing += 1
    for case, guarded in job.guarded or ():
        if case == chosen:
            guarded.missing -= 1
            if guarded.missing == 0:
                engine.ready.append(guarded)
            elif engine.ahead is not None:
                engine.ahead.entered(guarded)
    if job.missing == 0:
        engine.finish(job)
