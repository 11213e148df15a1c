"""The shared suite of backends, on threads that calls are sent ahead to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from turnout.testing import BackendSuite, ThreadsBackend, installed


class TestThreads(BackendSuite):
    @pytest.fixture
    def environment(self) -> Iterator[dict[str, object]]:
        with installed(ThreadsBackend()):
            yield {"backend": "threads", "threads": 4}
