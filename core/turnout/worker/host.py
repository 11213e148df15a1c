"""The user's tasks in a process that is not the driver: what a call needs to run there.

A process that a backend has started, or borrowed from an engine, makes one `Host` per run and
gives it what `turnout.worker.wire` describes. How the messages come and go is the backend's.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

from turnout.backend.call import Attempt, Call, RunInfo, Status, Summary, new_call
from turnout.errors import EncodeError, TurnoutError
from turnout.graph.refs import resolve
from turnout.storage.plugged import no_plugin_codecs
from turnout.version import see_to_version
from turnout.worker import failures, scratch, wire
from turnout.worker.frames import Bytes
from turnout.worker.logs import speaks
from turnout.worker.modules import Modules, importing
from turnout.worker.paths import put_first
from turnout.worker.payload import Payload, loads
from turnout.worker.run import Outcome, run_call
from turnout.worker.wrapping import no_wrappers


class Host:
    """Runs the calls of one run in this process.

    Args:
        setup: the first message, as `turnout.worker.wire.Sender.setup` makes it.
        log: takes what is logged here, as far as the driver hears it.
        root: where the project's files are here, if not where the driver has them.
        apart: whether each attempt gets a directory of its own to write files to, as
            `turnout.current().workdir`, instead of the one this process works in.

    Raises:
        TurnoutError: the driver runs another version.
    """

    def __init__(
        self,
        setup: Sequence[Bytes],
        log: Callable[[dict[str, Any]], None],
        root: str | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self._apart = apart
        _, version, said = pickle.loads(setup[0])
        see_to_version(version, here="a worker")
        info, argv, script, modules, theirs, source, path, hooks, level = pickle.loads(said)
        self._info: RunInfo = info
        self._tasks: dict[int, tuple[Any, Any, Any]] = {}

        self._moved = (theirs, root) if root is not None else None
        if root is not None:
            failures.name_files(root, theirs)
        folders = [self._here(source)]
        if script is not None:
            script = script[0], self._here(script[1])
            folders.append(os.path.dirname(script[1]))
        self._modules = Modules(
            script, {name: file and self._here(file) for name, file in modules.items()}
        )
        sys.argv[:] = argv
        sys.path += [folder for folder in dict.fromkeys(folders) if folder not in sys.path]
        put_first([self._here(folder) for folder in path], root or theirs)
        wraps, codecs = hooks
        if not wraps:
            no_wrappers()
        if not codecs:
            no_plugin_codecs()
        if level is not None:
            # Before the user's modules: what they set up for logging is the driver's business.
            from turnout.worker.logs import forward_logging

            forward_logging(level, log)
        for name in modules:
            self._modules.load(name)

    def _here(self, file: str) -> str:
        """Where a file of the driver's is in this process."""
        if self._moved is not None:
            theirs, root = self._moved
            if file == theirs or file.startswith(theirs + os.sep):
                return root + file[len(theirs) :]
        return file

    def learn(self, message: Sequence[Bytes]) -> None:
        """Find the task a number stands for; what goes wrong is told by its first call."""
        _, number, by_value, file = pickle.loads(message[0])
        spec, options = pickle.loads(message[1])
        module = spec.ref.partition(":")[0]
        task: Any
        try:
            with importing():
                if by_value:
                    task = loads(message[2], message[3:])
                else:
                    self._modules.files.setdefault(module, file and self._here(file))
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

    def run(
        self,
        message: Sequence[Bytes],
        say: Callable[[wire.Message], None],
        given: Sequence[Payload] = (),
    ) -> tuple[Call, Outcome]:
        """Run a call to its end.

        Args:
            message: the call's message.
            say: takes what is to be told before the end.
            given: the values that came beside the message.
        """
        _, node, number, version, names, shapes, leaves, unproven, attempt, announced = (
            pickle.loads(message[0])
        )
        spec, options, task = self._tasks[number]
        call = new_call((
            node, self._info, spec, options, version, names, shapes, leaves, unproven, attempt,
        ))  # fmt: skip
        told = 0
        speaks(node)

        def begins(number: int, failed: Sequence[Attempt]) -> None:
            nonlocal told
            if announced or failed:
                say(wire.began(number, failed[told:]))
                told = len(failed)

        if self._apart:
            scratch.begin()
        try:
            if isinstance(task, BaseException):
                return call, refused(call, task)
            values, digests = _values(call, leaves, message, given)
            return call, run_call(call, values, task, digests, begins)
        except BaseException as error:  # an exit or interrupt is the task's own doing here
            return call, refused(call, error)
        finally:
            if self._apart:
                scratch.end()


def refused(call: Call, error: BaseException) -> Outcome:
    """What became of a call that could not be tried."""
    attempts = (Attempt(call.attempt, error, 0.0, False),)
    return Outcome(Status.FAILED, None, error, Summary(attempts=attempts))


def _values(
    call: Call, leaves: Sequence[Any], message: Sequence[Bytes], given: Sequence[Payload]
) -> tuple[list[Any], list[str]]:
    """The values of a call's leaves, and their digests; quickly where all are at hand."""
    values: list[Any] = []
    digests: list[str] = []
    for leaf in leaves:
        if len(leaf) == 1:
            values.append(leaf[0])
            digests.append("")
        elif len(leaf) == 2 and given[leaf[0]].scalar:
            values.append(given[leaf[0]].value())
            digests.append(given[leaf[0]].digest)
        else:
            return _rebuilt(call, leaves, message, given)
    return values, digests


def _rebuilt(
    call: Call, leaves: Sequence[Any], message: Sequence[Bytes], given: Sequence[Payload]
) -> tuple[list[Any], list[str]]:
    """As `_values`, where some may need modules of the user that are not imported yet."""
    values: list[Any] = []
    digests: list[str] = []
    with importing():
        for position, leaf in enumerate(leaves):
            digest = ""
            try:
                if len(leaf) == 1:
                    value = leaf[0]
                elif len(leaf) == 2:
                    source = given[leaf[0]]
                    value, digest = source.value(), source.digest
                else:
                    start, count, digest = leaf
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
