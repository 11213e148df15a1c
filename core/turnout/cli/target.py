"""From ``FILE_OR_MODULE:WORKFLOW`` to the workflow."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from turnout.backend.registry import choices
from turnout.errors import ConfigError

if TYPE_CHECKING:
    from turnout.dsl import Workflow

__all__ = ["BrokenModule", "load_workflow", "split_target"]


class BrokenModule(ConfigError):
    """A module raised while it was imported; its ``__cause__`` is what it raised."""

    show_cause = True


def load_workflow(target: str) -> Workflow[..., Any]:
    """Import a module and pick a workflow from it.

    Args:
        target: ``path/to/file.py:name`` or ``package.module:name``; ``:name`` may be left out
            where the module has one workflow.

    Raises:
        ConfigError: there is no such file, module or workflow; those there are get listed.
        BrokenModule: the module cannot be imported.
    """
    place, name = split_target(target)
    return _pick(_module(place), place, name)


def workflows_of(place: str) -> list[str]:
    """The names of the workflows a file or module defines, of all it has if it defines none.

    Raises:
        ConfigError: there is no such file or module.
        BrokenModule: the module cannot be imported.
    """
    module = _module(place)
    found = _found(module)
    return list(_own(module, found) or found)


def split_target(target: str) -> tuple[str, str]:
    """The file or module, and the workflow's name or ``""``.

    >>> split_target("flows/main.py:train"), split_target("flows.main"), split_target("C:/x.py")
    (('flows/main.py', 'train'), ('flows.main', ''), ('C:/x.py', ''))
    """
    place, colon, name = target.rpartition(":")
    if not colon or "/" in name or "\\" in name:
        return target, ""
    return place, name


def _module(place: str) -> ModuleType:
    path = Path(place)
    if place.endswith(".py") or path.is_file() or os.sep in place:
        return _import(place, lambda: _import_file(path))
    if not place:
        raise ConfigError("say which workflow: FILE_OR_MODULE:WORKFLOW, such as main.py:pipeline")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    _find(place)
    return _import(place, lambda: importlib.import_module(place))


def _import_file(path: Path) -> ModuleType:
    from turnout.config.project import import_file

    if not path.is_file():
        folder = path.parent
        known = [found.name for found in folder.glob("*.py")] if folder.is_dir() else []
        raise ConfigError(f"there is no file {str(path)!r}; {choices(path.name, known)}")
    return import_file(path)


def _find(place: str) -> None:
    """Say what is wrong with a module's name before anything of it is imported."""
    parts = place.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ConfigError(f"{place!r} is neither a file nor the name of a module")
    file = Path(*parts).with_suffix(".py")
    try:
        found = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError):
        found = None
    if found is None:
        folder = Path.cwd()
        known = [f.stem for f in folder.glob("*.py")]
        hint = f"; {choices(place, known)}" if known else ""
        raise ConfigError(f"there is no module {place!r} on sys.path or in {folder.name}/{hint}")
    if len(parts) > 1 and found.submodule_search_locations is None:
        raise ConfigError(f"there is no module {place!r}: {parts[0]!r} is not a package; {file}?")


def _import(place: str, load: Callable[[], ModuleType]) -> ModuleType:
    from turnout.worker.modules import importing

    try:
        with importing():  # this command runs it, not what stands in it
            return load()
    except ConfigError:
        raise
    except SystemExit as error:
        raise ConfigError(
            f"{place} ended the process while it was imported; put what does so under "
            '`if __name__ == "__main__":`'
        ) from error
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if place == missing or place.startswith(f"{missing}."):
            raise ConfigError(f"there is no module {place!r}: {missing!r} is not found") from error
        raise BrokenModule(f"{place} cannot be imported") from error
    except Exception as error:
        raise BrokenModule(f"{place} cannot be imported") from error


def _pick(module: ModuleType, place: str, name: str) -> Workflow[..., Any]:
    from turnout.dsl import Task, Workflow

    found = _found(module)
    if name:
        value = getattr(module, name, None)
        if isinstance(value, Workflow):
            return value
        if isinstance(value, Task):
            what = f"{name!r} in {place} is a task, not a workflow"
        elif value is not None:
            what = f"{name!r} in {place} is no workflow; mark the function with @workflow"
        else:
            what = f"{place} has no workflow {name!r}"
        raise ConfigError(f"{what}; {choices(name, found)}")
    own = _own(module, found)
    if len(own) == 1:
        return next(iter(own.values()))
    if not own:
        raise ConfigError(f"{place} has no workflow; mark a function with @workflow")
    raise ConfigError(f"say which workflow, {place}:NAME; there are: {', '.join(sorted(own))}")


def _found(module: ModuleType) -> dict[str, Workflow[..., Any]]:
    from turnout.dsl import Workflow

    return {key: value for key, value in vars(module).items() if isinstance(value, Workflow)}


def _own(module: ModuleType, found: dict[str, Workflow[..., Any]]) -> dict[str, Workflow[..., Any]]:
    return {key: wf for key, wf in found.items() if wf.fn.__module__ == module.__name__}
