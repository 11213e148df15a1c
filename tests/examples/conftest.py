from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


class Example:
    """A copy of an example, a project of its own, in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, *arguments: str, status: int = 0) -> str:
        """What ``python ...`` prints to standard output."""
        return self._typed([sys.executable, *arguments], status)

    def turnout(self, *arguments: str, status: int = 0) -> str:
        """What ``turnout ...`` prints to standard output."""
        code = "import sys; from turnout.cli import main; sys.exit(main())"
        return self._typed([sys.executable, "-c", code, *arguments], status)

    def _typed(self, command: list[str], status: int) -> str:
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        paths = [str(Path(path).resolve()) for path in inherited if path]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Example]:
    """Copies an example by its name."""

    def copy(name: str) -> Example:
        ignored = shutil.ignore_patterns("outputs", "multirun", ".turnout", "__pycache__")
        folder = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=ignored)
        (folder / ".turnout").mkdir()
        return Example(Path(folder))

    return copy
