"""The graph: a frozen, serialisable description of a compiled workflow."""

from turnout.graph.binding import Binding, Path, Shape
from turnout.graph.model import (
    AnyNode,
    BranchNode,
    Case,
    Fixed,
    Graph,
    MapNode,
    NodeId,
    Param,
    Predicate,
    TaskKey,
    TaskNode,
    TaskSpec,
    WorkflowNode,
)
from turnout.graph.options import Cache, Resources, Secret, TaskOptions
from turnout.graph.values import Value

__all__ = [
    "AnyNode",
    "Binding",
    "BranchNode",
    "Cache",
    "Case",
    "Fixed",
    "Graph",
    "MapNode",
    "NodeId",
    "Param",
    "Path",
    "Predicate",
    "Resources",
    "Secret",
    "Shape",
    "TaskKey",
    "TaskNode",
    "TaskOptions",
    "TaskSpec",
    "Value",
    "WorkflowNode",
]
