"""The suite of behaviours that every backend is held to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from turnout.testing.behaviours.caching import Caching
from turnout.testing.behaviours.control import Control
from turnout.testing.behaviours.failing import Failing
from turnout.testing.behaviours.hooks import Hooks
from turnout.testing.behaviours.records import Recorded
from turnout.testing.behaviours.settings import Settings
from turnout.testing.behaviours.surroundings import Surroundings
from turnout.testing.behaviours.values import Values
from turnout.testing.place import Place


class BackendSuite(Values, Control, Failing, Caching, Surroundings, Settings, Hooks, Recorded):
    """Every behaviour, asked by capability and never by a backend's name.

    A backend's test module derives from it and says where to run::

        class TestThreads(BackendSuite):
            @pytest.fixture
            def environment(self):
                return {"backend": "threads", "threads": 4}

    What the backend declares unsupported must be refused when planning; what it declares
    honoured must work. A known gap is a strict ``xfail`` of the inherited test, with its reason.
    """

    @pytest.fixture
    def environment(self) -> Mapping[str, Any]:
        """The environment under test, as ``execution_environment`` takes it."""
        raise NotImplementedError("derive from BackendSuite and give the fixture `environment`")

    @pytest.fixture
    def scratch(self, tmp_path: Path) -> Path:
        """A directory that tests and tasks both see."""
        path = tmp_path / "scratch"
        path.mkdir()
        return path

    @pytest.fixture
    def on(self, environment: Mapping[str, Any], scratch: Path, tmp_path: Path) -> Iterator[Place]:
        """The environment in a project of its own."""
        project = tmp_path / "project"
        (project / ".turnout").mkdir(parents=True)
        before = Path.cwd()
        os.chdir(project)
        try:
            yield Place({"store": str(tmp_path / "store"), **environment}, scratch)
        finally:
            os.chdir(before)
