"""Drives a plan over executor backends: order, branches, maps, dynamic graphs, failure, cancel.

One loop in one thread. Jobs become ready when what they need has finished (or, where the
executor takes pending handles, has been submitted); they are submitted in batches; completions
make further jobs ready. Maps and dynamic tasks grow frames of further jobs.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnout.backend.base import Executor
from turnout.backend.call import (
    UNSET,
    Attempt,
    Call,
    Completion,
    RunInfo,
    Status,
    Summary,
    Ticket,
)
from turnout.engine.gather import gather, items_of, value_of
from turnout.engine.jobs import Frame, Job, State
from turnout.engine.predicates import holds
from turnout.engine.watch import Watch
from turnout.errors import (
    BranchFailed,
    EncodeError,
    NonRetryable,
    PlanError,
    RunCancelled,
    TurnoutError,
    WorkerLost,
)
from turnout.plan import Environment, Plan, Step, Tree
from turnout.plan.layout import sources

LOST_LIMIT = 3
"""How often a job whose worker went away is submitted again."""


@dataclass(slots=True)
class Result:
    """How a run ended.

    Attributes:
        status: ``succeeded``, ``failed`` or ``cancelled``.
        value: what the workflow returned, when it succeeded.
        error: the exception of the job that failed first.
        node: that job's name.
        jobs: every job there was.
    """

    status: str = "succeeded"
    value: Any = None
    error: BaseException | None = None
    node: str = ""
    jobs: list[Job] = field(default_factory=list)


class Engine:
    """Runs one plan once.

    Args:
        plan: what to run.
        info: what every call carries.
        open_executor: opens the executor of an environment; called at its first use.
        watch: is told what happens.
        ended: called with every job that has ended, for the record of the run.
    """

    def __init__(
        self,
        plan: Plan,
        info: RunInfo,
        open_executor: Callable[[Environment], Executor],
        watch: Watch,
        ended: Callable[[Job], None],
    ) -> None:
        self.plan = plan
        self.info = info
        self.watch = watch
        self.result = Result()
        self.jobs = self.result.jobs
        self._open = open_executor
        self._ended = ended
        self._ready: deque[Job] = deque()
        self._executors: dict[str, Executor] = {}
        self._running: dict[Ticket, Job] = {}
        self._outstanding: dict[Executor, int] = {}
        self._stopping = False
        self._cancelled = False
        self._main: Executor | None = None

    # -- the run -------------------------------------------------------------------------------

    def run(self) -> Result:
        """Run the plan to its end.

        Raises:
            KeyboardInterrupt: the user interrupted; everything submitted has been cancelled.
        """
        plan = self.plan
        try:
            steps: Sequence[Step] = plan.program.steps
            self._enter(steps, None, plan.wanted)
            if plan.result is not None:
                self._hold(plan.result)
            self._drive()
            if self.result.error is not None:
                self._handle_failure()
            elif self._cancelled:
                self.result.status = "cancelled"
            elif plan.result is not None:
                self.result.value = self._value(plan.result)
        except KeyboardInterrupt:
            self.result.status = "cancelled"
            self._cancel_all()
            raise
        except BaseException:
            self.result.status = "failed"
            self._cancel_all()
            raise
        finally:
            self._close_all()
        return self.result

    def cancel(self) -> None:
        """End the run; may be called from another thread."""
        self._cancelled = True

    def _drive(self) -> None:
        while True:
            if self._cancelled and not self._stopping:
                self._stopping = True
                self._cancel_all()
            self._submit_ready()
            if not self._running:
                if self._ready:
                    continue
                break
            for completion in self._wait():
                self._complete(completion)

    def _wait(self) -> Iterator[Completion]:
        busy = [executor for executor, count in self._outstanding.items() if count]
        # A run in the background looks now and then whether it has been cancelled.
        timeout = 0.05 if len(busy) > 1 else 0.25
        for executor in busy:
            yield from executor.wait_any(timeout)

    def _close_all(self) -> None:
        failure: BaseException | None = None
        for executor in self._executors.values():
            try:
                executor.close()
            except Exception as error:
                failure = error
        if failure is not None and self.result.error is None and self.result.status != "cancelled":
            raise failure

    def _cancel_all(self) -> None:
        self._ready.clear()
        by_executor: dict[Executor, list[Ticket]] = {}
        for ticket, job in self._running.items():
            assert job.executor is not None
            by_executor.setdefault(job.executor, []).append(ticket)
        for executor, tickets in by_executor.items():
            executor.cancel(tickets)
            for ticket in tickets:
                job = self._running.pop(ticket)
                job.state = State.CANCELLED
                self._ended(job)
            self._outstanding[executor] = 0

    # -- jobs ----------------------------------------------------------------------------------

    def _enter(
        self, steps: Iterable[Step], frame: Frame | None, wanted: frozenset[int] | None = None
    ) -> list[Job]:
        """Make jobs of steps; those that need nothing are ready."""
        jobs = self.jobs
        entered: list[Job] = []
        for step in steps:
            job = Job(step, frame)
            jobs.append(job)
            if wanted is not None and step.index not in wanted:
                job.state = State.SKIPPED
                continue
            entered.append(job)
            missing = 0
            for index in step.needs:
                need = jobs[index]
                need.uses += 1
                if need.state is not State.DONE:
                    need.consumers.append(job)
                    missing += 1
            guard = step.guard
            if guard is not None:
                branch = jobs[guard[0]]
                if branch.guarded is None:
                    branch.guarded = []
                branch.guarded.append((guard[1], job))
                missing += 1
            job.missing = missing
            if missing == 0:
                self._ready.append(job)
        for job in entered:
            if job.step.cases is not None:
                for _, then, _ in job.step.cases:
                    if then is not None:
                        self._hold(then)
        if frame is not None:
            frame.jobs += entered
            frame.remaining += len(entered)
        return entered

    def _submit_ready(self) -> None:
        ready = self._ready
        batches: dict[str, list[Job]] = {}
        while ready:
            job = ready.popleft()
            step = job.step
            if step.cases is not None:
                if job.tree is None:
                    self._decide(job)
                else:
                    self._finish_composite(job)
            elif step.mapped:
                self._grow_map(job)
            else:
                batches.setdefault(step.environment, []).append(job)
        for environment, jobs in batches.items():
            self._submit(environment, jobs)

    def _submit(self, environment: str, jobs: list[Job]) -> None:
        executor = self._executor(environment)
        calls: list[Call] = []
        kept: list[Job] = []
        for job in jobs:
            try:
                calls.append(self._call(job, executor))
                kept.append(job)
            except (LookupError, AttributeError, TypeError, ValueError) as error:
                self._fail(job, error)
        if not calls:
            return
        try:
            tickets = executor.submit(calls)
        except EncodeError as error:
            self._submit_singly(executor, kept, calls, error)
            return
        self._placed(executor, kept, tickets)

    def _submit_singly(
        self, executor: Executor, jobs: list[Job], calls: list[Call], error: EncodeError
    ) -> None:
        """Find the calls of a refused batch that cannot be sent, and submit the others."""
        if len(calls) == 1:
            self._fail(jobs[0], error)
            return
        for job, call in zip(jobs, calls, strict=True):
            try:
                tickets = executor.submit([call])
            except EncodeError as culprit:
                self._fail(job, culprit)
            else:
                self._placed(executor, [job], tickets)

    def _placed(self, executor: Executor, jobs: list[Job], tickets: Sequence[Ticket]) -> None:
        running = self._running
        for job, ticket in zip(jobs, tickets, strict=True):
            job.ticket = ticket
            job.executor = executor
            job.state = State.RUNNING
            running[ticket] = job
        self._outstanding[executor] += len(jobs)

    def _executor(self, environment: str) -> Executor:
        executor = self._executors.get(environment)
        if executor is None:
            rules = self.plan.rules
            found = rules.environments[environment] if environment else rules.environment
            executor = self._open(found)
            self._executors[environment] = executor
            self._outstanding[executor] = 0
            if self.watch.active:
                executor.on_start = self._started
        return executor

    def _started(self, ticket: Ticket) -> None:
        job = self._running.get(ticket)
        if job is not None:
            self.watch.started(job)

    def _call(self, job: Job, executor: Executor) -> Call:
        step = job.step
        leaves: list[Any] = []
        jobs = self.jobs
        shapes: list[Any] | None = None
        for position, (_, tree) in enumerate(step.args):
            if shapes is None:
                tag = tree[0]
                if tag == "inline":
                    leaves.append(tree[1])
                    continue
                if tag == "step" and len(tree) == 2:
                    source = jobs[tree[1]]
                    if source.tree is None and source.executor is executor:
                        leaves.append(source.handle)
                        continue
                shapes = [("leaf", index) for index in range(position)]
            shapes.append(gather(tree, leaves, jobs, executor))
        assert step.spec is not None
        return Call(
            id=step.id,
            run=self.info,
            task=step.spec,
            options=step.options,
            version=step.version,
            names=step.names,
            shapes=None if shapes is None else tuple(shapes),
            leaves=tuple(leaves),
            unproven=step.unproven,
            attempt=len(job.attempts) + 1,
        )

    # -- ends ----------------------------------------------------------------------------------

    def _complete(self, completion: Completion) -> None:
        job = self._running.pop(completion.ticket, None)
        if job is None:
            return
        assert job.executor is not None
        self._outstanding[job.executor] -= 1
        status = completion.status
        summary = completion.summary
        job.summary = summary
        if summary is not None and summary.attempts:
            self._attempts(job, summary.attempts)
        if status is Status.DONE:
            job.handle = completion.handle
            if summary is not None and summary.expands:
                self._grow_dynamic(job)
            else:
                self._finish(job)
        elif status is Status.CANCELLED:
            job.state = State.CANCELLED
            self._ended(job)
        elif status is Status.LOST:
            self._lost(job, completion.error)
        elif status is Status.TIMED_OUT and self._may_retry(job):
            self._again(job)
        else:
            self._fail(job, completion.error or TurnoutError(f"{job.step.id}: {status}"))

    def _attempts(self, job: Job, attempts: tuple[Attempt, ...]) -> None:
        job.attempts += attempts
        if self.watch.active:
            for attempt in attempts:
                self.watch.failed(job, attempt)
                if attempt.retried:
                    self.watch.retried(job, attempt.number + 1)

    def _may_retry(self, job: Job) -> bool:
        error = job.attempts[-1].error if job.attempts else None
        retries = job.step.options.retries or 0
        return len(job.attempts) <= retries and not isinstance(error, NonRetryable)

    def _again(self, job: Job) -> None:
        if self._stopping:
            job.state = State.CANCELLED
            self._ended(job)
            return
        if self.watch.active:
            self.watch.retried(job, len(job.attempts) + 1)
        job.state = State.WAITING
        self._ready.append(job)

    def _lost(self, job: Job, error: BaseException | None) -> None:
        job.lost += 1
        if job.lost <= LOST_LIMIT:
            job.state = State.WAITING
            if not self._stopping:
                self._ready.append(job)
            return
        reason = f": {error}" if error is not None else ""
        self._fail(
            job, WorkerLost(f"node {job.step.id!r}: its worker went away {job.lost} times{reason}")
        )

    def _finish(self, job: Job) -> None:
        """A job has succeeded: tell, record, make its consumers ready, drop what it used."""
        job.state = State.DONE
        if self.watch.active:
            summary = job.summary or Summary()
            self.watch.ended(job, summary.seconds, summary.cached == "hit", summary.key)
        self._ended(job)
        for consumer in job.consumers:
            consumer.missing -= 1
            if consumer.missing == 0 and not self._stopping:
                self._ready.append(consumer)
        self._drop_needs(job)
        if job.uses == 0:
            self._release(job)
        if job.frame is not None:
            self._left(job.frame)

    def _drop_needs(self, job: Job) -> None:
        jobs = self.jobs
        for index in job.step.needs:
            need = jobs[index]
            need.uses -= 1
            if need.uses == 0:
                self._release(need)

    def _fail(self, job: Job, error: BaseException) -> None:
        job.state = State.FAILED
        job.error = error
        if not job.attempts:
            self._attempts(job, (Attempt(1, error, 0.0, False),))
        self._ended(job)
        frame = job.frame
        if frame is not None and frame.allowed > frame.failed and frame.owner.step.mapped:
            frame.failed += 1
            self._left(frame)
            return
        if self.result.error is None:
            self.result.error = error
            self.result.node = job.step.id
            self.result.status = "failed"
        if self.plan.on_error == "stop":
            self._stopping = True
            self._cancel_all()
            return
        self._skip_consumers(job)
        if frame is not None and frame.owner.state is not State.FAILED:
            self._abandon(frame, job)
            self._fail(frame.owner, error)

    def _abandon(self, frame: Frame, culprit: Job) -> None:
        """Nothing more of a failed map or dynamic task is started; what runs is cancelled."""
        frame.waiting.clear()
        running: dict[Executor, list[Ticket]] = {}
        for job in frame.jobs:
            if job is culprit:
                continue
            if job.state is State.WAITING:
                self._skip(job)
            elif job.state is State.RUNNING and job.ticket is not None and job.executor is not None:
                running.setdefault(job.executor, []).append(job.ticket)
                self._running.pop(job.ticket, None)
                self._outstanding[job.executor] -= 1
                job.state = State.CANCELLED
                self._ended(job)
        for executor, tickets in running.items():
            executor.cancel(tickets)

    def _skip_consumers(self, job: Job) -> None:
        for consumer in job.consumers:
            if consumer.state is State.WAITING:
                self._skip(consumer)

    def _skip(self, job: Job) -> None:
        """A job will not run: its case was not chosen, or what it needs has failed."""
        job.state = State.SKIPPED
        if job in self._ready:
            self._ready.remove(job)
        self._ended(job)
        for _, guarded in job.guarded or ():
            if guarded.state is State.WAITING:
                self._skip(guarded)
        self._drop_needs(job)
        self._skip_consumers(job)
        if job.frame is not None:
            self._left(job.frame)

    # -- branches ------------------------------------------------------------------------------

    def _decide(self, job: Job) -> None:
        """Choose the case of a branch; its jobs become ready, those of the others are skipped."""
        step = job.step
        assert step.cases is not None
        try:
            chosen = next(
                index
                for index, (when, _, _) in enumerate(step.cases)
                if when is None or holds(when, self._value)
            )
        except StopIteration:
            self._fail(job, BranchFailed(f"conditional {step.id!r}: no case holds"))
            return
        except Exception as error:
            self._fail(job, error)
            return
        for case, guarded in job.guarded or ():
            if case != chosen and guarded.state is State.WAITING:
                self._skip(guarded)
        for index, (_, then, _) in enumerate(step.cases):
            if index != chosen and then is not None:
                self._drop(then)
        _, then, fail = step.cases[chosen]
        if fail is not None:
            self._fail(job, BranchFailed(f"conditional {step.id!r}: {fail}"))
            return
        assert then is not None
        job.tree = then
        found: set[int] = set()
        sources(then, found)
        for index in found:
            source = self.jobs[index]
            if source.state is not State.DONE:
                source.consumers.append(job)
                job.missing += 1
        for case, guarded in job.guarded or ():
            if case == chosen:
                guarded.missing -= 1
                if guarded.missing == 0:
                    self._ready.append(guarded)
        if job.missing == 0:
            self._finish_composite(job)

    def _finish_composite(self, job: Job) -> None:
        """A branch, map or dynamic job is done: its result is put together from others'."""
        self._finish(job)

    # -- maps and dynamic graphs ---------------------------------------------------------------

    def _grow_map(self, job: Job) -> None:
        """One job per item; the map's own job ends when they have."""
        step = job.step
        try:
            columns = {
                name: items_of(tree, self.jobs, self._fetch)
                for name, tree in step.args
                if name in step.mapped
            }
        except Exception as error:
            self._fail(job, error)
            return
        lengths = {name: len(items) for name, items in columns.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            self._fail(job, ValueError(f"map {step.id!r}: lists of unequal length: {told}"))
            return
        count = next(iter(lengths.values()))
        frame = Frame(job, allowed=count - math.ceil(step.ratio * count - 1e-9))
        job.grown = frame
        job.state = State.RUNNING
        program = self.plan.program
        first = len(program.steps)
        for number in range(count):
            item = Step(
                first + number,
                f"{step.id}[{number}]",
                step.spec,
                step.options,
                step.version,
                tuple(
                    (name, columns[name][number] if name in columns else tree)
                    for name, tree in step.args
                ),
                step.unproven,
                (),
                None,
                step.scope,
            )
            program.steps.append(item)
        job.tree = ("list", tuple([("step", first + number) for number in range(count)]))
        if self.watch.active:
            self.watch.started(job)
        if count == 0:
            self._finish_composite(job)
            return
        self._enter(program.steps[first:], frame)
        self._hold(job.tree)
        if step.concurrency is not None and count > step.concurrency:
            for _ in range(count - step.concurrency):
                frame.waiting.appendleft(self._ready.pop())

    def _grow_dynamic(self, job: Job) -> None:
        """The graph a dynamic task returned runs in its place."""
        assert job.executor is not None and job.handle is not None
        step = job.step
        try:
            traced = job.executor.fetch(job.handle)
            job.executor.release([job.handle])
            job.handle = None
            rules, layout = self.plan.rules, self.plan.layout
            rules.tasks.update({k: t for k, t in traced.tasks.items() if k not in rules.tasks})
            problems = rules.check(traced.graph, f"{step.id}/")
            if problems:
                raise PlanError(problems)
            program = self.plan.program
            first = len(program.steps)
            layout.workflows = {**layout.workflows, **traced.annotations}
            tree = layout.add(
                traced.graph, dict(step.args), prefix=f"{step.id}/", parent=step.scope
            )
            problems = [*layout.problems]
            layout.problems.clear()
            if problems:
                raise PlanError(problems)
        except Exception as error:
            self._fail(job, error)
            return
        job.tree = ("inline", None) if tree is None else tree
        frame = Frame(job)
        job.grown = frame
        entered = self._enter(program.steps[first:], frame)
        self._hold(job.tree)
        if not entered:
            self._finish_composite(job)

    def _left(self, frame: Frame) -> None:
        """A job of a frame has ended."""
        frame.remaining -= 1
        if frame.waiting and not self._stopping:
            self._ready.append(frame.waiting.popleft())
        owner = frame.owner
        if frame.remaining == 0 and owner.state is State.RUNNING:
            if frame.failed:
                assert owner.tree is not None
                owner.tree = (
                    "list",
                    tuple(
                        ("inline", None) if self.jobs[item[1]].state is State.FAILED else item
                        for item in owner.tree[1]
                    ),
                )
            self._finish_composite(owner)

    # -- values --------------------------------------------------------------------------------

    def _hold(self, tree: Tree) -> None:
        found: set[int] = set()
        sources(tree, found)
        for index in found:
            self.jobs[index].uses += 1

    def _drop(self, tree: Tree) -> None:
        found: set[int] = set()
        sources(tree, found)
        for index in found:
            job = self.jobs[index]
            job.uses -= 1
            if job.uses == 0:
                self._release(job)

    def _release(self, job: Job) -> None:
        """Nobody needs a job's result any more."""
        if job.handle is not None and job.executor is not None:
            job.executor.release([job.handle])
            job.handle = None
        if job.tree is not None and job.state is State.DONE:
            tree, job.tree = job.tree, None
            self._drop(tree)

    def _fetch(self, job: Job) -> Any:
        if job.summary is not None and job.summary.small is not UNSET:
            return job.summary.small
        assert job.executor is not None and job.handle is not None
        return job.executor.fetch(job.handle)

    def _value(self, tree: Tree) -> Any:
        return value_of(tree, self.jobs, self._fetch)

    # -- failure -------------------------------------------------------------------------------

    def _handle_failure(self) -> None:
        """Run the failure handlers of the workflows around the node that failed."""
        culprit = next(job for job in self.jobs if job.step.id == self.result.node)
        error = self.result.error
        scope: int | None = culprit.step.scope
        program, layout = self.plan.program, self.plan.layout
        while scope is not None:
            found = program.scopes[scope]
            if found.handler is not None:
                first = len(program.steps)
                self._stopping = False
                try:
                    layout.handler(scope, f"{type(error).__name__}: {error}")
                    self._enter(program.steps[first:], None)
                    before = self.result.error, self.result.node
                    self._drive()
                    self.result.error, self.result.node = before
                except RunCancelled:
                    raise
                self._stopping = True
            scope = found.parent
