"""The shared suite of backends, on threads."""

import pytest

from turnout.testing import BackendSuite


class TestThreads(BackendSuite):
    """Every behaviour a backend declares."""

    @pytest.fixture
    def environment(self) -> dict[str, object]:
        return {"backend": "threads", "threads": 4}
