"""Puts values and arguments together from the results of several jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from turnout.backend.base import Executor
from turnout.engine.jobs import Job
from turnout.graph import Shape
from turnout.graph.binding import map_leaves
from turnout.plan import Tree
from turnout.plan.layout import part
from turnout.worker.arguments import build, select


def gather(
    tree: Tree, leaves: list[Any], jobs: Sequence[Job], executor: Executor | None = None
) -> Shape:
    """The shape of a tree, its leaves appended to ``leaves``.

    With an executor, results that live in another one are brought over; without, leaves are
    the jobs themselves.
    """

    def leaf(found: Tree) -> Shape:
        tag = found[0]
        if tag == "step":
            job = jobs[found[1]]
            if job.tree is not None:
                return map_leaves(part(job.tree, found[2:]), leaf)
            leaves.append(job if executor is None else _brought(job, executor))
            return ("leaf", len(leaves) - 1, *found[2:])
        leaves.append(found[1])
        return ("own" if tag == "own" else "leaf", len(leaves) - 1)

    return map_leaves(tree, leaf)


def _brought(job: Job, executor: Executor) -> Any:
    if job.executor is executor or job.executor is None or job.handle is None:
        return job.handle
    return executor.put(job.executor.fetch(job.handle))


def value_of(tree: Tree, jobs: Sequence[Job], fetch: Callable[[Job], Any]) -> Any:
    """The value of a tree, on the driver."""
    leaves: list[Any] = []
    shape = gather(tree, leaves, jobs)
    return build(shape, [fetch(leaf) if isinstance(leaf, Job) else leaf for leaf in leaves])


def items_of(tree: Tree, jobs: Sequence[Job], fetch: Callable[[Job], Any]) -> list[Tree]:
    """The items of a list, each as a tree; items that are results of jobs stay handles."""
    tag = tree[0]
    if tag in ("list", "tuple"):
        return list(tree[1])
    if tag in ("inline", "own"):
        return [(tag, item) for item in _listed(tree[1])]
    if tag == "step":
        job = jobs[tree[1]]
        if job.tree is not None:
            return items_of(part(job.tree, tree[2:]), jobs, fetch)
        return [("inline", item) for item in _listed(select(fetch(job), tree[2:]))]
    raise TypeError(f"a {tag} cannot be mapped over; give a list")


def _listed(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
        raise TypeError(f"{type(value).__name__} cannot be mapped over; give a list")
    return list(value)
