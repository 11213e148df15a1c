from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from turnout.errors import ConfigError, EncodeError
from turnout.storage.opened import records_at
from turnout.storage.records import INLINE_BYTES, NodeRow, Records, RunRecord
from turnout.storage.store import Store

FULL = RunRecord(
    id="20240101-ab",
    workflow="pipeline",
    name="first",
    tags=("nightly", "x"),
    environment="local",
    started=1.5,
    config={"model": {"C": 0.1}},
    graph="{}",
    versions={"numpy": "2.0"},
    user="ada",
    host="elsewhere",
    python="3.11.7",
    argv=("main.py", "model.C=0.1"),
    pid=17,
)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    found = Records(tmp_path / ".turnout")
    yield found
    found.close()


def test_reading_makes_nothing(records: Records, tmp_path: Path) -> None:
    assert records.runs() == []
    assert records.node_rows("a") == []
    with pytest.raises(ConfigError, match="there are no runs yet"):
        records.find()
    assert list(tmp_path.iterdir()) == []


def test_a_run_comes_back_as_it_was(records: Records) -> None:
    records.begin(FULL)
    assert records.find("2024") == FULL
    records.finish(
        FULL.id, "failed", "ValueError: no", 3.5, git={"commit": "c", "dirty": True}, url="http://x"
    )
    assert records.find() == FULL._replace(
        status="failed",
        error="ValueError: no",
        finished=3.5,
        git={"commit": "c", "dirty": True},
        url="http://x",
    )


def test_runs_are_found_by_prefix_and_listed_by_what_they_are(records: Records) -> None:
    for number, (workflow, tags) in enumerate([("a", ("x",)), ("b", ("x", "y")), ("a", ())]):
        records.begin(RunRecord(f"r{number}", workflow, tags=tags, started=float(number)))
    records.finish("r0", "succeeded")
    assert [run.id for run in records.runs()] == ["r2", "r1", "r0"]
    assert [run.id for run in records.runs(limit=1)] == ["r2"]
    assert [run.id for run in records.runs(workflow="a")] == ["r2", "r0"]
    assert [run.id for run in records.runs(tag="y")] == ["r1"]
    assert [run.id for run in records.runs(status="succeeded")] == ["r0"]
    assert [run.id for run in records.runs(status="running", limit=1)] == ["r2"]
    assert records.find("latest").id == "r2"
    assert records.find("r1").id == "r1"
    with pytest.raises(ConfigError, match=r"several runs begin with 'r' \(r0, r1, r2\)"):
        records.find("r")
    with pytest.raises(ConfigError, match=r"no run '%'.*the latest runs are r2, r1, r0"):
        records.find("%")


def test_an_id_that_begins_another_is_found(records: Records) -> None:
    records.begin(RunRecord("r1", "a"))
    records.begin(RunRecord("r10", "a"))
    assert records.find("r1").id == "r1"


def test_nodes_keep_small_values_in_the_row_and_large_ones_in_a_file(
    records: Records, tmp_path: Path
) -> None:
    records.begin(RunRecord("r", "a"))
    large = np.zeros(INLINE_BYTES // 8 + 1)
    kept = [records.keep("r", node, value) for node, value in (("a", [1]), ("b/c[0]", large))]
    assert kept[0].artifact is None
    assert kept[1].payload is None
    rows = [
        NodeRow("r", "b/c[0]", "c", "succeeded", 2, "stored", "k1", 2.0, 0.5, None, "d1", *kept[1]),
        NodeRow("r", "a", "a", "succeeded", 1, "", "", 1.0, 0.25, None, "", *kept[0]),
        NodeRow("r", "gone", started=3.0),
    ]
    records.nodes("r", rows)
    assert records.node_rows("r") == [rows[1]._replace(payload=None), rows[0], rows[2]]
    assert records.kept("r", "a") == [1]
    np.testing.assert_array_equal(records.kept("r", "b/c[0]"), large)
    with pytest.raises(ConfigError, match=r"'gone' of run r was not kept.*keep=all"):
        records.kept("r", "gone")
    with pytest.raises(ConfigError, match="no node 'z'; there are: a, b/c"):
        records.kept("r", "z")
    (file,) = (tmp_path / ".turnout" / "artifacts" / "r").iterdir()
    file.unlink()
    with pytest.raises(ConfigError, match="not kept"):
        records.kept("r", "b/c[0]")


def test_a_value_may_be_kept_in_another_store(records: Records, tmp_path: Path) -> None:
    store = Store(tmp_path / "shared")
    store.write("artifacts/a", b"7")
    records.begin(RunRecord("r", "a"))
    row = NodeRow("r", "a", codec="plain/1", artifact=f"{store.root}#artifacts/a")
    records.nodes("r", [row])
    assert records.kept("r", "a") == 7


def test_a_value_that_cannot_be_kept_names_its_node(records: Records) -> None:
    with pytest.raises(EncodeError, match="the result of node 'a'"):
        records.keep("r", "a", (i for i in ()))


def test_a_batch_is_written_whole_or_not_at_all(records: Records) -> None:
    records.begin(RunRecord("r", "a"))

    def rows() -> Iterator[NodeRow]:
        yield NodeRow("r", "a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.nodes("r", rows())
    assert records.node_rows("r") == []
    records.nodes("r", [NodeRow("r", "a", status="running")])
    records.nodes("r", [NodeRow("r", "a", status="succeeded")])
    assert [row.status for row in records.node_rows("r")] == ["succeeded"]


def test_a_run_whose_process_is_gone_is_lost(records: Records) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    host = socket.gethostname()
    records.begin(RunRecord("dead", "a", host=host, pid=process.pid, started=1.0))
    records.begin(RunRecord("alive", "a", host=host, pid=os.getpid(), started=2.0))
    records.begin(RunRecord("remote", "a", host="elsewhere", pid=process.pid, started=3.0))
    assert {run.id: run.status for run in records.runs()} == {
        "dead": "lost",
        "alive": "running",
        "remote": "running",
    }
    assert [run.id for run in records.runs(status="lost")] == ["dead"]
    assert [run.id for run in records.runs(status="running")] == ["remote", "alive"]


def test_records_of_a_newer_turnout_are_refused_unharmed(records: Records) -> None:
    records.begin(RunRecord("r", "a"))
    records.close()
    with sqlite3.connect(records.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match=r"newer turnout \(schema 99; .*upgrade turnout"):
        records.runs()
    with pytest.raises(ConfigError, match="newer turnout"):
        records.begin(RunRecord("s", "a"))


def test_records_of_an_older_turnout_are_read_and_added_to(records: Records) -> None:
    records.begin(RunRecord("old", "a", started=1.0))
    records.close()
    with sqlite3.connect(records.path) as connection:
        connection.execute("DROP TABLE texts")
        connection.execute("UPDATE runs SET graph = 'g', versions = '{\"turnout\": \"0\"}'")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    records.begin(RunRecord("new", "a", started=2.0, graph="h", versions={"turnout": "1"}))
    assert [(run.id, run.graph, run.versions) for run in records.runs()] == [
        ("new", "h", {"turnout": "1"}),
        ("old", "g", {"turnout": "0"}),
    ]


def test_what_is_no_database_is_named(records: Records) -> None:
    Path(records.path).parent.mkdir()
    Path(records.path).write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(ConfigError, match=r"runs\.db cannot be opened .*move the file away"):
        records.begin(RunRecord("r", "a"))


WRITE_RUNS = """
import sys
from turnout.storage.records import NodeRow, Records, RunRecord

root, name = sys.argv[1:]
records = Records(root)
for number in range(20):
    run = f"{name}{number}"
    records.begin(RunRecord(run, "a", started=float(number)))
    records.nodes(run, [NodeRow(run, f"n{i}") for i in range(20)])
    records.finish(run, "succeeded")
records.close()
"""


def test_processes_share_the_records_from_their_first_moment(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE_RUNS, str(tmp_path), name]) for name in "abcd"
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    records = Records(tmp_path)
    runs = records.runs(limit=None)
    assert len(runs) == 80
    assert {run.status for run in runs} == {"succeeded"}
    assert len(records.node_rows("c7")) == 20
    records.close()


def test_few_records_are_open_at_a_time_and_closed_ones_open_again(tmp_path: Path) -> None:
    found = [records_at(str(tmp_path / str(number))) for number in range(10)]
    for records in found:
        records.begin(RunRecord("r", "a"))
    assert records_at(str(tmp_path / "9")) is found[9]
    assert [records.find().id for records in found] == ["r"] * 10
    for records in found:
        records.close()
