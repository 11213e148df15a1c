"""The backend author's door: everything a backend or another plugin is made of.

See ``backends/README.md`` for the page that goes with it.
"""

from turnout.backend.base import (
    Backend,
    CompilerBackend,
    EnvironmentConfig,
    Executor,
    ExecutorBackend,
    Observation,
    Project,
    Session,
    Submission,
)
from turnout.backend.call import (
    PROTOCOL_VERSION,
    UNSET,
    Attempt,
    Call,
    Completion,
    Handle,
    Kept,
    RunInfo,
    Status,
    Summary,
    Ticket,
)
from turnout.backend.capability import (
    NATIVE,
    Capability,
    Level,
    advisory,
    emulated,
    unsupported,
)
from turnout.backend.hooks import API_VERSION, NodeEvent, RunEvent, hookimpl
from turnout.graph import Graph, Resources, TaskOptions, TaskSpec
from turnout.storage.codecs import Codec
from turnout.worker.inline import InlineExecutor, Ref
from turnout.worker.run import Outcome, run_call

__all__ = [
    "API_VERSION",
    "NATIVE",
    "PROTOCOL_VERSION",
    "UNSET",
    "Attempt",
    "Backend",
    "Call",
    "Capability",
    "Codec",
    "CompilerBackend",
    "Completion",
    "EnvironmentConfig",
    "Executor",
    "ExecutorBackend",
    "Graph",
    "Handle",
    "InlineExecutor",
    "Kept",
    "Level",
    "NodeEvent",
    "Observation",
    "Outcome",
    "Project",
    "Ref",
    "Resources",
    "RunEvent",
    "RunInfo",
    "Session",
    "Status",
    "Submission",
    "Summary",
    "TaskOptions",
    "TaskSpec",
    "Ticket",
    "advisory",
    "emulated",
    "hookimpl",
    "run_call",
    "unsupported",
]
