"""What runs in Ray's workers: a call, by the one worker that every environment uses."""

from __future__ import annotations

import functools
import os
import pickle
from typing import Any

from turnout import spi
from turnout_ray.reporter import Address, reporter
from turnout_ray.values import Box, CallFailed, Reply, opened, pack

_PACKAGED = "working_dir_files"  # where Ray unpacks a working directory it was sent


def execute(intro: bytes, message: Any, *given: Any) -> Reply:
    """Run a call whose result is small: it comes with the reply."""
    call, outcome, said = _run(intro, message, given)
    return pack(_ended(call, outcome, said), said)


def execute_apart(intro: bytes, message: Any, *given: Any) -> tuple[Box, Reply]:
    """Run a call whose result stays in the object store; the reply is an object of its own."""
    call, outcome, said = _run(intro, message, given)
    message = _ended(call, outcome, said)
    digest = outcome.summary.digest
    box = (
        Box(buffers=message[1:], digest=digest) if message[1:] else Box(outcome.value, None, digest)
    )
    size = None
    if outcome.summary.length is not None:
        size = sum(memoryview(part).nbytes for part in message[1:])
    return box, pack([message[0]], said, size)


def split(box: Any) -> Any:
    """The items of a list, each as an object."""
    items = [Box(item) for item in opened(box).value()]
    return items if len(items) > 1 else items[0]


def _run(
    intro: bytes, message: Any, given: tuple[Any, ...]
) -> tuple[spi.Call, spi.Outcome, list[spi.Message]]:
    host, address = _introduced(intro)
    parts = [message] if isinstance(message, bytes) else message
    with reporter.call(address, parts):
        call, outcome = host.run(parts, reporter.say, [opened(one) for one in given])
    return call, outcome, reporter.rest()


def _ended(call: spi.Call, outcome: spi.Outcome, said: list[spi.Message]) -> spi.Message:
    message = spi.ended(call, outcome)
    told = spi.read(message)
    assert isinstance(told, spi.Ended)
    if told.status is not spi.Status.DONE:
        error = told.error
        text = f"node {call.id!r}: {type(error).__name__}: {error}"
        raise CallFailed((call.id, call.attempt), text, pack(message, said))
    return message


@functools.lru_cache(maxsize=4096)
def _introduced(intro: bytes) -> tuple[spi.Host, Address]:
    """The host of the run that a task belongs to, which knows the task from now on."""
    setup, task, *address = pickle.loads(intro)
    host = _host(setup)
    host.learn(task)
    return host, Address(*address)


@functools.lru_cache(maxsize=8)
def _host(setup: bytes) -> spi.Host:
    folder = os.getcwd()
    root = folder if _PACKAGED in folder else None
    return spi.Host([setup], reporter.log, root)
