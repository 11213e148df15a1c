"""Writes the record of a run while it goes on, in batches."""

from __future__ import annotations

import functools
import getpass
import os
import platform
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from turnout.backend.call import UNSET, Summary
from turnout.engine import Job, State
from turnout.engine.jobs import DONE
from turnout.storage.environment import GitQuery, installed_versions, start_git
from turnout.storage.records import NodeRow, Records, RunRecord
from turnout.storage.rows import usual_row

_BATCH_ROWS = 500
_BATCH_SECONDS = 1.0
_clock = time.perf_counter
_NO_MORE = Summary()[3:]


class Recorder:
    """Takes a run's jobs as they end and writes them in few transactions.

    Args:
        records: where to.
        run: the run's first record.
        root: the project, whose git state is recorded.
        store: where the workers put large results, if not beside the records.
        keep: whether results that need no file are recorded.
    """

    def __init__(
        self,
        records: Records,
        run: RunRecord,
        root: Path,
        *,
        store: str = "",
        keep: bool = True,
    ) -> None:
        self.records = records
        self.run_id = run.id
        self._store = store
        self._keep = keep
        self._rows: list[NodeRow | str] = []
        self._due = _clock() + _BATCH_SECONDS
        self._git = _git(root)
        records.begin(run)

    def ended(self, job: Job) -> None:
        """A job has ended."""
        rows = self._rows
        rows.append(
            (self._keep and _usual_row(job)) or row_of(self.run_id, job, self._store, self._keep)
        )
        if len(rows) >= _BATCH_ROWS or _clock() > self._due:
            self.flush()

    def add(self, row: NodeRow) -> None:
        """Note what is no job: the workflow's result."""
        self._rows.append(row)

    def take(self, rows: Iterable[NodeRow]) -> None:
        """Note rows that were made elsewhere."""
        self._rows.extend(rows)

    def locate(self, url: str | None) -> None:
        """Write where a person can look at the run, before it has ended."""
        if url is not None:
            self.records.locate(self.run_id, url)

    def flush(self) -> None:
        """Write what has been gathered."""
        rows, self._rows = self._rows, []
        if rows:
            self.records.nodes(self.run_id, rows)
        self._due = _clock() + _BATCH_SECONDS

    def finish(self, status: str, error: BaseException | None, url: str | None = None) -> None:
        """Write how the run ended."""
        git = self._git.result()
        self.records.finish(
            self.run_id,
            status,
            None if error is None else f"{type(error).__name__}: {error}",
            git=None if git is None else git._asdict(),
            url=url,
            rows=self._rows,
        )


def _usual_row(job: Job) -> str | None:
    """The row of a job of which there is no more to tell than of most; of any other ``None``."""
    summary = job.summary
    if job.state is not DONE or summary is None or job.attempts or summary[3:] != _NO_MORE:
        return None
    seconds, started, small = summary[:3]
    step = job.step
    if type(small) is not int or step.spec is None:
        return None
    try:
        return usual_row(step.id, step.spec.name, started, seconds, small)
    except ValueError:  # Python does not write out a number of thousands of digits
        return None


def row_of(run_id: str, job: Job, store: str = "", keep: bool = False) -> NodeRow:
    """The record of a job.

    Args:
        run_id: the run.
        job: the job.
        store: where its result is, if not beside the records.
        keep: whether a result that needs no file goes into the record.
    """
    step = job.step
    task = "" if step.spec is None else step.spec.name
    done = job.state is DONE
    status = "succeeded" if done else _STATUS[job.state]
    error = None if job.error is None else f"{type(job.error).__name__}: {job.error}"
    summary = job.summary
    if summary is None:
        return NodeRow(run_id, step.id, task, status, len(job.attempts), error=error)
    seconds, started, small, attempts, cached, key, digest, _, kept, _, metrics = summary
    if len(job.attempts) > len(attempts):
        # The node was submitted more than once; the summary is of the last time.
        before = job.attempts[: len(job.attempts) - len(attempts)]
        seconds += sum(attempt.seconds for attempt in before)
    codec = payload = artifact = None
    if done:
        if cached == "hit":
            status = "cached"
        if kept is not None:
            codec, payload, artifact = kept
            if artifact is not None and store:
                artifact = f"{store}#{artifact}"
        elif keep and small is not UNSET:
            from turnout.storage.codecs import encode

            codec, payload, _ = encode(small)
    return NodeRow(
        run_id,
        step.id,
        task,
        status,
        len(job.attempts) + done,
        cached,
        key,
        started,
        seconds,
        error,
        digest,
        codec,
        payload,
        artifact,
        dict(metrics) if metrics else None,
    )


_STATUS = {
    State.WAITING: "waiting",
    State.RUNNING: "running",
    State.DONE: "succeeded",
    State.FAILED: "failed",
    State.SKIPPED: "skipped",
    State.CANCELLED: "cancelled",
}


def first_record(
    run_id: str,
    workflow: str,
    environment: str,
    *,
    name: str = "",
    tags: tuple[str, ...] = (),
    config: Any = None,
    graph: str | None = None,
    here: bool = True,
) -> RunRecord:
    """The record of a run that starts now, with what is known of this process.

    One that is not driven ``here`` goes on when this process ends.
    """
    return RunRecord(
        id=run_id,
        workflow=workflow,
        name=name,
        tags=tags,
        environment=environment,
        started=time.time(),
        config=config,
        graph=graph,
        versions=installed_versions(),
        user=_user(),
        host=_host(),
        python=platform.python_version(),
        argv=tuple(sys.argv),
        pid=os.getpid() if here else 0,
    )


@functools.lru_cache(maxsize=16)
def _git(root: Path) -> GitQuery:
    """The project's state when this process first asked; git takes milliseconds."""
    return start_git(root)


@functools.cache
def _host() -> str:
    return socket.gethostname()


@functools.cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
