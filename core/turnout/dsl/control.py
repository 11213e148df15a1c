"""Maps, order, and what a workflow says about its inputs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast, overload

from turnout.dsl import trace as tracing
from turnout.dsl.frames import location
from turnout.dsl.inputs import use
from turnout.dsl.task import Task
from turnout.dsl.trace import Instantiate
from turnout.errors import GraphError

T = TypeVar("T")
R = TypeVar("R")


class Mapped(Generic[R]):
    """A task to be mapped over lists; calling it with the lists makes the node."""

    def __init__(
        self,
        task: Task[..., Any],
        bound: Mapping[str, Any],
        concurrency: int | None,
        min_success_ratio: float,
    ) -> None:
        self._task = task
        self._bound = bound
        self._concurrency = concurrency
        self._ratio = min_success_ratio

    def __call__(self, *lists: Sequence[Any], **named: Sequence[Any]) -> list[R]:
        free = [name for name in self._task.signature.parameters if name not in self._bound]
        if len(lists) > len(free):
            raise GraphError(
                f"map over {self._task.name!r}: {len(lists)} lists for the parameters "
                f"{', '.join(free) or 'none'}",
                location=location(),
            )
        mapped = {**dict(zip(free, lists, strict=False)), **named}
        twice = sorted(set(mapped) & set(self._bound))
        if twice or not mapped:
            problem = f"{', '.join(twice)} bound and mapped" if twice else "no list to map over"
            raise GraphError(f"map over {self._task.name!r}: {problem}", location=location())
        self._task.arguments((), {**self._bound, **mapped})
        trace = tracing.current()
        if trace is None:
            return self._plain(mapped)
        output = trace.add_map(self._task, self._bound, mapped, self._concurrency, self._ratio)
        return cast("list[R]", output)

    def _plain(self, mapped: Mapping[str, Sequence[Any]]) -> list[R]:
        rows = list(zip(*mapped.values(), strict=True))
        results: list[Any] = []
        failed: Exception | None = None
        for row in rows:
            try:
                results.append(self._task(**self._bound, **dict(zip(mapped, row, strict=True))))
            except Exception as error:
                if self._ratio >= 1:
                    raise
                failed = error
                results.append(None)
        succeeded = len(rows) - sum(result is None for result in results)
        if failed is not None and succeeded < self._ratio * len(rows):
            raise failed
        return results


@overload
def map_task(
    task: Task[..., R] | functools.partial[R], *, concurrency: int | None = None
) -> Mapped[R]: ...
@overload
def map_task(
    task: Task[..., R] | functools.partial[R],
    *,
    concurrency: int | None = None,
    min_success_ratio: float,
) -> Mapped[R | None]: ...
def map_task(
    task: Any, *, concurrency: int | None = None, min_success_ratio: float = 1.0
) -> Mapped[Any]:
    """Run a task once per item of one or more lists of equal length.

    ``map_task(partial(evaluate, model=model), concurrency=8)(data=folds)`` binds ``model`` for
    all items and zips the lists given in the second call. Results keep the order of the items;
    an empty list gives ``[]``.

    Args:
        task: a task, or a ``functools.partial`` of one.
        concurrency: how many items may run at once; ``None`` leaves it to the environment.
        min_success_ratio: the part of the items that must succeed, in (0, 1]; below 1 the result
            of a failed item is ``None``.

    Raises:
        GraphError: it is no task, or a number is out of range.
    """
    bound: Mapping[str, Any] = {}
    inner = task
    while isinstance(inner, functools.partial):
        inner = inner.func
    if not isinstance(inner, Task):
        raise GraphError(
            f"map_task takes a task or a functools.partial of one, not {inner!r}",
            location=location(),
        )
    if isinstance(task, functools.partial):
        names = list(inner.signature.parameters)
        bound = {**dict(zip(names, task.args, strict=False)), **task.keywords}
    if concurrency is not None and concurrency < 1:
        raise GraphError(f"concurrency is at least 1, not {concurrency}", location=location())
    if not 0 < min_success_ratio <= 1:
        raise GraphError(
            f"min_success_ratio is above 0 and at most 1, not {min_success_ratio}",
            location=location(),
        )
    return Mapped(inner, bound, concurrency, min_success_ratio)


def order(*steps: Any) -> None:
    """Run steps one after another though no data flows: ``order(a, b, c)`` is ``a >> b >> c``.

    Raises:
        GraphError: a step is no task output, or the order is a cycle.
    """
    trace = tracing.current()
    if trace is None:
        return
    for first, then in zip(steps, steps[1:], strict=False):
        trace.add_order(first, then)


def fixed(value: T) -> T:
    """The plain value of an input, openly used by Python: the graph then depends on it.

    A value that is no input is given back as it is.

    >>> fixed(3)
    3
    """
    return cast("T", use(value))


def instantiate(config: Any) -> Any:
    """An argument that Hydra builds from a config, in the worker; keyed by the config.

    Outside a workflow the object is built at once.
    """
    if tracing.current() is None:
        from turnout.config.instantiate import build

        return build(config)
    return Instantiate(config)
