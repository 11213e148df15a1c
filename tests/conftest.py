"""Keeps the tests apart from one another and from the checkout they run in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.backend.base import Project
from turnout.config import project

# Ray reads it once a process; with tokens it would write one into the home directory.
os.environ["RAY_AUTH_MODE"] = "disabled"

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def records_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflows in test files belong to the checkout; their runs are recorded elsewhere."""
    find = project.find

    def elsewhere(start: Path | str | None = None) -> Project:
        found = find(start)
        if found.root != CHECKOUT:
            return found
        return found._replace(root=tmp_path, source=CHECKOUT)

    monkeypatch.setattr(project, "find", elsewhere)


@pytest.fixture(scope="module", autouse=True)
def one_ray_at_a_time(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Modules that start Ray take turns in all processes: at once, instances share ports."""
    if "ray" not in request.path.stem and request.path.stem != "test_docs":
        yield
        return
    with (tmp_path_factory.getbasetemp().parent / "ray.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
