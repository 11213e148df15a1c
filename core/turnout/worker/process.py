"""A worker process: takes calls from the driver that started it until that says no more.

It is started by `turnout.worker.child`, which writes what it reads and reads what it writes.
Imports are few: what a call does not need is not loaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from turnout.backend.call import Attempt, Call, RunInfo, Status, Summary
from turnout.errors import EncodeError, TurnoutError
from turnout.graph.refs import resolve
from turnout.worker import frames, wire
from turnout.worker.payload import loads
from turnout.worker.run import Outcome, run_call
from turnout.worker.wrapping import no_wrappers

IMPORTING: Final = "TURNOUT_WORKER"
"""Set while modules of the user are imported, so that unguarded calls in them run nothing."""


def main(requests: Any, replies: int, lifeline: int) -> None:
    """Serve a driver until it closes ``requests``; ends this process.

    Args:
        requests: a buffered reader.
        replies: the descriptor answers are written to.
        lifeline: a descriptor that is closed when the driver goes away, however it does.
    """
    for fd in (requests.fileno(), replies, lifeline):
        os.set_inheritable(fd, False)
    _ignore_interrupts()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, write_through=False)  # type: ignore[union-attr]
    setup = frames.receive(requests)
    if setup is None:
        os._exit(0)
    _end_with(lifeline)
    worker = Worker(pickle.loads(setup[0]), replies)
    worker.say(wire.ready())
    while (message := frames.receive(requests)) is not None:
        worker.take(message)
    _leave()


class Worker:
    """The worker's side of the conversation.

    Args:
        setup: the first message.
        replies: where answers go.
    """

    def __init__(self, setup: Sequence[Any], replies: int) -> None:
        _, info, argv, script, modules, source, wraps, level = setup
        self._info: RunInfo = info
        self._replies = replies
        self._lock = threading.Lock()
        self._tasks: dict[int, tuple[Any, Any, Any]] = {}
        self._modules = Modules(script, modules)
        sys.argv[:] = argv
        if source not in sys.path:
            sys.path.append(source)
        if not wraps:
            no_wrappers()
        if level is not None:
            _forward_logging(level, self.say)
        for name in modules:
            self._modules.load(name)

    def say(self, message: wire.Message) -> None:
        """Send the driver a message; threads of a task may log while it ends."""
        with self._lock:
            frames.send(self._replies, message)

    def take(self, message: Sequence[frames.Bytes]) -> None:
        """Do what a message says."""
        said = pickle.loads(message[0])
        word = said[0]
        if word == "call":
            self._run(said, message)
        elif word == "task":
            self._learn(said, message)
        elif word == "set":
            os.environ.update(said[1])

    def _learn(self, said: Sequence[Any], message: Sequence[frames.Bytes]) -> None:
        """Find the task a number stands for; what goes wrong is told by its first call."""
        _, number, by_value, file = said
        spec, options = pickle.loads(message[1])
        module = spec.ref.partition(":")[0]
        task: Any
        try:
            with importing():
                if by_value:
                    task = loads(message[2], message[3:])
                else:
                    self._modules.files.setdefault(module, file)
                    self._modules.load(module)
                    self._modules.complain(module)
                    task = resolve(spec.ref)
        except TurnoutError as error:
            task = error
        except BaseException as error:
            task = TurnoutError(
                f"task {spec.name!r}: a worker process cannot import {spec.ref!r}: "
                f"{type(error).__name__}: {error}"
            )
            task.__cause__ = error
        self._tasks[number] = (spec, options, task)

    def _run(self, said: Sequence[Any], message: Sequence[frames.Bytes]) -> None:
        _, node, number, version, names, shapes, leaves, unproven, attempt, announced = said
        spec, options, task = self._tasks[number]
        call = Call(
            id=node,
            run=self._info,
            task=spec,
            options=options,
            version=version,
            names=names,
            shapes=shapes,
            leaves=leaves,
            unproven=unproven,
            attempt=attempt,
        )
        told = 0

        def begins(number: int, failed: Sequence[Attempt]) -> None:
            nonlocal told
            if announced or failed:
                self.say(wire.began(number, failed[told:]))
                told = len(failed)

        try:
            if isinstance(task, BaseException):
                outcome = _refused(call, task)
            else:
                values, digests = _values(call, leaves, message)
                outcome = run_call(call, values, task, digests, begins)
        except EncodeError as error:
            outcome = _refused(call, error)
        except BaseException as error:  # an exit or interrupt is the task's own doing here
            outcome = _refused(call, error)
        self.say(wire.ended(call, outcome))


def _values(
    call: Call, leaves: Sequence[Any], message: Sequence[frames.Bytes]
) -> tuple[list[Any], list[str]]:
    values: list[Any] = []
    digests: list[str] = []
    for position, leaf in enumerate(leaves):
        if len(leaf) == 1:
            values.append(leaf[0])
            digests.append("")
            continue
        start, count, digest = leaf
        try:
            with importing():
                value = loads(message[start], message[start + 1 : start + count])
        except TurnoutError:
            raise
        except Exception as error:
            parameter = wire.parameter_of(call, position)
            raise EncodeError(
                f"node {call.id!r}, parameter {parameter!r}: the value cannot be rebuilt in a "
                f"worker process: {type(error).__name__}: {error}"
            ) from error
        values.append(value)
        digests.append(digest)
    return values, digests


def _refused(call: Call, error: BaseException) -> Outcome:
    attempts = (Attempt(call.attempt, error, 0.0, False),)
    return Outcome(Status.FAILED, None, error, Summary(attempts=attempts))


class Modules:
    """The user's modules in this process.

    Args:
        script: name and file of the driver's ``__main__``.
        files: name and file of the modules that hold tasks.
    """

    def __init__(self, script: tuple[str, str] | None, files: Mapping[str, str | None]) -> None:
        self.files = dict(files)
        self._script = script
        self._broken: dict[str, BaseException] = {}

    def load(self, name: str) -> None:
        """Import a module; what it raises is kept for `complain`, so that it runs only once."""
        if name in self._broken or name in sys.modules:
            return
        try:
            with importing():
                if self._script is not None and self._script[0] == name:
                    self._load_script(*self._script)
                else:
                    self._import(name)
        except BaseException as error:  # a script may well call sys.exit
            self._broken[name] = error

    def complain(self, name: str) -> None:
        """Raise what importing this module raised, if anything."""
        if name in self._broken:
            raise self._broken[name]

    def _import(self, name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            file = self.files.get(name)
            if error.name is None or file is None:
                raise
            if name != error.name and not name.startswith(f"{error.name}."):
                raise
        # The driver has it by another way than its path, as test runners do.
        depth = name.count(".") + (os.path.basename(file) == "__init__.py")
        folder = os.path.dirname(file)
        for _ in range(depth):
            folder = os.path.dirname(folder)
        sys.path.append(folder)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def _load_script(self, name: str, file: str) -> None:
        """Import the driver's script under its importable name, and as ``__main__`` too."""
        before = sys.modules["__main__"]
        if "." in name:
            sys.modules["__main__"] = importlib.import_module(name)
            return
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} cannot be imported", name=name, path=file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = sys.modules["__main__"] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules["__main__"] = before
            del sys.modules[name]
            raise


@contextmanager
def importing() -> Iterator[None]:
    """The time in which code of the user may be imported."""
    before = os.environ.get(IMPORTING)
    os.environ[IMPORTING] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(IMPORTING, None)
        else:
            os.environ[IMPORTING] = before


def _forward_logging(level: int, say: Callable[[wire.Message], None]) -> None:
    """Let the driver's logging have what is logged here."""
    import logging

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said = {name: getattr(record, name) for name in _LOGGED}
            # Arguments and exceptions may be anything; the text is what is left of them.
            said["msg"] = record.getMessage()
            if record.exc_info and not record.exc_text:
                said["exc_text"] = logging.Formatter().formatException(record.exc_info)
            say(wire.logged(said))

    logging.basicConfig(level=level, handlers=[Forward()])


_LOGGED: Final = (
    "created", "exc_text", "filename", "funcName", "levelname", "levelno", "lineno", "module",
    "msecs", "name", "pathname", "process", "processName", "relativeCreated", "stack_info",
    "thread", "threadName",
)  # fmt: skip


def _ignore_interrupts() -> None:
    """Ctrl-C is for the driver. A handler, not SIG_IGN: processes that tasks start inherit that."""
    import signal

    signal.signal(signal.SIGINT, lambda *_: None)


def _end_with(lifeline: int) -> None:
    """End this process and those its tasks started when the driver goes away."""
    if sys.platform == "linux":
        import fcntl

        # The kernel ends the group even while C code keeps Python from running.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)

    def watch() -> None:
        import signal

        os.read(lifeline, 1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="turnout-lifeline", daemon=True).start()


def _leave() -> None:
    """End at once, but not without what was registered to happen at the end.

    Taking all objects apart, as Python does on its way out, would take longer than many a run.
    """
    import atexit

    try:
        if "turnout.worker.asynchronous" in sys.modules:
            from turnout.worker.asynchronous import close

            close()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(0)
