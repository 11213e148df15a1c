"""Tasks, workflows, control flow, and the trace that turns them into a graph."""

from turnout.dsl.branch import conditional
from turnout.dsl.control import fixed, instantiate, map_task, order
from turnout.dsl.decorators import dynamic, task
from turnout.dsl.task import Task
from turnout.dsl.trace import Traced
from turnout.dsl.workflow import Workflow, workflow

__all__ = [
    "Task",
    "Traced",
    "Workflow",
    "conditional",
    "dynamic",
    "fixed",
    "instantiate",
    "map_task",
    "order",
    "task",
    "workflow",
]
