"""The user's modules in a process that is not the driver."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

IMPORTING: Final = "TURNOUT_WORKER"
"""Set while modules of the user are imported, so that unguarded calls in them run nothing."""


class Modules:
    """The user's modules in this process.

    Args:
        script: name and file of the driver's ``__main__``.
        files: name and file of the modules that hold tasks.
    """

    def __init__(self, script: tuple[str, str] | None, files: Mapping[str, str | None]) -> None:
        self.files = dict(files)
        self._script = script
        self._broken: dict[str, BaseException] = {}

    def load(self, name: str) -> None:
        """Import a module; what it raises is kept for `complain`, so that it runs only once."""
        if name in self._broken or name in sys.modules:
            return
        try:
            with importing():
                if self._script is not None and self._script[0] == name:
                    self._load_script(*self._script)
                else:
                    self._import(name)
        except BaseException as error:  # a script may well call sys.exit
            self._broken[name] = error

    def complain(self, name: str) -> None:
        """Raise what importing this module raised, if anything."""
        if name in self._broken:
            raise self._broken[name]

    def _import(self, name: str) -> ModuleType:
        file = self.files.get(name)
        if file is not None and os.path.isfile(file):
            self._see_that_it_is_found(name, file)
        return importlib.import_module(name)

    def _see_that_it_is_found(self, name: str, file: str) -> None:
        """Put a module's folder on the path, unless the module is found there."""
        folder = os.path.dirname(file)
        for _ in range(name.count(".") + (os.path.basename(file) == "__init__.py")):
            folder = os.path.dirname(folder)
        package = name.partition(".")[0]
        if package in sys.modules:
            return
        found = importlib.util.find_spec(package)
        if found is None:
            # The driver has it by another way than its path, as test runners do.
            sys.path.append(folder)
        elif not any(os.path.realpath(folder) == place for place in _places(found)):
            # Another one of that name comes first here; in the driver, this one does.
            sys.path.insert(0, folder)
        importlib.invalidate_caches()

    def _load_script(self, name: str, file: str) -> None:
        """Import the driver's script under its importable name, and as ``__main__`` too."""
        before = sys.modules["__main__"]
        if "." in name:
            sys.modules["__main__"] = importlib.import_module(name)
            return
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} cannot be imported", name=name, path=file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = sys.modules["__main__"] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules["__main__"] = before
            del sys.modules[name]
            raise


@contextmanager
def importing() -> Iterator[None]:
    """The time in which code of the user may be imported."""
    before = os.environ.get(IMPORTING)
    os.environ[IMPORTING] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(IMPORTING, None)
        else:
            os.environ[IMPORTING] = before


def _places(found: ModuleSpec) -> Iterator[str]:
    """The folders that a module or package lies in."""
    if found.submodule_search_locations is None:
        yield os.path.dirname(os.path.realpath(found.origin or ""))
    else:
        for place in found.submodule_search_locations:
            yield os.path.dirname(os.path.realpath(place))
