"""Runs that are driven on the cluster itself, through Ray Jobs."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from turnout import spi
from turnout_ray.joining import quietly, too_large, with_project

_PATIENCE: Final = 15.0
REPEATED: Final = ", last available logs"
"""What comes before a job's log in what Ray says of its end."""


def dashboard_address(address: str | None) -> str | None:
    """An address as Ray Jobs wants it, with its protocol.

    >>> dashboard_address("127.0.0.1:8265"), dashboard_address("auto")
    ('http://127.0.0.1:8265', 'auto')
    """
    plain = address is not None and "://" not in address and address != "auto"
    return f"http://{address}" if plain else address


def entrypoint(command: Sequence[str], environment: Mapping[str, Any]) -> str:
    """A command as a job's shell gets it, run by the Python that the ``runtime_env`` names.

    >>> entrypoint(["python", "-m", "turnout"], {"py_executable": "/opt/venv/bin/python"})
    '/opt/venv/bin/python -m turnout'
    """
    program, *arguments = command
    return " ".join((environment.get("py_executable") or program, shlex.join(arguments)))


class Job(spi.Detached):
    """A submitted Ray job.

    Args:
        client: the connection to the cluster's dashboard.
        run_id: the run it drives.
        log: takes a line for the user.
    """

    def __init__(self, client: Any, run_id: str, log: Callable[[str], None]) -> None:
        self._client = client
        self._id = _job_of(run_id)
        self._log = log
        self._heard = 0
        self._silent = False
        self._failed = False
        self._told = False
        self._may_be_another = False
        self._waited = time.monotonic() + _PATIENCE
        self.url = f"{client.get_address()}/#/jobs/{self._id}"

    @classmethod
    def submitted(cls, command: Sequence[str], session: spi.Session) -> Job:
        """Submit a command, to be run in a copy of the project.

        Raises:
            PluginError: the cluster cannot be reached, or does not take the job.
        """
        config, run_id = session.config, session.info.run_id
        client = _client(config.address)
        try:
            own = _of_its_own(config.runtime_env, session.project, run_id)
            with quietly(config.runtime_env), own as environment:
                client.submit_job(
                    entrypoint=entrypoint(command, environment),
                    runtime_env=environment,
                    submission_id=_job_of(run_id),
                    metadata={"workflow": session.info.workflow},
                )
        except Exception as error:
            raise _refusal(config.address, error) from error
        return cls(client, run_id, session.log)

    @classmethod
    def found(cls, config: Any, run_id: str) -> Job:
        """The job that drives a run.

        Raises:
            PluginError: the cluster cannot be reached.
        """
        found = cls(_client(config.address), run_id, lambda _: None)
        # Which cluster `auto` was is not known: this one may be another.
        found._may_be_another = config.address in (None, "auto")
        return found

    def state(self) -> str:
        from requests import RequestException

        try:
            status = self._client.get_job_status(self._id)
        except RequestException as error:
            # The run goes on without this process, whose connection may come back.
            if not self._silent:
                self._silent = True
                self._log(f"the cluster does not answer, asking on: {type(error).__name__}")
            return "running"
        except RuntimeError as error:
            if "does not exist" not in str(error):
                raise
            return "running" if self._may_be_another else "unknown to the cluster"
        self._silent = False
        if not status.is_terminal():
            self._tell_why_it_waits(status.value)
            return "running"
        word = str(status.value).lower()
        self._failed = word == "failed"
        return "cancelled" if word == "stopped" else word

    def _tell_why_it_waits(self, status: str) -> None:
        """Say once that the job has not begun, if that takes long."""
        if status != "PENDING":
            self._waited = math.inf
        elif time.monotonic() > self._waited:
            self._waited = math.inf
            message = self._client.get_job_info(self._id).message
            self._log(f"Ray: {message} (job {self._id})")

    def output(self) -> str:
        from requests import RequestException

        text: Any = ""
        # There is no log yet, or no connection; a later answer has it all.
        with contextlib.suppress(RuntimeError, RequestException):
            text = self._client.get_job_logs(self._id)
        # Of a line that goes on, the rest is told with the next.
        whole = text[: text.rfind("\n") + 1]
        new, self._heard = whole[self._heard :], max(self._heard, len(whole))
        return str(new) + self._reason()

    def _reason(self) -> str:
        """Why Ray has ended a job that failed; one that never began has printed nothing."""
        from requests import RequestException

        if self._told or not self._failed:
            return ""
        message = ""
        with contextlib.suppress(RuntimeError, RequestException):
            # The log that it repeats has been told.
            said = str(self._client.get_job_info(self._id).message).partition(REPEATED)[0]
            message = f"Ray: {said}\n`turnout doctor ray submit=true address=...` looks into it\n"
            self._told = True
        return message

    def cancel(self) -> None:
        from requests import RequestException

        try:
            self._client.stop_job(self._id)
        except (RuntimeError, RequestException) as error:
            self._log(f"job {self._id} cannot be asked to stop: {type(error).__name__}: {error}")


@contextmanager
def _of_its_own(
    environment: Mapping[str, Any], project: spi.Project, run_id: str
) -> Iterator[dict[str, Any]]:
    """The environment with the project as no other job has it.

    Ray knows a project by its content, and forgets it when one of its jobs has ended, though
    another may have yet to begin. So a file goes along that is unlike any other.
    """
    found = with_project(environment, project)
    if "working_dir" in environment:
        yield found
        return
    name = f".turnout/sent-{run_id}"
    sent = project.root / name
    sent.parent.mkdir(exist_ok=True)
    sent.write_text(run_id)
    try:
        stays = [one for one in found["excludes"] if one != ".turnout"]
        yield {**found, "excludes": [*stays, ".turnout/*", f"!{name}"]}
    finally:
        sent.unlink(missing_ok=True)


def _job_of(run_id: str) -> str:
    """What Ray knows a run's job by."""
    return f"turnout-{run_id}"


def _client(address: str | None) -> Any:
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise spi.PluginError(
            f"Ray Jobs cannot be used ({error}); pip install 'turnout[ray]'"
        ) from error
    try:
        return JobSubmissionClient(dashboard_address(address))
    except Exception as error:
        raise _refusal(address, error) from error


def _refusal(address: str | None, error: Exception) -> spi.PluginError:
    if " 413" in str(error):
        return spi.PluginError(too_large(str(error)))
    return spi.PluginError(
        f"the run cannot be submitted as a Ray job to {address or 'auto'}: "
        f"{type(error).__name__}: {error}\n"
        "execution_environment.address is the dashboard's here, such as http://127.0.0.1:8265"
    )
