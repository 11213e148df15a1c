"""What an error of Ray's says of a call: whether it failed, its input did, or its worker."""

from __future__ import annotations

from typing import NamedTuple

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectFetchTimedOutError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
    TaskCancelledError,
    WorkerCrashedError,
)

from turnout import spi
from turnout_ray.ticket import RayTicket
from turnout_ray.values import CallFailed, Reply


class Verdict(NamedTuple):
    """How a call ended, by what Ray raised.

    Attributes:
        status: how.
        reply: the worker's last word, where it had one.
        error: the exception otherwise.
    """

    status: spi.Status
    reply: Reply | None = None
    error: BaseException | None = None


def judge(ticket: RayTicket, error: RayError) -> Verdict:
    """What became of a call whose reply could not be had."""
    call = ticket.call
    cause = cause_of(error)
    if isinstance(cause, CallFailed):
        if cause.call == (call.id, call.attempt):
            return Verdict(spi.Status.FAILED, cause.reply)
        return Verdict(spi.Status.UPSTREAM_FAILED)
    if any(_came_to_nothing(need) for need in ticket.needs):
        return Verdict(spi.Status.UPSTREAM_FAILED)
    if isinstance(cause, (ObjectFetchTimedOutError, TaskCancelledError)):
        # An input was too long on its way, or somebody else cancelled the task.
        return Verdict(spi.Status.LOST, error=cause)
    node = f"node {call.id!r}"
    if isinstance(cause, ObjectLostError):
        told = f"{node}: an input is lost that Ray cannot make again: {_brief(cause)}"
    elif isinstance(cause, OutOfMemoryError):
        told = f"{node}: Ray ended its worker, because the machine ran out of memory: {cause}"
    elif isinstance(cause, (WorkerCrashedError, NodeDiedError)):
        told = f"{node}: its Ray worker went away, and any that tried again: {_brief(cause)}"
    elif isinstance(cause, RuntimeEnvSetupError):
        reason = str(cause).strip()
        last = reason.rpartition("\n")[2]  # of a traceback of Ray's, mostly
        told = f"{node}: Ray cannot make the runtime_env of its workers: {last}\n{reason}"
    elif "No module named 'turnout" in str(cause):
        told = f"{node}: the Python of its worker has no turnout; install it there, or in the image"
    else:
        told = f"{node}: Ray could not run it: {type(cause).__name__}: {cause}"
    return Verdict(spi.Status.FAILED, error=spi.WorkerLost(told))


def _brief(error: BaseException) -> str:
    """What Ray says first; the rest is about its own logs and settings."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def cause_of(error: BaseException) -> BaseException:
    """What a task raised, out of the wrappings that Ray puts around it."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        if error.cause is error:
            break
        error = error.cause
    return error


def _came_to_nothing(need: RayTicket) -> bool:
    """Whether an input will never come; its own end may not have been told yet."""
    if need.bad or need.reply is None:
        return need.bad
    ready, _ = ray.wait([need.reply], timeout=0)
    if not ready:
        return False
    try:
        ray.get(need.reply)
    except RayError:
        return True
    return False
