"""The tree of exceptions turnout raises.

TurnoutError
├── GraphError          the workflow cannot be compiled to a graph
├── ConfigError         a config, an input or a command is wrong
├── PlanError           the plan is refused; carries every problem at once
├── PluginError         a plugin is broken, missing or not installed
├── EncodeError         a value cannot leave the process it was made in
├── TypeMismatch        a value is not what an annotation promises
├── TaskTimeout         an attempt took longer than the task's timeout
├── WorkerLost          the process or machine of an attempt went away
├── BranchFailed        a conditional ended in ``fail(...)``
├── RemoteError         a user's exception that cannot be rebuilt here
├── RunCancelled        the run was cancelled
└── RunFailed           a run ended in failure; carries the run

`NonRetryable` stands beside the tree: users raise it, or derive from it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "BranchFailed",
    "ConfigError",
    "EncodeError",
    "GraphError",
    "NonRetryable",
    "PlanError",
    "PluginError",
    "RemoteError",
    "RunCancelled",
    "RunFailed",
    "TaskTimeout",
    "TurnoutError",
    "TypeMismatch",
    "WorkerLost",
]


class TurnoutError(Exception):
    """Base of every exception turnout raises on its own account."""


class GraphError(TurnoutError):
    """A workflow body cannot be compiled to a graph.

    Attributes:
        location: ``file:line`` in the user's code, or ``""`` where none is known.
    """

    def __init__(self, message: str, *, location: str = "") -> None:
        self.message = message
        self.location = location
        super().__init__(f"{location}: {message}" if location else message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_graph_error, (type(self), self.message, self.location))


def _graph_error(cls: type[GraphError], message: str, location: str) -> GraphError:
    return cls(message, location=location)


class ConfigError(TurnoutError):
    """A config value, an input or a name on the command line is wrong."""


class PlanError(TurnoutError):
    """A plan is refused before anything runs.

    Attributes:
        problems: every reason found, one message each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"the plan has {len(self.problems)} problems:\n{lines}"


class PluginError(TurnoutError):
    """A plugin cannot be used: it is broken, or what it needs is not installed."""


class EncodeError(TurnoutError):
    """A value cannot be sent to another process or stored; names task and parameter."""


class TypeMismatch(TurnoutError, TypeError):
    """A value does not fit an annotation.

    Attributes:
        where: what was checked, such as ``parameter 'C' of task 'train'``.
        expected: the annotation, as text.
        found: the offending value's type, as text, with its place inside the value.
    """

    def __init__(self, where: str, expected: str, found: str) -> None:
        self.where = where
        self.expected = expected
        self.found = found
        super().__init__(where, expected, found)

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"


class TaskTimeout(TurnoutError, TimeoutError):
    """One attempt of a task took longer than its ``timeout``."""


class WorkerLost(TurnoutError):
    """The process or machine that executed an attempt went away."""


class BranchFailed(TurnoutError):
    """A conditional reached a case that ends in ``fail(message)``."""


class RemoteError(TurnoutError):
    """A user's exception that cannot be rebuilt in this process.

    Attributes:
        type_name: the exception's type, as ``module.QualName``.
        text: the exception's message.
        traceback_text: the formatted traceback of the process it was raised in.
    """

    def __init__(self, type_name: str, text: str, traceback_text: str = "") -> None:
        self.type_name = type_name
        self.text = text
        self.traceback_text = traceback_text
        super().__init__(type_name, text, traceback_text)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}"


class RunCancelled(TurnoutError):
    """The run was cancelled before it finished.

    Attributes:
        run: the `turnout.Run`, or ``None`` when it was cancelled before it had started.
    """

    def __init__(self, message: str, run: Any = None) -> None:
        self.run = run
        super().__init__(message)


class RunFailed(TurnoutError):
    """A run ended in failure; its ``__cause__`` is the user's exception.

    Attributes:
        run: the failed `turnout.Run`.
        node: the name of the node that failed first.
    """

    def __init__(self, message: str, *, run: Any = None, node: str = "") -> None:
        self.run = run
        self.node = node
        super().__init__(message)


class NonRetryable(Exception):
    """Raised in a task to fail its node at once, whatever ``retries`` says."""


def raised_in_body(error: BaseException) -> str:
    """The workflow whose body raised this while its graph was built; ``""`` for all else."""
    told = getattr(error, "__turnout__", None)
    return str(told.get("workflow", "")) if isinstance(told, Mapping) else ""


def cause(error: BaseException) -> BaseException | None:
    """What to raise an error from that says in its own words what another one said.

    That is the other one where ``HYDRA_FULL_ERROR=1`` asks for everything. Elsewhere it is nothing:
    whoever prints the error, as Hydra does, would print the other before it.
    """
    return error if os.environ.get("HYDRA_FULL_ERROR") == "1" else None
