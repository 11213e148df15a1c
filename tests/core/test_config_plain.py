from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import MISSING, DictConfig, OmegaConf

from turnout.backend import registry as plugins
from turnout.backend.base import EnvironmentConfig, Executor, ExecutorBackend, Session
from turnout.backend.hooks import hookimpl
from turnout.config.environments import resolve
from turnout.config.plain import compose_plain
from turnout.dsl import workflow
from turnout.errors import ConfigError, PluginError

CORE = Path(__file__).parents[2] / "core"


@dataclass
class HereConfig(EnvironmentConfig):
    workers: int = 0


class Here(ExecutorBackend):
    name = "here"
    schema = HereConfig
    is_default = True

    def open(self, session: Session) -> Executor:
        raise NotImplementedError


@dataclass
class NeedyConfig(EnvironmentConfig):
    address: str = MISSING


class Needy(Here):
    name = "needy"
    schema = NeedyConfig
    is_default = False


class Plugin:
    @hookimpl
    def turnout_backends(self) -> list[Any]:
        return [Here(), Needy()]


class Broken:
    @hookimpl
    def turnout_backends(self) -> list[Any]:
        raise RuntimeError("the SDK is too old")


@pytest.fixture(autouse=True)
def backends() -> Iterator[None]:
    registry = plugins.Registry()
    registry.register(Plugin(), "one")
    registry.register(Broken(), "sick", "sick-dist")
    before = plugins.use(registry)
    yield
    plugins.use(before)


@dataclass
class Options:
    lr: float = 0.1
    steps: int = 3


@workflow
def whole(cfg: DictConfig) -> None: ...


@workflow
def typed(cfg: Options) -> None: ...


@workflow
def single(x: int, y: float = 1.0, frame: Any = None) -> None: ...


def test_values_only_need_no_config() -> None:
    composed = compose_plain(single, given={"x": 3})
    assert (composed.inputs, composed.cfg, composed.environment) == ({"x": 3}, {}, "here")


def test_a_mapping_feeds_parameters_and_objects_are_not_copied() -> None:
    thing = object()
    composed = compose_plain(single, {"x": 3, "y": "${x}", "frame": thing})
    assert composed.inputs["y"] == 3
    assert composed.inputs["frame"] is thing


def test_inputs_win_over_the_config() -> None:
    assert compose_plain(single, {"x": 3}, given={"x": 4}).inputs["x"] == 4


def test_a_whole_config_keeps_the_callers_untouched() -> None:
    cfg = OmegaConf.create({"a": 1, "execution_environment": {"workers": 2}, "turnout": None})
    OmegaConf.set_readonly(cfg, True)
    OmegaConf.set_struct(cfg, True)
    composed = compose_plain(whole, cfg)
    assert composed.inputs["cfg"] == {"a": 1}
    assert composed.settings == HereConfig(backend="here", workers=2)
    assert set(cfg) == {"a", "execution_environment", "turnout"}


def test_a_dataclass_brings_its_defaults() -> None:
    assert compose_plain(typed).inputs["cfg"] == {"lr": 0.1, "steps": 3}
    assert compose_plain(typed, {"lr": 1}).inputs["cfg"] == {"lr": 1.0, "steps": 3}
    assert compose_plain(typed, Options(steps=9)).inputs["cfg"].steps == 9
    assert compose_plain(typed, given={"cfg": Options(steps=8)}).inputs["cfg"].steps == 8


def test_what_has_no_value_is_left_open() -> None:
    assert compose_plain(whole).inputs == {}
    assert compose_plain(single, OmegaConf.create({"x": "???", "y": "${x}"})).inputs == {}


@pytest.mark.parametrize(
    ("flow", "config", "given", "message"),
    [
        (single, None, {"xx": 1}, "has no input 'xx'; did you mean 'x'"),
        (single, {"x": 1, "yy": 2}, {}, "unknown config key 'yy'"),
        (typed, {"lrr": 1}, {}, "unknown config key 'lrr' .*did you mean 'lr'"),
        (typed, {"lr": "a"}, {}, "lr: Value 'a'"),
        (single, {"x": "${nope}"}, {}, "x: .*nope"),
        (whole, {"x": object()}, {}, "'x' is of type object, which a config cannot hold"),
        (whole, 3, {}, "not a value of type int"),
        (whole, {"a": 1}, {"cfg": {"a": 2}}, "given twice"),
        (whole, {"turnout": {"on_eror": "stop"}}, {}, "'turnout.on_eror'; did you mean 'on_error'"),
        (whole, {"turnout": 3}, {}, "turnout takes a mapping"),
    ],
)
def test_bad_input(flow: Any, config: Any, given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose_plain(flow, config, given=given)


@dataclass
class Clash:
    turnout: int = 1


def names_turnout(turnout: int = 1) -> None: ...
def names_the_group(execution_environment: str = "") -> None: ...
def names_hydra(hydra: str = "") -> None: ...
def has_a_field(cfg: Clash) -> None: ...


@pytest.mark.parametrize(
    ("fn", "told"),
    [
        (names_turnout, "parameter 'turnout'"),
        (names_the_group, "parameter 'execution_environment'"),
        (names_hydra, "parameter 'hydra'"),
        (has_a_field, "config field 'turnout'"),
    ],
)
def test_reserved_names_are_refused(fn: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=f"workflow '{fn.__name__}' has a {told}, .* reserved"):
        compose_plain(workflow(fn))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "here",
        {},
        {"backend": "here"},
        OmegaConf.create({"backend": "here"}),
        HereConfig(),
    ],
)
def test_spellings_of_an_environment(given: Any) -> None:
    assert resolve(given) == ("here", HereConfig(backend="here"))


def test_the_argument_wins_over_the_config() -> None:
    composed = compose_plain(whole, {"execution_environment": "nope"}, environment={"workers": 5})
    assert composed.settings == HereConfig(backend="here", workers=5)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("heer", ConfigError, "unknown execution environment 'heer'; did you mean 'here'"),
        ("sick", PluginError, "RuntimeError: the SDK is too old"),
        ({"wrokers": 1}, ConfigError, r"'execution_environment.wrokers'; did you mean 'workers'"),
        ({"workers": "x"}, ConfigError, "execution_environment.workers: Value 'x'"),
        ({"keep": "some"}, ConfigError, "keep is one of auto"),
        ({"store": "${nope}"}, ConfigError, "nope"),
        ("needy", ConfigError, "execution_environment.address has no value"),
        ({"backend": "needy"}, ConfigError, "execution_environment.address has no value"),
        (3, ConfigError, "takes a name or a mapping, not 3"),
        (EnvironmentConfig(), ConfigError, "takes a HereConfig, not a EnvironmentConfig"),
    ],
)
def test_bad_environments(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve(given)


def test_a_preset_must_say_what_is_behind_it() -> None:
    assert resolve({"backend": "here"}, "prod")[0] == "prod"
    with pytest.raises(ConfigError, match="'prod' does not say which backend"):
        resolve({"workers": 1}, "prod")


def test_hydra_is_not_loaded_for_python_values() -> None:
    code = (
        "import sys; from turnout.dsl import workflow; "
        "from turnout.config.plain import compose_plain; "
        "from turnout.errors import ConfigError\n"
        "def flow(x: int): ...\n"
        "try: compose_plain(workflow(flow), given={'x': 1})\n"
        "except ConfigError: pass\n"
        "assert not {'hydra', 'omegaconf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(CORE)})
