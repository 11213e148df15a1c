"""The shared suite of backends, on a Ray instance of this process and on a cluster of nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import ray

from turnout.testing import BackendSuite


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Workers work where the instance was started.
    os.chdir(tmp_path_factory.mktemp("instance"))
    ray.init(num_cpus=2, include_dashboard=False, logging_level="WARNING")
    yield
    ray.shutdown()


class TestInstance(BackendSuite):
    @pytest.fixture
    def environment(self, instance: None) -> dict[str, object]:
        return {"backend": "ray"}
