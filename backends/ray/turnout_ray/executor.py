"""Calls as tasks of a Ray cluster, sent ahead on references of results to come."""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util import remove_placement_group

from turnout import spi
from turnout_ray import cluster, remote
from turnout_ray.failures import judge
from turnout_ray.lifeline import Lifeline
from turnout_ray.options import amounts, joins, over, remote_options
from turnout_ray.reporter import Mailbox
from turnout_ray.runtime_env import slow_part
from turnout_ray.stopping import Stopper, look_at_error
from turnout_ray.stores import see_to_store
from turnout_ray.submission import Submit, submitter
from turnout_ray.ticket import RayTicket
from turnout_ray.values import Box, RayHandle, Reply, introduced, opened, unpack, with_length

_WINDOW: Final = 256
"""How many calls are waited for at once: asking Ray takes time for each."""
_MOMENT: Final = 0.0008
_BATCH: Final = 0.05
"""How long to gather ends after the first: for each call that is out, and at most, in seconds."""
_PATIENCE: Final = 0.2
_START: Final = 1.5
"""After how long without an end the calls under way are asked to speak, in seconds.

The first have to wait for their workers, and the mailbox would take one away from them."""
_WAITED: Final = 30.0
"""After how long without an end or a beginning the user is told, in seconds."""
_INSIDE: Final = 16 * 1024
"""Up to how many bytes a value of the driver goes inside each call, instead of the store."""
_FETCHED: Final = 1 << 20
"""Up to how many bytes a list is fetched and its items sent inside their calls."""
_PAUSE: Final = 0.1
_LEAVE: Final = 20.0
_RESERVED: Final = 30.0

_SMALL: Final = frozenset({bool, int, float, complex, None, type(None)})

# Made once: Ray sends a function to its workers when it first meets it in a job.
_together: Final[Any] = ray.remote(remote.execute)
_apart: Final[Any] = ray.remote(remote.execute_apart)
_split: Final[Any] = ray.remote(remote.split)


class RayExecutor(spi.Executor):
    """Sends calls to Ray.

    Args:
        session: the run.
    """

    accepts_pending = True
    batch_size = 64

    def __init__(self, session: spi.Session) -> None:
        self._session = session
        self._config = session.config
        cluster.enter(session.config, session.project, session.log)
        self.url = cluster.url()
        self._sender = spi.Sender(session.tasks)
        info = spi.identified(session.info)
        self._setup = self._sender.setup(info, session.project)[0]
        self._kinds: dict[int, tuple[Submit, Any]] = {}
        self._stored: dict[spi.Payload, RayHandle] = {}
        self._open: dict[Any, RayTicket] = {}
        self._named: dict[tuple[str, int], RayTicket] = {}
        self._timed: set[RayTicket] = set()
        self._told: set[str] = set()
        self._ended: list[spi.Completion] = []
        self._stopper = Stopper()
        self._name = f"turnout-{session.info.run_id}-{id(self):x}"
        self._answered = False
        self._quiet = time.monotonic()
        self._mailbox: Any = None
        self._mail: Any = None
        self._group: Any = None
        self._closed = self._gone = False
        self._lifeline = Lifeline()
        try:
            if session.needs_store and joins(session.config):
                see_to_store(info, session.log)
            if session.config.placement_group:
                self._reserve()
        except BaseException:
            self._give_back()
            cluster.leave()
            raise

    # -- what the engine asks ------------------------------------------------------------------

    def submit(self, calls: Sequence[spi.Call]) -> Sequence[spi.Ticket]:
        announced = self.on_start is not None
        ready = []
        for call in calls:
            beside: list[RayHandle] = []
            parcel = self._sender.parcel(
                call,
                announced=announced or call.options.timeout is not None,
                beside=partial(self._place, beside),
            )
            ready.append((parcel, beside))
        return [self._send(parcel, beside) for parcel, beside in ready]

    def _send(self, parcel: spi.Parcel, beside: Sequence[RayHandle]) -> RayTicket:
        call = parcel.call
        kind = self._kinds.get(parcel.number)
        if kind is None:
            kind = self._kinds[parcel.number] = self._kind(parcel)
        if call.options.timeout is not None:
            self._listen()  # before a worker looks for it
        submit, intro = kind
        refs = submit((*introduced(intro, parcel.message), *[handle.ref for handle in beside]))
        value, reply = refs if isinstance(refs, list) else (refs, refs)
        needs = [handle.maker for handle in beside if handle.maker is not None]
        handle = RayHandle(value)
        ticket = RayTicket(spi.Progress(call), handle, reply, needs)
        handle.maker = ticket
        self._open[reply] = ticket
        self._named[call.id, call.attempt] = ticket
        if call.options.timeout is not None:
            self._timed.add(ticket)
        return ticket

    def wait_any(self, timeout: float | None = None) -> Sequence[spi.Completion]:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            if not self._open:
                return ()
            now = time.monotonic()
            if until is not None and now >= until:
                return ()
            self._take_in(self._pause(now, until))
            self._watch_deadlines()
            self._see_that_there_is_a_head()

    def _see_that_there_is_a_head(self) -> None:
        try:
            self._lifeline.look()
        except spi.WorkerLost:
            self._gone = True
            raise

    def cancel(self, tickets: Sequence[spi.Ticket]) -> None:
        ours = [ticket for ticket in tickets if isinstance(ticket, RayTicket)]
        ours = [ticket for ticket in ours if ticket.reply in self._open]
        if not self._gone:
            self._stopper.stop(ours)
        for ticket in ours:
            self._end(ticket, spi.Completion(ticket, spi.Status.CANCELLED))

    def fetch(self, handle: spi.Handle) -> Any:
        assert isinstance(handle, RayHandle)
        if handle.result is not None:
            return handle.result.value()
        given = ray.get(handle.ref)
        return given.copied() if isinstance(given, Box) else opened(given).value()

    def put(self, value: Any) -> spi.Handle:
        return self._put(Box(value))

    def _put(self, box: Box) -> RayHandle:
        return RayHandle(ray.put(box))

    def split(self, handle: spi.Handle, length: int) -> Sequence[spi.Handle] | None:
        assert isinstance(handle, RayHandle)
        if length == 0 or handle.size is None or handle.size <= _FETCHED:
            return None  # it is here, or soon fetched
        refs = _split.options(num_returns=length, num_cpus=0, name="split").remote(handle.ref)
        return [RayHandle(ref) for ref in (refs if length > 1 else [refs])]

    def release(self, handles: Sequence[spi.Handle]) -> None:
        for handle in handles:
            assert isinstance(handle, RayHandle)
            handle.ref = handle.result = None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._gone:
            cluster.leave(gone=True)
            return
        try:
            self._stopper.stop(self._open.values())
            self._stopper.close()
            if self._mailbox is not None:
                for _, messages in ray.get(self._mailbox.rest.remote(), timeout=_LEAVE):
                    self._hear(None, messages)
        except RayError as error:
            self._session.log(f"what tasks may have said last is lost: {type(error).__name__}")
        finally:
            self._give_back()
            for held in (self._open, self._named, self._stored, self._kinds):
                held.clear()
            self._mail = self._mailbox = None
            cluster.leave()

    def _give_back(self) -> None:
        """End what would outlive the run on a cluster that goes on."""
        for held, end in ((self._mailbox, ray.kill), (self._group, remove_placement_group)):
            if held is not None:
                with contextlib.suppress(RayError):  # then the cluster has gone, and it with it
                    end(held)

    # -- sending -------------------------------------------------------------------------------

    def _kind(self, parcel: spi.Parcel) -> tuple[Submit, Any]:
        """How calls of a task with these options are sent."""
        call = parcel.call
        timeout = call.options.timeout
        pause = _PAUSE if timeout is None else min(_PAUSE, timeout / 20)
        task = [bytes(part) for part in self._sender.intro(parcel.number)]
        intro: Any = pickle.dumps(
            (bytes(self._setup), task, self._name, pause, timeout is not None), protocol=5
        )
        intro = ray.put(intro) if len(intro) > _INSIDE else with_length(intro)
        options = remote_options(self._config, call.options)
        self._see_to_room(call, options)
        if self._group is not None and "scheduling_strategy" not in options:
            from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(self._group)
        small = self._is_small(call)
        if not small:
            options["num_returns"] = 2
        function = _together if small else _apart
        own = options.pop("runtime_env", {})
        self._tell_of_making(own, f"task {call.task.name!r}")
        self._tell_of_making(self._config.runtime_env, "all tasks")
        environment = over(cluster.missing(self._config), own)
        if environment:
            function = ray.remote(runtime_env=environment)(function._function)
            options["serialized_runtime_env_info"] = function._serialized_base_runtime_env_info
        return submitter(function, {"name": call.task.name, **options}), intro

    def _tell_of_making(self, environment: Mapping[str, Any], whose: str) -> None:
        """Say once what a task may have to wait for, as Ray does not."""
        slow = slow_part(environment)
        if slow and whose not in self._told:
            self._told.add(whose)
            self._session.log(f"Ray makes the runtime_env of {whose} ({slow}) if it has it not yet")

    def _see_to_room(self, call: spi.Call, options: dict[str, Any]) -> None:
        """Ray itself would wait for ever for what is not there, and say nothing."""
        wanted, labels = amounts(options), options.get("label_selector", {})
        lacking = cluster.lacks(wanted, labels) if wanted or labels else ""
        if not lacking:
            return
        told = f"node {call.id!r} asks for {lacking}, and no node of Ray's has that"
        if cluster.started():
            raise spi.PluginError(
                f"{told}; ask for less, or set execution_environment.address to a cluster that has"
            )
        self._session.log(f"{told}; it waits until one joins")

    def _is_small(self, call: spi.Call) -> bool:
        """Whether a result surely is so small that it may come to the driver with the reply."""
        task = self._session.tasks.get(call.task.key)
        return task is not None and (task.dynamic or task.returns in _SMALL)

    def _place(self, beside: list[RayHandle], handle: spi.Handle) -> int | None:
        """The place of an argument beside the message; ``None`` if it goes inside."""
        if not isinstance(handle, RayHandle):
            assert isinstance(handle, spi.Payload)
            stored = self._store(handle)
            if stored is None:
                return None
            handle = stored
        beside.append(handle)
        return len(beside) - 1

    def _store(self, payload: spi.Payload) -> RayHandle | None:
        """Put a large value of the driver into the store, once."""
        stored = self._stored.get(payload)
        if stored is None:
            if sum(memoryview(part).nbytes for part in payload.buffers) <= _INSIDE:
                return None
            box = Box(buffers=payload.buffers, digest=payload.digest)
            stored = self._stored[payload] = self._put(box)
        return stored

    def _reserve(self) -> None:
        wanted = self._config.placement_group
        self._group = ray.util.placement_group(
            [dict(bundle) for bundle in wanted["bundles"]],
            strategy=wanted.get("strategy", "PACK"),
        )
        until = time.monotonic() + _RESERVED
        while not self._group.wait(timeout_seconds=1):  # an interrupt comes through in between
            if time.monotonic() < until:
                continue
            if cluster.started():
                raise spi.PluginError(
                    f"the instance of Ray here has no room for placement_group={wanted}"
                )
            self._session.log("the placement group is not ready yet; the cluster may be too small")
            break

    # -- what happens --------------------------------------------------------------------------

    def _pause(self, now: float, until: float | None) -> float | None:
        times = [until, *(ticket.deadline for ticket in self._timed)]
        ends = [time for time in times if time is not None]
        return max(0.0, min(ends) - now) if ends else None

    def _take_in(self, pause: float | None) -> None:
        """Wait for an end or a message, and take in what there is."""
        waited = list(islice(self._open, _WINDOW))
        if self._mail is not None:
            waited.append(self._mail)
        patience = _PATIENCE if pause is None else min(_PATIENCE, pause)
        gathered = min(_BATCH, _MOMENT * len(waited))
        ready: list[Any] = []
        if gathered == _BATCH:  # an end is near: it need not be waited for by itself
            ready, _ = ray.wait(waited, num_returns=len(waited), timeout=min(gathered, patience))
        if not ready:
            ready, rest = ray.wait(waited, num_returns=1, timeout=patience)
            if ready and rest and gathered < _BATCH:
                more, _ = ray.wait(rest, num_returns=len(rest), timeout=gathered)
                ready += more
        if not ready:
            if len(self._open) > _WINDOW:
                ready, _ = ray.wait(list(self._open), num_returns=len(self._open), timeout=0)
            patience = _PATIENCE if self._answered else _START
            quiet = time.monotonic() - self._quiet
            if self._mailbox is None and quiet >= patience:
                self._listen()
            if quiet >= _WAITED:
                self._tell_that_all_wait()
        if self._mail is not None and self._mail in ready:
            ready.remove(self._mail)
            self._collect()
        if ready:
            self._finish(ready)
        self._stopper.hear_out()

    def _tell_that_all_wait(self) -> None:
        """Say once that nothing begins, where beginnings are told."""
        begun = (ticket.progress.since is not None for ticket in self._open.values())
        if self.on_start is None or "waits" in self._told or any(begun):
            return
        self._told.add("waits")
        self._session.log(
            f"nothing has begun for {_WAITED:.0f} s: Ray has no room for it, or its workers do not "
            "start; `ray status` and the logs of its nodes tell more"
        )

    def _finish(self, ready: list[Any]) -> None:
        tickets = [self._open[ref] for ref in ready]
        try:
            replies = ray.get(ready)
        except RayError:
            for ticket in tickets:
                self._finish_one(ticket)
            return
        for ticket, reply in zip(tickets, replies, strict=True):
            self._replied(ticket, reply)

    def _finish_one(self, ticket: RayTicket) -> None:
        try:
            reply = ray.get(ticket.reply)
        except RayError as error:
            look_at_error(ticket)
            status, reply, reason = judge(ticket, error)
            if reply is None:
                self._end(ticket, spi.Completion(ticket, status, None, None, reason))
                return
        self._replied(ticket, reply)

    def _replied(self, ticket: RayTicket, reply: Reply) -> None:
        """Take the worker's last word."""
        said, last, size = unpack(reply)
        if said:
            self._hear(ticket, said)
        told = spi.read(last)
        assert isinstance(told, spi.Ended)
        progress = ticket.progress
        if progress.deadline is not None and told.at > progress.deadline:
            self._end(ticket, progress.timed_out(ticket, told.at))
            return
        handle = ticket.value
        handle.size = size
        if ticket.reply is handle.ref:
            handle.result = told.result
        done = told.status is spi.Status.DONE
        end = spi.Completion(
            ticket, told.status, handle if done else None, told.summary, told.error
        )
        self._end(ticket, end)

    def _end(self, ticket: RayTicket, end: spi.Completion) -> None:
        """A call has ended, and nothing more is heard of it."""
        self._answered = True
        self._quiet = time.monotonic()
        del self._open[ticket.reply]
        del self._named[ticket.key]
        self._timed.discard(ticket)
        ticket.bad = end.status is not spi.Status.DONE
        ticket.value.maker = ticket if ticket.bad else None
        ticket.needs = ()
        self._ended.append(end)

    def _watch_deadlines(self) -> None:
        now = time.monotonic()
        for ticket in [one for one in self._timed if one.deadline and now >= one.deadline]:
            self._stopper.stop([ticket])
            since = ticket.progress.since
            assert since is not None
            assert ticket.deadline is not None
            seconds = now - ticket.deadline + (ticket.call.options.timeout or 0.0)
            self._end(ticket, ticket.progress.timed_out(ticket, since + seconds))

    # -- what workers say on the way -----------------------------------------------------------

    def _listen(self) -> None:
        """Open the mailbox that workers look for when a call takes longer."""
        if self._mailbox is None:
            here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=True
            )
            self._mailbox = (
                ray.remote(Mailbox)
                .options(name=self._name, num_cpus=0, max_restarts=-1, scheduling_strategy=here)
                .remote()
            )
            self._mail = self._mailbox.take.remote()

    def _collect(self) -> None:
        try:
            post = ray.get(self._mail)
        except RayError:  # its node went away with what was in it; it is made again elsewhere
            post = []
        self._mail = self._mailbox.take.remote()
        for key, messages in post:
            self._hear(self._named.get(key), messages)

    def _hear(self, ticket: RayTicket | None, messages: Iterable[Sequence[bytes]]) -> None:
        for message in messages:
            told = spi.read(message)
            if isinstance(told, (spi.Logged, spi.Printed)):
                told.handle()
            elif isinstance(told, spi.Began) and ticket is not None:
                self._began(ticket, told)

    def _began(self, ticket: RayTicket, told: spi.Began) -> None:
        if ticket.progress.since is None and self.on_start is not None:
            self.on_start(ticket)
        ticket.progress.began(told)
        if ticket in self._timed:
            ticket.deadline = time.monotonic() + (ticket.call.options.timeout or 0.0)
