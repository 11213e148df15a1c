"""Which job of a sweep something belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

mark: Final[ContextVar[str]] = ContextVar("mark", default="")
"""What lines that tasks print begin with: the number of their job, where jobs run side by side."""
