from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

import turnout
from turnout import dynamic, map_task, task, workflow
from turnout.api.objective import objective
from turnout.cli import main
from turnout.errors import ConfigError


class Scores(NamedTuple):
    loss: float
    size: int


@task
def fit(x: float) -> Scores:
    return Scores(x * x, 3)


@task
def half(x: float) -> float:
    return x / 2


@task
def table(x: float) -> dict[str, float]:
    return {"loss": x}


@dynamic
def grown(x: float) -> float:
    return half(x)


@workflow
def flow(x: float = 4.0) -> Scores:
    found = fit(x)
    map_task(half)(x=[found.loss, x])
    grown(x)
    return found


@workflow
def named(x: float = 4.0) -> Any:
    return {"first": half(x), "second": half(1.0)}


@workflow
def plain(x: float = 4.0) -> float:
    return half(x)


@workflow
def unknown(x: float = 4.0) -> dict[str, float]:
    return table(x)


def run(flow: Any, *names: str, **settings: Any) -> Any:
    config = {"turnout": {"objective": list(names)}, "execution_environment": settings}
    return objective(turnout.run(flow, config, x=4.0), names)


@pytest.mark.parametrize(
    ("flow", "names", "found"),
    [
        (flow, ["loss"], 16.0),
        (flow, ["size", "half[1]"], (3, 2.0)),
        (flow, ["half", "grown/half"], ([8.0, 2.0], 2.0)),
        (named, ["second"], 0.5),
        (named, ["half-2"], 0.5),
        (plain, [], 2.0),
        (plain, ["half"], 2.0),
        (unknown, ["loss"], 4.0),
    ],
)
def test_outputs_by_name(flow: Any, names: list[str], found: Any) -> None:
    assert run(flow, *names) == found


@pytest.mark.parametrize(
    ("flow", "name", "told"),
    [
        (flow, "los", r"'los' is neither an output .* 'flow' nor a node .* did you mean 'loss'\?"),
        (flow, "haf", "There are: fit, grown, half, loss, size"),
        (flow, "fit/half", "'fit/half' is neither"),
        (named, "frist", r"did you mean 'first'\?"),
        (plain, "loss", "there are: half"),
    ],
)
def test_what_can_never_be_there_is_told_before_the_run(flow: Any, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        run(flow, name)
    with pytest.raises(ConfigError, match=r"no run 'latest'"):
        turnout.get_run()


def test_what_only_the_run_can_tell_is_told_by_it() -> None:
    with pytest.raises(ConfigError, match="'lost'"):
        run(unknown, "lost")
    assert turnout.get_run().status == "succeeded"


def test_a_node_that_is_not_kept_is_refused() -> None:
    for keep in ("none", "cached"):
        with pytest.raises(ConfigError, match=f"'half' is not kept, .*keep is '{keep}'"):
            run(plain, "half", keep=keep)
        assert run(flow, "loss", keep=keep) == 16.0


def test_the_command_line_tells_it_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow_objective.py").write_text(
        "from turnout import task, workflow\n"
        "@task\n"
        "def half(x: float) -> float:\n"
        "    return x / 2\n"
        "@workflow\n"
        "def flow(x: float = 1.0) -> float:\n"
        "    return half(x)\n"
    )
    for command in (["plan"], ["run"], ["run", "-m", "hydra.sweep.dir=sweep"]):
        target = [command[0], "flow_objective.py:flow", *command[1:], "turnout.objective=haf"]
        assert main(target) == 2
        assert "'haf' is neither an output" in capfd.readouterr().err
    assert not (tmp_path / ".turnout").exists()
