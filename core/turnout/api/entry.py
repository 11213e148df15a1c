"""`turnout.run`, `turnout.main`, and the runs of before."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from turnout.api.execute import Execution
from turnout.api.prepare import plan_for
from turnout.api.recorded import holds_credentials, recorded
from turnout.api.run import Run, reopened
from turnout.backend.base import ExecutorBackend, silent
from turnout.backend.registry import registry
from turnout.config.plain import compose_plain
from turnout.dsl import Workflow
from turnout.errors import ConfigError, PlanError, TurnoutError
from turnout.uncollected import uncollected

if TYPE_CHECKING:
    from turnout.backend.base import Project
    from turnout.config.composed import Composed
    from turnout.storage.records import Records

P = ParamSpec("P")
R = TypeVar("R")


def run(
    workflow: Workflow[P, R],
    config: Any = None,
    *,
    execution_environment: str | Mapping[str, Any] | None = None,
    wait: bool = True,
    name: str | None = None,
    tags: Iterable[str] = (),
    **inputs: Any,
) -> Run[R]:
    """Plan and run a workflow.

    Args:
        workflow: what to run.
        config: its config: a ``DictConfig``, a mapping or a dataclass.
        execution_environment: where: a name, or a mapping with ``backend`` and settings.
        wait: whether to return only when the run has ended.
        name: what to call the run.
        tags: words to find the run by.
        inputs: inputs by parameter name; they win over the config.

    Raises:
        GraphError: the workflow cannot be compiled.
        ConfigError: the config, an input or a name is wrong.
        PlanError: the environment cannot honour what the graph asks.
        RunFailed: a node failed; the cause is its exception.
        KeyboardInterrupt: the user interrupted; the run has been cancelled.

    >>> import tempfile, turnout
    >>> @turnout.task
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> @turnout.workflow
    ... def pipeline(x: int) -> int:
    ...     return double(double(x))
    >>> store = tempfile.mkdtemp()
    >>> turnout.run(pipeline, x=3, execution_environment={"store": store}).outputs
    12
    """
    if not isinstance(workflow, Workflow):
        raise ConfigError(f"turnout.run takes a workflow, not {workflow!r}")
    if os.environ.get("TURNOUT_WORKER"):
        raise ConfigError(
            f"turnout.run({workflow.name}) is called while the module it stands in is imported, by "
            'a worker process or a command; put the call under `if __name__ == "__main__":`'
        )
    if isinstance(tags, str):
        raise ConfigError(f"turnout.run takes several tags: tags=[{tags!r}], not tags={tags!r}")
    _refuse_taken(workflow, config, {"name": name, "tags": tags, "wait": not wait})
    try:
        with uncollected():  # plugins may have to be loaded
            composed = compose_plain(workflow, config, execution_environment, inputs)
        execution = prepare(workflow, composed, name=name or "", tags=tuple(tags))
    except TurnoutError as error:
        from turnout.worker.failures import fold_refusal

        fold_refusal(error)
        raise
    this: Run[R] = Run(execution.run_id, execution=execution)
    if not wait:
        execution.start()
        return this
    execution.execute()
    execution.raise_failure(this)
    return this


def _refuse_taken(workflow: Workflow[..., Any], config: Any, said: Mapping[str, Any]) -> None:
    """An input of the name of one of `run`'s own arguments can only be given by the config."""
    for name, value in said.items():
        known = name in config if hasattr(config, "__contains__") else hasattr(config, name)
        if value and name in workflow.signature.parameters and not known:
            raise ConfigError(
                f"{name!r} is an argument of turnout.run and an input of workflow "
                f"{workflow.name!r}; give the input in config={{{name!r}: ...}}"
            )


def prepare(
    workflow: Workflow[..., Any],
    composed: Composed,
    *,
    name: str = "",
    tags: tuple[str, ...] = (),
    until: str = "",
    observers: Sequence[Any] = (),
    log: Callable[[str], None] = silent,
    run_id: str = "",
) -> Execution:
    """Everything up to the point where the first node would be submitted.

    Raises:
        GraphError: the workflow cannot be compiled.
        ConfigError: the config or an input is wrong.
        PlanError: the environment cannot honour what the graph asks.
    """
    from turnout.config.project import alias_main

    alias_main()
    composed = _placed(composed)
    plan = plan_for(workflow, composed, until=until)
    project = project_of(workflow)
    execution = Execution(
        plan,
        project,
        observers=observers,
        name=name,
        tags=tags,
        config=functools.partial(recorded, composed),
        log=log,
        run_id=run_id,
    )
    execution.errand = _errand(workflow, composed, project, name=name, tags=tags, until=until)
    return execution


def _placed(composed: Composed) -> Composed:
    """The config with its store where this process sees it: workers have other directories."""
    store = composed.settings.store
    if not store or "://" in store or os.path.isabs(store):
        return composed
    settings = dataclasses.replace(composed.settings, store=os.path.abspath(store))
    return dataclasses.replace(composed, settings=settings)


def _errand(
    workflow: Workflow[..., Any], composed: Composed, project: Project, **arguments: Any
) -> bytes | None:
    """The run as it is sent away, where a process elsewhere is to drive it."""
    backend = registry().backend(composed.settings.backend)
    if not isinstance(backend, ExecutorBackend):
        return None
    there = backend.elsewhere(composed.settings)
    if there is None:
        return None
    if not composed.settings.store:
        problem = (
            "the run is to be driven elsewhere, and its result has to come back; set "
            "execution_environment.store to a place that both sides reach"
        )
        raise PlanError([problem])
    if holds_credentials(composed.settings.store):
        problem = (
            "execution_environment.store has credentials in its URL, and the process that is to "
            "drive the run is given it on its command line, for all to see; give them to both "
            "sides by their variables or files instead, as the URL's file system reads them"
        )
        raise PlanError([problem])
    from turnout.api.errand import pack

    return pack(workflow, dataclasses.replace(composed, settings=there), project, arguments)


def project_of(workflow: Workflow[..., Any]) -> Project:
    """The project a workflow's file belongs to; the current directory's in a notebook."""
    from turnout.config.project import find

    code = getattr(workflow.fn, "__code__", None)
    file = "" if code is None else code.co_filename
    return find(file if os.path.isfile(file) else None)


def get_run(run: str = "latest") -> Run[Any]:
    """An earlier run of this project.

    Args:
        run: its id, the beginning of its id, or ``latest``.

    Raises:
        ConfigError: there is none, or several begin so.
    """
    records = _records()
    return Run(records.find(run).id, records=records)


def runs(
    *,
    limit: int | None = 20,
    workflow: str | None = None,
    status: str | None = None,
    tag: str | None = None,
) -> list[Run[Any]]:
    """Earlier runs of this project, the latest first.

    Args:
        limit: how many at most; ``None`` for all.
        workflow: only those of the workflow of this name.
        status: only those that stand so.
        tag: only those with this tag.
    """
    records = _records()
    found = records.runs(limit=limit, workflow=workflow, status=status, tag=tag)
    return reopened(records, found)


def _records() -> Records:
    from turnout.config.project import find
    from turnout.storage.opened import records_at

    return records_at(str(find().root / ".turnout"))
