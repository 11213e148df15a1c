"""The environment under test, as the behaviours of the suite use it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import turnout
from turnout.api import Run
from turnout.api.prepare import plan_for
from turnout.backend.base import Backend
from turnout.backend.capability import Capability
from turnout.backend.registry import registry
from turnout.config import environments
from turnout.config.plain import compose_plain
from turnout.dsl import Workflow
from turnout.errors import PlanError, RunFailed
from turnout.plan import Plan
from turnout.testing.pipelines import marks
from turnout.testing.plugins import installed
from turnout.testing.recording import Recording

P = ParamSpec("P")
S = TypeVar("S")


class RefusedError(Exception):
    """Planning was refused as it should be; ends a behaviour marked with `asks`."""


class Place:
    """An environment with a store, and a directory that tests and tasks both see.

    Attributes:
        settings: the environment as a user would spell it.
        scratch: the directory; tasks leave marks in it.
        config: its settings, checked.
        backend: the code behind it.
        asked: the settings the behaviour at hand needs.
    """

    def __init__(self, settings: Mapping[str, Any], scratch: Path) -> None:
        self.settings = dict(settings)
        self.scratch = str(scratch)
        self.asked: tuple[str, ...] = ()
        self.name, self.config = environments.resolve(self.settings)
        self.backend: Backend = registry().backend(self.config.backend)

    def capability(self, setting: str) -> Capability:
        """How the environment honours a setting."""
        return self.backend.capability(setting, self.config)

    def run(
        self,
        workflow: Workflow[..., Any],
        config: Any = None,
        *,
        wait: bool = True,
        tags: Iterable[str] = (),
        settings: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> Run[Any]:
        """Run a workflow here.

        Args:
            workflow: what to run.
            config: its config.
            wait: whether to wait for its end.
            tags: words to find the run by.
            settings: settings of the environment for this run only.
            inputs: its inputs.

        Raises:
            RefusedError: the environment cannot do what `asks` named, and said so.
        """
        with self._refusal():
            run: Run[Any] = turnout.run(
                workflow,
                config,
                execution_environment={**self.settings, **(settings or {})},
                wait=wait,
                tags=tags,
                **inputs,
            )
        return run

    @contextmanager
    def _refusal(self) -> Iterator[None]:
        missing = [name for name in self.asked if not self.capability(name).honoured]
        try:
            yield
        except PlanError as refusal:
            if not missing:
                raise
            for name in missing:
                if name not in str(refusal) or self.capability(name).reason not in str(refusal):
                    told = f"the plan is refused without naming {name!r} and why: {refusal}"
                    raise AssertionError(told) from refusal
            raise RefusedError from refusal
        assert not missing, f"{', '.join(missing)} cannot be honoured, and the plan was not refused"

    def value(self, workflow: Workflow[..., Any], config: Any = None, **inputs: Any) -> Any:
        """What a workflow gives here."""
        return self.run(workflow, config, **inputs).outputs

    def failure(self, workflow: Workflow[..., Any], config: Any = None, **inputs: Any) -> RunFailed:
        """How a run fails here; it must."""
        try:
            run = self.run(workflow, config, **inputs)
        except RunFailed as failure:
            return failure
        raise AssertionError(f"{run!r} did not fail")

    def recorded(
        self, workflow: Workflow[..., Any], config: Any = None, **inputs: Any
    ) -> tuple[Run[Any] | RunFailed, Recording]:
        """A run, failed or not, with what the lifecycle hooks told of it."""
        recording = Recording()
        with installed(recording):
            try:
                return self.run(workflow, config, **inputs), recording
            except RunFailed as failure:
                return failure, recording

    def plan(
        self,
        workflow: Workflow[..., Any],
        *,
        settings: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> Plan:
        """The plan of a workflow here."""
        environment = {**self.settings, **(settings or {})}
        with self._refusal():
            return plan_for(workflow, compose_plain(workflow, None, environment, inputs))

    @property
    def marks(self) -> list[str]:
        """The marks that tasks have left, in order."""
        return marks.left(self.scratch)

    def forget_marks(self) -> None:
        """Begin anew with marks."""
        Path(self.scratch, "marks").unlink(missing_ok=True)


def asks(
    *settings: str,
) -> Callable[[Callable[Concatenate[S, Place, P], None]], Callable[Concatenate[S, Place, P], None]]:
    """Say which settings a behaviour needs.

    Where one of them is not honoured, the behaviour is that planning is refused and names it.
    """

    def decorate(
        behaviour: Callable[Concatenate[S, Place, P], None],
    ) -> Callable[Concatenate[S, Place, P], None]:
        @functools.wraps(behaviour)
        def checked(self: S, on: Place, *args: P.args, **kwargs: P.kwargs) -> None:
            on.asked = settings
            try:
                behaviour(self, on, *args, **kwargs)
            except RefusedError:
                return

        return cast("Callable[Concatenate[S, Place, P], None]", checked)

    return decorate
