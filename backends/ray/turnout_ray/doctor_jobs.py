"""Whether Ray Jobs takes runs, and with what Python they would be driven."""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Iterator
from typing import Any, Final

from turnout import spi
from turnout_ray.jobs import REPEATED, dashboard_address, entrypoint
from turnout_ray.joining import quietly, with_project
from turnout_ray.versions import Versions, compared

_PATIENCE: Final = 120.0
_LEAVE: Final = 5.0
_PAUSE: Final = 0.2
_MARK: Final = "turnout doctor:"

_PROGRAM: Final = (
    "import platform, sys; from importlib.metadata import distributions; "
    "found = {one.metadata['Name']: one.version for one in distributions()}; "
    f"print({_MARK!r}, found.get('ray', '-'), platform.python_version(), "
    "found.get('turnout', '-'), sys.executable)"
)

_RAYS_OWN: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,|Running entrypoint for job ")
"""How lines begin that Ray adds to what a job prints."""


def jobs(config: Any, project: spi.Project) -> Iterator[spi.Check]:
    """A job that tells what it runs with; ``execution_environment.submit=true``."""
    try:
        from ray.job_submission import JobSubmissionClient

        client = JobSubmissionClient(dashboard_address(config.address))
        there = client.get_version()
    except Exception as error:
        yield spi.Check.problem(
            "Ray Jobs",
            f"{type(error).__name__}: {error}",
            "set execution_environment.address to the dashboard's, such as http://127.0.0.1:8265",
        )
        return
    yield spi.Check.ok("Ray Jobs", f"answers at {config.address or 'auto'}, version {there}")
    try:
        with quietly(config.runtime_env):
            yield from _tried(client, with_project(config.runtime_env, project))
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        yield spi.Check.problem("job", told, "correct runtime_env, or what it needs there")


def _tried(client: Any, environment: dict[str, Any]) -> Iterator[spi.Check]:
    """Have a job tell its versions, driven as a run would be."""
    # Words on standard input are what `python` and `uv run` both take.
    command = f"echo {shlex.quote(_PROGRAM)} | {entrypoint(('python', '-'), environment)}"
    job = client.submit_job(entrypoint=command, runtime_env=environment)
    try:
        if not _ended(client, job, _PATIENCE):
            yield spi.Check.problem(
                "job",
                f"it is still {client.get_job_status(job).value.lower()} after {_PATIENCE:.0f} s",
                "its runtime_env may take longer to be made, or no core is free;\n"
                "the cluster's dashboard tells",
            )
            return
        end = str(client.get_job_info(job).message).partition(REPEATED)[0]
        said = [line for line in client.get_job_logs(job).splitlines() if line]
    finally:
        _forget(client, job)
    said = [line for line in said if not _RAYS_OWN.match(line)]
    told = [line.removeprefix(_MARK) for line in said if line.startswith(_MARK)]
    if not told:
        yield spi.Check.problem(
            "job",
            "\n".join((end, *said)),
            "runs are driven by the python that the cluster finds on its PATH;\n"
            "execution_environment.runtime_env.py_executable names another",
        )
        return
    *theirs, python = told[0].split(maxsplit=3)
    yield spi.Check.ok("job", f"run by {python}")
    yield compared(Versions(*(one.strip("-") for one in theirs)), "in a job")


def _ended(client: Any, job: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not client.get_job_status(job).is_terminal():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)  # Ray Jobs can only be asked
    return True


def _forget(client: Any, job: str) -> None:
    """Leave nothing of it on the cluster, not even a line in its list of jobs."""
    from requests import RequestException

    with contextlib.suppress(RuntimeError, RequestException):
        if not _ended(client, job, 0.0):
            client.stop_job(job)
            _ended(client, job, _LEAVE)
        client.delete_job(job)
