"""``@task`` and ``@dynamic``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from turnout.dsl.task import Task
from turnout.graph import Cache, Resources, Secret, TaskOptions
from turnout.graph.options import OPTION_NAMES

if TYPE_CHECKING:
    from datetime import timedelta

P = ParamSpec("P")
R = TypeVar("R")


@overload
def task(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    name: str | None = None,
    cache: bool | Cache | None = None,
    retries: int | None = None,
    timeout: float | str | timedelta | None = None,
    resources: Resources | None = None,
    image: str | None = None,
    env_vars: Mapping[str, str] | None = None,
    secrets: Iterable[Secret | str] | None = None,
    interruptible: bool | None = None,
    execution_environment: str | None = None,
    report: bool | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> _Decorator: ...
def task(fn: Callable[..., Any] | None = None, /, **said: Any) -> Any:  # noqa: D417  (above)
    """Make a function a task.

    Args:
        name: what nodes, config and messages call it; the function's name otherwise.
        cache: reuse results, ``True`` or a `Cache`.
        retries: further attempts after the first one failed.
        timeout: seconds one attempt may take, a ``timedelta``, or text such as ``"5m"``.
        resources: what the task needs of a machine.
        image: the container image the task wants.
        env_vars: environment variables set while the task runs.
        secrets: secrets the task may read, by name or as `Secret`.
        interruptible: whether the task may run on machines that can be taken away.
        execution_environment: the environment this task runs in, if not the run's own.
        report: whether the task renders a report.
        options: backend name to that backend's own settings.

    Raises:
        TypeError: the function takes ``*args``, or is no function.
        ValueError: an option's value makes no sense.

    >>> @task(retries=2)
    ... def load(path: str) -> list[str]:
    ...     return path.split("/")
    >>> load("a/b"), load.options.retries
    (['a', 'b'], 2)
    """
    return _decorate(fn, said, dynamic=False)


@overload
def dynamic(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def dynamic(
    *,
    name: str | None = None,
    cache: bool | Cache | None = None,
    retries: int | None = None,
    timeout: float | str | timedelta | None = None,
    resources: Resources | None = None,
    image: str | None = None,
    env_vars: Mapping[str, str] | None = None,
    secrets: Iterable[Secret | str] | None = None,
    interruptible: bool | None = None,
    execution_environment: str | None = None,
    report: bool | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> _Decorator: ...
def dynamic(fn: Callable[..., Any] | None = None, /, **said: Any) -> Any:
    """Make a function a task whose body builds a graph at run time; options as for `task`.

    The body receives plain values and may loop and branch on them; the tasks it calls become
    nodes that run in the dynamic task's place. It never waits for them.
    """
    return _decorate(fn, said, dynamic=True)


class _Decorator:
    """What ``@task(...)`` with options gives; kept as a class for its typed call."""

    def __init__(self, said: Mapping[str, Any], dynamic: bool) -> None:
        self._said = said
        self._dynamic = dynamic

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        return _decorate(fn, self._said, dynamic=self._dynamic)


def _decorate(fn: Callable[..., Any] | None, said: Mapping[str, Any], *, dynamic: bool) -> Any:
    if fn is None:
        return _Decorator(said, dynamic)
    name = said.get("name")
    options = {key: value for key, value in said.items() if key != "name"}
    unknown = sorted(options.keys() - set(OPTION_NAMES))
    if unknown:
        from turnout.backend.registry import choices

        known = ["name", *OPTION_NAMES]
        raise TypeError(f"@task has no option {unknown[0]!r}; {choices(unknown[0], known)}")
    return Task(fn, name=name, options=TaskOptions(**options), dynamic=dynamic)
