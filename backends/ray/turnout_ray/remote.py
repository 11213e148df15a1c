"""What runs in Ray's workers: a call, by the one worker that every environment uses."""

from __future__ import annotations

import functools
import os
import pickle
import sys
from typing import Any

from turnout import spi
from turnout_ray.reporter import Address, reporter
from turnout_ray.values import Box, CallFailed, Reply, opened, pack, taken

_PACKAGED = "working_dir_files"  # where Ray unpacks a working directory it was sent
# A worker begins in there, but for one in a container, which finds it on its path only.
_PROJECT = next((place for place in (os.getcwd(), *sys.path) if _PACKAGED in place), None)


def execute(*args: Any) -> Reply:
    """Run a call whose result is small: it comes with the reply.

    Args:
        args: the call, as `turnout_ray.values.introduced` makes it, and the values beside it.
    """
    call, outcome, said = _run(args)
    return pack(_ended(call, outcome, said), said)


def execute_apart(*args: Any) -> tuple[Box, Reply]:
    """Run a call whose result stays in the object store; the reply is an object of its own."""
    call, outcome, said = _run(args)
    head, *buffers = _ended(call, outcome, said)
    digest = outcome.summary.digest
    if not buffers:
        return Box(outcome.value, digest=digest), pack([head], said)
    size = None
    if outcome.summary.length is not None:
        size = sum(memoryview(part).nbytes for part in buffers)
    return Box(buffers=buffers, digest=digest), pack([head], said, size)


def split(box: Any) -> Any:
    """The items of a list, each as an object."""
    items = [Box(item) for item in opened(box).value()]
    return items if len(items) > 1 else items[0]


def _run(args: tuple[Any, ...]) -> tuple[spi.Call, spi.Outcome, list[spi.Message]]:
    intro, message, given = taken(args)
    host, address = _introduced(intro)
    say = reporter.tell if address.timed else reporter.say
    reporter.begin(address, message)
    try:
        call, outcome = host.run(message, say, [opened(one) for one in given])
    finally:
        reporter.end()
    return call, outcome, reporter.rest()


def _ended(call: spi.Call, outcome: spi.Outcome, said: list[spi.Message]) -> spi.Message:
    message = spi.ended(call, outcome)
    if outcome.status is spi.Status.DONE and outcome.summary.small is not spi.UNSET:
        return message
    told = spi.read(message)  # a result may have turned out not to travel
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
    told = Address(*address)
    host = _host(setup, told.mailbox)
    host.learn(task)
    return host, told


@functools.lru_cache(maxsize=8)
def _host(setup: bytes, executor: str) -> spi.Host:
    # Executors of one run count its tasks apart, and are set up alike.
    del executor
    if _PROJECT is not None and _PACKAGED not in os.getcwd():
        os.chdir(_PROJECT)
    return spi.Host([setup], reporter.log, _PROJECT, apart=True)
