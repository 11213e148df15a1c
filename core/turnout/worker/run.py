"""Runs one call, anywhere: arguments, checks, cache, attempts, and what is said of it.

This is the one place where a task's function is called for a run. Every environment uses it,
so that a task behaves the same in this process, in a container and on a cluster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from turnout.backend.call import UNSET, Attempt, Call, Kept, Status, Summary
from turnout.errors import NonRetryable, TurnoutError, TypeMismatch
from turnout.types import checker, show
from turnout.worker.arguments import arguments
from turnout.worker.context import active

if TYPE_CHECKING:
    from turnout.dsl import Task

_SMALL = frozenset({bool, int, float, type(None), str})
_SMALL_TEXT = 4096
# One clock for when and how long: it never goes backwards, and is read half as often.
_EPOCH = time.time() - time.perf_counter()


class Outcome(NamedTuple):
    """What became of a call.

    Attributes:
        status: done or failed.
        value: the result, when done; the traced graph of a dynamic task.
        error: the exception of the last attempt, when failed.
        summary: what else is said of it.
    """

    status: Status
    value: Any
    error: BaseException | None
    summary: Summary


def run_call(
    call: Call,
    values: Sequence[Any],
    task: Task[..., Any],
    digests: Sequence[str] = (),
    on_attempt: Callable[[int, Sequence[Attempt]], None] | None = None,
) -> Outcome:
    """Run a call to its end, with all its attempts.

    Args:
        call: the call.
        values: the values of ``call.leaves``, handles resolved.
        task: the task object ``call.task`` names.
        digests: digests of ``values`` where they are known, ``""`` elsewhere.
        on_attempt: told the number of each attempt before it begins, and the attempts of this
            call that failed before it.

    Raises:
        KeyboardInterrupt, SystemExit: the user's interrupt is not a failure of the task.
    """
    begin = time.perf_counter()
    metrics: dict[str, float] = {}
    failed: list[Attempt] = []
    key = ""
    if call.version:
        from turnout.worker import caching

        try:
            key = caching.key_of(call, values, task, digests)
            hit = caching.load(call, key)
        except Exception as error:
            return _failed(error, call, begin, failed, key)
        if hit is not None:
            summary = Summary(
                seconds=time.perf_counter() - begin,
                started=begin + _EPOCH,
                cached="hit",
                key=key,
                digest=hit.digest,
            )
            return Outcome(Status.DONE, hit.value, None, summary)
    attempt = call.attempt
    attempt_begin = begin
    last = 1 + (call.options.retries or 0)
    while True:
        if on_attempt is not None:
            on_attempt(attempt, failed)
        token = active.set((call, attempt, metrics))
        try:
            kwargs = arguments(call, values, task)
            if call.run.env_vars or call.options.env_vars or _wrappers():
                with _surroundings(call):
                    value = _invoke(task, kwargs, call)
            else:
                value = _invoke(task, kwargs, call)
            break
        except Exception as error:
            again = attempt < last and not isinstance(error, NonRetryable)
            now = time.perf_counter()
            failed.append(Attempt(attempt, error, now - attempt_begin, again))
            attempt_begin = now
            if not again:
                return _failed(error, call, begin, failed, key, values, task)
            attempt += 1
        finally:
            active.reset(token)
    seconds = time.perf_counter() - begin
    if type(value) not in _SMALL:
        from turnout.worker.capture import capture

        try:
            value = capture(value, call)
        except Exception as error:
            return _failed(error, call, begin, failed, key)
    digest = cached = ""
    kept: Kept | None = None
    small: Any = UNSET
    try:
        if key:
            from turnout.worker import caching

            digest, cached = caching.save(call, key, value)
        if type(value) in _SMALL and (type(value) is not str or len(value) < _SMALL_TEXT):
            small = value
        elif call.run.keep != "none" and not cached and not task.dynamic:
            from turnout.worker.keeping import keep

            kept = keep(call, value, seconds)
    except Exception as error:
        return _failed(error, call, begin, failed, key)
    summary = Summary(
        seconds,
        begin + _EPOCH,
        small,
        tuple(failed),
        cached,
        key,
        digest,
        None,
        kept,
        task.dynamic,
        tuple(metrics.items()),
    )
    return Outcome(Status.DONE, value, None, summary)


def _invoke(task: Task[..., Any], kwargs: dict[str, Any], call: Call) -> Any:
    if task.dynamic:
        from turnout.worker.expansion import expand

        return expand(task, kwargs, call)
    if task.positional_only:
        first = [kwargs.pop(name) for name in task.positional_only if name in kwargs]
        value = task.fn(*first, **kwargs)
    else:
        value = task.fn(**kwargs)
    if task.is_async:
        from turnout.worker.asynchronous import run

        value = run(value)
    check = result_checker(task)
    if check is not None:
        found = check(value)
        if found is not None:
            raise TypeMismatch(f"result of node {call.id!r}", show(task.returns), found)
    return value


def result_checker(task: Task[..., Any]) -> Callable[[Any], str | None] | None:
    """What checks a task's result, made once per task."""
    try:
        return task.__dict__["_turnout_check"]  # type: ignore[no-any-return]
    except KeyError:
        made = task.__dict__["_turnout_check"] = checker(task.returns)
        return made


_hooks: Any = None


def _wrappers() -> bool:
    """Whether any plugin wraps calls; looked up once per process."""
    global _hooks
    if _hooks is None:
        from turnout.backend.registry import registry

        hook = registry().manager.hook.turnout_wrap_call
        _hooks = hook if hook.get_hookimpls() else False
    return _hooks is not False


def wraps_calls() -> bool:
    """Whether any plugin wraps calls."""
    return _wrappers()


def no_wrappers() -> None:
    """Take it that no plugin wraps calls: a worker was told so, and need not look for plugins."""
    global _hooks
    _hooks = False


def forget_hooks() -> None:
    """Look the wrapping hooks up again; for tests that change the registry."""
    global _hooks
    _hooks = None


@contextmanager
def _surroundings(call: Call) -> Iterator[None]:
    """The environment variables of the call and the plugins' wrappers around an attempt."""
    wanted = {**dict(call.run.env_vars), **(call.options.env_vars or {})}
    before = {name: os.environ.get(name) for name in wanted}
    try:
        os.environ.update({name: str(value) for name, value in wanted.items()})
        with ExitStack() as stack:
            if _wrappers():
                for wrapper in reversed(_hooks(call=call)):
                    stack.enter_context(wrapper)
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _failed(
    error: Exception,
    call: Call,
    begin: float,
    failed: list[Attempt],
    key: str,
    values: Sequence[Any] = (),
    task: Task[..., Any] | None = None,
) -> Outcome:
    if not failed:
        failed = [Attempt(call.attempt, error, time.perf_counter() - begin, False)]
    if not isinstance(error, TurnoutError) or isinstance(error, TypeMismatch):
        inputs = {}
        if task is not None and values:
            from turnout.worker.describe import describe

            try:
                inputs = {n: describe(v) for n, v in arguments(call, values, task).items()}
            except Exception:
                inputs = {}
        error.__turnout__ = {"node": call.id, "inputs": inputs}  # type: ignore[attr-defined]
    summary = Summary(
        seconds=time.perf_counter() - begin,
        started=begin + _EPOCH,
        attempts=tuple(failed),
        key=key,
    )
    return Outcome(Status.FAILED, None, error, summary)
