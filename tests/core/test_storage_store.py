from __future__ import annotations

import os
import pickle
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from turnout.errors import ConfigError
from turnout.storage.store import Store


@pytest.fixture(params=["path", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    roots = {
        "path": tmp_path / "store",
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://{uuid.uuid4().hex}",
    }
    return Store(roots[request.param])


def test_what_is_written_is_read(store: Store) -> None:
    assert store.read("a/b") is None
    store.write("a/b", b"1")
    store.write("a/b", b"22")
    store.write("c", b"")
    assert store.read("a/b") == b"22"
    assert store.read("c") == b""
    assert store.exists("a/b")
    assert not store.exists("a")
    assert store.read("a") is None
    assert list(store.list()) == ["a/b", "c"]
    assert list(store.list("a")) == ["a/b"]
    assert list(store.list("nowhere")) == []
    assert store.locate("a/b").endswith("/a/b")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    store.write("d/e/f", b"1")
    store.clear("d")
    store.clear("d")
    assert list(store.list()) == ["c"]


def test_a_store_can_be_sent(store: Store) -> None:
    store.write("a", b"1")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"1"


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a b", "a\\b", "a\n"]
)
def test_names_stay_inside_the_store(store: Store, name: str) -> None:
    for use in (store.read, store.exists, store.delete, lambda n: store.write(n, b"")):
        with pytest.raises(ValueError, match="no name in a store"):
            use(name)


def test_a_failed_write_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.write("a", b"old")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        store.write("a", b"new")
    assert store.read("a") == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_an_unfinished_write_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "a.1.ff.writing").write_bytes(b"half")
    assert list(Store(tmp_path).list()) == []


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"execution_environment\.store: 'nope://x'"):
        Store("nope://x")


WRITE_MANY = """
import sys
from turnout.storage.store import Store

store = Store(sys.argv[1])
for _ in range(200):
    store.write("shared/name", sys.argv[2].encode() * 10_000)
"""


def test_processes_never_read_half_of_a_write(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE_MANY, str(tmp_path), letter])
        for letter in "ab"
    ]
    store, seen = Store(tmp_path), set()
    while any(writer.poll() is None for writer in writers):
        seen.add(store.read("shared/name"))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {None, b"a" * 10_000, b"b" * 10_000}
    assert list(store.list()) == ["shared/name"]
