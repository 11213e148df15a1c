"""What jobs that run side by side log: each job's to its own files, and to the console by name."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from turnout.backend.mark import mark

_job: ContextVar[int | None] = ContextVar("turnout_job", default=None)
_SPARE: Final = "turnout.sweep"


class JobLogs:
    """The handlers of one job's ``hydra.job_logging``, beside those of other jobs.

    Hydra's own way of setting them up replaces those of all others. Records belong to the job
    whose `belonging` block they are made in; threads that a job's thread starts with a copy of
    its context are in it too. What belongs to no job is the sweep's.

    Args:
        number: the job's number.
        config: the job's config with its ``hydra`` node, which knows its output directory.
    """

    def __init__(self, number: int, config: DictConfig) -> None:
        self._number = number
        self._handlers: list[logging.Handler] = []
        said: Any = OmegaConf.to_container(config.hydra.job_logging, resolve=True) or {}
        root = said.get("root")
        if root is None:
            return
        loggers = {name: _level_of(given) for name, given in (said.get("loggers") or {}).items()}
        loggers[_SPARE] = {"handlers": root.get("handlers", []), "propagate": False}
        # Without a root logger in it, the root's handlers, those of other jobs, stay as they are.
        _configure()({**said, "root": {}, "loggers": loggers, "disable_existing_loggers": False})
        level = logging.NOTSET
        if config.hydra.verbose is not True:
            level = logging._checkLevel(root.get("level", logging.NOTSET))  # type: ignore[attr-defined]
            logging.root.setLevel(min(level, logging.root.level))
        logger = logging.getLogger(_SPARE)
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.addFilter(_Of(number, level))
            if not isinstance(handler, logging.FileHandler):
                handler.setFormatter(_Marked(handler.formatter, f"#{number} "))
            self._handlers.append(handler)
            logging.root.addHandler(handler)

    @contextmanager
    def belonging(self) -> Iterator[None]:
        """What is logged in the block is the job's, and what its tasks print."""
        token, before = _job.set(self._number), mark.set(f"#{self._number} ")
        try:
            yield
        finally:
            mark.reset(before)
            _job.reset(token)

    def close(self) -> None:
        """The job has ended."""
        for handler in self._handlers:
            logging.root.removeHandler(handler)
            handler.close()
        self._handlers.clear()


def keep_apart() -> None:
    """Let the handlers there are now, the sweep's, take only what belongs to no job."""
    for handler in logging.root.handlers:
        if not any(isinstance(found, _Of) for found in handler.filters):
            handler.addFilter(_Of(None, logging.root.level))


class _Of(logging.Filter):
    """Lets through what belongs to one job."""

    def __init__(self, number: int | None, level: int) -> None:
        super().__init__()
        self._number = number
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._level and _job.get() == self._number


class _Marked(logging.Formatter):
    """Writes which job it was before each line of what another formatter makes."""

    def __init__(self, formatter: logging.Formatter | None, mark: str) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()
        self._mark = mark

    def format(self, record: logging.LogRecord) -> str:
        lines = self._formatter.format(record).splitlines() or [""]
        return "\n".join(self._mark + line for line in lines)


def _level_of(logger: Any) -> dict[str, Any]:
    """A logger's config without handlers, which would see the records of every job."""
    return {"level": logger["level"]} if logger and "level" in logger else {}


def _configure() -> Callable[[dict[str, Any]], None]:
    """What Hydra reads a logging config with; releases differ."""
    try:
        from hydra._internal.logging_config import configure_logging
    except ImportError:
        return logging.config.dictConfig
    return configure_logging
