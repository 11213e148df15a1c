from __future__ import annotations

import importlib.metadata
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from turnout.storage.environment import (
    Git,
    git_state,
    installed_versions,
    loaded_versions,
    start_git,
)


def git(root: Path, *arguments: str) -> str:
    made = {
        f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **made},
    ).stdout.strip()


def test_the_state_of_a_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "trunk")
    assert git_state(tmp_path) is None
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "a.py"
    file.write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path / "sub") == Git(commit, "trunk", dirty=False)
    (tmp_path / "new").write_text("untracked")
    assert git_state(tmp_path) == Git(commit, "trunk", dirty=False)
    file.write_text("2")
    query = start_git(tmp_path)
    assert query.result() == Git(commit, "trunk", dirty=True)
    assert query.result() == Git(commit, "trunk", dirty=True)
    git(tmp_path, "checkout", "--detach")
    assert git_state(tmp_path) == Git(commit, "", dirty=True)


def test_without_a_repository_or_git_there_is_no_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git_state(tmp_path) is None
    (tmp_path / ".git").write_text("nonsense")
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_versions_are_those_of_the_metadata() -> None:
    found = installed_versions()
    assert found["pandas"] == pd.__version__
    for name in ("hydra_core", "omegaconf", "pluggy", "scikit_learn"):
        assert found[name] == importlib.metadata.version(name)
    assert list(found) == sorted(found)
    loaded = loaded_versions()
    assert loaded["pandas"] == pd.__version__
    assert "hydra_optuna_sweeper" not in loaded
    found.clear()
    assert installed_versions()
