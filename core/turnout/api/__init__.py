"""What users call: `run`, and the runs of before."""

from turnout.api.entry import get_run, prepare, run, runs
from turnout.api.plain import call
from turnout.api.run import NodeInfo, Run

__all__ = ["NodeInfo", "Run", "call", "get_run", "prepare", "run", "runs"]
