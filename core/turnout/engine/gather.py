"""Puts values and arguments together from the results of several jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from turnout.engine.jobs import Job
from turnout.graph import Shape
from turnout.graph.binding import map_leaves
from turnout.plan import Tree
from turnout.plan.layout import part
from turnout.worker.arguments import build, select


def gather(
    tree: Tree, leaves: list[Any], jobs: Sequence[Job], result: Callable[[Job], Any]
) -> Shape:
    """The shape of a tree, its leaves appended to ``leaves``.

    Args:
        tree: what to put together.
        leaves: takes the leaves.
        jobs: all jobs.
        result: what stands for a job's result among the leaves.
    """
    # No function that calls itself by a variable: it would keep itself, and with it all jobs,
    # until the garbage collector comes by.
    return map_leaves(tree, lambda leaf: _leaf(leaf, leaves, jobs, result))


def _leaf(
    tree: Tree, leaves: list[Any], jobs: Sequence[Job], result: Callable[[Job], Any]
) -> Shape:
    tag = tree[0]
    if tag == "step":
        job = jobs[tree[1]]
        if job.tree is not None:
            return gather(part(job.tree, tree[2:]), leaves, jobs, result)
        leaves.append(result(job))
        return ("leaf", len(leaves) - 1, *tree[2:])
    leaves.append(tree[1])
    return ("own" if tag == "own" else "leaf", len(leaves) - 1)


def value_of(tree: Tree, jobs: Sequence[Job], fetch: Callable[[Job], Any]) -> Any:
    """The value of a tree, on the driver."""
    if tree[0] == "step" and len(tree) == 2 and jobs[tree[1]].tree is None:
        return fetch(jobs[tree[1]])
    if tree[0] == "list":  # as from a map, and often long
        return [value_of(item, jobs, fetch) for item in tree[1]]
    leaves: list[Any] = []
    shape = gather(tree, leaves, jobs, fetch)
    return build(shape, leaves)


def items_of(
    tree: Tree, jobs: Sequence[Job], fetch: Callable[[Job, Tree], Sequence[Tree]]
) -> list[Tree]:
    """The items of a list, each as a tree; items that are results of jobs stay handles.

    Args:
        tree: the list.
        jobs: all jobs.
        fetch: the items of a job's result, at the path that ends the tree.
    """
    tag = tree[0]
    if tag in ("list", "tuple"):
        return list(tree[1])
    if tag in ("const", "own"):
        return [(tag, item) for item in listed(tree[1])]
    if tag == "step":
        job = jobs[tree[1]]
        if job.tree is not None:
            return items_of(part(job.tree, tree[2:]), jobs, fetch)
        return list(fetch(job, tree))
    raise TypeError(f"a {tag} cannot be mapped over; give a list")


def known_length(tree: Tree, jobs: Sequence[Job]) -> bool:
    """Whether a list's length is known though its items may not exist yet."""
    if tree[0] == "step":
        found = jobs[tree[1]].tree
        return found is not None and known_length(part(found, tree[2:]), jobs)
    return True


def chosen(value: Any, tree: Tree) -> Any:
    """The part of a job's result at the path that ends a tree."""
    return select(value, tree[2:])


def listed(value: Any) -> list[Any]:
    """A value's items.

    Raises:
        TypeError: it is no list.
    """
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
        raise TypeError(f"{type(value).__name__} cannot be mapped over; give a list")
    return list(value)
