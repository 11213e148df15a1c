"""An execution environment: the name the user chose, the backend behind it, its settings."""

from __future__ import annotations

from typing import Any, NamedTuple

from turnout.backend.base import Backend


class Environment(NamedTuple):
    """A named place to execute.

    Attributes:
        name: the option of ``execution_environment`` that was chosen.
        backend: the code behind it.
        config: its settings, an instance of the backend's schema.
    """

    name: str
    backend: Backend
    config: Any
