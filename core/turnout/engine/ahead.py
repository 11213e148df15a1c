"""Jobs sent ahead: submitted on handles of results that do not exist yet.

Only for executors that declare `Executor.accepts_pending`. A job goes ahead once all it needs
has been sent to the same executor and it takes a value from each. Branches, the graph of a
dynamic task, maps of unknown length, order without data and other environments wait for the
end of what they need; so does a job that has once come back because its input did not.

What is told keeps its order: the end of a job that overtakes its inputs is kept until they have
ended too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from turnout.backend.call import Completion, Status
from turnout.engine.gather import known_length
from turnout.engine.jobs import Frame, Job, State
from turnout.plan.layout import sources

if TYPE_CHECKING:
    from turnout.engine.engine import Engine


class Ahead:
    """What an engine knows of jobs sent ahead.

    Attributes:
        begun: jobs that have begun before it was known that their inputs had ended.
        late: jobs that are under way and whose inputs have all ended since.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.begun: set[Job] = set()
        self.late: deque[Job] = deque()
        self._early: dict[Job, Completion] = {}
        self._out: set[Job] = set()  # their handles are out and they have not ended
        self._sent: dict[Job, int] = {}  # how many needs of a job are out
        self._waits: set[Job] = set()  # never go ahead
        self._unsent: dict[Frame, int] = {}  # items of a map that are not out
        self._next: dict[Job, None] = {}

    def entered(self, job: Job) -> None:
        """A job has been made while some that it needs may be out."""
        jobs = self.engine.jobs
        sent = sum(jobs[index] in self._out for index in job.step.needs)
        if sent:
            self._sent[job] = sent
            self._offer(job)

    def placed(self, jobs: Iterable[Job]) -> None:
        """Jobs have been submitted."""
        for job in jobs:
            assert job.ticket is not None
            spec = job.step.spec
            if job.ticket.handle is None or spec is None or spec.dynamic:
                continue
            job.handle = job.ticket.handle
            self._tell(job)
            frame = job.frame
            if frame is not None and frame.owner.step.mapped and not frame.allowed:
                unsent = self._unsent.get(frame, len(frame.jobs)) - 1
                self._unsent[frame] = unsent
                if unsent == 0:
                    self._tell(frame.owner)

    def take(self) -> Iterator[Job]:
        """The jobs that can go ahead now."""
        offered, self._next = self._next, {}
        for job in offered:
            if job.state is State.WAITING and 0 < job.missing == self._sent.get(job, 0):
                yield job

    def finished(self, job: Job) -> None:
        """A job is done: those that need it may lack only what is out."""
        out = job in self._out
        self._out.discard(job)
        for consumer in job.consumers:
            if out:
                self._less(consumer)
            if consumer.missing and consumer.state is State.WAITING:
                self._offer(consumer)
            elif consumer.missing == 0:
                self._sent.pop(consumer, None)

    def retract(self, job: Job) -> None:
        """A job's handle will come to nothing: it is submitted again, or has failed."""
        self._waits.add(job)
        job.handle = None
        if job in self._out:
            self._withdraw(job)
            frame = job.frame
            if frame is not None and frame in self._unsent:
                self._unsent[frame] += 1
                self._withdraw(frame.owner)

    def keep(self, job: Job, completion: Completion) -> None:
        """A job has ended while something it needs has not."""
        if completion.status in (Status.LOST, Status.UPSTREAM_FAILED):
            self.engine.lost(job, completion.error)
            return
        self._early[job] = completion

    def caught_up(self) -> Iterator[tuple[Job, Completion]]:
        """The ends that can be told now."""
        while self.late:
            job = self.late.popleft()
            if job in self.begun:
                self.begun.discard(job)
                self.engine.watch.started(job)
            completion = self._early.pop(job, None)
            if completion is not None:
                yield job, completion

    def forget(self, job: Job) -> None:
        """A job is skipped or cancelled."""
        self._early.pop(job, None)
        self.begun.discard(job)
        self.retract(job)

    def _tell(self, job: Job) -> None:
        self._out.add(job)
        for consumer in job.consumers:
            self._sent[consumer] = self._sent.get(consumer, 0) + 1
            self._offer(consumer)

    def _withdraw(self, job: Job) -> None:
        if job in self._out:
            self._out.discard(job)
            for consumer in job.consumers:
                self._less(consumer)

    def _less(self, consumer: Job) -> None:
        # A branch comes to need the jobs of its case after they may have been sent.
        sent = self._sent.get(consumer, 0)
        if sent:
            self._sent[consumer] = sent - 1

    def _offer(self, job: Job) -> None:
        if job.missing != self._sent.get(job, 0) or job in self._waits:
            return
        if job.state is not State.WAITING or self.engine.stopping:
            return
        if self._may_go(job):
            self._next[job] = None
        else:
            self._waits.add(job)

    def _may_go(self, job: Job) -> bool:
        step = job.step
        executor = self.engine.executors.get(step.environment)
        if executor is None or not executor.accepts_pending or step.cases is not None:
            return False
        jobs = self.engine.jobs
        frame = job.frame
        values = set(
            frame.owner.step.needs if frame is not None and frame.owner.step.mapped else ()
        )
        for name, tree in step.args:
            values.update(sources(tree))
            if name in step.mapped and (step.concurrency or not known_length(tree, jobs)):
                return False
        return all(
            index in values and jobs[index].step.environment == step.environment
            for index in step.needs
            if jobs[index].state is not State.DONE
        )
