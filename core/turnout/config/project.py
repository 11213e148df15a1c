"""The user's project, and the importable name that ``__main__`` goes by."""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from turnout.backend.base import Project
from turnout.backend.registry import choices
from turnout.errors import ConfigError

_MARKS: Final = ("pyproject.toml", ".git", ".turnout")
_OURS: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_KEYS: Final = ("source", "exclude")
# Every way TOML has of saying ``tool.turnout``: a header, a dotted key, a table in ``tool``.
_TABLE: Final = rb"""(?m)^[\s\[]*["']?tool["']?\s*(\]|=|\.\s*["']?turnout)"""


def find(start: Path | str | None = None) -> Project:
    """The project around a place, as it is when this process first asks.

    Args:
        start: a file or directory of the project; by default the script's directory, or the
            current one where there is no script. The current one also stands in for an
            installed package, whose place is nobody's project.

    Raises:
        ConfigError: ``[tool.turnout]`` in the project's ``pyproject.toml`` is wrong.
    """
    main = main_module()
    if start is None and main is not None:
        start = main[1]
    place = os.getcwd() if start is None or _installed(start) else os.path.abspath(start)
    return _around(place, main)


# Every run asks, and looking takes longer than many a run: links, folders, and TOML to read.
@functools.lru_cache(maxsize=64)
def _around(place: str, main: tuple[str, Path] | None) -> Project:
    start = Path(place).resolve()
    folder = start if start.is_dir() else start.parent
    root = next((up for up in itertools.chain([folder], folder.parents) if _marked(up)), folder)
    table = _table(root / "pyproject.toml")
    return Project(
        root=root,
        source=_source(root, table),
        exclude=_exclude(table),
        main=main,
    )


def main_module() -> tuple[str, Path] | None:
    """The importable name and the file of ``__main__``.

    A script's name is relative to its own directory, which Python puts on ``sys.path``; a module
    started with ``python -m`` has its full name.

    Returns:
        ``None`` in a notebook, at a prompt, with ``python -c``, and where what was started is no
        file of the user's, such as an installed command.
    """
    module = sys.modules.get("__main__")
    file = getattr(module, "__file__", None)
    if module is None or not isinstance(file, str):
        return None
    spec = getattr(module, "__spec__", None)
    return _known_as(file, None if spec is None else spec.name)


@functools.lru_cache(maxsize=8)
def _known_as(file: str, name: str | None) -> tuple[str, Path] | None:
    path = Path(file).absolute()
    if _installed(path):
        return None
    if name is not None:
        return name, path
    if path.suffix != ".py" or not path.stem.isidentifier():
        return None
    return path.stem, path


def alias_main() -> None:
    """Make ``__main__`` and its importable name one module.

    Without it, whoever imports the script by name gets a second copy of it, and its classes are
    not the ones the script's own functions use.
    """
    main = main_module()
    if main is not None:
        sys.modules.setdefault(main[0], sys.modules["__main__"])


def import_file(path: Path) -> ModuleType:
    """Import a file under the name it would be imported by.

    The directory above its outermost package is put first on ``sys.path``.

    Raises:
        ConfigError: there is no such file, its name cannot be imported, or another module of
            that name is loaded already. What the file itself raises is not touched.
    """
    path = path.absolute()
    if not path.is_file():
        raise ConfigError(f"there is no file {_short(path)}")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ConfigError(f"{_short(path)} cannot be imported: its name is not an identifier")
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.append(folder.name)
        folder = folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    name = ".".join(reversed(parts))
    module = importlib.import_module(name)
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path.resolve():
        raise ConfigError(
            f"{_short(path)} cannot be imported as {name!r}: "
            f"that is {found or 'a built-in module'}; rename the file"
        )
    return module


def _installed(path: Path | str) -> bool:
    """Whether a file belongs to an installed package, or to turnout, and to no project."""
    place = os.fspath(path)
    parts = place.split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts or place.startswith(_OURS)


def _marked(folder: Path) -> bool:
    place = os.fspath(folder)
    return any(os.path.exists(os.path.join(place, mark)) for mark in _MARKS)


def _table(file: Path) -> Mapping[str, Any]:
    try:
        raw = file.read_bytes()
    except OSError:
        return {}
    if not re.search(_TABLE, raw):
        return {}  # reading TOML takes a fifth of the time that turnout takes to start
    import tomllib

    try:
        tool = tomllib.loads(raw.decode()).get("tool", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{_short(file)} is not valid TOML: {error}") from error
    table = tool.get("turnout", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{_short(file)}: tool.turnout must be a table")
    for key in table:
        if key not in _KEYS:
            raise ConfigError(
                f"{_short(file)}: unknown key 'tool.turnout.{key}'; {choices(key, _KEYS)}"
            )
    return table


def _source(root: Path, table: Mapping[str, Any]) -> Path:
    said = table.get("source")
    if said is None:
        return root / "src" if (root / "src").is_dir() else root
    if not isinstance(said, str):
        raise ConfigError(f"tool.turnout.source must be a directory's name, not {said!r}")
    source = root / said
    if not source.is_dir():
        raise ConfigError(f"tool.turnout.source: there is no directory {_short(source)}")
    return source.resolve()


def _exclude(table: Mapping[str, Any]) -> tuple[str, ...]:
    said = table.get("exclude", [])
    if not isinstance(said, list) or not all(isinstance(item, str) for item in said):
        raise ConfigError(f"tool.turnout.exclude must be a list of patterns, not {said!r}")
    return tuple(said)


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
