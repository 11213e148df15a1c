"""Grows the parts of a run that exist only at run time: the items of maps, dynamic graphs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from turnout.backend.call import Handle, Summary
from turnout.engine.gather import chosen, items_of, listed
from turnout.engine.jobs import Frame, Job, State
from turnout.errors import PlanError
from turnout.plan import Step, Tree
from turnout.plan.layout import sources

if TYPE_CHECKING:
    from turnout.engine.engine import Engine


def grow_map(engine: Engine, job: Job) -> None:
    """One job per item; the map's own job ends when they have."""
    step = job.step
    frame = Frame(job)
    try:
        columns = _columns(engine, job, frame)
    except Exception as error:
        engine.fail(job, error)
        return
    lengths = {name: len(items) for name, items in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        engine.fail(job, ValueError(f"map {step.id!r}: lists of unequal length: {told}"))
        return
    count = next(iter(lengths.values()))
    # A ratio of 0.7 of 10 is 7, whatever binary fractions make of it.
    frame.allowed = count - math.ceil(step.ratio * count - 1e-9)
    job.grown = frame
    job.state = State.RUNNING
    job.summary = Summary(started=time.time())
    if engine.watch.active:
        engine.started(job)
    steps = engine.plan.program.steps
    first = len(steps)
    jobs = engine.jobs
    unfinished = {index for index in step.needs if jobs[index].state is not State.DONE}
    # Items that are sent ahead with their map need what they take, and what the map needs.
    for number in range(count):
        trees = tuple(
            [columns[name][number] if name in columns else tree for name, tree in step.args]
        )
        item = Step(
            first + number,
            f"{step.id}[{number}]",
            step.spec,
            step.options,
            step.version,
            step.names,
            trees,
            step.unproven,
            _needs(trees, unfinished, jobs) if unfinished else (),
            None,
            step.scope,
        )
        steps.append(item)
    job.tree = ("list", tuple([("step", first + number) for number in range(count)]))
    if count == 0:
        engine.finish(job)
        return
    engine.enter(steps[first:], frame)
    engine.values.hold(job.tree)
    if step.concurrency is not None and count > step.concurrency:
        for _ in range(count - step.concurrency):
            frame.waiting.appendleft(engine.ready.pop())


def _columns(engine: Engine, job: Job, frame: Frame) -> dict[str, list[Tree]]:
    step = job.step

    def items(source: Job, tree: Tree) -> Sequence[Tree]:
        parts = _split(engine, job, source) if len(tree) == 2 else None
        if parts is None:
            return [("const", item) for item in listed(chosen(engine.values.fetch(source), tree))]
        frame.parts += parts
        return [("const", part) for part in parts]

    return {
        name: items_of(tree, engine.jobs, items) for name, tree in step.args if name in step.mapped
    }


def _split(engine: Engine, job: Job, source: Job) -> Sequence[Handle] | None:
    """Handles for the items of a list that stays where it was made."""
    spec, summary = job.step.spec, source.summary
    if spec is None or spec.dynamic or summary is None or summary.length is None:
        return None
    executor = engine.executor(job.step.environment)
    if source.executor is not executor or source.handle is None:
        return None
    return executor.split(source.handle, summary.length)


def _needs(trees: Iterable[Tree], unfinished: set[int], jobs: Sequence[Job]) -> tuple[int, ...]:
    found = {index for tree in trees for index in sources(tree)}
    return tuple(sorted(unfinished | {i for i in found if jobs[i].state is not State.DONE}))


def grow_dynamic(engine: Engine, job: Job) -> None:
    """The graph a dynamic task returned runs in its place."""
    assert job.executor is not None
    assert job.handle is not None
    if engine.watch.active:
        engine.started(job)
    step = job.step
    program, layout, rules = engine.plan.program, engine.plan.layout, engine.plan.rules
    try:
        traced = job.executor.fetch(job.handle)
        job.executor.release([job.handle])
        job.handle = None
        rules.tasks.update({k: t for k, t in traced.tasks.items() if k not in rules.tasks})
        problems = rules.check(traced.graph, f"{step.id}/")
        if problems:
            raise PlanError(problems)
        first, scope = len(program.steps), len(program.scopes)
        layout.workflows = {**layout.workflows, **traced.annotations}
        tree = layout.add(traced.graph, dict(step.args), prefix=f"{step.id}/", parent=step.scope)
        problems = [*layout.problems]
        layout.problems.clear()
        if problems:
            raise PlanError(problems)
    except Exception as error:
        engine.fail(job, error)
        return
    job.tree = ("const", None) if tree is None else tree
    job.grown = Frame(job)
    entered = engine.enter(program.steps[first:], job.grown)
    hold_inputs(engine, scope)
    engine.values.hold(job.tree)
    if not entered:
        engine.finish(job)


def settle(engine: Engine, frame: Frame) -> None:
    """All jobs of a frame have ended: put the owner's result into its last form."""
    owner = frame.owner
    note_time(owner)
    tree = owner.tree
    if tree is None:
        return
    jobs = engine.jobs
    if frame.failed:
        # What failed within the limits of a map gives None.
        owner.tree = (
            "list",
            tuple(
                ("const", None) if jobs[item[1]].state is State.FAILED else item for item in tree[1]
            ),
        )
    elif tree[0] == "step" and len(tree) == 2 and jobs[tree[1]].tree is not None:
        # Dynamic tasks inside one another must not make a chain as long as they are deep.
        inner = jobs[tree[1]].tree
        assert inner is not None
        engine.values.hold(inner)
        owner.tree = inner
        engine.values.drop(tree)
    drop_parts(frame)


def note_time(job: Job) -> None:
    """A map or a dynamic task takes as long as all that has grown from it.

    A map begins with its first item, which may have waited for its turn.
    """
    if job.grown is None or job.summary is None:
        return
    summary = job.summary._replace(seconds=time.perf_counter() - job.grown.began)
    if job.step.mapped:
        items = [item.summary for item in job.grown.jobs if item.summary is not None]
        ran = [item for item in items if item.started]
        if ran:
            started = min(item.started for item in ran)
            seconds = max(item.started + item.seconds for item in ran) - started
            summary = summary._replace(started=started, seconds=seconds)
    job.summary = summary


def drop_parts(frame: Frame) -> None:
    """Release the items of a list that was split for a map."""
    parts, frame.parts = frame.parts, []
    executor = next((job.executor for job in frame.jobs if job.executor is not None), None)
    if parts and executor is not None:
        executor.release(parts)


def hold_inputs(engine: Engine, first: int) -> None:
    """Keep what the failure handlers of the scopes from ``first`` on would be given."""
    for scope in engine.plan.program.scopes[first:]:
        if scope.handler is not None:
            for tree in scope.inputs.values():
                engine.values.hold(tree)
