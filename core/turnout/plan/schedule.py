"""A timetable asked of an environment that has none: refused, with a crontab line to copy."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Final

from turnout.plan.environment import Environment
from turnout.plan.rules import able

_SETS_IT: Final = re.compile(r"\+{0,2}execution_environment\.schedule=")


def refuse_schedule(environment: Environment) -> list[str]:
    """The problem with a run's timetable, where there is one."""
    schedule = environment.config.schedule
    if schedule is None:
        return []
    capability = environment.backend.capability("schedule", environment.config)
    if capability.honoured:
        return []
    others = ", ".join(able("schedule"))
    can = f" ({others} can)" if others else ""
    problem = (
        f"execution_environment.schedule is set, which {environment.name!r} cannot honour{can}: "
        f"{capability.reason}:\n{crontab_line(schedule, sys.orig_argv)}"
    )
    return [problem]


def crontab_line(schedule: str, command: Sequence[str]) -> str:
    """A line for crontab that starts this process again, without its timetable.

    Args:
        schedule: the cron expression.
        command: the interpreter and its arguments, as they were given.
    """
    rest = [word for word in command[1:] if not _SETS_IT.match(word)]
    typed = f"cd {shlex.quote(_started_in(rest))} && {shlex.join([sys.executable, *rest])}"
    # To cron a plain % is the end of the command.
    return f"{schedule} {typed}".replace("%", r"\%")


def _started_in(command: Sequence[str]) -> str:
    """Where the command was typed: Hydra may have changed the directory since."""
    script = str(getattr(sys.modules.get("__main__"), "__file__", None) or "")
    for word in command:
        if os.path.isabs(script) and script.endswith(f"/{word}"):
            return script.removesuffix(f"/{word}") or "/"
    return os.getcwd()
