"""Runs that are driven on the cluster itself, through Ray Jobs."""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Sequence
from typing import Any

from turnout import spi
from turnout_ray.cluster import with_project


def dashboard_address(address: str | None) -> str | None:
    """An address as Ray Jobs wants it, with its protocol.

    >>> dashboard_address("127.0.0.1:8265"), dashboard_address("auto")
    ('http://127.0.0.1:8265', 'auto')
    """
    plain = address is not None and "://" not in address and address != "auto"
    return f"http://{address}" if plain else address


class Job(spi.Detached):
    """A submitted Ray job.

    Args:
        command: what it runs, in a copy of the project.
        session: the run.

    Raises:
        PluginError: the cluster cannot be reached, or does not take the job.
    """

    def __init__(self, command: Sequence[str], session: spi.Session) -> None:
        try:
            from ray.job_submission import JobSubmissionClient
        except ImportError as error:
            raise spi.PluginError(
                f"Ray Jobs cannot be used ({error}); pip install 'turnout[ray]'"
            ) from error
        # What Ray says of the upload is no news to the user.
        logging.getLogger("ray").setLevel(logging.WARNING)
        config = session.config
        address = dashboard_address(config.address)
        environment = with_project(config.runtime_env, session.project)
        try:
            self._client = JobSubmissionClient(address)
            self._id = self._client.submit_job(
                entrypoint=shlex.join(command),
                runtime_env=environment,
                submission_id=f"turnout-{session.info.run_id}",
                metadata={"workflow": session.info.workflow},
            )
        except Exception as error:
            raise spi.PluginError(
                f"the run cannot be submitted as a Ray job to {config.address or 'auto'}: "
                f"{type(error).__name__}: {error}\n"
                "execution_environment.address is the dashboard's here, such as "
                "http://127.0.0.1:8265"
            ) from error
        self._heard = 0
        self._log = session.log
        self._silent = False
        self.url = f"{self._client.get_address()}/#/jobs/{self._id}"

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
        self._silent = False
        return str(status.value).lower() if status.is_terminal() else "running"

    def output(self) -> str:
        from requests import RequestException

        text: Any = ""
        # There is no log yet, or no connection; a later answer has it all.
        with contextlib.suppress(RuntimeError, RequestException):
            text = self._client.get_job_logs(self._id)
        # Of a line that goes on, the rest is told with the next.
        whole = text[: text.rfind("\n") + 1]
        new, self._heard = whole[self._heard :], max(self._heard, len(whole))
        return str(new)

    def cancel(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._client.stop_job(self._id)
