"""Cached results: one self-describing file each, verified whenever it is read."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from turnout.storage.checksum import blake2b, checksum
from turnout.storage.codecs import decode, encode, is_pickled
from turnout.storage.digest import digest_and_canonical
from turnout.storage.environment import loaded_versions
from turnout.storage.store import Store

__all__ = ["KEY_SCHEME", "Hit", "ResultCache", "cache_key", "output_digest"]

KEY_SCHEME: Final = "k1"
"""Prefix of every cache key; raised when the same call would get another one."""

_MAGIC: Final = b"turnout-result"
_FORMAT: Final = 1
_PYTHON: Final = sys.version.partition(" ")[0]

_log = logging.getLogger(__name__)


def cache_key(identity: str, version: str, inputs: Mapping[str, str]) -> str:
    """The key a result is cached under, equal in every environment.

    Args:
        identity: the task's reference, or the name it was given.
        version: what stands for its code.
        inputs: the digest of each input that counts, by parameter.

    >>> cache_key("main:train", "c1", {"a": "d11", "b": "d12"})
    'k11c8048d23e2847d982bca1dde73cecad'
    """
    data = json.dumps([identity, version, sorted(inputs.items())], separators=(",", ":"))
    return KEY_SCHEME + blake2b(data.encode("ascii"), digest_size=16).hexdigest()


def output_digest(value: Any, key: str = "", output: str = "") -> str:
    """The digest a result carries to its consumers.

    Args:
        value: the result.
        key: the cache key it was made under, if its task is cached. It stands for a value
            that has no canonical form: pickle bytes differ from one run to the next.
        output: which of the task's outputs this is.

    Raises:
        EncodeError: there is no key, and the value cannot be encoded.
    """
    text, canonical = digest_and_canonical(value)
    if canonical or not key:
        return text
    return "o1" + checksum(f"{key}/{output}".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A result found in the cache.

    Attributes:
        value: the result.
        digest: its digest, as its producer took it.
        meta: what was said of it when it was saved.
        created: when it was saved, in seconds since the epoch.
        drift: packages that had another version then, such as ``pandas 2.2.0 (now 3.0.1)``.
    """

    value: Any
    digest: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    created: float = 0.0
    drift: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultCache:
    """The results in a store.

    Attributes:
        store: where they are.
        mode: ``use``, ``refresh`` (compute and replace), ``read`` (never write) or ``off``.
        allow_pickle: whether a pickled result may be read; pickle can run any code, so that a
            store others write to is to be trusted first.

    >>> import tempfile
    >>> cache = ResultCache(Store(tempfile.mkdtemp()))
    >>> _ = cache.save("k1ab", [1, 2], {"task": "load"})
    >>> cache.load("k1ab").value
    [1, 2]
    >>> cache.load("k1cd") is None
    True
    """

    store: Store
    mode: str = "use"
    allow_pickle: bool = True

    def load(self, key: str) -> Hit | None:
        """The result of that key. A damaged one is no result; a warning says so."""
        if self.mode in ("refresh", "off"):
            return None
        name = _name(key)
        try:
            data = self.store.read(name)
            return None if data is None else self._hit(name, data)
        except Exception as error:
            # Whatever is wrong with an entry, computing the result again is right.
            _log.warning(
                "the cached result %s cannot be read and is computed again (%s: %s)",
                self.store.locate(name),
                type(error).__name__,
                error,
            )
            return None

    def save(
        self,
        key: str,
        value: Any,
        meta: Mapping[str, Any] | None = None,
        *,
        digest: str = "",
        where: str = "",
    ) -> str:
        """Keep a result, unless the mode forbids it.

        Args:
            key: what it is kept under.
            value: the result.
            meta: JSON values that describe it, such as the task's name.
            digest: its digest, if it has been taken.
            where: what the value is, for the message of an error.

        Returns:
            The result's digest.

        Raises:
            EncodeError: the value cannot be stored.
            OSError: the store cannot be written to.
        """
        digest = digest or output_digest(value, key)
        if self.mode in ("read", "off"):
            return digest
        encoded = encode(value, where, stored=True)
        header = {
            "codec": encoded.codec,
            "digest": digest,
            "meta": dict(meta or {}),
            "created": time.time(),
            "python": _PYTHON,
            "packages": loaded_versions(),
        }
        text = json.dumps(header, sort_keys=True).encode("ascii")
        total = _sum(text, encoded.payload)
        first = b"%s %d %d %s\n" % (_MAGIC, _FORMAT, len(text), total)
        self.store.write(_name(key), b"".join((first, text, encoded.payload)))
        return digest

    def _hit(self, name: str, data: bytes) -> Hit | None:
        first, _, _ = data[:200].partition(b"\n")
        magic, version, length, total = first.split(b" ")
        if magic != _MAGIC or int(version) != _FORMAT:
            raise ValueError(f"it is of format {version!r}, and this turnout reads {_FORMAT}")
        start = len(first) + 1
        body = memoryview(data)[start:]
        text, payload = bytes(body[: int(length)]), body[int(length) :]
        if _sum(text, payload) != total:
            raise ValueError("its checksum is wrong")
        header = json.loads(text)
        if is_pickled(header["codec"]) and not self.allow_pickle:
            _log.warning(
                "the cached result %s is pickled, and execution_environment.allow_pickle is "
                "false; it is computed again",
                self.store.locate(name),
            )
            return None
        return Hit(
            value=decode(header["codec"], bytes(payload)),
            digest=header["digest"],
            meta=header["meta"],
            created=header["created"],
            drift=_drift(header),
        )


def _name(key: str) -> str:
    return f"cache/{key[2:4]}/{key}"


def _sum(text: bytes, payload: bytes | memoryview) -> bytes:
    state = blake2b(text, digest_size=16)
    state.update(payload)
    return state.hexdigest().encode("ascii")


def _drift(header: Mapping[str, Any]) -> tuple[str, ...]:
    then = {"python": header["python"], **header["packages"]}
    now = {"python": _PYTHON, **loaded_versions()}
    return tuple(
        f"{name} {then[name]} (now {now[name]})"
        for name in sorted(then)
        if name in now and now[name] != then[name]
    )
