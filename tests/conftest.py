"""Keeps the tests apart from one another and from the checkout they run in."""

from __future__ import annotations

import os
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

    def elsewhere(start: Path | None = None) -> Project:
        found = find(start)
        if found.root != CHECKOUT:
            return found
        return found._replace(root=tmp_path, source=CHECKOUT)

    monkeypatch.setattr(project, "find", elsewhere)


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start Ray run one after another: instances that start at once share ports."""
    for item in items:
        if "ray" in item.path.stem or item.path.stem == "test_docs":
            item.add_marker(pytest.mark.xdist_group("ray"))
