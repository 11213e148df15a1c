"""Files and directories that tasks hand to one another.

What a task returns is captured at once: the local file or tree is copied into the store under
the digest of its content, so that whoever receives it sees what was there when the task ended.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self, cast

from turnout.errors import ConfigError
from turnout.storage.checksum import blake2b, checksum
from turnout.storage.store import Store

__all__ = ["Directory", "File"]

_CHUNK = 1 << 20


class _Artifact(os.PathLike[str]):
    """What `File` and `Directory` share.

    Args:
        path: a local path; relative ones are taken from the working directory.
    """

    __slots__ = ("_digest", "_reference", "_url")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._url = os.fspath(path)
        self._digest = ""
        self._reference = False

    @classmethod
    def at(cls, url: str | os.PathLike[str]) -> Self:
        """A reference to data that stays where it is.

        It counts by its version, its ETag, or its size and time; it is never copied.
        """
        made = cls(url)
        made._reference = True
        return made

    @classmethod
    def __turnout_from_text__(cls, text: str) -> Self:
        """What a text in a config becomes: a local path, or a reference if it is a URL."""
        return cls.at(text) if "://" in text else cls(text)

    @property
    def url(self) -> str:
        """The path or URL of the data."""
        return self._url

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._url.rstrip("/").rpartition("/")[2]

    @property
    def path(self) -> Path:
        """The local path.

        Raises:
            ConfigError: it is a reference to data that is not local.
        """
        return Path(os.fspath(self))

    def __fspath__(self) -> str:
        if "://" not in self._url:
            return self._url
        if self._reference:
            raise ConfigError(
                f"{self._url} is a reference and is never copied; open it with fsspec, or read it "
                "with a library that takes URLs"
            )
        return _fetched(self._url, self._digest)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, _Artifact)
        if self._digest and other._digest:
            return (self._digest, self.name) == (other._digest, other.name)
        return (self._url, self._reference) == (other._url, other._reference)

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}.at({self._url!r})" if self._reference else f"{kind}({self._url!r})"

    def __getstate__(self) -> tuple[str, str, bool]:
        return (self._url, self._digest, self._reference)

    def __setstate__(self, state: tuple[str, str, bool]) -> None:
        self._url, self._digest, self._reference = state

    def __turnout_digest__(self) -> str:
        """What the data counts as in a cache key.

        Raises:
            OSError: it cannot be read.
        """
        if self._reference:
            return checksum(f"{self._url}\0{_state_of(self._url)}".encode())
        return self._digest or self._content()

    def captured(self, store: Store) -> Self:
        """A copy in the store; a reference, or what has been captured already, as it is.

        Raises:
            ConfigError: there is nothing at the path.
        """
        if self._reference or self._digest:
            return self
        if not os.path.exists(self._url):
            raise ConfigError(f"{self!r}: there is nothing at this path")
        made = type(self)(self._url)
        made._digest = self._content()
        made._url = self._put(store, f"files/{made._digest}/{_plain(self.name)}")
        return made

    def _content(self) -> str:
        raise NotImplementedError

    def _put(self, store: Store, name: str) -> str:
        raise NotImplementedError


class File(_Artifact):
    """A file that a task takes or returns; usable wherever a path is.

    >>> path = os.path.join(tempfile.mkdtemp(), "a.txt")
    >>> _ = Path(path).write_text("hello")
    >>> file = File(path).captured(Store(tempfile.mkdtemp()))
    >>> file.name, file.path.read_text()
    ('a.txt', 'hello')
    """

    __slots__ = ()

    def open(self, mode: str = "r", **options: Any) -> IO[Any]:
        """Open the file; a reference is opened by fsspec."""
        if self._reference and "://" in self._url:
            import fsspec

            return cast("IO[Any]", fsspec.open(self._url, mode, **options).open())
        return open(os.fspath(self), mode, **options)

    def _content(self) -> str:
        return _hash_of(self._url)

    def _put(self, store: Store, name: str) -> str:
        return store.put(name, self._url)


class Directory(_Artifact):
    """A directory that a task takes or returns, with all that is below it."""

    __slots__ = ()

    def _content(self) -> str:
        parts = [f"{name}\0{_hash_of(path)}" for name, path in _files_below(self._url)]
        return checksum("\n".join(parts).encode("utf-8", "surrogatepass"))

    def _put(self, store: Store, name: str) -> str:
        return store.put_tree(name, self._url)


def _files_below(top: str) -> Iterator[tuple[str, str]]:
    """Relative POSIX name and path of every file, sorted."""
    found = [os.path.join(folder, file) for folder, _, files in os.walk(top) for file in files]
    for path in sorted(found):
        yield os.path.relpath(path, top).replace(os.sep, "/"), path


def _hash_of(path: str) -> str:
    total = blake2b(digest_size=16)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _state_of(url: str) -> str:
    """What tells that data behind a URL has changed: version, ETag, or size and time."""
    from fsspec.core import url_to_fs

    fs, path = url_to_fs(url)
    info = fs.info(path)
    for key in ("VersionId", "version_id", "generation", "ETag", "etag"):
        if info.get(key):
            return f"{key}={info[key]}"
    time = next(
        (info[key] for key in ("mtime", "LastModified", "last_modified", "created") if key in info),
        "",
    )
    return f"size={info.get('size')} time={time}"


def _plain(name: str) -> str:
    """A name the store takes."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._@=+,-") else "_" for c in name)
    return plain if plain.strip(".") else "data"


def _fetched(url: str, digest: str) -> str:
    """A local copy of captured data that lives in a remote store; made once per machine."""
    from fsspec.core import url_to_fs

    name = url.rstrip("/").rpartition("/")[2]
    folder = os.path.join(tempfile.gettempdir(), f"turnout-files-{os.getuid()}", digest)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        fs, remote = url_to_fs(url)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        partial = tempfile.mkdtemp(dir=folder)
        try:
            fs.get(remote, os.path.join(partial, name), recursive=bool(fs.isdir(remote)))
            try:
                os.rename(os.path.join(partial, name), path)
            except OSError:
                if not os.path.exists(path):  # another process was not faster
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return path
