"""Plain calls of what builds a graph: traced and run here, without cache or records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.api.prepare import input_values
from turnout.backend.base import EnvironmentConfig, ExecutorBackend, Session
from turnout.backend.call import Call, RunInfo
from turnout.backend.capability import NATIVE, Capability
from turnout.dsl import Task, Workflow
from turnout.dsl.task import set_plain_runner
from turnout.engine import Engine, Job, Watch
from turnout.plan import Environment, make_plan
from turnout.worker.inline import InlineExecutor


class _Here(ExecutorBackend):
    """This process, for one call.

    Nothing is recorded and nothing is refused: a plain call is a call, and what only an
    environment can do, such as ending a task that takes too long, is not asked of it.
    """

    name = "here"

    def capability(self, name: str, config: Any = None) -> Capability:
        return NATIVE

    def open(self, session: Session) -> InlineExecutor:
        return InlineExecutor(session.tasks)


def call(entity: Workflow[..., Any] | Task[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
    """What a plain call of a workflow or of a dynamic task returns.

    Raises:
        ConfigError: an argument does not fit its annotation.
        Exception: the user's own, as a task raised it.
    """
    try:
        bound = entity.signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{entity.name}: {error}") from None
    bound.apply_defaults()
    values: Mapping[str, Any] = bound.arguments
    if isinstance(entity, Workflow):
        values = input_values(entity, values)
    environment = Environment(
        name="", backend=_Here(), config=EnvironmentConfig(keep="none", cache="off")
    )
    traced = _dynamic(entity, values) if isinstance(entity, Task) else entity.trace(values)
    # A task's own environment does not count here: the call is plain all the way down.
    plan = make_plan(traced, values, environment, resolve=lambda _: environment)
    info = RunInfo(run_id="", workflow=entity.name, environment="", cache="off")
    engine = Engine(plan, info, lambda _: InlineExecutor(plan.rules.tasks), Watch.silent(), _forget)
    result = engine.run()
    if result.error is not None:
        raise result.error
    return result.value


def _forget(job: Job) -> None:
    """A plain call has no record."""
    del job


def _dynamic(task: Task[..., Any], values: Mapping[str, Any]) -> Any:
    from turnout.worker.expansion import expand

    spec = task.spec(task.key)
    info = RunInfo(run_id="", workflow=task.name, environment="", cache="off")
    return expand(task, dict(values), Call(id=task.name, run=info, task=spec, options=task.options))


set_plain_runner(call)
