"""What people see: graphs as text and pictures, live progress, reports of failures."""

from __future__ import annotations

__all__: list[str] = []
