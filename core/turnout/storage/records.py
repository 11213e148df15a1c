"""Records of runs: SQLite beside the project, with large kept values as files."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from turnout.errors import ConfigError
from turnout.storage.rows import NodeRow, packed, unpacked
from turnout.storage.store import Store

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "INLINE_BYTES",
    "SCHEMA_VERSION",
    "Kept",
    "NodeRow",
    "Records",
    "RunRecord",
]

SCHEMA_VERSION: Final = 2
INLINE_BYTES: Final = 1 << 20
"""Larger kept values are files beside the database."""

_BUSY_SECONDS: Final = 30.0


class RunRecord(NamedTuple):
    """One run; the fields are the columns of the table ``runs``.

    Attributes:
        id: the run's id, unique and sortable by time.
        workflow: the workflow's name.
        name: the name the user gave the run.
        tags: the tags the user gave it.
        environment: name of the execution environment.
        status: ``running``, ``succeeded``, ``failed``, ``cancelled``; ``lost`` is shown for a
            run whose process is gone without having said how it ended.
        started: seconds since the epoch.
        finished: seconds since the epoch; ``None`` while it runs.
        error: type and message of what it failed with.
        config: the resolved config, JSON values with secrets masked.
        graph: the graph's canonical JSON text.
        versions: installed distributions, name to version.
        git: commit, branch and whether files were changed.
        user: who started it.
        host: where.
        python: the interpreter's version.
        argv: the command line.
        pid: the driver's process.
        url: where a person can look at it.
    """

    id: str
    workflow: str
    name: str = ""
    tags: tuple[str, ...] = ()
    environment: str = ""
    status: str = "running"
    started: float = 0.0
    finished: float | None = None
    error: str | None = None
    config: Any = None
    graph: str | None = None
    versions: Mapping[str, str] | None = None
    git: Mapping[str, Any] | None = None
    user: str = ""
    host: str = ""
    python: str = ""
    argv: tuple[str, ...] = ()
    pid: int = 0
    url: str | None = None


class Kept(NamedTuple):
    """A value that was kept: the last three fields of a `NodeRow`."""

    codec: str
    payload: bytes | None
    artifact: str | None


_JSON_FIELDS: Final = ("tags", "config", "versions", "git", "argv")
_RUN_COLUMNS: Final = ", ".join(
    f'"{name}"' + (" TEXT PRIMARY KEY" if name == "id" else "") for name in RunRecord._fields
)
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS runs ({_RUN_COLUMNS}) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS texts (run_id TEXT PRIMARY KEY, versions TEXT, graph TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (run_id TEXT, rows TEXT);
CREATE INDEX IF NOT EXISTS batches_by_run ON batches (run_id);
CREATE TABLE IF NOT EXISTS payloads (run_id TEXT, node TEXT, payload BLOB);
CREATE INDEX IF NOT EXISTS payloads_by_node ON payloads (run_id, node);
CREATE VIEW IF NOT EXISTS nodes AS SELECT
  run_id,
  json_extract(value, '$[0]') AS node, json_extract(value, '$[1]') AS task,
  json_extract(value, '$[2]') AS status, json_extract(value, '$[3]') AS attempts,
  json_extract(value, '$[4]') / 1e6 AS started, json_extract(value, '$[5]') / 1e9 AS seconds,
  json_extract(value, '$[6]') AS result, json_extract(value, '$[7]') AS more
  FROM batches, json_each(rows);
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (started);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_dumps: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
_RUN_INSERT: Final = f"INSERT INTO runs VALUES ({', '.join('?' * len(RunRecord._fields))})"
# What is long stands apart, in the table of texts: the row of a run is written twice.
_LONG_FIELDS: Final = ("versions", "graph")
_TEXT_INSERT: Final = "INSERT INTO texts VALUES (?, ?, ?)"
_RUN_SELECT: Final = "SELECT {} FROM runs LEFT JOIN texts ON texts.run_id = runs.id".format(
    ", ".join(
        f"COALESCE(runs.{name}, texts.{name})" if name in _LONG_FIELDS else f'runs."{name}"'
        for name in RunRecord._fields
    )
)


class Records:
    """The run records of a project; several processes and threads may use them at once.

    Nothing is made on disk before the first run begins.

    Args:
        root: the directory of the records, ``.turnout`` beside the project.

    >>> import tempfile
    >>> records = Records(tempfile.mkdtemp())
    >>> records.begin(RunRecord("r1", "pipeline", started=1.0))
    >>> records.nodes("r1", [NodeRow("r1", "load", "load", "succeeded")])
    >>> records.finish("r1", "succeeded")
    >>> records.find("latest").status, [row.node for row in records.node_rows("r1")]
    ('succeeded', ['load'])
    >>> records.close()
    """

    def __init__(self, root: str | Path) -> None:
        self.path = os.path.join(os.fspath(root), "runs.db")
        self._files = Store(root)
        self._connection: sqlite3.Connection | None = None
        self._versions: tuple[Mapping[str, str] | None, str | None] = (None, None)
        self._lock = threading.RLock()

    def begin(self, run: RunRecord) -> None:
        """Record a run that starts.

        Raises:
            ConfigError: the database is of a newer turnout, or is none.
        """
        row = [
            None
            if name in _LONG_FIELDS
            else _dumps(value)
            if name in _JSON_FIELDS and value is not None
            else value
            for name, value in zip(RunRecord._fields, run, strict=True)
        ]
        if run.versions != self._versions[0]:  # seldom: one process has one set of packages
            self._versions = (run.versions, _dumps(run.versions))
        with self._transaction() as connection:
            connection.execute(_RUN_INSERT, row)
            connection.execute(_TEXT_INSERT, (run.id, self._versions[1], run.graph))

    def nodes(self, run_id: str, rows: Iterable[NodeRow | str]) -> None:
        """Record nodes in one transaction; a later row of a node replaces the one before."""
        with self._transaction() as connection:
            _insert(connection, run_id, rows)

    def finish(
        self,
        run_id: str,
        status: str,
        error: str | None = None,
        finished: float | None = None,
        *,
        git: Mapping[str, Any] | None = None,
        url: str | None = None,
        graph: str | None = None,
        rows: Iterable[NodeRow | str] = (),
    ) -> None:
        """Record how a run ended with its last nodes, and what was only known by then."""
        if finished is None:
            import time

            finished = time.time()
        said = {"status": status, "error": error, "finished": finished}
        late = {"git": None if git is None else _dumps(git), "url": url, "graph": graph}
        said |= {name: value for name, value in late.items() if value is not None}
        columns = ", ".join(f'"{name}" = ?' for name in said)
        with self._transaction() as connection:
            _insert(connection, run_id, rows)
            connection.execute(f"UPDATE runs SET {columns} WHERE id = ?", [*said.values(), run_id])

    def locate(self, run_id: str, url: str) -> None:
        """Record where a person can look at a run."""
        with self._transaction() as connection:
            connection.execute("UPDATE runs SET url = ? WHERE id = ?", [url, run_id])

    def keep(self, run_id: str, node: str, value: Any) -> Kept:
        """Encode a value for its node's row; a large one is written to a file at once.

        Raises:
            EncodeError: the value cannot leave this process.
        """
        from turnout.storage.checksum import checksum
        from turnout.storage.codecs import encode

        codec, payload, _ = encode(value, f"the result of node {node!r}", stored=True)
        if len(payload) <= INLINE_BYTES:
            return Kept(codec, payload, None)
        # Names of nodes may hold what file systems do not take.
        name = f"artifacts/{run_id}/{checksum(node.encode('utf-8', 'surrogatepass'))}"
        self._files.write(name, payload)
        return Kept(codec, None, name)

    def find(self, run: str = "latest") -> RunRecord:
        """The run of that id, or the only one whose id begins so, or the latest.

        Raises:
            ConfigError: there is none, or there are several.
        """
        if run == "latest":
            found = self._select("ORDER BY started DESC, id DESC LIMIT 1")
        else:
            clause = "WHERE id = ? OR substr(id, 1, ?) = ? ORDER BY id = ? DESC, id LIMIT 6"
            found = self._select(clause, (run, len(run), run, run))
        if not found:
            known = [record.id for record in self.runs(limit=3)]
            there = f"the latest runs are {', '.join(known)}" if known else "there are no runs yet"
            raise ConfigError(f"no run {run!r} in {self.path}; {there}")
        if len(found) > 1 and found[0].id != run:
            ids = ", ".join(record.id for record in found[:5])
            raise ConfigError(f"several runs begin with {run!r} ({ids}); give more of the id")
        return found[0]

    def runs(
        self,
        limit: int | None = 20,
        workflow: str | None = None,
        status: str | None = None,
        tag: str | None = None,
    ) -> list[RunRecord]:
        """Runs that fit, the latest first."""
        clauses, values = ["1"], list[Any]()
        if workflow is not None:
            clauses.append("workflow = ?")
            values.append(workflow)
        if status is not None:
            # A lost run is recorded as running.
            clauses.append("status = ?")
            values.append("running" if status == "lost" else status)
        if tag is not None:
            clauses.append("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)")
            values.append(tag)
        where = f"WHERE {' AND '.join(clauses)} ORDER BY started DESC, id DESC"
        if status not in ("running", "lost"):
            return self._select(f"{where} LIMIT ?", (*values, -1 if limit is None else limit))
        found = [record for record in self._select(where, values) if record.status == status]
        return found[:limit]

    def node_rows(self, run_id: str) -> list[NodeRow]:
        """The nodes of a run in the order they started, without the bytes of kept values."""
        found = [row._replace(payload=None) for row in self._rows(run_id).values()]
        # What never ran, as a case that was not chosen, comes last; else in the order of the end.
        return sorted(found, key=lambda row: (not row.started, row.started))

    def kept(self, run_id: str, node: str) -> Any:
        """The result that was kept of a node.

        Raises:
            ConfigError: there is no such node, or its result was not kept.
        """
        from turnout.storage.codecs import decode

        row = self._rows(run_id).get(node)
        if row is None and node:
            names = (
                ", ".join([row.node for row in self.node_rows(run_id) if row.node][:10]) or "none"
            )
            raise ConfigError(f"run {run_id} has no node {node!r}; there are: {names}")
        codec = payload = artifact = None
        if row is not None:
            codec, payload, artifact = row.codec, row.payload, row.artifact
        if payload is None and codec is not None and artifact is None:
            query = (
                "SELECT payload FROM payloads WHERE run_id = ? AND node = ? "
                "ORDER BY rowid DESC LIMIT 1"
            )
            payload = next((found[0] for found in self._query(query, (run_id, node))), None)
        if payload is None and artifact is not None:
            root, _, name = artifact.rpartition("#")
            payload = (Store(root) if root else self._files).read(name)
        if codec is None or payload is None:
            what = f"node {node!r} of run" if node else "run"
            raise ConfigError(
                f"the result of {what} {run_id} was not kept; run it again with "
                "execution_environment.keep=all"
            )
        return decode(codec, payload)

    def _rows(self, run_id: str) -> dict[str, NodeRow]:
        query = "SELECT rows FROM batches WHERE run_id = ? ORDER BY rowid"
        batches = self._query(query, (run_id,))
        rows = (values for (batch,) in batches for values in json.loads(batch))
        return {values[0]: unpacked(run_id, values) for values in rows}

    def close(self) -> None:
        """Close the database; it opens again on use."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _select(self, clause: str, values: Iterable[Any] = ()) -> list[RunRecord]:
        return [_record(row) for row in self._query(f"{_RUN_SELECT} {clause}", values)]

    def _query(self, query: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._connection is None and not os.path.exists(self.path):
                return []
            return self._open().execute(query, tuple(values)).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not os.path.exists(self.path):
            self.close()  # somebody has removed the records
        if self._connection is None:
            self._connection = _connect(self.path)
        return self._connection


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3

    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(
            f"run records cannot be kept in {folder}: it is not a directory; move that file away"
        ) from error
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"{path} was written by a newer turnout (schema {version}; this one knows "
                f"{SCHEMA_VERSION}): upgrade turnout, or move the file away"
            )
        # A crash of this process harms nothing. One of the whole machine may cost the history of
        # runs, but never a result: those are files of their own. Waiting for the disk three
        # times, 20 ms on a common one, would be paid by every run.
        connection.execute("PRAGMA synchronous = OFF")
        if version < SCHEMA_VERSION:
            _create(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ConfigError(
            f"the run records {path} cannot be opened ({error}); move the file away to begin anew"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    import sqlite3
    import time

    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            # Changing the journal mode does not wait for other processes as all else does.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            return
        except sqlite3.OperationalError as error:
            busy = "locked" in str(error) or "busy" in str(error)
            if not busy or time.monotonic() > deadline:
                raise
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            time.sleep(0.005)


def _insert(connection: sqlite3.Connection, run_id: str, rows: Iterable[NodeRow | str]) -> None:
    payloads: list[tuple[str, str, bytes]] = []
    batch = ",".join([row if isinstance(row, str) else packed(row, payloads) for row in rows])
    if batch:
        # One text a batch: binding a value to SQLite costs more than writing it as JSON.
        connection.execute("INSERT INTO batches VALUES (?, ?)", (run_id, f"[{batch}]"))
    if payloads:
        connection.executemany("INSERT INTO payloads VALUES (?, ?, ?)", payloads)


def _record(row: tuple[Any, ...]) -> RunRecord:
    record = RunRecord(*row)
    read = {name: json.loads(text) for name in _JSON_FIELDS if (text := getattr(record, name))}
    read |= {name: tuple(read.get(name) or ()) for name in ("tags", "argv")}
    if record.status == "running" and _is_gone(record):
        read["status"] = "lost"
    return record._replace(**read)


def _is_gone(record: RunRecord) -> bool:
    """Whether the process that drove a run can be told to be gone."""
    import socket

    if record.host != socket.gethostname() or record.pid <= 0 or sys.platform == "win32":
        return False
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
