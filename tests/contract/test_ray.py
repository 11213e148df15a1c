"""The shared suite of backends, on a Ray instance of this process and on a cluster of nodes.

A process has one connection to Ray at a time, so each class ends its own with its last test.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import ray
from ray.cluster_utils import Cluster

from turnout.testing import BackendSuite


@contextmanager
def place_of_its_own() -> Iterator[None]:
    """Ray's files where no other instance of this machine looks for a cluster to join."""
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        # Workers work where the instance was started.
        patch.chdir(folder)
        yield


@pytest.fixture(scope="class")
def instance() -> Iterator[None]:
    with place_of_its_own():
        ray.init("local", num_cpus=2, include_dashboard=False, logging_level="WARNING")
        yield
        ray.shutdown()


@pytest.fixture(scope="class")
def cluster() -> Iterator[str]:
    with place_of_its_own():
        nodes = Cluster(initialize_head=True, head_node_args={"include_dashboard": False})
        try:
            nodes.add_node()
            nodes.add_node()
            nodes.wait_for_nodes()
            ray.init(nodes.address, logging_level="WARNING")
            yield nodes.address
        finally:
            ray.shutdown()
            nodes.shutdown()


class TestInstance(BackendSuite):
    @pytest.fixture
    def environment(self, instance: None) -> dict[str, object]:
        return {"backend": "ray"}


class TestCluster(BackendSuite):
    """Three nodes, of which the one the driver is on has no more cores than the others."""

    @pytest.fixture
    def environment(self, cluster: str) -> dict[str, object]:
        return {"backend": "ray", "address": cluster}
