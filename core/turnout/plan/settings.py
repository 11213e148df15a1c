"""Settings that name a task or a backend, held against those there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import Any

from turnout.backend.registry import choices
from turnout.dsl import Task, Workflow
from turnout.graph import TaskOptions
from turnout.plan.note import Note


def for_unknown_tasks(
    overrides: Mapping[str, TaskOptions], tasks: Iterable[Task[..., Any]]
) -> tuple[list[str], list[Note]]:
    """What is said of options for tasks that the graph does not have: problems, and notes.

    A dynamic task may bring more tasks, so with one of them a name that fits none is no problem.

    Args:
        overrides: options by the task's name.
        tasks: the tasks of the graph.
    """
    if not overrides:
        return [], []
    there = list(tasks)
    known = {task.name for task in there}
    unknown = [name for name in overrides if name not in known]
    growing = [task for task in there if task.dynamic]
    if not growing:
        problems = [
            f"turnout.tasks.{name}: the workflow has no task {name!r}; {choices(name, known)}"
            for name in unknown
        ]
        return problems, []
    named = {task.name for task in _named_by(growing)}
    notes = []
    for name in unknown:
        text = f"turnout.tasks.{name} is for a task a dynamic may call"
        if name not in named:
            text += f", and none in sight has that name; {choices(name, known | named)}"
        notes.append(Note("dynamic", name, text))
    return [], notes


def never_met(overrides: Mapping[str, TaskOptions], tasks: Iterable[Task[..., Any]]) -> list[str]:
    """What is said after a run of options for tasks that it turned out not to have.

    >>> never_met({"fti": TaskOptions(retries=1)}, [])
    ["turnout.tasks.fti: the run has met no task 'fti'; there are: none"]
    """
    known = {task.name for task in tasks} if overrides else set()
    return [
        f"turnout.tasks.{name}: the run has met no task {name!r}; {choices(name, known)}"
        for name in overrides
        if name not in known
    ]


def _named_by(growing: Iterable[Task[..., Any]]) -> list[Task[..., Any]]:
    """The tasks that the bodies of dynamic tasks name, and those of what they call."""
    found: dict[int, Task[..., Any]] = {}
    seen: set[int] = set()
    todo: list[Any] = [task.fn for task in growing]
    while todo:
        function = todo.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        for value in _reached(function):
            if isinstance(value, Task):
                found[id(value)] = value
            if isinstance(value, Workflow) or (isinstance(value, Task) and value.dynamic):
                todo.append(value.fn)
    return list(found.values())


def _reached(function: Any) -> Iterator[Any]:
    """The values a function's names stand for."""
    code = getattr(function, "__code__", None)
    codes = [] if code is None else [code]
    while codes:
        code = codes.pop()
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
        yield from (function.__globals__.get(name) for name in code.co_names)
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # nothing has been put into it yet
            continue
