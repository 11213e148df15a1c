"""`turnout.current()`: what a task may ask about the call it runs in."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from turnout.backend.call import Call
from turnout.errors import TurnoutError
from turnout.worker import scratch

if TYPE_CHECKING:
    from pathlib import Path

# Set for every attempt; the `TaskContext` itself is only made for tasks that ask for it.
active: ContextVar[tuple[Call, int, dict[str, float]] | None] = ContextVar(
    "turnout_call", default=None
)


class TaskContext:
    """The call a task runs in.

    Attributes:
        run_id: the run.
        node: the node's name in the run, such as ``train`` or ``fit[3]``.
        task: the task's name.
        attempt: number of this attempt, from 1.
        execution_environment: name of the environment the task runs in.
        workflow: the workflow's name.
    """

    __slots__ = (
        "_metrics", "attempt", "execution_environment", "node", "run_id", "task", "workflow",
    )  # fmt: skip

    def __init__(self, call: Call, attempt: int, metrics: dict[str, float]) -> None:
        self.run_id = call.run.run_id
        self.node = call.id
        self.task = call.task.name
        self.attempt = attempt
        self.execution_environment = call.run.environment
        self.workflow = call.run.workflow
        self._metrics = metrics

    @property
    def workdir(self) -> Path:
        """Where the task may write files: the driver's directory, or one of this attempt's own.

        It is the driver's in its process and in worker processes beside it. Elsewhere it is a new
        directory, which is removed once what the task returned has been captured.
        """
        from pathlib import Path

        return Path(scratch.workdir(self.attempt))

    def log_metrics(self, **metrics: float) -> None:
        """Record numbers beside the node; a later value of one name replaces the earlier one.

        Raises:
            TypeError: a value is no number.
        """
        for name, value in metrics.items():
            try:
                self._metrics[name] = float(value)
            except (TypeError, ValueError):
                raise TypeError(f"metric {name!r} is a number, not {value!r}") from None

    def __repr__(self) -> str:
        return f"<{self.node}, attempt {self.attempt}, run {self.run_id}>"


def current() -> TaskContext:
    """The call the running task belongs to.

    Raises:
        TurnoutError: no task is running here; a plain call of a task has no context.
    """
    found = active.get()
    if found is None:
        raise TurnoutError("turnout.current() works inside a task of a run; no run is under way")
    return TaskContext(*found)
