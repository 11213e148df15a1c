"""What tasks log, on its way to the driver's logging."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import logging

_LOGGED: Final = (
    "created", "exc_text", "filename", "funcName", "levelname", "levelno", "lineno", "module",
    "msecs", "name", "pathname", "process", "processName", "relativeCreated", "stack_info",
    "thread", "threadName",
)  # fmt: skip


# For this process, not for a context: threads that a task has started speak for it too.
_node = ""


def speaks(node: str) -> None:
    """From here on what this process says is said by a call of this node."""
    global _node
    _node = node


def speaker() -> str:
    """The node whose call runs in this process, or ran last."""
    return _node


def forward_logging(level: int, say: Callable[[dict[str, Any]], None]) -> None:
    """Give what is logged in this process to ``say``, as the attributes of log records.

    The latest call holds: a process may serve one run after another.

    Args:
        level: what the driver's root logger takes.
        say: called from whichever thread logs.
    """
    import logging

    handler = _handler()
    handler.say = say
    logging.basicConfig(handlers=[handler])
    logging.getLogger().setLevel(level)


@functools.cache
def _handler() -> Any:
    import logging

    class Forward(logging.Handler):
        say: Callable[[dict[str, Any]], None]

        def emit(self, record: logging.LogRecord) -> None:
            self.say(plain(record))

    return Forward()


def plain(record: logging.LogRecord) -> dict[str, Any]:
    """A log record's attributes; arguments and exceptions become the text they stand for."""
    import logging

    said = {name: getattr(record, name) for name in _LOGGED}
    said["msg"] = record.getMessage()
    said["node"] = _node
    if record.exc_info and not record.exc_text:
        said["exc_text"] = logging.Formatter().formatException(record.exc_info)
    return said
