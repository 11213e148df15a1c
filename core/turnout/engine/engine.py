"""Drives a plan over executor backends: order, values, and the ends of jobs.

One loop in one thread. Jobs become ready when what they need has finished (or, where the
executor takes pending handles, has been sent); they are submitted in batches; completions make
further jobs ready. Maps and dynamic tasks grow frames of further jobs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from turnout.backend.base import Executor
from turnout.backend.call import (
    Attempt,
    Call,
    Completion,
    RunInfo,
    Status,
    Summary,
    Ticket,
    new_call,
)
from turnout.engine import branches, failure, growth
from turnout.engine.ahead import Ahead
from turnout.engine.gather import gather
from turnout.engine.jobs import DONE, RUNNING, WAITING, Frame, Job, State
from turnout.engine.values import Values
from turnout.engine.watch import Watch
from turnout.errors import (
    EncodeError,
    NonRetryable,
    TaskTimeout,
    TurnoutError,
    TypeMismatch,
    WorkerLost,
)
from turnout.graph import Shape
from turnout.plan import Environment, Plan, Step, Tree
from turnout.plan.layout import sources
from turnout.types import check

LOST_LIMIT = 3
"""How often a job whose worker went away is submitted again."""

_DONE: Final = Status.DONE


@dataclass(slots=True)
class Result:
    """How a run ended.

    Attributes:
        status: ``succeeded``, ``failed`` or ``cancelled``.
        value: what the workflow returned, when it succeeded.
        error: the exception of the job that failed first, or what is wrong with the result.
        node: that job's name.
        jobs: every job there was.
        unreached: whether what the run was to end after stands on a branch that was not taken.
    """

    status: str = "succeeded"
    value: Any = None
    error: BaseException | None = None
    node: str = ""
    jobs: list[Job] = field(default_factory=list)
    unreached: bool = False


class Engine:
    """Runs one plan once. Outside this package only `run`, `cancel` and `result` are of use.

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
        self.ended = ended
        self.result = Result()
        self.jobs = self.result.jobs
        self.values = Values(self.jobs)
        self.culprits: list[Job] = []
        self.ready: deque[Job] = deque()
        self.running: dict[Ticket, Job] = {}
        self.outstanding: dict[Executor, int] = {}
        self.executors: dict[str, Executor] = {}
        self.stopping = False
        self.ahead: Ahead | None = None
        self._open = open_executor
        self._infos: dict[str, RunInfo] = {}
        self._cancelled = False

    # -- the run -------------------------------------------------------------------------------

    def run(self) -> Result:
        """Run the plan to its end.

        Raises:
            KeyboardInterrupt: the user interrupted; everything submitted has been cancelled.
        """
        plan = self.plan
        try:
            self.enter(plan.program.steps, None, plan.wanted)
            growth.hold_inputs(self, 0)
            if plan.result is not None:
                self.values.hold(plan.result)
            self.drive()
            if not self.culprits and not self._cancelled and plan.result is not None:
                self._take_result(plan.result)
            if self.result.error is not None:
                failure.handle(self)
            elif self._cancelled:
                self.result.status = "cancelled"
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            self.result.status = "cancelled" if interrupted else "failed"
            failure.cancel_all(self)
            raise
        finally:
            self._close_all()
        return self.result

    def _take_result(self, tree: Tree) -> None:
        """What the workflow returns; checked where the annotations do not prove that it fits."""
        plan = self.plan
        if plan.until and any(self.jobs[i].state is State.SKIPPED for i in sources(tree)):
            self.result.unreached = True
            return
        value = self.values.of(tree)
        try:
            if not plan.until:
                check(value, plan.traced.returns, f"result of workflow {plan.graph.name!r}")
        except TypeMismatch as error:
            self.result.error = error
        else:
            self.result.value = value

    def cancel(self) -> None:
        """End the run; may be called from another thread."""
        self._cancelled = True

    def drive(self) -> None:
        """Submit and wait until nothing is left to do."""
        while True:
            if self._cancelled and not self.stopping:
                self.stopping = True
                failure.cancel_all(self)
            self._submit_ready()
            if not self.running:
                if self.ready:
                    continue
                break
            self._wait()
            if self.ahead is not None:
                for job, late in self.ahead.caught_up():
                    self._end(job, late)

    def _wait(self) -> None:
        """Take in what has ended, waiting for it where nothing has."""
        outstanding, running = self.outstanding, self.running
        busy: Iterable[Executor] = outstanding
        # A run in the background looks now and then whether it has been cancelled.
        timeout = 0.25
        if len(outstanding) > 1:
            busy = [executor for executor, calls in outstanding.items() if calls]
            timeout = 0.05 if len(busy) > 1 else timeout
        for executor in tuple(busy):
            for completion in executor.wait_any(timeout):
                job = running.pop(completion.ticket, None)
                if job is None:
                    continue
                outstanding[executor] -= 1
                job.ticket = None
                if job.missing and self.ahead is not None:
                    self.ahead.keep(job, completion)
                else:
                    self._end(job, completion)
                # What runs here while it is waited for can go on at once, and holds on to no
                # result that nobody needs any more.
                del completion, job
                if self.ready and not running and self.ahead is None and not self._cancelled:
                    self._submit_ready()

    def _close_all(self) -> None:
        problem: Exception | None = None
        for executor in self.executors.values():
            try:
                executor.close()
            except Exception as error:
                problem = error
        if problem is not None and self.result.status == "succeeded":
            raise problem

    # -- jobs ----------------------------------------------------------------------------------

    def enter(
        self, steps: Iterable[Step], frame: Frame | None, wanted: frozenset[int] | None = None
    ) -> list[Job]:
        """Make jobs of steps; those that need nothing are ready."""
        jobs = self.jobs
        entered: list[Job] = []
        undecided: list[Job] = []
        for step in steps:
            job = Job(step, frame)
            jobs.append(job)
            if wanted is not None and step.index not in wanted:
                job.state = State.SKIPPED
                continue
            entered.append(job)
            if step.spec is None:
                undecided.append(job)
            missing = 0
            for index in step.needs:
                need = jobs[index]
                need.uses += 1
                if need.state is not DONE:
                    if need.consumers:
                        need.consumers.append(job)
                    else:
                        need.consumers = [job]
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
                self.ready.append(job)
            elif self.ahead is not None:
                self.ahead.entered(job)
        for job in undecided:
            branches.hold_results(self, job)
        if frame is not None:
            frame.jobs += entered
            frame.remaining += len(entered)
        return entered

    def _submit_ready(self) -> None:
        ready = self.ready
        while True:
            if self.ahead is not None:
                ready.extend(self.ahead.take())
            if not ready:
                break
            batch: list[Job] = []
            while ready:
                job = ready.popleft()
                step = job.step
                if step.cases is not None:
                    if job.tree is None:
                        branches.decide(self, job)
                    else:
                        self.finish(job)
                elif step.mapped:
                    growth.grow_map(self, job)
                else:
                    if batch and batch[0].step.environment != step.environment:
                        self._submit(batch)
                        batch = []
                    batch.append(job)
            if batch:
                self._submit(batch)

    def _submit(self, jobs: list[Job]) -> None:
        """Submit jobs of one environment."""
        environment = jobs[0].step.environment
        executor = self.executors.get(environment) or self.executor(environment)
        size = executor.batch_size or len(jobs)
        for start in range(0, len(jobs), size):
            self._submit_batch(jobs[start : start + size], executor)

    def _submit_batch(self, jobs: list[Job], executor: Executor) -> None:
        """Submit jobs, but for those that the failure of another has skipped."""
        info = self._infos[jobs[0].step.environment]
        made: list[tuple[Job, Call]] = []
        for job in jobs:
            if job.state is WAITING:
                try:
                    made.append((job, self._call(job, executor, info)))
                except (LookupError, AttributeError, TypeError, ValueError) as error:
                    self.fail(job, error)
        calls = [call for job, call in made if job.state is WAITING]
        jobs = [job for job, _ in made if job.state is WAITING]
        if not calls or self.stopping:
            return
        try:
            tickets = executor.submit(calls)
        except EncodeError as error:
            if len(jobs) == 1:
                self.fail(jobs[0], error)
                return
            for job in jobs:  # one by one, to find those that cannot be sent
                self._submit_batch([job], executor)
            return
        running = self.running
        for job, ticket in zip(jobs, tickets, strict=True):
            job.ticket = ticket
            job.executor = executor
            job.state = RUNNING
            running[ticket] = job
        self.outstanding[executor] += len(jobs)
        if self.ahead is not None and executor.accepts_pending:
            self.ahead.placed(jobs)

    def executor(self, environment: str) -> Executor:
        """The executor of a step's environment, opened at its first use."""
        executor = self.executors.get(environment)
        if executor is None:
            rules = self.plan.rules
            found = rules.environments[environment] if environment else rules.environment
            executor = self._open(found)
            self.executors[environment] = executor
            self.outstanding[executor] = 0
            self._infos[environment] = _info_for(self.info, found) if environment else self.info
            if executor.accepts_pending and self.ahead is None:
                self.ahead = Ahead(self)
            if self.watch.active:
                executor.on_start = self._started
        return executor

    def _started(self, ticket: Ticket) -> None:
        job = self.running.get(ticket)
        if job is not None:
            self.started(job)

    def started(self, job: Job) -> None:
        """Tell that a job has begun, at the latest when all it needs has been told to be done."""
        if job.missing and self.ahead is not None:
            self.ahead.begun.add(job)
        else:
            self.watch.started(job)

    def _call(self, job: Job, executor: Executor, info: RunInfo) -> Call:
        step = job.step
        leaves: list[Any] = []
        shapes: tuple[Shape, ...] | None = None
        for tree in step.trees:
            tag = tree[0]
            if tag == "const":
                leaves.append(tree[1])
                continue
            if tag == "step" and len(tree) == 2:
                source = self.jobs[tree[1]]
                if source.tree is None and source.executor is executor:
                    leaves.append(source.handle)
                    continue
            shapes, leaves = self._gathered(step, executor)
            break
        return new_call((
            step.id, info, step.spec, step.options, step.version, step.names, shapes,
            tuple(leaves), step.unproven, len(job.attempts) + 1,
        ))  # fmt: skip

    def _gathered(self, step: Step, executor: Executor) -> tuple[tuple[Shape, ...], list[Any]]:
        """The shapes of a step's arguments, and their leaves."""
        leaves: list[Any] = []

        def brought(job: Job) -> Any:
            return self.values.brought(job, executor)

        shapes = [gather(tree, leaves, self.jobs, brought) for tree in step.trees]
        return tuple(shapes), leaves

    # -- ends ----------------------------------------------------------------------------------

    def _end(self, job: Job, completion: Completion) -> None:
        _, status, handle, summary, _ = completion
        job.summary = summary
        if summary is not None and summary.attempts:
            self.attempts(job, summary.attempts)
        if status is _DONE:
            if handle is not None:
                job.handle = handle
            if summary is not None and summary.expands:
                growth.grow_dynamic(self, job)
            else:
                self.finish(job)
        elif status is Status.CANCELLED:
            job.state = State.CANCELLED
            self.ended(job)
        elif status is Status.LOST or status is Status.UPSTREAM_FAILED:
            self.lost(job, completion.error)
        elif status is Status.TIMED_OUT:
            self._timed_out(job, completion)
        else:
            error = completion.error or TurnoutError(f"node {job.step.id!r}: {status}")
            self.fail(job, error, told=summary is not None and bool(summary.attempts))

    def attempts(self, job: Job, attempts: tuple[Attempt, ...]) -> None:
        """Note and tell failed attempts."""
        job.attempts += attempts
        if self.watch.active:
            for attempt in attempts:
                self.watch.failed(job, attempt)
                if attempt.retried:
                    self.watch.retried(job, attempt.number + 1)

    def _timed_out(self, job: Job, completion: Completion) -> None:
        error = completion.error
        if error is None:
            seconds = job.step.options.timeout
            told = "its timeout" if seconds is None else f"{seconds:g} s"
            error = TaskTimeout(f"node {job.step.id!r} took longer than {told}")
        if completion.summary is None or not completion.summary.attempts:
            self.attempts(job, (Attempt(len(job.attempts) + 1, error, 0.0, False),))
        retries = job.step.options.retries or 0
        if len(job.attempts) > retries or isinstance(job.attempts[-1].error, NonRetryable):
            self.fail(job, error, told=True)
            return
        if self.watch.active:
            self.watch.retried(job, len(job.attempts) + 1)
        self.again(job)

    def again(self, job: Job) -> None:
        """Submit a job once more, when all it needs has finished."""
        if self.ahead is not None:
            self.ahead.retract(job)
        job.state = WAITING
        if job.missing == 0:
            self.ready.append(job)

    def lost(self, job: Job, error: BaseException | None) -> None:
        """A job's worker went away; that counts apart from its failures."""
        job.lost += 1
        if job.lost <= LOST_LIMIT:
            self.again(job)
            return
        where = f"node {job.step.id!r}: "
        reason = f": {str(error).removeprefix(where)}" if error is not None else ""
        self.fail(job, WorkerLost(f"{where}its worker went away {job.lost} times{reason}"))

    def finish(self, job: Job) -> None:
        """A job has succeeded, and with the last of its frame the frame's owner.

        Tells and records it, makes consumers ready, and drops what nobody uses any more.
        """
        ended = self.ended
        done: Job | None = job
        while done is not None:
            job = done
            job.state = DONE
            if self.watch.active:
                summary = job.summary or Summary()
                self.watch.ended(job, summary.seconds, summary.cached == "hit", summary.key)
            ended(job)
            for consumer in job.consumers:
                consumer.missing -= 1
                if consumer.missing == 0 and not self.stopping:
                    if consumer.state is WAITING:
                        self.ready.append(consumer)
                    elif self.ahead is not None:
                        self.ahead.late.append(consumer)
            if self.ahead is not None:
                self.ahead.finished(job)
            if job.step.needs:
                self.values.drop_needs(job)
            if job.uses == 0:
                self.values.release(job)
            done = None if job.frame is None else self.left(job.frame)

    def left(self, frame: Frame) -> Job | None:
        """A job of a frame has ended; gives the frame's owner if it is done now."""
        frame.remaining -= 1
        if frame.waiting and not self.stopping:
            self.ready.append(frame.waiting.popleft())
        owner = frame.owner
        if frame.remaining or owner.state is not RUNNING:
            return None
        growth.settle(self, frame)
        return owner

    def fail(self, job: Job, error: BaseException, *, told: bool = False) -> None:
        """A job has failed for good; ``told`` says that its last attempt is noted already."""
        failure.fail(self, job, error, told)


def _info_for(info: RunInfo, environment: Environment) -> RunInfo:
    """What calls in a task's own environment carry: its name and its variables."""
    settings = environment.config
    return info._replace(environment=environment.name, env_vars=tuple(settings.env_vars.items()))
