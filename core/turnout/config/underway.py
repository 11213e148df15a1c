"""Jobs that go on in threads of their own, beside one another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from turnout.config.joblogs import JobLogs
from turnout.config.sweep import Prepared


class LateCallbacks(Callbacks):
    """The user's callbacks for a job that Hydra believes to have ended when it has been planned.

    Args:
        theirs: the user's callbacks.
    """

    def __init__(self, theirs: Callbacks) -> None:
        self.callbacks = theirs.callbacks
        self._said: dict[str, Any] | None = None

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **more: Any) -> None:
        """Keep it until the job has ended indeed."""
        self._said = {"config": config, "job_return": job_return, **more}

    def job_ended(self) -> None:
        """The job has ended indeed."""
        said, self._said = self._said, None
        if said is None:
            return
        hydra = HydraConfig.instance()
        before = hydra.cfg
        hydra.set_config(said["config"])
        try:
            super().on_job_end(**said)
        finally:
            hydra.cfg = before


class Work:
    """One job of a sweep, from its plan to its end.

    Attributes:
        number: the job's number.
        room: how many jobs may go on while it does.
        prepared: the job once it has been planned.
        done: what Hydra says of it.
    """

    def __init__(self, number: int, room: int, callbacks: LateCallbacks) -> None:
        self.number = number
        self.room = room
        self.prepared: Prepared | None = None
        self.done = JobReturn()
        self._callbacks = callbacks
        self._logs: JobLogs | None = None

    def prepare(self, prepare: Callable[[DictConfig, int], Prepared], cfg: DictConfig) -> Prepared:
        """Plan it, in the place of the task function that Hydra calls."""
        config: Any = HydraConfig.instance().cfg
        self._logs = JobLogs(self.number, config)
        with self._logs.belonging():
            self.prepared = prepare(cfg, self.number)
        return self.prepared

    def execute(self) -> None:
        """Do it to the end, in any thread."""
        assert self._logs is not None
        assert self.prepared is not None
        with self._logs.belonging():
            self.prepared.execute()

    def finish(self) -> JobReturn:
        """It has ended: give what Hydra wants to know of it."""
        done = self.done
        if done.status is JobStatus.COMPLETED:
            assert self.prepared is not None
            try:
                done.return_value = self.prepared.objective()
            except Exception as error:
                done.status, done.return_value = JobStatus.FAILED, error
        try:
            self._callbacks.job_ended()
        finally:
            if self._logs is not None:
                self._logs.close()
        return done


class UnderWay:
    """The jobs that go on now.

    Attributes:
        goes_on: whether an interrupt has left them alone, where they are driven elsewhere.
    """

    def __init__(self) -> None:
        self.goes_on = False
        self._works: dict[int, Work] = {}
        self._ends: SimpleQueue[Work] = SimpleQueue()

    def start(self, work: Work, *, here: bool = False) -> None:
        """Execute a job in a thread of its own, or here and now."""
        self._works[work.number] = work
        if here:
            self._execute(work)
            return
        name = f"turnout job {work.number}"
        threading.Thread(target=self._execute, args=(work,), name=name, daemon=True).start()

    def _execute(self, work: Work) -> None:
        try:
            work.execute()
        finally:
            self._ends.put(work)

    def before(self, number: int) -> bool:
        """Whether a job with a lower number goes on."""
        return any(other < number for other in self._works)

    def ended(self, below: int) -> Iterator[Work]:
        """Those that have ended, waiting until fewer than so many, and as many as each allows."""
        while True:
            room = min([below, *(work.room for work in self._works.values())])
            try:
                work = self._ends.get(block=len(self._works) >= room)
            except Empty:
                return
            del self._works[work.number]
            yield work

    def cancelled(self, *, interrupted: bool) -> Iterator[Work]:
        """End all, and give each when it has ended."""
        stays: bool | None = None  # nobody has been asked
        for work in self._works.values():
            assert work.prepared is not None
            if interrupted:
                stays = work.prepared.interrupt(stays)
            else:
                work.prepared.cancel()
        self.goes_on = bool(stays)
        yield from self.ended(below=1)
