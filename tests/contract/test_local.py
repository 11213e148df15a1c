"""The shared suite of backends, in this process."""

from __future__ import annotations

import pytest

from turnout.testing import BackendSuite


class TestInProcess(BackendSuite):
    @pytest.fixture
    def environment(self) -> dict[str, object]:
        return {"backend": "local"}


class TestWorkers(BackendSuite):
    @pytest.fixture
    def environment(self) -> dict[str, object]:
        return {"backend": "local", "workers": 2}
