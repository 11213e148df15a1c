"""The results of jobs: who still needs them, where they are, and when they are let go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.backend.base import Executor
from turnout.backend.call import UNSET, Handle
from turnout.engine.gather import value_of
from turnout.engine.jobs import DONE, Job
from turnout.plan import Tree
from turnout.plan.layout import sources


class Values:
    """Counts the uses of results, and releases a handle exactly once.

    Args:
        jobs: all jobs of the run, those to come included.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._copies: dict[Job, dict[Executor, Handle]] = {}

    def hold(self, tree: Tree) -> None:
        """Keep what a tree takes its values from."""
        for index in set(sources(tree)):
            self._jobs[index].uses += 1

    def drop(self, tree: Tree) -> None:
        """Undo `hold`."""
        for index in set(sources(tree)):
            self._used(self._jobs[index])

    def drop_needs(self, job: Job) -> None:
        """A job that has ended uses what it needed no longer."""
        for index in job.step.needs:
            need = self._jobs[index]
            need.uses -= 1
            if need.uses == 0:
                self.release(need)

    def _used(self, job: Job) -> None:
        job.uses -= 1
        if job.uses == 0:
            self.release(job)

    def release(self, job: Job) -> None:
        """Nobody needs a job's result any more."""
        if job.tree is None and not self._copies:
            # As for nearly every job: one value of one executor.
            if job.state is DONE and job.handle is not None and job.executor is not None:
                job.executor.release((job.handle,))
                job.handle = None
            return
        todo = [job]
        while todo:
            job = todo.pop()
            if job.state is not DONE:
                continue
            if job.handle is not None and job.executor is not None:
                job.executor.release([job.handle])
                job.handle = None
            if self._copies:
                for executor, copy in self._copies.pop(job, {}).items():
                    executor.release([copy])
            if job.tree is not None:
                found = set(sources(job.tree))
                job.tree = None
                for index in found:
                    source = self._jobs[index]
                    source.uses -= 1
                    if source.uses == 0:
                        todo.append(source)

    def brought(self, job: Job, executor: Executor) -> Handle:
        """A job's result where this executor finds it; brought over once, if it is elsewhere."""
        if job.executor is None or job.handle is None:
            raise LookupError(f"node {job.step.id!r} has left no result")
        if job.executor is executor:
            return job.handle
        copies = self._copies.setdefault(job, {})
        if executor not in copies:
            copies[executor] = executor.put(job.executor.fetch(job.handle))
        return copies[executor]

    def fetch(self, job: Job) -> Any:
        """A job's result in this process."""
        small = UNSET if job.summary is None else job.summary.small
        if small is not UNSET:
            return small
        if job.executor is None or job.handle is None:
            raise LookupError(f"node {job.step.id!r} has left no result")
        return job.executor.fetch(job.handle)

    def of(self, tree: Tree) -> Any:
        """The value of a tree in this process."""
        return value_of(tree, self._jobs, self.fetch)
