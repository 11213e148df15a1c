"""The two doors: what users import, and what backends import."""

from __future__ import annotations

import inspect

import pytest

import turnout
from turnout import spi, testing

USERS = {
    "Cache", "Directory", "File", "Resources", "Run", "Secret", "Task", "TaskContext",
    "Workflow", "__version__", "conditional", "current", "dynamic", "errors", "fixed", "get_run",
    "instantiate", "main", "map_task", "order", "run", "runs", "task", "workflow",
}  # fmt: skip
BACKENDS = {
    "API_VERSION", "Attempt", "Backend", "Began", "Call", "Capability", "Check", "Child",
    "Codec", "CompilerBackend", "Completion", "Detached", "EncodeError", "Ended",
    "EnvironmentConfig", "Executor", "ExecutorBackend", "Graph", "Handle", "Host",
    "InlineExecutor", "Kept", "Level", "Logged", "Message", "NATIVE", "NodeEvent",
    "Observation", "Outcome", "PROTOCOL_VERSION", "Parcel", "Payload", "PlanError", "PluginError",
    "Printed", "Progress", "Project", "Ref", "Resources", "RunEvent", "RunInfo", "Sender",
    "Session", "Status", "Submission", "Summary", "TaskOptions", "TaskSpec", "TaskTimeout",
    "Ticket", "UNSET", "WorkerLost", "about", "advisory", "emulated", "end", "ended",
    "forward_prints", "hookimpl", "identified", "loads", "logged", "memory_bytes", "printed",
    "read", "result", "run_call", "unreached", "unsupported", "variables",
}  # fmt: skip
TESTS = {"BackendSuite", "Place", "Recording", "ThreadsBackend", "asks", "installed"}


@pytest.mark.parametrize(
    ("door", "names"), [(turnout, USERS), (spi, BACKENDS), (testing, TESTS)], ids=lambda x: ""
)
def test_the_names_of_a_door_are_pinned(door: object, names: set[str]) -> None:
    found = set(door.__all__)  # type: ignore[attr-defined]
    assert found == names, "a change of a public door is a decision: change this list with it"


@pytest.mark.parametrize("door", [turnout, spi, testing])
def test_a_door_keeps_its_word(door: object) -> None:
    names = list(door.__all__)  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)
    for name in names:
        found = getattr(door, name)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert inspect.getdoc(found), f"{name} says nothing of itself"


def test_the_package_says_that_it_is_typed() -> None:
    from importlib.resources import files

    assert files("turnout").joinpath("py.typed").is_file()
