"""What a task finds around itself, and tasks in an environment of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence

from turnout import spi
from turnout.testing.pipelines import around
from turnout.testing.place import Place, asks
from turnout.testing.plugins import installed


class Beside(spi.ExecutorBackend):
    """Another environment, in this process."""

    name = "beside"

    def open(self, session: spi.Session) -> spi.Executor:
        """Calls run here, one after another."""
        return spi.InlineExecutor(session.tasks)


class _Plugin:
    @spi.hookimpl
    def turnout_backends(self) -> Sequence[spi.Backend]:
        return [Beside()]


class Surroundings:
    """What a task finds around itself, and tasks in an environment of their own."""

    @asks("env_vars")
    def test_variables_are_for_their_task_only(self, on: Place) -> None:
        """A task sees the variables it declares; others and the driver do not."""
        assert on.value(around.variables) == ["mine", "unset"]
        assert around.NAME not in os.environ

    def test_tasks_know_where_they_are(self, on: Place) -> None:
        """`turnout.current()` tells run, node, task, attempt and environment."""
        run = on.run(around.contexts)
        first, second = run.outputs
        assert first == {
            "run_id": run.id,
            "node": "context",
            "task": "context",
            "attempt": 1,
            "environment": on.name,
            "workflow": "contexts",
        }
        assert second == {**first, "node": "context-2"}

    def test_metrics_are_taken(self, on: Place) -> None:
        """``log_metrics`` works everywhere."""
        assert on.value(around.metrics) == 1

    @asks("execution_environment")
    def test_a_task_may_have_its_own_environment(self, on: Place) -> None:
        """Values cross between environments, there and back."""
        with installed(_Plugin()):
            found = on.value(around.elsewhere, there="beside")
        assert found == [[1, on.name], [2, "beside"], [3, on.name], [2, "beside"]]
