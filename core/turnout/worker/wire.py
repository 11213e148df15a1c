"""What a driver and its worker processes say to each other: tasks, calls, and how they ended.

A message is a list of byte strings; the first is a pickled tuple that begins with one of these
words, the others are values, each a pickle and the buffers it leaves out.

To the worker:

``("setup", version, pickle)``                  once, first; the pickle has what this run needs
``("set", variables)``                          environment variables, for good
``("task", number, by_value, file)``            spec and options, and the task if it goes by value
``("call", id, number, ...)``                   one call, with the values of its leaves

From the worker:

``("ready",)``                                  once, when its modules are imported
``("attempt", number, since, failed)``          an attempt begins
``("end", ...)``                                a call has ended, with its result
``("log", attributes)``                         a task has logged something
``("print", node, stream, text)``               a task has printed whole lines
"""

from __future__ import annotations

import dataclasses
import os
import pickle
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from turnout.backend.call import UNSET, Attempt, Call, Handle, RunInfo, Status, Summary
from turnout.backend.mark import mark
from turnout.errors import EncodeError
from turnout.graph import Cache, TaskKey, TaskOptions
from turnout.graph.binding import leaves as leaves_of
from turnout.graph.refs import module_name
from turnout.storage.plugged import plugin_codecs
from turnout.version import __version__
from turnout.worker import failures
from turnout.worker.describe import describe
from turnout.worker.frames import Bytes
from turnout.worker.logs import speaker
from turnout.worker.paths import folders_of
from turnout.worker.payload import Payload, dumps, is_scalar, whole
from turnout.worker.run import Outcome
from turnout.worker.wrapping import wraps_calls

if TYPE_CHECKING:
    from turnout.backend.base import Project

Message = list[Bytes]

# Naming a member of an enum takes as long as a small call.
_DONE: Final = Status.DONE


class Parcel(NamedTuple):
    """A call ready to be sent.

    Attributes:
        call: the call.
        number: what the task, with these options, is known by on the wire.
        message: the call's message.
    """

    call: Call
    number: int
    message: Message


class Sender:
    """Makes the messages for the workers of one run.

    Args:
        tasks: task objects by key, for those that no other process can import.
    """

    def __init__(self, tasks: Mapping[TaskKey, Any]) -> None:
        self._tasks = tasks
        self._numbers: dict[tuple[str, int, int], int] = {}
        self._intros: list[Message] = []
        # What the numbers stand for is known by identity, so it has to stay.
        self._held: list[tuple[Any, Any]] = []
        self._inline: weakref.WeakValueDictionary[int, Payload] = weakref.WeakValueDictionary()

    def setup(self, info: RunInfo, project: Project) -> Message:
        """The first message to a worker, with the modules it is going to need."""
        from turnout.worker.stores import identified  # no business of workers, which start faster

        main = project.main
        modules: dict[str, str | None] = {}
        for task in list(self._tasks.values()):
            name = module_name(task.fn.__module__)
            if name != "__main__":
                modules[name] = _file_of(task.fn.__module__)
        script = None if main is None else (main[0], os.fspath(main[1]))
        argv = list(sys.argv)
        root, source = os.fspath(project.root), os.fspath(project.source)
        info = identified(info)
        hooks = wraps_calls(), bool(plugin_codecs())
        folders = folders_of(root)
        said = (info, argv, script, modules, root, source, folders, hooks, _level())
        # Another version may not even be able to read the rest.
        told = ("setup", __version__, pickle.dumps(said, protocol=5))
        return [pickle.dumps(told, protocol=5)]

    def parcel(
        self,
        call: Call,
        *,
        announced: bool,
        beside: Callable[[Handle], int | None] = lambda _: None,
    ) -> Parcel:
        """A call, made ready.

        Args:
            call: the call.
            announced: whether the worker is to tell of the first attempt.
            beside: gives the place of a value that reaches the worker by another way than the
                message; ``None`` for a `Payload` that goes with the message.

        Raises:
            EncodeError: a value or the task cannot be sent; the message names it.
        """
        number = self._number(call)
        message: Message = [b""]
        leaves: list[tuple[Any, ...]] = []
        for position, leaf in enumerate(call.leaves):
            value = leaf.value() if isinstance(leaf, Payload) and leaf.scalar else leaf
            if is_scalar(value):
                leaves.append((value,))
                continue
            handle = value if isinstance(value, Handle) else self._payload(value)
            try:
                place = beside(handle)
                if place is not None:
                    leaves.append((place, None))
                    continue
                assert isinstance(handle, Payload), f"{handle!r} has no place"
                buffers = handle.buffers
            except Exception as error:
                raise _unsendable(call, position, handle, error) from error
            leaves.append((len(message), len(buffers), handle.digest))
            message.extend(buffers)
        said = (
            "call", call.id, number, call.version, call.names, call.shapes, tuple(leaves),
            call.unproven, call.attempt, announced,
        )  # fmt: skip
        try:
            message[0] = whole(said)
        except Exception as error:
            raise EncodeError(f"node {call.id!r} cannot be sent: {error}") from error
        return Parcel(call, number, message)

    def intro(self, number: int) -> Message:
        """The message that says what task a number stands for."""
        return self._intros[number]

    def _payload(self, value: Any) -> Payload:
        """The bytes of an inline value, shared by all calls that wait with it."""
        payload = self._inline.get(id(value))
        if payload is None:
            payload = self._inline[id(value)] = Payload(value)
        return payload

    def _number(self, call: Call) -> int:
        spec = call.task
        task = None if spec.importable else self._tasks.get(spec.key)
        key = (spec.key, id(task), id(call.options))
        number = self._numbers.get(key)
        if number is None:
            message: Message = [b"", whole((spec, _portable(call.options)))]
            if task is not None:
                try:
                    message += dumps(task)
                except Exception as error:
                    raise EncodeError(
                        f"task {spec.name!r} is not importable and cannot be sent by value: "
                        f"{type(error).__name__}: {error}; move it to a module"
                    ) from error
            file = _file_of(spec.ref.partition(":")[0])
            number = self._numbers[key] = len(self._intros)
            message[0] = whole(("task", number, task is not None, file))
            self._intros.append(message)
            self._held.append((task, call.options))
        return number


def _portable(options: TaskOptions) -> TaskOptions:
    """Options as a worker needs them; what its version depends on is the driver's business."""
    if isinstance(options.cache, Cache) and options.cache.depends:
        cache = dataclasses.replace(options.cache, depends=())
        return dataclasses.replace(options, cache=cache)
    return options


def _level() -> int | None:
    """What of logging is heard here; ``None`` if nothing has been set up for it."""
    logging = sys.modules.get("logging")
    root = logging.getLogger() if logging is not None else None
    return root.level if root is not None and root.handlers else None


def _file_of(module: str) -> str | None:
    found = sys.modules.get(module)
    if found is None and module == module_name("__main__"):
        found = sys.modules.get("__main__")
    file = getattr(found, "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None


def _unsendable(call: Call, position: int, handle: Handle, error: Exception) -> EncodeError:
    parameter = parameter_of(call, position)
    what = describe(handle.value()) if isinstance(handle, Payload) else "an earlier result"
    return EncodeError(
        f"node {call.id!r}, parameter {parameter!r}: {what} cannot be sent to "
        f"another process: {type(error).__name__}: {error}; make it inside the task instead"
    )


def parameter_of(call: Call, position: int) -> str:
    """The parameter that the leaf at this position is part of."""
    if call.shapes is None:
        return call.names[position]
    for name, shape in zip(call.names, call.shapes, strict=True):
        for leaf in leaves_of(shape):
            if leaf[0] in ("leaf", "own") and leaf[1] == position:
                return name
    return "?"


# -- from the worker -------------------------------------------------------------------------------


class Began(NamedTuple):
    """An attempt begins.

    Attributes:
        number: which one.
        since: when, on the monotonic clock that the machine's processes share.
        failed: the attempts of this call that failed since the last such message.
    """

    number: int
    since: float
    failed: tuple[Attempt, ...]


class Ended(NamedTuple):
    """A call has ended.

    Attributes:
        status: done or failed.
        at: when, on the monotonic clock.
        summary: the worker's summary.
        result: the result, when done.
        error: the exception, when failed.
    """

    status: Status
    at: float
    summary: Summary
    result: Payload | None
    error: BaseException | None


def variables(values: Mapping[str, str]) -> Message:
    """The message that sets environment variables of a worker, for as long as it lives."""
    return [whole(("set", dict(values)))]


class Logged(NamedTuple):
    """A task has logged something.

    Attributes:
        attributes: those of the log record; ``node`` is the node that logged it.
    """

    attributes: dict[str, Any]

    def handle(self) -> None:
        """Log it here, where the user has said what is to be done with it.

        The text begins with the node's name: several may run at once.
        """
        import logging

        record = logging.makeLogRecord(self.attributes)
        node = self.attributes.get("node")
        if node:
            record.msg = f"({node}) {record.msg}"
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


class Printed(NamedTuple):
    """A task has printed whole lines.

    Attributes:
        node: its node.
        stream: ``stdout`` or ``stderr``.
        text: the lines.
    """

    node: str
    stream: str
    text: str

    def handle(self) -> None:
        """Print them here, each after the node's name."""
        stream = sys.stdout if self.stream == "stdout" else sys.stderr
        lines = self.text.removesuffix("\n").split("\n")
        before = f"{mark.get()}({self.node})"
        stream.write("".join([f"{before} {line}\n" for line in lines]))


def printed(stream: str, text: str) -> Message:
    """The message that a task has printed lines."""
    return [whole(("print", speaker(), stream, text))]


def logged(attributes: dict[str, Any]) -> Message:
    """The message that a task has logged something."""
    return [whole(("log", attributes))]


def about(message: Sequence[Bytes]) -> tuple[str, int]:
    """The node that a call's message is about, and the number of the call's first attempt."""
    said = pickle.loads(message[0])
    return said[1], said[8]


def ready() -> Message:
    """The message of a worker that has started."""
    return [whole(("ready",))]


def began(number: int, failed: Iterable[Attempt]) -> Message:
    """The message that an attempt begins."""
    told = [_pack_attempt(attempt) for attempt in failed]
    return [whole(("attempt", number, time.monotonic(), told))]


def ended(call: Call, outcome: Outcome) -> Message:
    """The message that a call has ended; a result that cannot be sent fails it."""
    if outcome.status is not _DONE:
        return _end(outcome, [])
    value = outcome.value
    summary = outcome.summary
    if summary.small is not UNSET:
        return _end(outcome, [])
    if type(value) is list:
        outcome = outcome._replace(summary=summary._replace(length=len(value)))
    try:
        buffers = dumps(value)
    except Exception as error:
        from turnout.worker.unsendable import refusal

        refused = refusal(call, value, error, dumps)
        number = summary.attempts[-1].number + 1 if summary.attempts else call.attempt
        attempts = (*summary.attempts, Attempt(number, refused, summary.seconds, False))
        failed = summary._replace(attempts=attempts, expands=False)
        return _end(Outcome(Status.FAILED, None, refused, failed), [])
    return _end(outcome, buffers)


def _end(outcome: Outcome, buffers: Sequence[Bytes]) -> Message:
    summary = outcome.summary
    attempts = [_pack_attempt(attempt) for attempt in summary.attempts]
    error = outcome.error
    if error is None:
        packed: Any = None
    elif summary.attempts and summary.attempts[-1].error is error:
        packed = "last"
    else:
        packed = failures.pack(error)
    # In plain tuples, for there is one of these for every call: names of classes take time.
    seconds, started, small, _, *rest = summary
    given = () if small is UNSET else (small,)
    at = time.monotonic()
    said = ("end", outcome.status.value, at, seconds, started, given, rest, attempts, packed)
    return [pickle.dumps(said, protocol=5), *buffers]


def _pack_attempt(attempt: Attempt) -> tuple[Any, ...]:
    return attempt.number, failures.pack(attempt.error), attempt.seconds, attempt.retried


def _unpack_attempt(packed: Sequence[Any]) -> Attempt:
    number, error, seconds, retried = packed
    return Attempt(number, failures.unpack(error), seconds, retried)


def read(message: Sequence[Bytes]) -> Began | Ended | Logged | Printed | None:
    """What a worker says; ``None`` when it says that it is ready."""
    said = pickle.loads(message[0])
    if said[0] == "ready":
        return None
    if said[0] == "attempt":
        return Began(said[1], said[2], tuple(map(_unpack_attempt, said[3])))
    if said[0] == "log":
        return Logged(said[1])
    if said[0] == "print":
        return Printed(*said[1:])
    _, how, at, seconds, started, given, rest, told, packed = said
    status = Status(how)
    attempts = tuple(map(_unpack_attempt, told)) if told else ()
    small = given[0] if given else UNSET
    summary = Summary(seconds, started, small, attempts, *rest)
    error: BaseException | None = None
    if packed == "last":
        error = attempts[-1].error
    elif packed is not None:
        error = failures.unpack(packed)
    done = status is _DONE
    return Ended(status, at, summary, _result(said, message[1:]) if done else None, error)


def result(message: Sequence[Bytes]) -> Payload:
    """What a call has given, from the message that it is done, for who needs no more of that."""
    return _result(pickle.loads(message[0]), message[1:])


def _result(said: Sequence[Any], buffers: Sequence[Bytes]) -> Payload:
    given, digest = said[5], said[6][2]
    return Payload(UNSET if buffers or not given else given[0], buffers or None, digest)
