"""`Run`: one execution of a workflow, while it goes on and afterwards."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from turnout.errors import RunCancelled, RunFailed, TurnoutError

if TYPE_CHECKING:
    from turnout.api.execute import Execution
    from turnout.storage.records import NodeRow, Records, RunRecord

R = TypeVar("R")

_ASKED: Final = 2.0
"""How often the process that drives a run elsewhere is asked whether it still does, in seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node of a run.

    Attributes:
        name: its name in the run.
        task: the task's name, ``""`` for a conditional.
        status: ``succeeded``, ``cached``, ``failed``, ``skipped`` or ``cancelled``.
        attempts: how many attempts were made.
        cached: whether the result came from the cache.
        seconds: how long it took.
        error: type and message of what it failed with.
        metrics: what the task logged with ``current().log_metrics``.
    """

    name: str
    task: str
    status: str
    attempts: int
    cached: bool
    seconds: float
    error: str | None = None
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, row: NodeRow) -> NodeInfo:
        """The node of a record."""
        return cls(
            name=row.node,
            task=row.task,
            status=row.status,
            attempts=row.attempts,
            cached=row.cached == "hit",
            seconds=row.seconds,
            error=row.error,
            metrics=row.metrics or {},
        )


class Run(Generic[R]):
    """One execution of a workflow.

    Made by `turnout.run`, `turnout.get_run` and `turnout.runs`.
    """

    def __init__(
        self,
        run_id: str,
        *,
        execution: Execution | None = None,
        records: Records | None = None,
    ) -> None:
        self._id = run_id
        self._execution = execution
        self._records = records
        self._ask_at = 0.0

    @property
    def id(self) -> str:
        """The run's id."""
        return self._id

    @property
    def status(self) -> str:
        """How the run stands.

        ``running``, ``succeeded``, ``failed``, ``cancelled``, or ``lost`` when its process has
        gone away without saying how it ended.
        """
        if self._execution is not None:
            return self._execution.status
        return self._record().status

    @property
    def url(self) -> str | None:
        """Where a person can look at the run, if the environment has such a place."""
        if self._execution is not None:
            return self._execution.url
        return self._record().url

    @property
    def outputs(self) -> R:
        """What calling the workflow would have returned; waits for it.

        Raises:
            RunFailed: the run failed.
            RunCancelled: the run was cancelled.
            ConfigError: an earlier run's result was not kept.
        """
        if self._execution is not None:
            self.wait()
            return self._execution.value  # type: ignore[no-any-return]
        record = self._record()
        if record.status != "succeeded":
            raise RunFailed(
                f"run {self.id} {record.status}" + (f": {record.error}" if record.error else ""),
                run=self,
            )
        return self._open_records().kept(self.id, "")  # type: ignore[no-any-return]

    @property
    def nodes(self) -> list[NodeInfo]:
        """The nodes that have ended, in the order they started."""
        if self._execution is not None:
            return self._execution.nodes()
        assert self._records is not None
        self._record()
        return [NodeInfo.of(row) for row in self._records.node_rows(self.id) if row.node]

    def output(self, node: str) -> Any:
        """The result of one node, if the run or the cache has kept it; a list for a map.

        Raises:
            ConfigError: there is no such node, or its result was not kept.
        """
        records = self._open_records()
        rows = {row.node: row for row in records.node_rows(self.id)}
        items = [name for name in rows if name.startswith(f"{node}[") and name.endswith("]")]
        if items and (node not in rows or rows[node].codec is None):
            count = sum("[" not in name[len(node) + 1 :] for name in items)
            return [self.output(f"{node}[{index}]") for index in range(count)]
        row = rows.get(node)
        if row is not None and row.cached and row.codec is None:
            from turnout.storage.cache import ResultCache
            from turnout.storage.store import Store

            hit = ResultCache(Store(self._store(records)), "use").load(row.key)
            if hit is not None:
                return hit.value
        return records.kept(self.id, node)

    def wait(self, timeout: float | None = None) -> Run[R]:
        """Wait until the run has ended.

        Args:
            timeout: seconds to wait at most.

        Raises:
            RunFailed: it failed; the cause is the user's exception.
            RunCancelled: it was cancelled.
            TimeoutError: it goes on after ``timeout`` seconds.
        """
        if self._execution is not None:
            self._execution.join(timeout)
            self._execution.raise_failure(self)
        else:
            self._wait_for_record(timeout)
        return self

    def cancel(self) -> None:
        """End the run; tasks that are running are ended where the environment can.

        A run that is driven elsewhere, as by a job on a cluster, may be ended from any process.

        Raises:
            TurnoutError: the run is driven by another process of this machine, or by one that
                cannot be reached from here.
        """
        if self._execution is not None:
            self._execution.cancel()
        elif self.status == "running":
            record = self._record()
            if record.pid:
                told = f"run {self.id} is driven by process {record.pid}; interrupt that process"
                raise TurnoutError(told)
            from turnout.api.reattach import cancel

            cancel(record)

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    def _record(self) -> RunRecord:
        assert self._records is not None
        record = self._records.find(self.id)
        if record.status == "running" and not record.pid:
            # It is driven elsewhere, and may have ended since.
            from turnout.api.reattach import catch_up

            now = time.monotonic()
            ask = now >= self._ask_at
            if ask:
                self._ask_at = now + _ASKED
            catch_up(self._records, record, ask=ask)
            record = self._records.find(self.id)
        return record

    def _open_records(self) -> Records:
        records = self._records if self._execution is None else self._execution.records
        if records is None:
            raise TurnoutError(f"run {self.id} has not started yet")
        return records

    def _store(self, records: Records) -> str:
        """Where the run kept large and cached results."""
        if self._execution is not None:
            return self._execution.store
        from turnout.api.recorded import settings_of

        named = settings_of(records.find(self.id)).get("store")
        return str(named or os.path.dirname(records.path))

    def _wait_for_record(self, timeout: float | None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        pause = threading.Event()
        while self.status == "running":
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"run {self.id} goes on after {timeout} seconds")
            pause.wait(0.2)
        if self.status != "succeeded":
            record = self._record()
            kind = RunCancelled if record.status == "cancelled" else RunFailed
            raise kind(f"run {self.id} {record.status}: {record.error or 'no reason'}", run=self)


def reopened(records: Records, found: Iterator[RunRecord] | list[RunRecord]) -> list[Run[Any]]:
    """Runs of the records, as objects."""
    return [Run(record.id, records=records) for record in found]
