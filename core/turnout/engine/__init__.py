"""Drives a plan over executor backends."""

from turnout.engine.engine import Engine, Result
from turnout.engine.jobs import Job, State
from turnout.engine.watch import Watch

__all__ = ["Engine", "Job", "Result", "State", "Watch"]
