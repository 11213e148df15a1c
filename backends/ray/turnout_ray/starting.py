"""What of an instance is started for a run, as `ray.init` does not let one say it.

Ray's own functions are replaced while it starts, for all of this process. Where a version has no
such function, that version starts as it will.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import ray


@contextmanager
def for_a_run(*, dashboard: bool) -> Iterator[None]:
    """Start Ray here so that it ends with the run only, and without what no run uses.

    Args:
        dashboard: whether the dashboard is to be served, and whatever goes with it.
    """
    private = ray._private
    with ExitStack() as stack:
        if private.utils.detect_fate_sharing_support():
            # What ends the driver's whole process group would end Ray's servers before it, and
            # the driver would wait for them for a minute. The system ends them with the driver,
            # and their agents follow; elsewhere a reaper does, which needs them in this group.
            _replace(stack, private.services, "ConsolePopen", _in_a_group_of_its_own)
        if not dashboard:
            # These take a third of the time until the first task. The server of the dashboard
            # is started by Ray even if it is to serve none; it may be missing, and so may what
            # only the larger one of Ray's distributions has, such as metrics for Prometheus.
            # Nothing here grows or shrinks.
            _replace(stack, private.services, "start_api_server", lambda _: _no_server)
            _replace(stack, private.utils, "get_dashboard_dependency_error", lambda _: _not_asked)
            _replace(stack, private.node.Node, "start_monitor", lambda _: _no_autoscaler)
        yield


class Keeper:
    """A thread that starts an instance and stays, for its servers end with the thread.

    Args:
        start: starts it.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        self._start = start
        self._started, self._ended = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        threading.Thread(target=self._keep, name="turnout-ray", daemon=True).start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def _keep(self) -> None:
        try:
            self._start()
        except BaseException as error:
            self._error = error
            self._started.set()
            return
        self._started.set()
        self._ended.wait()

    def end(self) -> None:
        """The instance has been stopped."""
        self._ended.set()


def _replace(stack: ExitStack, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put what is made of a function in its place, until the stack is left."""
    before = getattr(owner, name, None)
    if before is not None:
        setattr(owner, name, make(before))
        stack.callback(setattr, owner, name, before)


def _in_a_group_of_its_own(popen: Any) -> Any:
    return functools.partial(popen, process_group=0)


def _no_server(*_: Any, **__: Any) -> tuple[None, None]:
    """Neither address nor process, as where it fails to start."""
    return None, None


def _not_asked() -> ImportError:
    """As in the smaller one of Ray's distributions."""
    return ImportError("execution_environment.dashboard is false")


def _no_autoscaler(_: Any) -> None:
    """As in a cluster that is told to have none."""
