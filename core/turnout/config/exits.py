"""The exit statuses of every command."""

from __future__ import annotations

from typing import Final

from turnout.errors import (
    ConfigError,
    GraphError,
    PlanError,
    PluginError,
    RunCancelled,
    raised_in_body,
)

DONE: Final = 0
FAILED: Final = 1
CONFIG: Final = 2
REFUSED: Final = 3
CANCELLED: Final = 130


def exit_status(error: BaseException | None) -> int:
    """The status a command ends with after an error, 0 after none.

    >>> exit_status(ConfigError("no such key")), exit_status(ZeroDivisionError())
    (2, 1)
    """
    if error is None:
        return DONE
    if isinstance(error, (RunCancelled, KeyboardInterrupt)):
        return CANCELLED
    if isinstance(error, (ConfigError, PluginError)):
        return CONFIG
    if isinstance(error, (PlanError, GraphError)) or raised_in_body(error):
        return REFUSED
    return FAILED
