"""What the shell completes after ``turnout run``, ``plan`` and ``graph``: targets and overrides."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from turnout.dsl import Workflow

__all__ = ["complete_overrides", "complete_target"]


def complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Python files, folders and modules; after the colon, or a whole file's name, workflows."""
    del ctx, param
    place, colon, name = incomplete.rpartition(":")
    if not colon and incomplete.endswith(".py") and Path(incomplete).is_file():
        place, colon, name = incomplete, ":", ""
    with _quietly():
        if colon:
            return [f"{place}:{found}" for found in _workflows(place) if found.startswith(name)]
        return sorted(_files(incomplete)) or sorted(_modules(incomplete))
    return []


def complete_overrides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What Hydra's completion knows of the workflow's config, and the tasks of its graph."""
    target = ctx.params.get("target")
    said = [text for text in ctx.params.get(param.name or "") or () if not text.startswith("-")]
    if not target:
        return []
    with _quietly():
        from turnout.cli.target import load_workflow
        from turnout.config.completion import completions
        from turnout.program import Program

        workflow: Workflow[..., object] = load_workflow(target)
        tasks = Program(workflow, until="", pdb=False).task_names
        sweeps = bool(ctx.params.get("multirun"))
        return completions(workflow, tasks, said, incomplete, sweeps=sweeps)
    return []


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What is not finished yet may fail, and a module may print; the shell wants neither."""
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
        yield


def _workflows(place: str) -> list[str]:
    from turnout.cli.target import workflows_of

    return sorted(workflows_of(place))


def _files(typed: str) -> Iterator[str]:
    folder, start = os.path.split(typed)
    for path in Path(folder or ".").iterdir():
        shown = os.path.join(folder, path.name)
        if not path.name.startswith(start or tuple("abcdefghijklmnopqrstuvwxyz_")):
            continue
        if path.is_dir() and not path.name.startswith((".", "__")):
            yield f"{shown}/"
        elif path.suffix == ".py":
            yield shown


def _modules(typed: str) -> Iterator[str]:
    package, dot, start = typed.rpartition(".")
    for path in Path(*package.split(".")).iterdir():
        module = path.suffix == ".py" or (path / "__init__.py").is_file()
        if module and path.stem.startswith(start) and path.stem != "__init__":
            yield f"{package}{dot}{path.stem}"
