"""Whether the cluster that a run is on still has its head."""

from __future__ import annotations

import os
import socket
import time
from typing import Final

import ray

from turnout import spi

_PAUSE: Final = 5.0
_MOMENT: Final = 1.0

# Ray spells it so.
_GIVEN_UP: Final = float(os.environ.get("RAY_gcs_rpc_server_reconnect_timeout_s", "60"))  # noqa: SIM112
"""After how many seconds Ray ends a process whose head does not come back."""


class Lifeline:
    """Looks now and then whether the head is there: Ray itself would abort the driver, wordless.

    A head that is started again in time, as it may be on Kubernetes, is no news.
    """

    def __init__(self) -> None:
        self._address = ""
        if not ray.util.client.ray.is_connected():  # Ray's client notices by itself
            self._address = str(ray.get_runtime_context().gcs_address)
        self._next = time.monotonic() + _PAUSE
        self._missed: float | None = None

    def look(self) -> None:
        """Raise if nobody has been there for most of the time that Ray waits.

        Raises:
            WorkerLost: so it is.
        """
        now = time.monotonic()
        if now < self._next or not self._address:
            return
        self._next = now + _PAUSE
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_MOMENT).close()
        except OSError as error:
            self._missed = now if self._missed is None else self._missed
            if now - self._missed > 0.6 * _GIVEN_UP:
                raise spi.WorkerLost(
                    f"the Ray cluster at {self._address} has gone: nobody has answered there for "
                    f"{now - self._missed:.0f} s ({error})"
                ) from None
        else:
            self._missed = None
