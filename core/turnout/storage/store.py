"""Named bytes in a directory or behind any fsspec URL, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from turnout.errors import ConfigError

__all__ = ["Store"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.@=+,-]+(/[A-Za-z0-9_.@=+,-]+)*")
_TEMPORARY: Final = ".writing"


class Store:
    """Bytes by name; several processes may use one at once.

    Names are relative POSIX paths. A reader sees what one writer wrote, never half of it, and
    of two writers of one name the later one wins.

    Args:
        root: a directory, which is made when something is written, or an fsspec URL.

    Raises:
        ConfigError: no installed package knows the URL's protocol.

    >>> import tempfile
    >>> store = Store(tempfile.mkdtemp())
    >>> store.write("results/a", b"1")
    >>> store.read("results/a"), store.read("results/b"), list(store.list("results"))
    (b'1', None, ['results/a'])
    """

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        protocol, _, path = self.root.partition("://")
        local = path if protocol in ("file", "local") and path else self.root
        self._local = "://" not in self.root or local is not self.root
        self._folder = os.path.abspath(local) if self._local else ""
        self._fs: Any = None
        if not self._local:
            self._fs, self._folder = _filesystem(self.root)

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Store, (self.root,))

    def read(self, name: str) -> bytes | None:
        """The bytes of that name, or ``None``."""
        path = self._path(name)
        try:
            if self._local:
                with open(path, "rb") as file:
                    return file.read()
            data: bytes = self._fs.cat_file(path)
            return data
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """Set the bytes of a name.

        Raises:
            OSError: they cannot be written; what was there before is unharmed.
        """
        path = self._path(name)
        partial = f"{path}.{os.getpid()}.{os.urandom(4).hex()}{_TEMPORARY}"
        if not self._local:
            self._write_remote(path, partial, data)
            return
        try:
            try:
                _write_file(partial, data)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                _write_file(partial, data)
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise

    def put(self, name: str, path: str) -> str:
        """Copy a local file under a name that stands for its content; gives where it is.

        A name that is there already is left as it is.

        Raises:
            OSError: the file cannot be read or the copy not be written.
        """
        if self.exists(name):
            return self.locate(name)
        if not self._local:
            target = self._path(name)
            with contextlib.suppress(NotImplementedError, PermissionError):
                self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(path, target)
            return self.locate(name)
        import shutil

        return self._placed(name, lambda partial: shutil.copyfile(path, partial))

    def put_tree(self, name: str, path: str) -> str:
        """Copy a local directory under a name that stands for its content; gives where it is.

        Raises:
            OSError: it cannot be read or the copy not be written.
        """
        target = self._path(name)
        if self._local:
            import shutil

            if os.path.isdir(target):
                return target
            return self._placed(name, lambda partial: shutil.copytree(path, partial))
        if not self._fs.isdir(target):
            self._fs.put(path, target, recursive=True)
        return self.locate(name)

    def _placed(self, name: str, copy: Callable[[str], Any]) -> str:
        target = self._path(name)
        partial = f"{target}.{os.getpid()}.{os.urandom(4).hex()}{_TEMPORARY}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            copy(partial)
            try:
                os.rename(partial, target)
            except OSError:
                if not os.path.exists(target):  # else another process was faster
                    raise
        finally:
            if os.path.isdir(partial):
                import shutil

                shutil.rmtree(partial, ignore_errors=True)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial)
        return target

    def exists(self, name: str) -> bool:
        """Whether there are bytes of that name."""
        path = self._path(name)
        return os.path.isfile(path) if self._local else bool(self._fs.isfile(path))

    def delete(self, name: str) -> None:
        """Remove a name; one that is not there is fine."""
        path = self._path(name)
        with contextlib.suppress(FileNotFoundError):
            if self._local:
                os.unlink(path)
            else:
                self._fs.rm_file(path)

    def clear(self, prefix: str) -> None:
        """Remove all names in a folder and below it; that there are none is fine."""
        path = self._path(prefix)
        if self._local:
            import shutil

            shutil.rmtree(path, ignore_errors=True)
            return
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(path, recursive=True)

    def list(self, prefix: str = "") -> Iterator[str]:
        """The names in the folder ``prefix`` and below it, sorted."""
        top = self._path(prefix) if prefix else self._folder
        for path in sorted(self._walk(top)):
            if not path.endswith(_TEMPORARY):
                yield path[len(self._folder) :].replace(os.sep, "/").lstrip("/")

    def locate(self, name: str) -> str:
        """The local path or URL of a name."""
        path = self._path(name)
        return path if self._local else str(self._fs.unstrip_protocol(path))

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name) or any(part.strip(".") == "" for part in name.split("/")):
            raise ValueError(f"{name!r} is no name in a store: a relative path of plain parts is")
        return f"{self._folder}/{name}"

    def _walk(self, top: str) -> Iterator[str]:
        if self._local:
            for folder, _, files in os.walk(top):
                yield from (os.path.join(folder, file) for file in files)
            return
        with contextlib.suppress(FileNotFoundError):
            yield from self._fs.find(top)

    def _write_remote(self, path: str, partial: str, data: bytes) -> None:
        with contextlib.suppress(NotImplementedError, PermissionError):
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            self._fs.pipe_file(partial, data)
            self._fs.mv(partial, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(partial)
            raise


def _write_file(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)


def _filesystem(root: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        fs, folder = url_to_fs(root)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"execution_environment.store: {root!r} cannot be opened ({error}); give a path, or "
            "install the fsspec package of that protocol"
        ) from error
    return fs, str(folder).rstrip("/")
