"""A run that a process elsewhere drives, for processes other than the one that sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnout.api.errand import End, forget, read_end
from turnout.api.recorded import settings_of
from turnout.backend.base import Detached, ExecutorBackend
from turnout.backend.registry import registry
from turnout.errors import PluginError, TurnoutError
from turnout.storage.store import Store

if TYPE_CHECKING:
    from turnout.storage.records import Records, RunRecord


def catch_up(records: Records, record: RunRecord, *, ask: bool) -> None:
    """Take over into the records how a run ended that nobody followed to its end.

    Args:
        records: the records the run began in.
        record: the run.
        ask: whether to ask the backend, where the run has left no word, if it still goes on.
    """
    place = settings_of(record).get("store")
    if not place:
        return
    store = Store(place)
    end = read_end(store, record.id)
    if end is None and ask:
        there = _found(record)
        state = "running" if there is None else there.state()
        if state != "running":
            # Its last word may have come in between.
            status = "cancelled" if state == "cancelled" else "failed"
            end = read_end(store, record.id) or End(status)
            _take(records, record, end, otherwise=f"its process has gone ({state}) without a word")
            forget(store, record.id)
        return
    if end is not None:
        _take(records, record, end)
        forget(store, record.id)


def cancel(record: RunRecord) -> None:
    """Ask for the end of a run that is driven elsewhere.

    Raises:
        TurnoutError: its process cannot be reached from here.
    """
    there = _found(record)
    if there is None:
        where = record.url or "where it runs"
        raise TurnoutError(f"run {record.id} cannot be reached from here; cancel it there: {where}")
    there.cancel()


def _found(record: RunRecord) -> Detached | None:
    """The process, or ``None`` where it cannot be asked."""
    said = settings_of(record)
    try:
        backend = registry().backend(str(said.get("backend", "")))
        if not isinstance(backend, ExecutorBackend):
            return None
        return backend.find(backend.schema(**said), record.id)
    except (PluginError, TypeError, ValueError):
        return None  # another installation sent it, or its engine does not answer now


def _take(records: Records, record: RunRecord, end: End, otherwise: str = "") -> None:
    from turnout.storage.codecs import decode
    from turnout.storage.records import NodeRow
    from turnout.worker import failures

    rows = list(end.rows)
    if end.status == "succeeded":
        kept = records.keep(record.id, "", decode(end.codec, end.payload))
        rows.append(NodeRow(record.id, "", status="succeeded", **kept._asdict()))
    told = otherwise if end.status != "succeeded" else None
    if end.error is not None:
        error = failures.unpack(end.error)
        told = f"{type(error).__name__}: {error}"
    records.finish(record.id, end.status, told or None, git=record.git, url=record.url, rows=rows)
