"""turnout: one typed workflow, one Hydra config, and a key that says where it runs.

>>> import tempfile
>>> from turnout import run, task, workflow
>>> @task
... def double(x: int) -> int:
...     return 2 * x
>>> @workflow
... def pipeline(x: int) -> int:
...     return double(double(x))
>>> run(pipeline, x=3, execution_environment={"store": tempfile.mkdtemp()}).outputs
12
"""

from typing import TYPE_CHECKING, Any

from turnout import errors
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
from turnout.dsl.task import set_plain_runner
from turnout.graph import Cache, Resources, Secret
from turnout.lazy import imported_on_use
from turnout.version import __version__
from turnout.worker.context import TaskContext, current

if TYPE_CHECKING:
    from turnout.api import Run, get_run, run, runs
    from turnout.program import main
    from turnout.storage.files import Directory, File

__all__ = [
    "Cache",
    "Directory",
    "File",
    "Resources",
    "Run",
    "Secret",
    "Task",
    "TaskContext",
    "Workflow",
    "__version__",
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

# What plans and drives runs is loaded when it is asked for: a worker only needs the tasks, and
# it starts three times as fast.
if not TYPE_CHECKING:  # or type checkers would take every name to be there
    __getattr__ = imported_on_use(
        globals(),
        {
            "turnout.api": "Run get_run run runs",
            "turnout.program": "main",
            "turnout.storage.files": "Directory File",
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _call_plainly(*args: Any) -> Any:
    from turnout.api import call

    return call(*args)


set_plain_runner(_call_plainly)
