"""Capabilities: what an environment does with each thing a pipeline can ask of it.

A *behaviour* changes what the pipeline does; where it is unsupported the plan is refused. A
*placement* only says where and how big; where it is advisory or unsupported the plan lists it,
and ``strict=true`` refuses it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class Level(enum.StrEnum):
    """How an environment honours a setting."""

    NATIVE = "native"
    EMULATED = "emulated"
    ADVISORY = "advisory"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Capability:
    """A level with the reason for it.

    Attributes:
        level: how the setting is honoured.
        reason: one clause of prose, required below ``NATIVE``.
    """

    level: Level
    reason: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.NATIVE and not self.reason:
            raise ValueError(f"a capability that is {self.level} needs a reason")

    @property
    def honoured(self) -> bool:
        """Whether the setting takes effect."""
        return self.level in (Level.NATIVE, Level.EMULATED)


NATIVE: Final = Capability(Level.NATIVE)


def emulated(reason: str) -> Capability:
    """The setting takes effect, by other means than the engine's own."""
    return Capability(Level.EMULATED, reason)


def advisory(reason: str) -> Capability:
    """The setting is accepted and has no effect."""
    return Capability(Level.ADVISORY, reason)


def unsupported(reason: str) -> Capability:
    """The setting cannot be honoured."""
    return Capability(Level.UNSUPPORTED, reason)


BEHAVIOURS: Final = {
    "cache": "results are reused when code and inputs are the same",
    "retries": "a failed attempt is tried again",
    "timeout": "an attempt that takes too long is ended",
    "order": "a >> b and order(...)",
    "map": "map_task, with concurrency and min_success_ratio",
    "dynamic": "a task whose body builds a graph",
    "conditional": "conditional(...)",
    "on_failure": "a workflow's failure handler",
    "env_vars": "environment variables of a task",
    "secrets": "secrets of a task",
    "report": "a task renders a report",
    "execution_environment": "a task runs in an environment of its own",
    "schedule": "the workflow is started by a timetable",
}
PLACEMENTS: Final = {
    "resources": "cpu, mem, gpu and the like",
    "image": "a container image per task",
    "interruptible": "the task may run on machines that can be taken away",
    "options": "settings of another backend",
}

# What the engine and the worker do for every executor backend, so that no backend says it again.
EXECUTOR_DEFAULTS: Final[dict[str, Capability]] = {
    "cache": NATIVE,
    "retries": NATIVE,
    "order": NATIVE,
    "map": NATIVE,
    "dynamic": NATIVE,
    "conditional": NATIVE,
    "on_failure": NATIVE,
    "env_vars": NATIVE,
    "execution_environment": NATIVE,
    "timeout": unsupported("the backend does not say that it can end an attempt"),
    "secrets": unsupported("the worker does not resolve secrets"),
    "report": unsupported("the worker does not render reports"),
    "schedule": unsupported("nothing here starts by a timetable; a crontab line can"),
    "resources": advisory("the backend does not size what it runs"),
    "image": advisory("the backend runs no containers"),
    "interruptible": advisory("the backend's machines are not taken away"),
    "options": advisory("the settings are another backend's"),
}
