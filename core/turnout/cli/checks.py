"""What ``turnout doctor`` looks at on turnout's own account."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from turnout.backend.base import Project
from turnout.backend.checks import Check
from turnout.backend.registry import Registry
from turnout.errors import ConfigError

__all__ = ["core_checks"]

_ROOM = 1 << 30


def core_checks(found: Registry) -> Iterator[Check]:
    """Python, packages, plugins, the project and its records."""
    yield _python()
    yield from _packages()
    yield from _plugins(found)
    try:
        from turnout.config.project import find

        project = find()
    except ConfigError as error:
        yield Check.problem("project", str(error), "correct [tool.turnout] in pyproject.toml")
        return
    yield _project(project)
    yield _records(project.root / ".turnout")


def _python() -> Check:
    from importlib.metadata import metadata

    from packaging.specifiers import SpecifierSet

    detail = f"{platform.python_version()}, {sys.executable}"
    least = metadata("turnout")["Requires-Python"]
    if platform.python_version() not in SpecifierSet(least, prereleases=True):
        return Check.problem("Python", detail, f"turnout needs Python {least}")
    return Check.ok("Python", detail)


def _packages() -> Iterator[Check]:
    """What turnout requires, against what is installed."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    there, missing = [], []
    for text in requires("turnout") or ():
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            missing.append((wanted, "is not installed"))
            continue
        if not wanted.specifier.contains(installed, prereleases=True):
            missing.append((wanted, f"is {installed}"))
        there.append(f"{wanted.name} {installed}")
    yield Check.ok("turnout", f"{version('turnout')}, with {', '.join(there)}")
    for wanted, what in missing:
        yield Check.problem(
            "package", f"{wanted.name} {what}; turnout needs {wanted}", f"pip install '{wanted}'"
        )


def _plugins(found: Registry) -> Iterator[Check]:
    names = [name for name, _ in found.manager.list_name_plugin()]
    yield Check.ok("plugins", ", ".join(names) or "none")
    for broken in found.broken:
        yield Check.problem(
            "plugin",
            str(broken),
            f"pip install --upgrade {broken.distribution}, or pip uninstall {broken.distribution}",
        )
    try:
        found.default()
    except ConfigError as error:
        yield Check.problem(
            "default", str(error), "say execution_environment=NAME, or install one that is"
        )


def _project(project: Project) -> Check:
    root = project.root
    source = os.path.relpath(project.source, root)
    marks = [mark for mark in ("pyproject.toml", ".git", ".turnout") if (root / mark).exists()]
    if not marks:
        return Check.warning(
            "project",
            f"{root}, for want of a pyproject.toml, .git or .turnout here or above",
            "workers get what is in the project; touch pyproject.toml where yours begins",
        )
    return Check.ok("project", f"{root}, modules from {'it' if source == '.' else source}")


def _records(folder: Path) -> Check:
    """The records and the store beside the project; nothing is made that is not there."""
    there = next(up for up in (folder, *folder.parents) if up.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Check.problem(
            "records",
            f"{folder} cannot be written",
            f"chmod u+w {there}, or work in a project of your own",
        )
    runs = 0
    if (folder / "runs.db").exists():
        from turnout.storage.records import Records

        records = Records(folder)
        try:
            runs = len(records.runs(limit=None))
        except ConfigError as error:
            return Check.problem("records", str(error), f"upgrade turnout, or move {folder} away")
        finally:
            records.close()
    free = shutil.disk_usage(there).free
    detail = f"{folder}, {runs} run{'s' * (runs != 1)}, {free / (1 << 30):.0f} GiB free"
    if free < _ROOM:
        return Check.warning("records", detail, "results that are kept need room; free some")
    return Check.ok("records", detail)
