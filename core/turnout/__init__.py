"""turnout: one typed workflow, one Hydra config, and a key that says where it runs.

    @task
    def double(x: int) -> int: ...

    @workflow
    def pipeline(x: int) -> int:
        return double(double(x))

    turnout.run(pipeline, x=3)                                    # in this process
    turnout.run(pipeline, x=3, execution_environment="...")       # elsewhere, unchanged
"""

from turnout import errors
from turnout.api import Run, get_run, run, runs
from turnout.dsl import (
    Task,
    Workflow,
    conditional,
    dynamic,
    fixed,
    instantiate,
    map_task,
    order,
    task,
    workflow,
)
from turnout.graph import Cache, Resources, Secret
from turnout.program import main
from turnout.worker.context import TaskContext, current

__all__ = [
    "Cache",
    "Resources",
    "Run",
    "Secret",
    "Task",
    "TaskContext",
    "Workflow",
    "conditional",
    "current",
    "dynamic",
    "errors",
    "fixed",
    "get_run",
    "instantiate",
    "main",
    "map_task",
    "order",
    "run",
    "runs",
    "task",
    "workflow",
]
