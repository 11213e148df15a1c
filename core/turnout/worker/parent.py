"""The process that worker processes are forked from.

Most of a worker's start is imports. One process does them for all that start together, and then
splits: so processors do not do the same work side by side, and memory that nobody changes is
shared. It runs nothing of the user's and starts no thread, so a fork of it is whole. Each worker
imports the user's modules for itself.

It is started by `turnout.worker.forking`, and stays for as long as one of its workers is wanted: it
says how they ended, and while it has not been asked, their process ids mean nobody else.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from turnout.worker.frames import NUMBER
from turnout.worker.process import serve

if TYPE_CHECKING:
    from io import BufferedReader


def main(orders: BufferedReader, answers: int, pipes: Sequence[tuple[int, int, int]]) -> NoReturn:
    """Fork a worker for each of ``pipes`` and tell its process id; then tell exit statuses.

    Args:
        orders: a buffered reader of process ids whose exit status is asked for; at its end, this
            process waits for those that are left and ends.
        answers: the descriptor numbers are written to: the process ids in the order of ``pipes``,
            then an exit status for each that was asked for, negative for a signal.
        pipes: the descriptors each worker is given, see `turnout.worker.process.serve`.
    """
    for fd in (orders.fileno(), answers, *(fd for given in pipes for fd in given)):
        os.set_inheritable(fd, False)
    # Ctrl-C is for the driver. A handler, not SIG_IGN: processes that tasks start inherit that.
    signal.signal(signal.SIGINT, lambda *_: None)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, write_through=False)  # type: ignore[union-attr]
    gc.freeze()  # what has been imported so far stays; the user's modules are looked through
    children: list[int] = []
    for given in pipes:
        child = os.fork()
        if not child:
            os.close(orders.fileno())
            os.close(answers)
            _work(given, [fd for other in pipes[len(children) + 1 :] for fd in other])
        children.append(child)
        with contextlib.suppress(OSError):  # it does so too; whoever is told of it may rely on it
            os.setpgid(child, child)
        for fd in given:
            os.close(fd)
        os.write(answers, NUMBER.pack(child))
    while len(order := orders.read(NUMBER.size)) == NUMBER.size:
        child = NUMBER.unpack(order)[0]
        children.remove(child)
        os.write(answers, NUMBER.pack(_status(child)))
    for child in children:
        _status(child)
    os._exit(0)


def _work(given: tuple[int, int, int], others: Sequence[int]) -> NoReturn:
    """Be a worker, in a process group of its own that what its tasks start belongs to."""
    try:
        os.setpgid(0, 0)
        for fd in others:
            os.close(fd)
        requests, replies, lifeline = given
        with open(requests, "rb") as source:
            serve(source, replies, lifeline)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
