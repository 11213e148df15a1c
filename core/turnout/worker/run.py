"""Runs one call, anywhere: arguments, checks, cache, attempts, and what is said of it.

This is the one place where a task's function is called for a run. Every environment uses it,
so that a task behaves the same in this process, in a container and on a cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from turnout.backend.call import UNSET, Attempt, Call, Kept, Status, Summary, new_summary
from turnout.errors import NonRetryable, TurnoutError, TypeMismatch
from turnout.types import show
from turnout.worker import caching, wrapping
from turnout.worker.arguments import arguments
from turnout.worker.context import active

if TYPE_CHECKING:
    from turnout.dsl import Task

_SMALL = frozenset({bool, int, float, type(None), str})
_SMALL_TEXT = 4096
# One clock for when and how long: it never goes backwards, and is read half as often.
_clock = time.perf_counter
# Naming a member of an enum takes as long as a small call.
_DONE: Final = Status.DONE
_enter, _leave = active.set, active.reset
_EPOCH = time.time() - _clock()

_NO_INPUTS: Mapping[str, str] = {}

Tell = Callable[[int, Sequence[Attempt]], None]


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
    on_attempt: Tell | None = None,
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
        KeyboardInterrupt: the user's interrupt is not a failure of the task.
    """
    return Outcome(*run_bare(call, values, task, digests, on_attempt))


def run_bare(
    call: Call,
    values: Sequence[Any],
    task: Task[..., Any],
    digests: Sequence[str] = (),
    on_attempt: Tell | None = None,
) -> tuple[Status, Any, BaseException | None, Summary]:
    """As `run_call`, for who takes the outcome apart at once: the fields of an `Outcome`."""
    begin = _clock()
    key = ""
    inputs = _NO_INPUTS
    attempts: list[Attempt] = []
    metrics: dict[str, float] = {}
    try:
        if call.version:
            inputs = caching.input_digests(call, values, task, digests)
            key = caching.key_of(call, inputs)
            hit = caching.load(call, key)
            if hit is not None:
                seconds = _clock() - begin
                summary = Summary(seconds, begin + _EPOCH, cached="hit", key=key, digest=hit.digest)
                return _DONE, hit.value, None, summary
        value = _attempted(call, values, task, attempts, metrics, on_attempt)
        seconds = _clock() - begin
        if key and not task.dynamic and not caching.still_holds(call, inputs, values, task):
            key = ""
        small, digest, cached, kept = UNSET, "", "", None
        if type(value) in _SMALL and (type(value) is not str or len(value) < _SMALL_TEXT):
            small = value
            if key:
                digest, cached = caching.save(call, key, value)
        elif not task.dynamic:
            value, digest, cached, kept = _settled(call, key, value, seconds)
    except Exception as error:
        return _failed(call, error, begin, attempts, key)
    fields = (
        seconds,
        begin + _EPOCH,
        small,
        tuple(attempts) if attempts else (),
        cached,
        key,
        digest,
        len(value) if type(value) is list else None,
        kept,
        task.dynamic,
        tuple(metrics.items()) if metrics else (),
    )
    return _DONE, value, None, new_summary(fields)


def _attempted(
    call: Call,
    values: Sequence[Any],
    task: Task[..., Any],
    attempts: list[Attempt],
    metrics: dict[str, float],
    on_attempt: Tell | None,
) -> Any:
    """The task's result; failed attempts are noted, and repeated as often as it may be."""
    _, run, _, options, _, names, shapes, _, unproven, number = call
    wrapped = (
        run.env_vars or options.env_vars or (wrapping.hook is not False and wrapping.wraps_calls())
    )
    # As for nearly every call: `arguments` would give the values as they are, in this order.
    at_once = names == task.by_position and shapes is None and not unproven and not wrapped
    while True:
        if on_attempt is not None:
            on_attempt(number, attempts)
        begin = _clock()
        token = _enter((call, number, metrics))
        kwargs: dict[str, Any] | None = None
        try:
            if at_once:
                return _checked(task.fn(*values), task, call)
            kwargs = arguments(call, values, task)
            if wrapped:
                with wrapping.surroundings(call):
                    return _invoke(task, kwargs, call)
            return _invoke(task, kwargs, call)
        except (Exception, SystemExit) as raised:
            error = raised if isinstance(raised, Exception) else _exit(raised)
            last = 1 + (options.retries or 0)
            again = number < last and not isinstance(error, NonRetryable)
            attempts.append(Attempt(number, error, _clock() - begin, again))
            if not again:
                if at_once:
                    kwargs = dict(zip(names, values, strict=True))
                _describe(error, call, kwargs)
                if error is raised:
                    raise
                raise error from raised
            number += 1
        finally:
            _leave(token)


def _exit(raised: BaseException) -> Exception:
    """A task may end itself, not the driver it may run in."""
    return NonRetryable(f"the task called sys.exit({raised.args[0] if raised.args else ''})")


def _invoke(task: Task[..., Any], kwargs: dict[str, Any], call: Call) -> Any:
    if task.dynamic:
        from turnout.worker.expansion import expand

        return expand(task, kwargs, call)
    value = task.call(kwargs)
    if task.is_async:
        from turnout.worker.asynchronous import run

        value = run(value)
    return _checked(value, task, call)


def _checked(value: Any, task: Task[..., Any], call: Call) -> Any:
    """A task's result, which fits its annotation."""
    fitting, check = task.result_test
    if type(value) not in fitting and check is not None:
        found = check(value)
        if found is not None:
            raise TypeMismatch(f"result of node {call.id!r}", show(task.returns), found)
    return value


def _settled(call: Call, key: str, value: Any, seconds: float) -> tuple[Any, str, str, Kept | None]:
    """A result captured, cached and kept, as the call wants it.

    Gives the value, its digest, what the cache did, and where it was kept.
    """
    from turnout.worker.capture import capture

    value = capture(value, call)
    if key:
        digest, cached = caching.save(call, key, value)
        if cached:
            return value, digest, cached, None
    else:
        digest = cached = ""
    if call.run.keep == "none":
        return value, digest, cached, None
    from turnout.worker.keeping import keep

    return value, digest, cached, keep(call, value, seconds)


def _describe(error: Exception, call: Call, kwargs: dict[str, Any] | None) -> None:
    """Tell on a user's exception which node it came from, and what kind of inputs it had."""
    if isinstance(error, TurnoutError) and not isinstance(error, TypeMismatch):
        return
    from turnout.worker.describe import describe

    inputs = {name: describe(value) for name, value in (kwargs or {}).items()}
    error.__turnout__ = {"node": call.id, "inputs": inputs}  # type: ignore[attr-defined]


def _failed(
    call: Call, error: Exception, begin: float, attempts: list[Attempt], key: str
) -> tuple[Status, Any, BaseException | None, Summary]:
    seconds = _clock() - begin
    if not attempts or attempts[-1].error is not error:
        # It failed before or after the task itself, as where its result cannot be stored.
        attempts.append(Attempt(call.attempt + len(attempts), error, seconds, False))
    summary = Summary(seconds, begin + _EPOCH, attempts=tuple(attempts), key=key)
    return Status.FAILED, None, error, summary
