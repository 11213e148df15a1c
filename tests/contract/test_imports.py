"""What is imported, and what is not: start-up is a feature, and the core knows no backend."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

import turnout
from turnout import spi
from turnout.backend import discovery

HEAVY = (
    "pandas", "numpy", "ray", "flytekit", "docker", "mlflow", "rich", "fsspec", "click",
    "cloudpickle", "asyncio", "beartype", "hydra", "omegaconf", "sqlite3", "pytest",
)  # fmt: skip
CORE = Path(turnout.__file__).parent
# Words that only look like a backend's name, each with what it means.
OTHERWISE = {("storage/store.py", "local"): "a protocol of fsspec"}


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "door", ["turnout", "turnout.spi", "turnout_local.backend", "turnout_ray.backend"]
)
def test_importing_a_door_loads_nothing_heavy(door: str) -> None:
    assert loaded_by(f"import {door}").isdisjoint(HEAVY)


@pytest.mark.parametrize("door", [turnout, spi])
def test_every_name_of_a_door_is_behind_it(door: ModuleType) -> None:
    assert [name for name in door.__all__ if not hasattr(door, name)] == []
    assert set(door.__all__) <= set(dir(door))
    with pytest.raises(AttributeError, match=f"module '{door.__name__}' has no attribute 'typo'"):
        door.typo  # noqa: B018  (asking for it is the test)


def test_entry_points_are_those_that_the_standard_library_finds() -> None:
    for group in ("turnout", "console_scripts", "pytest11"):
        found = [(point.name, point.value) for point, _ in discovery.entry_points(group)]
        assert sorted(found) == sorted((one.name, one.value) for one in entry_points(group=group))


def test_a_workflow_of_plain_classes_is_built_and_called_without_them() -> None:
    loaded = loaded_by(
        "import turnout\n"
        "@turnout.task\n"
        "def inc(x: int) -> int: return x + 1\n"
        "@turnout.workflow\n"
        "def flow(x: int) -> int: return inc(inc(x))\n"
        "assert flow(1) == 3"
    )
    assert loaded.isdisjoint({"pandas", "numpy", "rich", "fsspec", "click", "hydra", "asyncio"})


def test_the_core_names_no_backend() -> None:
    """No string of the core is a backend's name, not even as a default."""
    names = {point.name for point in entry_points(group="turnout")} | {"docker", "ray", "flyte"}
    found = []
    for path in sorted(CORE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        prose = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        found += [
            f"{path.relative_to(CORE)}:{node.lineno}: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and node.value in names and id(node) not in prose
            if (path.relative_to(CORE).as_posix(), node.value) not in OTHERWISE
        ]
    assert found == []


def test_no_module_is_a_barn() -> None:
    """Small rooms: about 150 lines a module, 500 at the most."""
    sizes = {path: len(path.read_text().splitlines()) for path in CORE.rglob("*.py")}
    assert {str(path.relative_to(CORE)): n for path, n in sizes.items() if n > 500} == {}
    assert sum(sizes.values()) / len(sizes) < 200
