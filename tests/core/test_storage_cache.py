from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from turnout.errors import EncodeError
from turnout.storage import cache as module
from turnout.storage.cache import KEY_SCHEME, ResultCache, cache_key, output_digest
from turnout.storage.digest import digest
from turnout.storage.store import Store

KEY = "k1abcdef"


class Opaque:
    def __reduce__(self) -> Any:
        return Opaque, ()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def entry(store: Store) -> Path:
    (name,) = store.list()
    return Path(store.locate(name))


def test_the_key_counts_every_part_and_no_order() -> None:
    keys = {
        cache_key("t", "v", {"a": "1", "b": "2"}),
        cache_key("t", "v", {"a": "2", "b": "1"}),
        cache_key("t", "v", {"a": "1"}),
        cache_key("u", "v", {"a": "1", "b": "2"}),
        cache_key("t", "w", {"a": "1", "b": "2"}),
        cache_key("t", "", {}),
    }
    assert len(keys) == 6
    assert all(key.startswith(KEY_SCHEME) for key in keys)
    assert cache_key("t", "v", {"b": "2", "a": "1"}) in keys


@pytest.mark.parametrize("value", [1, None, [1.5, "x"], {"a": (1, 2)}])
def test_a_saved_result_is_found(store: Store, value: Any) -> None:
    cache = ResultCache(store)
    assert cache.load(KEY) is None
    made = cache.save(KEY, value, {"task": "train"})
    hit = cache.load(KEY)
    assert hit is not None
    assert hit.value == value
    assert made == hit.digest == digest(value)
    assert hit.meta == {"task": "train"}
    assert hit.created > 0
    assert hit.drift == ()


def test_frames_and_arrays_are_found(store: Store) -> None:
    cache = ResultCache(store)
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    cache.save("k1frame", frame)
    cache.save("k1array", np.arange(5))
    hit = cache.load("k1frame")
    assert hit is not None
    pd.testing.assert_frame_equal(hit.value, frame)
    assert hit.digest == digest(frame)
    assert cache.load("k1array") is not None


@pytest.mark.parametrize(
    ("mode", "reads", "writes"),
    [("use", True, True), ("refresh", False, True), ("read", True, False), ("off", False, False)],
)
def test_modes(store: Store, mode: str, reads: bool, writes: bool) -> None:
    ResultCache(store).save(KEY, "old")
    cache = ResultCache(store, mode)
    assert (cache.load(KEY) is not None) is reads
    assert cache.save(KEY, "new") == digest("new")
    hit = ResultCache(store).load(KEY)
    assert hit is not None
    assert hit.value == ("new" if writes else "old")


@pytest.mark.parametrize("where", [0, 10, 20, 60, 200, -1])
def test_a_flipped_byte_is_a_miss_with_a_warning(
    store: Store, where: int, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ResultCache(store)
    cache.save(KEY, "value" * 100)
    path = entry(store)
    data = bytearray(path.read_bytes())
    data[where] ^= 0xFF
    path.write_bytes(data)
    assert cache.load(KEY) is None
    assert "cannot be read and is computed again" in caplog.text
    assert str(path) in caplog.text


def test_every_truncation_is_a_miss(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    cache = ResultCache(store)
    cache.save(KEY, "value")
    path = entry(store)
    data = path.read_bytes()
    with caplog.at_level(logging.CRITICAL):
        for length in range(0, len(data), 7):
            path.write_bytes(data[:length])
            assert cache.load(KEY) is None
        path.write_bytes(data + b"x")
        assert cache.load(KEY) is None
    path.write_bytes(data)
    assert cache.load(KEY) is not None


def test_an_entry_of_a_newer_format_or_codec_is_a_miss(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ResultCache(store)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_FORMAT", 2)
        cache.save(KEY, 1)
    assert cache.load(KEY) is None
    assert "format" in caplog.text
    real = module.encode
    with monkeypatch.context() as patch:
        patch.setattr(module, "encode", lambda *a, **k: real(*a, **k)._replace(codec="zip/1"))
        cache.save(KEY, 1)
    assert cache.load(KEY) is None
    assert "'zip', which is not installed" in caplog.text


def test_pickled_results_are_refused_where_pickle_is_not_allowed(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ResultCache(store).save(KEY, Opaque())
    ResultCache(store).save("k1plain", [1])
    careful = ResultCache(store, allow_pickle=False)
    assert careful.load(KEY) is None
    assert "allow_pickle" in caplog.text
    assert careful.load("k1plain") is not None
    assert isinstance(ResultCache(store).load(KEY).value, Opaque)  # type: ignore[union-attr]


def test_a_result_that_cannot_be_stored_names_its_task(store: Store) -> None:
    with pytest.raises(EncodeError, match="result of task 'train'"):
        ResultCache(store).save(KEY, threading.Lock(), digest="o1x", where="result of task 'train'")
    assert list(store.list()) == []


def test_other_versions_of_packages_are_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ResultCache(store)
    with monkeypatch.context() as patch:
        patch.setattr(module, "loaded_versions", lambda: {"pandas": "1.0", "gone": "1"})
        cache.save(KEY, 1)
    hit = cache.load(KEY)
    assert hit is not None
    assert hit.drift == (f"pandas 1.0 (now {pd.__version__})",)


def test_the_digest_of_a_pickled_output_is_its_producers_key() -> None:
    assert output_digest([1], KEY) == digest([1])
    assert output_digest(Opaque()) == digest(Opaque())
    assert output_digest(Opaque(), KEY, "model") == output_digest(Opaque(), KEY, "model")
    made = {output_digest(Opaque(), *where) for where in ((), (KEY,), (KEY, "a"), ("k1b", "a"))}
    assert len(made) == 4
