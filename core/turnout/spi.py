"""The backend author's door: everything a backend or another plugin is made of.

See ``backends/README.md`` for the page that goes with it.
"""

from typing import TYPE_CHECKING

from turnout.lazy import imported_on_use

if TYPE_CHECKING:
    from turnout.backend.base import (
        Backend,
        CompilerBackend,
        Detached,
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
    from turnout.backend.checks import Check
    from turnout.backend.hooks import API_VERSION, NodeEvent, RunEvent, hookimpl
    from turnout.errors import EncodeError, PlanError, PluginError, TaskTimeout, WorkerLost
    from turnout.graph import Graph, Resources, TaskOptions, TaskSpec
    from turnout.graph.options import memory_bytes
    from turnout.storage.codecs import Codec
    from turnout.worker.child import Child, end
    from turnout.worker.host import Host
    from turnout.worker.inline import InlineExecutor, Ref
    from turnout.worker.payload import Payload, loads
    from turnout.worker.prints import forward_prints
    from turnout.worker.progress import Progress
    from turnout.worker.run import Outcome, run_call
    from turnout.worker.stores import identified, unreached
    from turnout.worker.wire import (
        Began,
        Ended,
        Logged,
        Message,
        Parcel,
        Printed,
        Sender,
        about,
        ended,
        logged,
        printed,
        read,
        result,
        variables,
    )

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
    "Check",
    "Child",
    "Codec",
    "CompilerBackend",
    "Completion",
    "Detached",
    "EncodeError",
    "Ended",
    "EnvironmentConfig",
    "Executor",
    "ExecutorBackend",
    "Graph",
    "Handle",
    "Host",
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
    "PlanError",
    "PluginError",
    "Printed",
    "Progress",
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
    "about",
    "advisory",
    "emulated",
    "end",
    "ended",
    "forward_prints",
    "hookimpl",
    "identified",
    "loads",
    "logged",
    "memory_bytes",
    "printed",
    "read",
    "result",
    "run_call",
    "unreached",
    "unsupported",
    "variables",
]

# Each is loaded when it is asked for: every process of a run loads plugins, and most need little.
if not TYPE_CHECKING:  # or type checkers would take every name to be there
    __getattr__ = imported_on_use(
        globals(),
        {
            "turnout.backend.base": (
                "Backend CompilerBackend Detached EnvironmentConfig Executor ExecutorBackend "
                "Observation Project Session Submission"
            ),
            "turnout.backend.call": (
                "PROTOCOL_VERSION UNSET Attempt Call Completion Handle Kept RunInfo Status "
                "Summary Ticket"
            ),
            "turnout.backend.capability": "NATIVE Capability Level advisory emulated unsupported",
            "turnout.backend.checks": "Check",
            "turnout.backend.hooks": "API_VERSION NodeEvent RunEvent hookimpl",
            "turnout.errors": "EncodeError PlanError PluginError TaskTimeout WorkerLost",
            "turnout.graph": "Graph Resources TaskOptions TaskSpec",
            "turnout.graph.options": "memory_bytes",
            "turnout.storage.codecs": "Codec",
            "turnout.worker.child": "Child end",
            "turnout.worker.host": "Host",
            "turnout.worker.inline": "InlineExecutor Ref",
            "turnout.worker.payload": "Payload loads",
            "turnout.worker.prints": "forward_prints",
            "turnout.worker.progress": "Progress",
            "turnout.worker.run": "Outcome run_call",
            "turnout.worker.stores": "identified unreached",
            "turnout.worker.wire": (
                "Began Ended Logged Message Parcel Printed Sender about ended logged printed "
                "read result variables"
            ),
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
