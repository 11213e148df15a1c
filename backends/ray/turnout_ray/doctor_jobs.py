"""Whether Ray Jobs takes runs, and with what Python they would be driven."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from turnout import spi
from turnout_ray.jobs import REPEATED, dashboard_address, entrypoint
from turnout_ray.joining import quietly
from turnout_ray.versions import Versions, compared

_PATIENCE: Final = 60.0
_PAUSE: Final = 0.2
_MARK: Final = "turnout doctor:"

_PROGRAM: Final = (
    "import platform, sys; from importlib.metadata import version; "
    f"print({_MARK!r}, version('ray'), platform.python_version(), version('turnout'), "
    "sys.executable)"
)


def jobs(config: Any) -> Iterator[spi.Check]:
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
        with quietly():
            end, said = _tried(client, config.runtime_env)
    except Exception as error:
        end, said = f"{type(error).__name__}: {error}", ""
    told = [line for line in said.splitlines() if line.startswith(_MARK)]
    if told:
        *theirs, python = told[0].removeprefix(_MARK).split(maxsplit=3)
        yield spi.Check.ok("job", f"run by {python}")
        yield compared(Versions(*theirs), "in a job")
        return
    yield spi.Check.problem(
        "job",
        f"{end}\n{said}".strip(),
        "runs are driven by the python that the cluster finds on its PATH;\n"
        "execution_environment.runtime_env.py_executable names another",
    )


def _tried(client: Any, environment: Mapping[str, Any]) -> tuple[str, str]:
    """How a job ends, in words, and what it has printed."""
    command = entrypoint(("python", "-c", _PROGRAM), environment)
    job = client.submit_job(entrypoint=command, runtime_env=dict(environment))
    until = time.monotonic() + _PATIENCE
    try:
        while not (status := client.get_job_status(job)).is_terminal():
            if time.monotonic() > until:
                client.stop_job(job)
                return f"it is still {status.value.lower()} after {_PATIENCE:.0f} s", ""
            time.sleep(_PAUSE)
        end = str(client.get_job_info(job).message).partition(REPEATED)[0]
        lines = client.get_job_logs(job).splitlines()
        # Ray's own begin with the time, but for one.
        said = [line for line in lines if line and line[0] != "2" and command not in line]
        return end, "\n".join(said)
    finally:
        with contextlib.suppress(RuntimeError):
            client.delete_job(job)
