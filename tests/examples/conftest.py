from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {
    "python": [sys.executable],
    "turnout": [sys.executable, "-c", "import sys; from turnout.cli import main; sys.exit(main())"],
}


class Example:
    """A copy of an example, a project of its own, in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, *arguments: str, status: int = 0) -> str:
        """What ``python ...`` prints to standard output."""
        done = self._run("python", arguments, subprocess.PIPE)
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def turnout(self, *arguments: str) -> str:
        """What ``turnout ...`` prints to standard output."""
        done = self._run("turnout", arguments, subprocess.PIPE)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def typed(self, program: str, *arguments: str) -> str:
        """All that a command shows, whatever it ends with."""
        return self._run(program, arguments, subprocess.STDOUT).stdout

    def _run(
        self, program: str, arguments: tuple[str, ...], stderr: int
    ) -> subprocess.CompletedProcess[str]:
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        paths = [str(Path(path).resolve()) for path in inherited if path]
        return subprocess.run(
            [*PROGRAMS[program], *arguments],
            cwd=self.folder,
            # Tests run side by side; numeric libraries would each start a thread per core.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Example]:
    """Copies an example by its name."""

    def copy(name: str) -> Example:
        ignored = shutil.ignore_patterns("outputs", "multirun", ".turnout", "__pycache__")
        folder = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=ignored)
        (folder / ".turnout").mkdir()
        return Example(Path(folder))

    return copy
