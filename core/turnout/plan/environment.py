"""An execution environment: the name the user chose, the backend behind it, its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turnout.backend.base import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A named place to execute.

    Attributes:
        name: the option of ``execution_environment`` that was chosen.
        backend: the code behind it.
        config: its settings, an instance of the backend's schema.
    """

    name: str
    backend: Backend
    config: Any
