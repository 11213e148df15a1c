from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from turnout import spi
from turnout.backend.registry import Registry, load, use
from turnout.cli import main
from turnout.graph.serial import loads

FLOW = """
from turnout import Resources, map_task, task, workflow
from omegaconf import DictConfig

@task(cache=True, resources=Resources(gpu=1))
def load(size: int) -> list[int]:
    return list(range(size))

@task
def half(x: int) -> float:
    return 6 / x

@workflow
def flow(size: int = 3, folds: int = 1) -> list[float]:
    data = load(size)
    for _ in range(folds):
        found = map_task(half)(x=data)
    return found
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / ".turnout").mkdir()
    (tmp_path / "cli_flow.py").write_text(FLOW, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("cli_flow", None)


@pytest.fixture
def registry() -> Iterator[Registry]:
    fresh = load()
    before = use(fresh)
    yield fresh
    use(before)


def typed(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    code = "import sys; from turnout.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_run(place: Path) -> None:
    done = typed("run", "cli_flow.py:flow", "size=2", status=1)
    assert "half[0] failed (attempt 1): ZeroDivisionError" in done.stderr
    assert 'File "cli_flow.py", line 11, in half' in done.stderr
    assert "node: half[0]" in done.stderr
    assert "inputs: x=int" in done.stderr
    until = typed("run", "cli_flow.py", "--until", "load", "size=2")
    assert until.stdout == "[0, 1]\n"
    assert "flow succeeded on local" in until.stderr
    assert (place / ".turnout").is_dir()


@pytest.mark.parametrize("workers", ["null", "1"])
def test_the_debugger_opens_on_the_users_frames(place: Path, workers: str) -> None:
    with (place / "cli_flow.py").open("a") as file:
        file.write("if __name__ == '__main__':\n    import turnout\n    turnout.main(flow)\n")
    more = [f"execution_environment.workers={workers}", "execution_environment.gpus=1"]
    done = subprocess.run(
        [sys.executable, "cli_flow.py", "--pdb", "size=1", *more],
        input="w\np x\nq\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cli_flow.py(11)half()" in done.stdout
    assert "turnout/" not in done.stdout.replace("test_cli_commands", "")
    apart = workers == "1"
    assert ("the local variables stayed in the worker process" in done.stderr) == apart
    assert ("NameError" if apart else "(Pdb) 0\n") in done.stdout


BROKEN_BODY = """
import json
from turnout import task, workflow

@task
def half(x: int) -> float:
    return x / 2

@workflow
def inner(text: str) -> float:
    return half(len(json.loads(text + "")))

@workflow
def outer(text: str = "{") -> float:
    return inner(text)
"""


@pytest.mark.parametrize("command", ["run", "plan", "graph"])
def test_a_body_that_raises_leaves_no_plan(place: Path, command: str) -> None:
    (place / "broken_body.py").write_text(BROKEN_BODY, encoding="utf-8")
    lines = typed(command, "broken_body.py:outer", status=3).stderr.splitlines()
    told = [line for line in lines if line.strip("^~ ") or not line]
    assert told[:5] == [
        "Your code, the last call last:",
        '  File "broken_body.py", line 15, in outer',
        "    return inner(text)",
        '  File "broken_body.py", line 11, in inner',
        '    return half(len(json.loads(text + "")))',
    ]
    assert sum("inputs involved: text" in line for line in told) == 1
    assert not [line for line in told if "turnout/" in line]
    assert told[-2:] == [
        "", "error: no plan: the body of workflow 'inner' raised JSONDecodeError",
    ]  # fmt: skip


UNENCODABLE = """
import threading
from turnout import task, workflow

@task
def lock(n: int) -> object:
    return threading.Lock()

@task
def taking(x: object) -> int:
    return 1

@workflow
def gives(n: int = 1) -> object:
    return lock(n)

@workflow
def takes(n: int = 1) -> int:
    return taking(lock(n))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("gives", "turnout.tasks.lock.cache=true"),
        ("gives", "execution_environment.keep=all"),
        ("takes", "turnout.tasks.taking.cache=true"),
        ("takes", "execution_environment.workers=2"),
    ],
)
def test_a_value_that_cannot_be_encoded_is_reported_once(
    place: Path, arguments: tuple[str, ...]
) -> None:
    (place / "unencodable.py").write_text(UNENCODABLE, encoding="utf-8")
    target = f"unencodable.py:{arguments[0]}"
    told = typed("run", target, *arguments[1:], status=1).stderr.split("recorded in .turnout\n")[1]
    assert told.count("EncodeError") == told.count("cannot pickle '_thread.lock' object") == 1
    assert "which led to" not in told


def test_hydras_own_options_pass_through(place: Path) -> None:
    shown = typed("run", "cli_flow.py:flow", "size=7", "--cfg", "job").stdout
    assert "size: 7" in shown
    swept = typed("run", "cli_flow.py:flow", "-m", "size=0,0", "hydra.sweep.dir=sweep")
    assert swept.stdout.splitlines().count("[]") == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["run", "cli_flow.py:flow", "execution_environment=nowhere"], 2, "'nowhere'"),
        (["run", "cli_flow.py:flow", "m=1"], 2, "unknown key 'm'"),
        (["run", "cli_flow.py:flow", "size=many"], 2, "size"),
        (["run", "cli_flow.py:flow", "--until", "lod"], 2, "did you mean 'load'?"),
        (["plan", "cli_flow.py:flow", "execution_environment.strict=true"], 3, "strict=true"),
        (["run", "cli_flow.py:flow", "execution_environment.strict=true"], 3, "strict=true"),
        (["rnu"], 2, "did you mean 'run'?"),
        (["graph", "cli_flow.py", "-o", "x.pdf"], 2, "say --format"),
        (["graph", "cli_flow.py", "-o", "nowhere/x.svg"], 2, "cannot be written"),
        (["backends", "nowhere"], 2, "unknown execution environment 'nowhere'"),
    ],
)
def test_bad_input_ends_with_one_message(
    place: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    before = sorted(path.name for path in place.iterdir())
    assert main(arguments) == status
    told = capfd.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
    assert sorted(path.name for path in place.iterdir() if path.name != "__pycache__") == before


@pytest.mark.parametrize(
    ("typed_last", "offered"),
    [
        ("turnout.tasks.", ["turnout.tasks.half.", "turnout.tasks.load."]),
        ("turnout.tasks.l", ["turnout.tasks.load."]),
        (
            "turnout.tasks.load.re",
            [f"turnout.tasks.load.{name}=" for name in ("report", "resources", "retries")],
        ),
        ("turnout.tasks.nope.", []),
        ("turnout.o", ["turnout.objective=", "turnout.on_error="]),
    ],
)
def test_the_shell_completes_tasks_and_their_options(
    place: Path, monkeypatch: pytest.MonkeyPatch, typed_last: str, offered: list[str]
) -> None:
    text = (place / "cli_flow.py").read_text(encoding="utf-8")
    text = text.replace("    data = load(size)", "    print('traced')\n    data = load(size)")
    text += "\nif __name__ == '__main__':\n    import turnout\n    turnout.main(flow)\n"
    (place / "cli_flow.py").write_text(text, encoding="utf-8")
    line = f"cli_flow.py size=2 {typed_last}"
    done = subprocess.run(
        [sys.executable, "cli_flow.py", "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (offered, "")


GROWING = """
from turnout import dynamic, task, workflow

@task
def half(x: int) -> float:
    return x / 2

@dynamic
def grow(x: int) -> float:
    return half(x)

@workflow
def flow(x: int = 4) -> float:
    return grow(x)
"""


def test_a_setting_for_a_task_that_no_dynamic_brings_is_told_before_and_after(place: Path) -> None:
    (place / "growing.py").write_text(GROWING, encoding="utf-8")
    known, typo = "turnout.tasks.half.retries=2", "turnout.tasks.haf.retries=2"
    shown = typed("plan", "growing.py:flow", known, typo).stdout
    assert "turnout.tasks.half is for a task a dynamic may call\n" in shown
    assert "turnout.tasks.haf is for a task a dynamic may call, and none in sight" in shown
    done = typed("run", "growing.py:flow", known, typo)
    told = "turnout.tasks.haf: the run has met no task 'haf'; did you mean 'half'?"
    assert f"warning: {told}" in done.stderr
    assert "tasks.half:" not in done.stderr
    assert done.stdout == "2.0\n"
    code = "import turnout, growing; turnout.run(growing.flow, {'turnout': {'tasks': TASKS}})"
    code = code.replace("TASKS", "{'haf': {'retries': 1}}")
    script = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True
    )
    assert told in script.stderr


def test_a_missing_input_leaves_nothing_behind(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flow = FLOW.replace("size: int = 3", "size: int").replace("folds: int = 1", "folds: int")
    (place / "cli_flow.py").write_text(flow.replace("range(folds)", "[1]"), encoding="utf-8")
    before = set(place.iterdir())
    assert main(["run", "cli_flow.py:flow"]) == 2
    told = capfd.readouterr().err
    assert "input 'size' has no value" in told
    assert "input 'folds' has no value" in told
    assert set(place.iterdir()) - {place / "__pycache__"} == before


def test_plan(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "cli_flow.py:flow", "size=4", "turnout.tasks.half.retries=2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("flow on local: 2 nodes\n")
    assert "retries=2" in text
    assert "  size = 4" in text
    assert "folds = 1" in text
    assert "cli_flow.py:16" in text
    assert "sets resources, which 'local' takes as advice only" in text
    assert main(["plan", "cli_flow.py:flow", "--json", "--until", "load"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [node["node"] for node in facts["nodes"]] == ["load"]
    assert facts["nodes"][0]["options"] == {"cache": True, "resources": {"gpu": 1}}
    assert facts["inputs"] == [{"path": "size", "value": "3", "read_by": ["load"]}]
    assert facts["environment"]["name"] == "local"
    assert [note["kind"] for note in facts["notes"]] == ["advisory"]
    assert facts["fixed"][0] | {"line": ""} == {
        "path": "folds", "what": "value", "value": "1", "line": "",
    }  # fmt: skip


def test_graph(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "cli_flow.py:flow"]) == 0
    assert "half for each of x" in capsys.readouterr().out
    for name in ("g.svg", "g.html", "g.mmd", "g.md", "g.json", "g.txt"):
        assert main(["graph", "cli_flow.py:flow", "-o", name]) == 0
    assert capsys.readouterr().err.splitlines()[0] == "wrote g.svg"
    ET.parse(place / "g.svg")
    assert (place / "g.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    mermaid = (place / "g.mmd").read_text(encoding="utf-8")
    assert (place / "g.md").read_text(encoding="utf-8") == f"```mermaid\n{mermaid}```\n"
    assert loads((place / "g.json").read_text(encoding="utf-8")).name == "flow"
    assert main(["graph", "cli_flow.py:flow", "folds=2", "--format", "json"]) == 0
    assert len(loads(capsys.readouterr().out).nodes) == 3


def test_backends(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        @spi.hookimpl
        def turnout_backends(self) -> list[object]:
            raise ImportError("no module named sdk")

    registry.register(Broken(), "odd", "odd-dist")
    assert main(["backends"]) == 0
    text = capsys.readouterr().out
    assert "local (default)" in text
    assert "plugin 'odd' of 'odd-dist' cannot be loaded: ImportError: no module named sdk" in text
    assert main(["backends", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["broken"][0]["name"] == "odd"
    local = next(backend for backend in facts["backends"] if backend["name"] == "local")
    assert local["default"] is True
    assert local["capabilities"]["retries"]["level"] == "native"
    assert main(["backends", "local"]) == 0
    told = capsys.readouterr().out
    assert "workers = None\n      how many worker processes run tasks" in told
    assert "strict = False\n      refuse settings that would have no effect" in told
    assert main(["backends", "local"]) == 0
    assert "workers = " in capsys.readouterr().out


def test_plugins_add_commands(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command("hail", help="Say hail.")
    def hail() -> int:
        click.echo("hail")
        return 1

    class Good:
        @spi.hookimpl
        def turnout_commands(self) -> list[click.Command]:
            return [hail]

    class Thief:
        @spi.hookimpl
        def turnout_commands(self) -> list[click.Command]:
            return [click.Command("run")]

    registry.register(Good(), "good")
    registry.register(Thief(), "thief")
    assert main(["hail"]) == 1
    told = capsys.readouterr()
    assert told.out == "hail\n"
    assert "warning: commands of plugin 'thief': ValueError: the command 'run' is taken" in told.err
    assert main(["--help"]) == 0
    assert "hail      Say hail." in capsys.readouterr().out


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from turnout.cli import main; main(sys.argv[1:]); "
        "heavy = {'hydra', 'omegaconf', 'rich', 'pandas', 'numpy', 'asyncio', 'cloudpickle'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    for arguments in (["--help"], ["--version"], ["backends"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]", arguments
