"""Maps, order, and what a workflow says about its inputs."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast, overload

from turnout.dsl import trace as tracing
from turnout.dsl.arguments import Instantiate
from turnout.dsl.frames import location
from turnout.dsl.inputs import use
from turnout.dsl.promise import Output, Unfinished, refuse
from turnout.dsl.task import Task, plain_run
from turnout.errors import GraphError

T = TypeVar("T")
R = TypeVar("R")


class Mapped(Unfinished, Generic[R]):
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
        self._turnout_complaint = (
            f"map_task({task.name}) is a map without its lists; call it with them: "
            f"map_task({task.name})(...)"
        )

    def __call__(self, *lists: Sequence[Any], **named: Sequence[Any]) -> list[R]:
        """Make the node, or map here and now outside a workflow.

        Raises:
            GraphError: what is given are no lists, or does not fit the task's parameters.
        """
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
        self._check({**self._bound, **mapped})
        trace = tracing.current()
        if trace is None:
            return self._plain(mapped)
        output = trace.add_map(self._task, self._bound, mapped, self._concurrency, self._ratio)
        return cast("list[R]", output)

    def _check(self, given: dict[str, Any]) -> None:
        first = [given.pop(name) for name in self._task.positional_only if name in given]
        self._task.arguments(tuple(first), given)

    def _plain(self, mapped: Mapping[str, Sequence[Any]]) -> list[R]:
        rows = list(zip(*mapped.values(), strict=True))
        task = self._task
        results: list[Any] = []
        failures: list[Exception] = []
        for row in rows:
            given = {**self._bound, **dict(zip(mapped, row, strict=True))}
            try:
                results.append(plain_run(task, (), given) if task.dynamic else task.call(given))
            except Exception as error:
                failures.append(error)
                results.append(None)
                if len(rows) - len(failures) < self._ratio * len(rows):
                    raise
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
        if len(task.args) > len(names):
            raise GraphError(
                f"map over {inner.name!r}: {len(task.args)} arguments bound for the parameters "
                f"{', '.join(names) or 'none'}",
                location=location(),
            )
        bound = {**dict(zip(names, task.args, strict=False)), **task.keywords}
    concurrency, min_success_ratio = use(concurrency), use(min_success_ratio)
    concurrency, min_success_ratio = use(concurrency), use(min_success_ratio)
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
    for first, then in itertools.pairwise(steps):
        trace.add_order(first, then)


def fixed(value: T) -> T:
    """The plain value of an input, openly used by Python: the graph then depends on it.

    Inputs inside lists, tuples and dicts are fixed too; all else is given back as it is.

    Raises:
        GraphError: it is a task's output, which has no value yet.

    >>> fixed(3)
    3
    """
    return cast("T", _fixed(value))


def _fixed(value: Any) -> Any:
    kind = type(value)
    if kind is Output:
        refuse(value, "asked for its value by fixed(...)")
    if kind is list or kind is tuple:
        return kind([_fixed(item) for item in value])
    if kind is dict:
        return {use(key): _fixed(item) for key, item in value.items()}
    return use(value)


def instantiate(config: Any) -> Any:
    """An argument that Hydra builds from a config, in the worker; keyed by the config.

    Outside a workflow the object is built at once.
    """
    if tracing.current() is None:
        from turnout.config.instantiate import build

        return build(config)
    return Instantiate(config)
