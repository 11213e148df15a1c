"""Drives a run that was sent here: ``python -m turnout.api.drive STORE RUN``.

It runs the workflow as ever, and leaves in the store what `turnout.api.errand` describes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from turnout.api.entry import prepare
from turnout.api.errand import End, Errand, name_of, unpack
from turnout.api.execute import Execution
from turnout.backend.hooks import NodeEvent
from turnout.errors import ConfigError
from turnout.storage.store import Store
from turnout.worker import failures

_EVENTS = ("node_started", "node_failed", "node_retried", "node_finished", "node_cached")
_PAUSE = 0.5
_AGAIN = (1, 2, 5, 10, 30)
_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"  # as Hydra's


class Journal:
    """Writes what is told of nodes to the store, a batch at a time.

    Args:
        store: where to.
        run_id: the run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._events: list[tuple[Any, ...]] = []
        self._count = 0
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="turnout-journal", daemon=True)
        self._thread.start()
        for name in _EVENTS:
            setattr(self, name, lambda event, name=name: self._note(name, event))

    def _note(self, name: str, event: NodeEvent) -> None:
        error = None if event.error is None else failures.pack(event.error)
        with self._lock:
            self._events.append((name, tuple(event._replace(error=None)), error))

    def _work(self) -> None:
        while not self._done.wait(_PAUSE):
            with contextlib.suppress(Exception):  # the store may come back
                self._flush()

    def _flush(self) -> None:
        with self._lock:
            events, self._events = self._events, []
        if not events:
            return
        name = name_of(self._run_id, f"events/{self._count + 1:08d}")
        try:
            self._store.write(name, pickle.dumps(events, protocol=5))
        except BaseException:
            with self._lock:
                self._events[:0] = events
            raise
        self._count += 1

    def close(self) -> None:
        """Write what is left."""
        self._done.set()
        self._thread.join()
        _insist(self._flush)


def main(argv: Sequence[str]) -> int:
    """Drive the run of an errand; gives the exit status."""
    place, run_id = argv
    store = Store(place)
    data = store.read(name_of(run_id, "errand"))
    if data is None:
        sys.stderr.write(f"there is no errand {run_id} in {place}; can this machine reach it?\n")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    journal = Journal(store, run_id)
    end = End("failed")
    try:
        execution = _unpacked(unpack(data), run_id, journal)
        try:
            execution.execute()
        finally:
            end = _end_of(execution)
    except KeyboardInterrupt:
        end = end._replace(status="cancelled")
    except BaseException as error:
        end = end if end.error is not None else End("failed", error=failures.pack(error))
    journal.close()
    last = pickle.dumps(end, protocol=5)
    _insist(lambda: store.write(name_of(run_id, "end"), last))
    return {"succeeded": 0, "failed": 1}.get(end.status, 130)


def _insist(action: Callable[[], None]) -> None:
    """Do what the sender waits for, even if the store is away for a while."""
    for seconds in _AGAIN:
        try:
            return action()
        except Exception as error:
            sys.stderr.write(f"the store does not answer, asking on: {error}\n")
            time.sleep(seconds)
    return action()


def _unpacked(errand: Errand, run_id: str, journal: Journal) -> Execution:
    """The run, ready to be executed here."""
    from turnout.graph.refs import resolve
    from turnout.worker.modules import Modules
    from turnout.worker.paths import put_first

    root = os.getcwd()
    failures.name_files(root, errand.root)
    os.makedirs(".turnout", exist_ok=True)  # what marked the project may not have been sent
    script = None
    folders = [os.path.join(root, errand.source)]
    if errand.main is not None:
        script = errand.main[0], os.path.join(root, errand.main[1])
        folders.append(os.path.dirname(script[1]))
    sys.path[:0] = [os.path.normpath(folder) for folder in folders]
    put_first([os.path.normpath(os.path.join(root, folder)) for folder in errand.path], root)
    sys.argv[:] = errand.argv
    if os.path.isdir(errand.folder):
        os.chdir(errand.folder)
    module = errand.workflow.partition(":")[0]
    modules = Modules(script, {module: errand.file and os.path.join(root, errand.file)})
    modules.load(module)
    modules.complain(module)
    workflow = resolve(errand.workflow)
    composed, arguments = pickle.loads(errand.rest)
    try:
        return prepare(
            workflow, composed, **arguments, run_id=run_id, observers=[journal], log=print
        )
    except ConfigError as error:
        raise ConfigError(
            f"{error} (so it is where the run is driven from now on, not where you started it: "
            "environment variables and files there are others)"
        ) from error


def _end_of(execution: Execution) -> End:
    from turnout.errors import EncodeError
    from turnout.storage.codecs import encode

    result = execution.result
    if result is None:
        return End("failed")
    rows = tuple(execution.rows())
    error = result.error or execution.error
    if result.status != "succeeded":
        packed = None if error is None else failures.pack(error)
        return End(result.status, result.node, packed, rows=rows)
    try:
        encoded = encode(result.value, "the result of the workflow", stored=True)
    except EncodeError as unsendable:
        return End("failed", "", failures.pack(unsendable), rows=rows)
    return End("succeeded", codec=encoded.codec, payload=bytes(encoded.payload), rows=rows)


if __name__ == "__main__":
    from turnout.api.drive import main as _main  # one module, not a second one named __main__

    sys.exit(_main(sys.argv[1:]))
