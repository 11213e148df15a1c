"""Steps: a graph laid flat, its inputs filled in, ready for an engine to drive.

Sub-workflows are dissolved into their nodes; maps and dynamic tasks stay one step and grow at
run time. The arguments of a step are trees like bindings, with these leaves:

=========================  =================================================================
``("const", value)``       a constant or the value of an input
``("own", value)``         a part of a config, of which the task gets a copy of its own
``("step", index, *path)`` a part of the result of another step
=========================  =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from turnout.graph import Graph, TaskNode, TaskOptions, TaskSpec, WorkflowNode

Tree: TypeAlias = tuple[Any, ...]


class Step:
    """One thing the engine does.

    Attributes:
        index: its place in the program.
        id: its name in the run.
        spec: the task; ``None`` for a branch.
        options: its options, with node and config laid over.
        environment: name of the environment it runs in, ``""`` for the run's own.
        version: the task's version for the cache key; ``""`` when it is not cached.
        names: the parameters that are given.
        trees: where the value of each comes from.
        unproven: parameters to convert and check in the worker.
        needs: steps that must have finished.
        guard: the branch step and the case it belongs to.
        cases: of a branch: predicate over trees, tree of the result, message of failure.
        mapped: of a map: its list parameters.
        concurrency: of a map: how many items may run at once.
        ratio: of a map: the part of its items that must succeed.
        scope: index of the workflow scope it belongs to.
    """

    __slots__ = (
        "cases", "concurrency", "environment", "guard", "id", "index", "mapped", "names", "needs",
        "options", "ratio", "scope", "spec", "trees", "unproven", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917  (one for each thing a step always has)
        self,
        index: int,
        step_id: str,
        spec: TaskSpec | None,
        options: TaskOptions,
        version: str,
        names: tuple[str, ...],
        trees: tuple[Tree, ...],
        unproven: tuple[str, ...],
        needs: tuple[int, ...],
        guard: tuple[int, int] | None,
        scope: int,
    ) -> None:
        self.index = index
        self.id = step_id
        self.spec = spec
        self.options = options
        self.version = version
        self.names = names
        self.trees = trees
        self.unproven = unproven
        self.needs = needs
        self.guard = guard
        self.scope = scope
        self.environment = options.execution_environment or ""
        self.cases: tuple[tuple[Any, Tree | None, str | None], ...] | None = None
        self.mapped: tuple[str, ...] = ()
        self.concurrency: int | None = None
        self.ratio = 1.0

    @property
    def args(self) -> tuple[tuple[str, Tree], ...]:
        """Parameter name and tree."""
        return tuple(zip(self.names, self.trees, strict=True))

    def __repr__(self) -> str:
        return f"<step {self.index} {self.id}>"


@dataclass(slots=True)
class Scope:
    """A workflow inside the program, and what to do when something in it fails.

    Attributes:
        graph: the workflow's graph.
        inputs: its inputs as trees, by parameter.
        prefix: what its steps' names begin with.
        parent: index of the scope around it.
        handler: the node of its failure handler.
        result: the tree of its result; ``None`` for nothing.
        after: what its result stands after beside the steps it comes from.
    """

    graph: Graph
    inputs: Mapping[str, Tree]
    prefix: str
    parent: int | None
    handler: TaskNode | WorkflowNode | None
    result: Tree | None = None
    after: frozenset[int] = frozenset()


@dataclass(slots=True)
class Program:
    """Steps in an order in which each follows those it needs.

    Attributes:
        steps: all steps so far; dynamic graphs add to them at run time.
        scopes: the workflows they belong to.
    """

    steps: list[Step] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
