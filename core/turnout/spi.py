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
from turnout.errors import EncodeError, PluginError, TaskTimeout, WorkerLost
from turnout.graph import Graph, Resources, TaskOptions, TaskSpec
from turnout.storage.codecs import Codec
from turnout.worker.child import Child, end
from turnout.worker.inline import InlineExecutor, Ref
from turnout.worker.payload import Payload
from turnout.worker.run import Outcome, run_call
from turnout.worker.wire import Began, Ended, Logged, Message, Parcel, Sender, read, variables

__all__ = [
    "API_VERSION",
    "NATIVE",
    "PROTOCOL_VERSION",
    "UNSET",
    "Attempt",
    "Backend",
    "Began",
    "Call",
    "Capability",
    "Child",
    "Codec",
    "CompilerBackend",
    "Completion",
    "EncodeError",
    "Ended",
    "EnvironmentConfig",
    "Executor",
    "ExecutorBackend",
    "Graph",
    "Handle",
    "InlineExecutor",
    "Kept",
    "Level",
    "Logged",
    "Message",
    "NodeEvent",
    "Observation",
    "Outcome",
    "Parcel",
    "Payload",
    "PluginError",
    "Project",
    "Ref",
    "Resources",
    "RunEvent",
    "RunInfo",
    "Sender",
    "Session",
    "Status",
    "Submission",
    "Summary",
    "TaskOptions",
    "TaskSpec",
    "TaskTimeout",
    "Ticket",
    "WorkerLost",
    "advisory",
    "emulated",
    "end",
    "hookimpl",
    "read",
    "run_call",
    "unsupported",
    "variables",
]
