"""The application as its users start it: in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "core"

BACKENDS = """
from __future__ import annotations
import sys
from dataclasses import dataclass
from turnout.backend.base import EnvironmentConfig, ExecutorBackend
from turnout.backend import registry
from turnout.backend.hooks import hookimpl

@dataclass
class HereConfig(EnvironmentConfig):
    workers: int = 0

class Here(ExecutorBackend):
    name = "here"
    schema = HereConfig
    is_default = True
    def open(self, session): raise NotImplementedError

class Far(Here):
    name = "far"
    is_default = False

@hookimpl
def turnout_backends():
    return [Here(), Far()]

# Whatever else is installed, these are the backends of the test.
only = registry.Registry()
only.register(sys.modules[__name__], "two_backends")
registry.use(only)
"""

MAIN = """
import sys
import two_backends
from omegaconf import DictConfig, OmegaConf
from turnout.config.app import compose_main
from turnout.config.project import alias_main
from turnout.dsl import workflow
from turnout.errors import ConfigError, PlanError, RunCancelled, RunFailed

class Model: ...

@workflow(config_path="conf", config_name="config")
def pipeline(cfg: DictConfig): ...

ERRORS = {
    "run": RunFailed("it broke"), "plan": PlanError(["no"]), "config": ConfigError("bad"),
    "cancel": RunCancelled("stopped"), "interrupt": KeyboardInterrupt(), "user": ValueError("mine"),
}

def stumble():
    try:
        raise KeyboardInterrupt
    finally:
        None.half_made

OmegaConf.register_new_resolver("stumble", stumble)

def job(composed):
    cfg = composed.cfg
    print("job", composed.job_number, composed.environment, composed.settings.workers, cfg.x,
          composed.choices["hydra/launcher"], composed.output_dir.name, sep="|")
    if cfg.fail:
        raise ERRORS[cfg.fail]
    return cfg.get("gives", float(cfg.x))

if __name__ == "__main__":
    alias_main()
    import main
    assert main.Model is Model
    sys.exit(compose_main(pipeline, job))
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "two_backends.py").write_text(BACKENDS)
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("x: 1\nfail: null\n")

    def start(
        *arguments: str, script: str = "main.py", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, script, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{CORE}{os.pathsep}{tmp_path}", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return start


def jobs(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    return [line.split("|")[1:] for line in done.stdout.splitlines() if line.startswith("job|")]


def test_a_single_run(run: Run, tmp_path: Path) -> None:
    done = run("x=3", "execution_environment.workers=2", "hydra.run.dir=out/here")
    assert (done.returncode, done.stderr) == (0, "")
    assert jobs(done) == [["None", "here", "2", "3", "turnout", "here"]]
    assert "workers: 2" in (tmp_path / "out/here/.hydra/config.yaml").read_text()
    assert (tmp_path / "out/here/main.log").exists()


@pytest.mark.parametrize(
    ("fail", "status"),
    [("run", 1), ("user", 1), ("config", 2), ("plan", 3), ("cancel", 130), ("interrupt", 130)],
)
def test_exit_statuses(run: Run, fail: str, status: int) -> None:
    done = run(f"fail={fail}")
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "flags", [["hydra.run.dir=${stumble:}"], ["-m", "x=1,2", "hydra.sweep.dir=${stumble:}"]]
)
def test_what_an_interrupt_breaks_on_its_way_is_an_interrupt(run: Run, flags: list[str]) -> None:
    done = run(*flags)
    assert done.returncode == 130, done.stderr
    assert "AttributeError" not in done.stderr


@pytest.mark.parametrize("fail", ["config", "plan"])
def test_what_never_ran_leaves_no_directory(run: Run, tmp_path: Path, fail: str) -> None:
    before = set(tmp_path.iterdir())
    assert run(f"fail={fail}").returncode in (2, 3)
    assert run(f"fail={fail}", "hydra.run.dir=new/one", "hydra.job.chdir=true").returncode in (2, 3)
    assert run(f"fail={fail}", "hydra.output_subdir=null").returncode in (2, 3)
    assert set(tmp_path.iterdir()) - {tmp_path / "__pycache__"} == before


@pytest.mark.parametrize("fail", ["run", "user", "cancel"])
def test_what_ran_leaves_its_directory(run: Run, tmp_path: Path, fail: str) -> None:
    assert run(f"fail={fail}", "hydra.run.dir=new/one").returncode in (1, 130)
    assert (tmp_path / "new/one/.hydra/config.yaml").exists()


def test_a_directory_with_something_of_the_users_stays(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert run("fail=plan", "hydra.run.dir=here").returncode == 3
    assert run("fail=plan", "hydra.run.dir=.").returncode == 3
    assert (tmp_path / "here").is_dir()
    assert (tmp_path / "main.py").exists()
    for wrote in (
        "open(composed.output_dir / 'mine.txt', 'w').close()",
        "(composed.output_dir / 'mine').mkdir()",
        "open(composed.output_dir / '.hydra' / 'mine.yaml', 'w').close()",
        "import logging; logging.getLogger('mine').info('told')",
    ):
        changed = MAIN.replace("    cfg = composed.cfg\n", f"    cfg = composed.cfg\n    {wrote}\n")
        (tmp_path / "main.py").write_text(changed)
        assert run("fail=plan", "hydra.run.dir=outer/kept").returncode == 3
        assert (tmp_path / "outer/kept/.hydra/config.yaml").exists(), wrote
        shutil.rmtree(tmp_path / "outer")
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "outer").mkdir()
    assert run("fail=plan", "hydra.run.dir=outer/date/time").returncode == 3
    assert list((tmp_path / "outer").iterdir()) == []


def test_a_config_error_is_one_message_and_hydra_full_error_shows_all(run: Run) -> None:
    done = run("execution_environment=fra")
    assert done.returncode == 2
    assert done.stderr == (
        "error: unknown execution environment 'fra'; did you mean 'far'? There are: far, here\n"
    )
    full = run("execution_environment=fra", HYDRA_FULL_ERROR="1")
    assert full.returncode == 1
    assert "MissingConfigException" in full.stderr


@pytest.mark.parametrize("flags", [["--nope"], ["--cfg", "job", "--run"], ["--resolve"]])
def test_usage_errors(run: Run, flags: list[str]) -> None:
    done = run(*flags)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_flags_hydra_users_know(run: Run) -> None:
    shown = run("--cfg", "job", "x=5")
    assert shown.returncode == 0
    assert "x: 5" in shown.stdout
    assert "backend: here" in shown.stdout
    assert not jobs(shown)
    helped = run("--help")
    assert "execution_environment: far, here" in helped.stdout
    assert "turnout" in run("--hydra-help").stdout
    assert "execution_environment/here" in run("--info", "defaults").stdout
    assert run("--version").returncode == 0


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("execution_environment=", ["execution_environment=far", "execution_environment=here"]),
        ("execution_environment.wor", ["execution_environment.workers="]),
    ],
)
def test_tab_completion(run: Run, line: str, completed: list[str]) -> None:
    full = f"main.py {line}"
    done = run("-sc", "query=bash", COMP_LINE=full, COMP_POINT=str(len(full)))
    assert done.returncode == 0, done.stderr
    assert set(completed) <= set(done.stdout.split())


def test_a_sweep_uses_our_launcher(run: Run) -> None:
    done = run("execution_environment=far", "-m", "x=1,2")
    assert done.returncode == 0, done.stderr
    assert [job[:5] for job in jobs(done)] == [
        ["0", "far", "0", "1", "turnout"],
        ["1", "far", "0", "2", "turnout"],
    ]


def test_a_sweep_the_config_asks_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "conf" / "config.yaml").write_text("x: 1\nfail: null\nhydra: {mode: MULTIRUN}\n")
    assert len(jobs(run("x=1,2"))) == 2


@pytest.mark.parametrize(("on_error", "count"), [("stop", 1), ("continue", 4)])
@pytest.mark.parametrize("batches", [[], ["hydra.sweeper.max_batch_size=1"]])
def test_a_failing_job_of_a_sweep(run: Run, on_error: str, count: int, batches: list[str]) -> None:
    done = run("-m", "fail=run,null", "x=1,2", f"hydra.launcher.on_error={on_error}", *batches)
    assert done.returncode == 1
    assert len(jobs(done)) == count
    assert "Traceback" not in done.stderr


def test_a_cancelled_sweep_does_not_go_on(run: Run) -> None:
    done = run("-m", "fail=cancel,null")
    assert (done.returncode, len(jobs(done))) == (130, 1)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
@pytest.mark.parametrize("chosen", ["file", "command line"])
def test_the_users_own_launcher(run: Run, tmp_path: Path, launcher: str, chosen: str) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    arguments = ["-m", "x=1,2"]
    if chosen == "file":
        (tmp_path / "conf" / "config.yaml").write_text(
            f"defaults: [override hydra/launcher: {launcher}]\nx: 1\nfail: null\n"
        )
    else:
        arguments.append(f"hydra/launcher={launcher}")
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert sorted(job[4] for job in jobs(done)) == [launcher, launcher]
    failed = run(*arguments, "fail=run")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == "error: it broke"


def test_optuna_gets_numbers(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    done = run(
        "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1",
        "hydra.sweep.dir=sweep", "x=interval(0,1)",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = [float(job[3]) for job in jobs(done)]
    assert (
        f"best_value: {min(values)}" in (tmp_path / "sweep/optimization_results.yaml").read_text()
    )


SWEEPER = """
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

class Choosing(BasicSweeper):
    def sweep(self, arguments):
        super().sweep(arguments)
        raise LookupError("nothing to choose from")
"""


@pytest.mark.parametrize(
    ("gives", "told"),
    [
        ("text", "workflow 'pipeline' gave str, which is no objective for Choosing"),
        ("3", "the sweeper ends the sweep: LookupError: nothing to choose from"),
    ],
)
def test_a_sweeper_that_can_do_nothing_with_what_it_gets(
    run: Run, tmp_path: Path, gives: str, told: str
) -> None:
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "choosing.py").write_text(SWEEPER)
    sweep = ("-m", f"+gives={gives}", "x=1,2", "hydra.sweep.dir=sweep")
    done = run(*sweep, "hydra.sweeper._target_=hydra_plugins.choosing.Choosing")
    assert (done.returncode, len(jobs(done))) == (2, 2)
    assert done.stderr.splitlines()[-1].startswith(f"error: {told}")
    assert done.stdout.count("no objective") == (gives == "text")
    done = run(*sweep)
    assert (done.returncode, "objective" in done.stdout) == (0, False)


def test_under_a_plain_hydra_main(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(
        "import hydra, two_backends\n"
        "from omegaconf import DictConfig\n"
        "from turnout.config.plain import compose_plain\n"
        "from turnout.dsl import workflow\n"
        "@workflow\n"
        "def pipeline(cfg: DictConfig): ...\n"
        '@hydra.main(config_path="conf", config_name="config", version_base="1.3")\n'
        "def main(cfg: DictConfig) -> None:\n"
        "    composed = compose_plain(pipeline, cfg)\n"
        "    print(composed.environment, composed.settings.workers, dict(composed.cfg),\n"
        "          composed.overrides)\n"
        "main()\n"
    )
    (tmp_path / "conf" / "config.yaml").write_text(
        "defaults: [execution_environment: here, _self_]\nx: 1\n"
    )
    done = run("execution_environment=far", "execution_environment.workers=2", script="plain.py")
    assert done.stdout.startswith("far 2 {'x': 1} ('execution_environment=far',"), done.stderr
    preset = tmp_path / "conf" / "execution_environment" / "typo.yaml"
    preset.parent.mkdir()
    preset.write_text("{backend: far, wrkers: 1}\n")
    typo = run("execution_environment=typo", script="plain.py")
    assert "'execution_environment.wrkers'; did you mean 'workers'?" in typo.stderr
    assert typo.stderr.count("Traceback") == 1
    full = run("execution_environment=typo", script="plain.py", HYDRA_FULL_ERROR="1")
    assert "ConfigKeyError" in full.stderr
    (tmp_path / "conf" / "config.yaml").write_text("x: 1\n")
    assert run(script="plain.py").stdout.startswith("here 0 {'x': 1}")
    without = run("execution_environment=far", script="plain.py")
    assert without.returncode == 1
    assert "No match in the defaults list" in without.stderr


def test_hydra_applications_without_turnout_see_nothing_of_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "import sys, hydra\n"
        '@hydra.main(config_path="conf", config_name="config", version_base="1.3")\n'
        "def main(cfg):\n"
        "    print(sorted(name for name in sys.modules if name.startswith('turnout')))\n"
        "main()\n"
    )
    assert run(script="other.py").stdout == "[]\n"
    assert "execution_environment" not in run("--help", script="other.py").stdout
