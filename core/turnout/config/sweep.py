"""A sweep while it goes on: what its jobs failed with, and what they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from turnout.backend.base import Backend, EnvironmentConfig, Project

_EVERYBODYS: Final = frozenset(field.name for field in dataclasses.fields(EnvironmentConfig))


class Prepared(Protocol):
    """A job that has been planned and has not begun.

    Attributes:
        project: the user's code.
        environments: the backends it runs on, each with its settings.
        log: takes lines the user should read.
    """

    project: Project
    environments: Sequence[tuple[Backend, EnvironmentConfig]]
    log: Callable[[str], None]

    def execute(self) -> None:
        """Do it to the end, in any thread; `objective` tells how it ended.

        Raises:
            KeyboardInterrupt: the user interrupted; it has been cancelled.
        """

    def cancel(self) -> None:
        """End it early; may be called from another thread."""

    def interrupt(self, stays: bool | None) -> bool | None:
        """End it as the user's interrupt does: what is driven elsewhere may go on.

        Args:
            stays: whether those interrupted before go on; ``None`` while nobody was asked.

        Returns:
            The same for those that follow.
        """

    def tell(self) -> None:
        """Show the result, if there is one; called once it has ended, jobs in their order."""

    def objective(self) -> Any:
        """What a sweeper optimises, or the exception it ended in raised."""


class Sweep:
    """What is noted while a sweep runs.

    Attributes:
        failures: what jobs failed with, by their number.
        ended: how many jobs have ended.
        unfit: what is wrong with the first objective that a sweeper cannot optimise.
    """

    def __init__(self) -> None:
        self.failures: dict[int, Exception] = {}
        self.ended = 0
        self.unfit = ""
        self._shared: dict[str, tuple[Any, AbstractContextManager[Any]]] = {}

    def holds(self, job: Prepared) -> bool:
        """Whether what the job's environments share is there, or nothing is in its way."""
        return all(
            backend.name not in self._shared or self._shared[backend.name][0] == settings
            for backend, settings, _ in _settings(job)
        )

    def hold(self, job: Prepared) -> None:
        """Have what the job's environments share, until the sweep ends or settings change.

        Raises:
            PluginError: it cannot be started.
        """
        for backend, settings, config in _settings(job):
            held = self._shared.get(backend.name)
            if held is not None and held[0] == settings:
                continue
            if held is not None:
                del self._shared[backend.name]
                held[1].__exit__(None, None, None)
            shared = backend.shared(config, job.project, job.log)
            shared.__enter__()
            self._shared[backend.name] = (settings, shared)

    def close(self) -> None:
        """The sweep has ended."""
        while self._shared:
            _, (_, shared) = self._shared.popitem()
            shared.__exit__(None, None, None)


def _settings(job: Prepared) -> Iterator[tuple[Backend, dict[str, Any], EnvironmentConfig]]:
    """Each backend with those settings that only its own schema has."""
    for backend, config in job.environments:
        own = {
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(config)
            if field.name not in _EVERYBODYS
        }
        yield backend, own, config


def is_objective(value: Any) -> bool:
    """Whether an optimising sweeper may make something of a value: numbers, some or named.

    >>> [is_objective(value) for value in (1.5, (1, 2.5), {"loss": 1}, "a", None, ["a"])]
    [True, True, True, False, False, False]
    """
    if isinstance(value, Mapping):
        return True
    if isinstance(value, (list, tuple)):
        return all(hasattr(item, "__float__") for item in value)
    return hasattr(value, "__float__")
