"""The backend of ``examples/plugin_threads``, installed as a stranger's package would be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory the package is installed in, apart from this environment."""
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--target", target),
            EXAMPLES / "plugin_threads",
        ],
        check=True,
        capture_output=True,
    )
    return target


def run(site: Path, folder: Path, *arguments: str | Path) -> str:
    (folder / ".turnout").mkdir(exist_ok=True)
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(Path(path).resolve()) for path in inherited if path]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *paths])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_is_an_environment_like_any_other(site: Path, tmp_path: Path) -> None:
    code = "import sys; from turnout.cli import main; sys.exit(main())"
    assert "threads of this process" in run(site, tmp_path, "-c", code, "backends")
    hello = tmp_path / "hello.py"
    hello.write_bytes((EXAMPLES / "hello" / "hello.py").read_bytes())
    chosen = "execution_environment=threads"
    assert run(site, tmp_path, hello, chosen, "execution_environment.threads=2") == (
        "Hello, world!\n"
    )


def test_its_own_tests_pass(site: Path, tmp_path: Path) -> None:
    tests = tmp_path / "test_threads.py"
    tests.write_bytes((EXAMPLES / "plugin_threads" / "test_threads.py").read_bytes())
    told = run(site, tmp_path, "-m", "pytest", "-q", "-W", "error", tests)
    assert " passed" in told
