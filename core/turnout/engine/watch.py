"""Tells observers and plugins what happens in a run, in the order the hooks guarantee."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from turnout.backend.call import Attempt
from turnout.backend.hooks import NodeEvent, RunEvent
from turnout.backend.registry import notify, registry
from turnout.engine.jobs import Job
from turnout.errors import PluginError

_EVENTS: Final = (
    "run_started", "run_finished", "node_started", "node_failed", "node_retried",
    "node_finished", "node_cached",
)  # fmt: skip


class Watch:
    """Fans events out to observers and to the plugins' lifecycle hooks.

    Attributes:
        active: whether anybody listens to nodes; if not, no event is made.
    """

    def __init__(
        self, run_id: str, workflow: str, environment: str, observers: Iterable[Any] = ()
    ) -> None:
        self.run_id = run_id
        self.workflow = workflow
        self.environment = environment
        hooks = registry().manager.hook
        self._calls: dict[str, list[Any]] = {name: [] for name in _EVENTS}
        for name, calls in self._calls.items():
            calls.extend(
                getattr(observer, name) for observer in observers if hasattr(observer, name)
            )
            calls.extend(_implementations(getattr(hooks, f"turnout_{name}")))
        self.active = any(self._calls[name] for name in _EVENTS if name.startswith("node"))

    @classmethod
    def silent(cls) -> Watch:
        """A watch nobody looks through."""
        watch = cls.__new__(cls)
        watch._calls = {name: [] for name in _EVENTS}
        watch.active = False
        return watch

    def run(self, status: str, nodes: int, error: BaseException | None = None) -> None:
        """The run has started, or ended with this status."""
        name = "run_started" if status == "running" else "run_finished"
        if self._calls[name]:
            event = RunEvent(
                run_id=self.run_id,
                workflow=self.workflow,
                environment=self.environment,
                status=status,
                nodes=nodes,
                time=time.time(),
                error=error,
            )
            notify(self._calls[name], event)

    def started(self, job: Job) -> None:
        """A job has begun; told once."""
        if not job.announced:
            job.announced = True
            self._node("node_started", job)

    def failed(self, job: Job, attempt: Attempt) -> None:
        """An attempt has failed."""
        self.started(job)
        self._node(
            "node_failed", job, attempt=attempt.number, error=attempt.error, seconds=attempt.seconds
        )

    def retried(self, job: Job, number: int) -> None:
        """A further attempt begins."""
        self._node("node_retried", job, attempt=number)

    def ended(self, job: Job, seconds: float, cached: bool, key: str) -> None:
        """A job has succeeded, or was found in the cache."""
        if cached:
            self._node("node_cached", job, key=key, seconds=seconds)
            return
        self.started(job)
        attempt = len(job.attempts) + 1
        self._node("node_finished", job, attempt=attempt, seconds=seconds, key=key)

    def tell(self, name: str, event: NodeEvent) -> None:
        """Pass on an event that was made elsewhere."""
        notify(self._calls[name], event)

    def _node(self, name: str, job: Job, **said: Any) -> None:
        calls = self._calls[name]
        if calls:
            spec = job.step.spec
            event = NodeEvent(
                run_id=self.run_id,
                node=job.step.id,
                task=spec.name if spec is not None else "",
                time=time.time(),
                attempts=1 + (job.step.options.retries or 0),
                **said,
            )
            notify(calls, event)


def _implementations(hook: Any) -> Iterator[Any]:
    """Each plugin's function, so that an exception in one keeps nothing from the others."""
    for found in reversed(hook.get_hookimpls()):
        if found.wrapper or found.hookwrapper:
            raise PluginError(
                f"plugin {found.plugin_name!r}: {hook.name} tells what happened; "
                "there is nothing to wrap"
            )
        yield _Implementation(found)


class _Implementation:
    """One plugin's function for one hook."""

    __slots__ = ("_function", "_plugin", "_takes")

    def __init__(self, found: Any) -> None:
        self._function = found.function
        self._plugin = found.plugin_name
        self._takes = bool(found.argnames)

    def __call__(self, event: Any) -> None:
        if self._takes:
            self._function(event)
        else:
            self._function()

    def __repr__(self) -> str:
        return f"plugin {self._plugin!r}"
