"""Calls in worker processes."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from turnout import spi
from turnout_local.slots import Grant, Need, Slots, device_names
from turnout_local.workers import Entry, Worker

PASSES = 16
"""How many later calls may overtake one that does not fit yet, before all wait for it."""

STILLBORN = 3
"""How many workers in a row may end before they have started."""

_GRACE = 0.25
_FAREWELL = 2.0


class PoolExecutor(spi.Executor):
    """Places calls on worker processes, one at a time on each.

    Processes are started when calls wait for them, at most ``workers``. Without slots, tasks may
    ask for what they like and get a process each.

    Args:
        session: the run.
        workers: how many processes there may be.
        gpus: how many devices their tasks share.
        slots: whether ``cpu`` and ``gpu`` are counted.
    """

    def __init__(
        self, session: spi.Session, workers: int, gpus: int = 0, *, slots: bool = True
    ) -> None:
        self._session = session
        self._size = workers
        self._folder = os.getcwd()
        self._slots = Slots(workers, gpus) if slots else None
        self._devices = device_names(gpus)
        self._queue: deque[Entry] = deque()
        self._passed = 0
        self._workers: list[Worker] = []
        self._ended: list[spi.Completion] = []
        self._selector = selectors.DefaultSelector()
        self._stillborn = 0
        self._closed = False

    # -- what the engine asks ------------------------------------------------------------------

    def expect(self, calls: int) -> None:
        self._grow(calls)

    def submit(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        # Processes boot while the calls are made ready.
        self._grow(len(self._queue) + len(calls))
        entries = [self._entry(call) for call in calls]
        self._queue.extend(entries)
        return [entry.ticket for entry in entries]

    def wait_any(self, timeout: float | None = None) -> Sequence[spi.Completion]:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._dispatch()
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            if not self._queue and all(worker.entry is None for worker in self._workers):
                return ()
            now = time.monotonic()
            if until is not None and now >= until:
                return ()
            self._listen(self._pause(now, until))
            self._watch_deadlines()

    def cancel(self, tickets: Sequence[spi.Ticket]) -> None:
        unwanted = set(tickets)
        kept: deque[Entry] = deque()
        for entry in self._queue:
            if entry.ticket in unwanted:
                self._ended.append(entry.cancelled())
            else:
                kept.append(entry)
        self._queue = kept
        running = [w for w in self._workers if w.entry is not None and w.entry.ticket in unwanted]
        for worker in running:
            assert worker.entry is not None
            self._ended.append(worker.entry.cancelled())
        self._remove(running)

    def fetch(self, handle: spi.Handle) -> Any:
        assert isinstance(handle, spi.Payload)
        return handle.value()

    def put(self, value: Any) -> spi.Handle:
        return spi.Payload(value)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        workers, self._workers = self._workers, []
        idle = [worker.child for worker in workers if worker.ready and worker.entry is None]
        busy = [worker.child for worker in workers if not worker.ready or worker.entry is not None]
        try:
            for child in idle:
                child.finish()
            spi.end(busy, _GRACE)
            until = time.monotonic() + _FAREWELL
            for child in idle:
                child.wait(until - time.monotonic())
        finally:
            for child in idle + busy:
                child.dispose()
            self._selector.close()

    # -- placing -------------------------------------------------------------------------------

    def _entry(self, call: spi.Call) -> Entry:
        announced = self.on_start is not None or call.options.timeout is not None
        wanted = call.options.resources
        need = Need()
        if self._slots is None:
            need = Need(0.0, 0.0)
        elif wanted is not None:
            need = Need(1.0 if wanted.cpu is None else wanted.cpu, wanted.gpu or 0.0)
        parcel = self._sender.parcel(call, announced=announced)
        return Entry(spi.Ticket(), parcel, need, spi.Progress(call))

    def _grow(self, waiting: int) -> None:
        """Start processes for the calls that wait, as far as there may be more."""
        busy = sum(worker.entry is not None for worker in self._workers)
        wanted = min(self._size, busy + waiting)
        while len(self._workers) < wanted:
            self._spawn()

    def _spawn(self) -> Worker:
        child = spi.Child(self._folder)
        worker = Worker(child)
        self._workers.append(worker)
        self._selector.register(child.replies, selectors.EVENT_READ, worker)
        if child.ending is not None:
            self._selector.register(child.ending, selectors.EVENT_READ, worker)
        child.send(self._setup)
        return worker

    # Both are made while the first process starts, for what they need takes a while to import.

    @cached_property
    def _sender(self) -> spi.Sender:
        return spi.Sender(self._session.tasks)

    @cached_property
    def _setup(self) -> spi.Message:
        return self._sender.setup(self._session.info, self._session.project)

    def _dispatch(self) -> None:
        """Give waiting calls to idle workers, first come first served where they fit."""
        if not self._queue:
            return
        self._grow(len(self._queue))
        idle = [worker for worker in self._workers if worker.ready and worker.entry is None]
        while idle and self._queue:
            entry = self._choose(idle)
            if entry is None:
                return
            assert entry.grant is not None
            worker = self._suitable(idle, entry.grant)
            worker.entry = entry
            if worker.ready:
                self._start(worker)

    def _choose(self, idle: Sequence[Worker]) -> Entry | None:
        """The first waiting call that fits, its slots taken; nobody waits for ever."""
        refused: set[Need] = set()
        for position, entry in enumerate(self._queue):
            if position and self._passed >= PASSES:
                return None
            if entry.need in refused:
                continue
            entry.grant = self._take(entry.need, idle)
            if entry.grant is None:
                refused.add(entry.need)
                continue
            self._passed = self._passed + 1 if position else 0
            del self._queue[position]
            return entry
        return None

    def _take(self, need: Need, idle: Sequence[Worker]) -> Grant | None:
        if self._slots is None:
            return Grant(0.0)
        return self._slots.take(need, [worker.devices for worker in idle if worker.devices])

    def _suitable(self, idle: list[Worker], grant: Grant) -> Worker:
        """Pick a worker that sees just these devices: a process looks for them only once."""
        if not self._devices:
            return idle.pop()
        for devices in (grant.devices, None):
            for worker in idle:
                if worker.devices == devices:
                    idle.remove(worker)
                    return worker
        self._remove([idle.pop(0)])
        return self._spawn()

    def _start(self, worker: Worker) -> None:
        assert worker.entry is not None
        assert worker.entry.grant is not None
        visible: list[str] | None = None
        if self._devices and worker.devices is None:
            worker.devices = worker.entry.grant.devices
            visible = [self._devices[i] for i in worker.devices]
        worker.start(self._sender, visible)

    def _remove(self, workers: Sequence[Worker]) -> None:
        """End workers; the slots of their calls are free again."""
        for worker in workers:
            self._forget(worker)
        spi.end([worker.child for worker in workers], _GRACE)

    def _forget(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.child.replies)
        if worker.child.ending is not None:
            self._selector.unregister(worker.child.ending)
        self._release_slots(worker)

    def _release_slots(self, worker: Worker) -> None:
        entry, worker.entry = worker.entry, None
        if entry is not None and entry.grant is not None:
            if self._slots is not None:
                self._slots.give_back(entry.grant)
            entry.grant = None

    # -- what happens --------------------------------------------------------------------------

    def _pause(self, now: float, until: float | None) -> float | None:
        """How long nothing needs to be done unless something is heard."""
        entries = [worker.entry for worker in self._workers if worker.entry is not None]
        times = [until, *(entry.progress.deadline for entry in entries)]
        ends = [time for time in times if time is not None]
        return max(0.0, min(ends) - now) if ends else None

    def _listen(self, pause: float | None) -> None:
        heard: dict[int, Worker] = {}
        gone: dict[int, Worker] = {}
        for key, _ in self._selector.select(pause):
            worker: Worker = key.data
            heard[id(worker)] = worker
            if key.fd == worker.child.ending:
                gone[id(worker)] = worker
        for worker in heard.values():
            if self._hear(worker) or id(worker) in gone:
                self._bury(worker)

    def _hear(self, worker: Worker) -> bool:
        """Take what a worker says; whether it has said its last."""
        messages, closed = worker.child.read()
        for message in messages:
            told = spi.read(message)
            if told is None:
                worker.ready = True
                self._stillborn = 0
                if worker.entry is not None:
                    self._start(worker)
            elif isinstance(told, (spi.Logged, spi.Printed)):
                told.handle()
            elif worker.entry is None:
                continue
            elif isinstance(told, spi.Began):
                self._began(worker.entry, told)
            else:
                self._finished(worker, told)
        return closed

    def _began(self, entry: Entry, told: spi.Began) -> None:
        if entry.progress.since is None and self.on_start is not None:
            self.on_start(entry.ticket)
        entry.progress.began(told)

    def _finished(self, worker: Worker, told: spi.Ended) -> None:
        entry = worker.entry
        assert entry is not None
        self._release_slots(worker)
        deadline = entry.progress.deadline
        if deadline is not None and told.at > deadline:
            self._ended.append(entry.timed_out(told.at))
            return
        self._ended.append(
            spi.Completion(entry.ticket, told.status, told.result, told.summary, told.error)
        )

    def _bury(self, worker: Worker) -> None:
        """A worker has ended, or has closed its end of the conversation."""
        entry = worker.entry
        ready = worker.ready
        self._forget(worker)
        worker.child.wait(_GRACE)
        worker.child.dispose()
        if ready:
            if entry is not None:
                self._ended.append(entry.lost(worker.child.how()))
            return
        if entry is not None:
            self._queue.appendleft(entry)
        self._stillborn += 1
        if self._stillborn >= STILLBORN:
            self._stillborn = 0
            error = spi.WorkerLost(
                f"worker processes do not start: the last one {worker.child.how()}; "
                "what it printed tells why"
            )
            self._ended += [waiting.failed_with(error) for waiting in self._queue]
            self._queue.clear()

    def _watch_deadlines(self) -> None:
        now = time.monotonic()
        late = [
            worker
            for worker in self._workers
            if worker.entry is not None
            and worker.entry.progress.deadline is not None
            and now >= worker.entry.progress.deadline
        ]
        for worker in late:
            assert worker.entry is not None
            self._ended.append(worker.entry.timed_out(now))
        if late:
            self._remove(late)
