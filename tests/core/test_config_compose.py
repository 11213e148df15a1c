from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from turnout.backend import registry as plugins
from turnout.backend.base import EnvironmentConfig, Executor, ExecutorBackend, Session
from turnout.backend.hooks import hookimpl
from turnout.config import project
from turnout.config.args import compose_args
from turnout.errors import ConfigError

_numbers = itertools.count()


@dataclass
class HereConfig(EnvironmentConfig):
    workers: int = 0


@dataclass
class Slots:
    cpu: int = 1


@dataclass
class FarConfig(EnvironmentConfig):
    address: str | None = None
    slots: Slots = field(default_factory=Slots)


class Here(ExecutorBackend):
    name = "here"
    schema = HereConfig
    is_default = True

    def open(self, session: Session) -> Executor:
        raise NotImplementedError


class Far(Here):
    name = "far"
    schema = FarConfig
    is_default = False


class Plugin:
    @hookimpl
    def turnout_backends(self) -> list[Any]:
        return [Here(), Far()]


@pytest.fixture(autouse=True)
def two_backends() -> Iterator[None]:
    registry = plugins.Registry()
    registry.register(Plugin(), "two")
    assert not registry.broken
    before = plugins.use(registry)
    yield
    plugins.use(before)


Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A workflow in a file of its own, with config files beside it."""

    def made(
        signature: str,
        decorator: str = 'config_path="conf", config_name="config"',
        before: str = "",
        **files: str,
    ) -> Any:
        for name, text in files.items():
            path = tmp_path / "conf" / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        name = f"flow_{next(_numbers)}"
        path = tmp_path / f"{name}.py"
        path.write_text(
            "from __future__ import annotations\n"
            "import enum\nfrom dataclasses import dataclass, field\nfrom typing import Any\n"
            "from omegaconf import DictConfig, MISSING\nfrom turnout.dsl import workflow\n"
            f"{textwrap.dedent(before)}\n"
            f"@workflow({decorator})\ndef pipeline({signature}): ...\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        return project.import_file(path).pipeline

    return made


def test_the_group_is_there_without_the_users_line(make: Make) -> None:
    composed = compose_args(make("cfg: DictConfig", config="a: 1"))
    assert (composed.environment, composed.cfg) == ("here", {"a": 1})
    assert isinstance(composed.settings, HereConfig)


@pytest.mark.parametrize("parameter", ["cfg", "config", "cfg: Any"])
def test_a_parameter_without_annotation_receives_the_whole_config(
    make: Make, parameter: str
) -> None:
    composed = compose_args(make(parameter, config="a: 1"), ["a=2"])
    assert composed.inputs == {parameter.partition(":")[0]: {"a": 2}}


def test_the_users_own_line_is_not_a_duplicate(make: Make) -> None:
    flow = make(
        "cfg: DictConfig",
        config="""
        defaults:
          - execution_environment: far
          - _self_
        a: 1
        """,
    )
    assert compose_args(flow).environment == "far"
    assert compose_args(flow, ["execution_environment=here"]).environment == "here"


def test_a_line_in_a_nested_file_wins(make: Make) -> None:
    flow = make(
        "cfg: DictConfig",
        config="defaults: [stage: test, _self_]\na: 1",
        stage__test="""
        # @package _global_
        defaults:
          - /execution_environment: far
        """,
    )
    assert compose_args(flow).environment == "far"
    assert compose_args(flow, ["execution_environment=here"]).environment == "here"


@pytest.mark.parametrize("where", ["primary", "nested"])
def test_an_override_in_a_defaults_list_works_without_the_line(make: Make, where: str) -> None:
    override = "- override /execution_environment: far"
    if where == "primary":
        flow = make("cfg: DictConfig", config=f"defaults:\n  {override}\na: 1")
    else:
        flow = make(
            "cfg: DictConfig",
            config="defaults: [_self_, stage: test]\na: 1",
            stage__test=f"# @package _global_\ndefaults:\n  {override}\n",
        )
    composed = compose_args(flow)
    assert (composed.environment, composed.cfg["a"]) == ("far", 1)


def test_plus_and_delete_on_the_command_line(make: Make) -> None:
    flow = make("cfg: DictConfig", config="a: 1")
    assert compose_args(flow, ["+execution_environment=far"]).environment == "far"
    assert compose_args(flow, ["~execution_environment"]).environment == "here"


def test_a_null_line_means_the_default(make: Make) -> None:
    flow = make("cfg: DictConfig", config="defaults: [execution_environment: null, _self_]\na: 1")
    assert compose_args(flow).environment == "here"


def test_a_primary_config_in_a_subdirectory(make: Make) -> None:
    flow = make("cfg: DictConfig", 'config_path="conf", config_name="team/main"', team__main="a: 1")
    composed = compose_args(flow, ["execution_environment=far"])
    assert composed.environment == "far"


def test_settings_in_the_primary_config_lie_over_the_schema(make: Make) -> None:
    flow = make("cfg: DictConfig", config="execution_environment: {workers: 3}")
    assert compose_args(flow).settings.workers == 3  # type: ignore[attr-defined]
    settings = compose_args(flow, ["execution_environment.env_vars.A=1"]).settings
    assert settings.env_vars == {"A": "1"}


def test_a_teams_preset_names_the_environment(make: Make) -> None:
    flow = make(
        "cfg: DictConfig",
        config="a: 1",
        execution_environment__prod="defaults: [far]\naddress: x",
    )
    composed = compose_args(flow, ["execution_environment=prod"])
    assert composed.environment == "prod"
    assert composed.settings == FarConfig(backend="far", address="x")


def test_a_file_that_hides_the_schema_is_still_checked(make: Make) -> None:
    flow = make("cfg: DictConfig", config="a: 1", execution_environment__here="workers: 4")
    assert compose_args(flow).settings == HereConfig(backend="here", workers=4)
    more = compose_args(flow, ["execution_environment.cache=off"])
    assert more.settings.cache == "off"
    with pytest.raises(ConfigError, match=r"'execution_environment.wrkers'; did you mean 'worker"):
        compose_args(flow, ["execution_environment.wrkers=1"])


def test_an_added_key_is_checked_in_a_preset_and_in_parts_too(make: Make) -> None:
    preset = make(
        "cfg: DictConfig",
        config="a: 1",
        execution_environment__prod="defaults: [far]\naddress: x",
    )
    with pytest.raises(ConfigError, match=r"'execution_environment.adress'; did you mean 'addres"):
        compose_args(preset, ["execution_environment=prod", "+execution_environment.adress=1"])
    with pytest.raises(ConfigError, match=r"'execution_environment.slots.cpv'; did you mean 'cpu'"):
        compose_args(preset, ["execution_environment=far", "+execution_environment.slots.cpv=1"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["execution_environment=fra"], "unknown execution environment 'fra'; did you mean 'far'"),
        (["execution_environment.wokers=1"], "'execution_environment.wokers'; did you mean 'wor"),
        (["+execution_environment.wokers=1"], "'execution_environment.wokers'; did you mean 'wor"),
        (["++execution_environment.wokers=1"], "'execution_environment.wokers'; did you mean 'wor"),
        (["execution_environment.schedule=daily"], "cron expression such as .*, not 'daily'"),
        (["execution_environment.workers=x"], "execution_environment.workers"),
        (["modl=1"], "unknown key 'modl'; did you mean 'model'"),
        (["model.c=1"], "unknown key 'model.c'; did you mean 'C'"),
        (["a=[1"], r"no viable alternative"),
        (["turnout.on_error=never"], "turnout.on_error is stop or continue, not 'never'"),
        (["turnout.plugins.far.a=1"], "turnout.plugins.far: no plugin of that name is installed"),
        (["turnout.tasks.t.retires=1"], "'turnout.tasks.t.retires'; did you mean 'retries'"),
        (["turnout.tasks.t.retries=x"], "turnout.tasks.t.retries takes a whole number"),
    ],
)
def test_bad_overrides(make: Make, overrides: list[str], message: str) -> None:
    flow = make("cfg: DictConfig", config="model: {C: 1}\na: 1")
    with pytest.raises(ConfigError, match=message):
        compose_args(flow, overrides)


def test_a_missing_config_file(make: Make) -> None:
    flow = make("cfg: DictConfig", 'config_path="conf", config_name="nope"', config="a: 1")
    with pytest.raises(ConfigError, match="nope"):
        compose_args(flow)


def test_a_file_that_is_not_yaml(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"ScannerError|ParserError"):
        compose_args(make("cfg: DictConfig", config="a: [1\nb: }"))


def test_options_of_tasks_need_no_plus(make: Make) -> None:
    flow = make("cfg: DictConfig", config="turnout: {tasks: {load: {cache: refresh}}}")
    composed = compose_args(
        flow,
        ["turnout.tasks.train.retries=5", "turnout.objective=loss", "turnout.plugins.two.uri=x"],
    )
    tasks = composed.turnout.tasks
    assert tasks["train"].retries == 5
    assert tasks["load"].cache.mode == "refresh"  # type: ignore[union-attr]
    assert composed.turnout.objective == ("loss",)
    assert composed.turnout.plugins == {"two": {"uri": "x"}}


def test_reserved_nodes_are_stripped_and_what_was_borrowed_stays(make: Make) -> None:
    flow = make(
        "cfg: DictConfig",
        config="""
        n: ${execution_environment.workers}
        m: ${n}
        turnout_dir: keep
        all: ${turnout.plugins}
        deep: {list: [1, "${turnout.on_error}"]}
        """,
    )
    composed = compose_args(flow, ["execution_environment.workers=2"])
    assert set(composed.cfg) == {"n", "m", "turnout_dir", "all", "deep"}
    assert (composed.cfg["n"], composed.cfg["m"]) == (2, 2)
    assert composed.cfg["deep"].list[1] == "stop"
    assert set(composed.borrowed) == {"n", "all", "deep.list[1]"}


def test_what_hydra_knows_is_resolved_while_it_is_there(make: Make) -> None:
    flow = make("cfg: DictConfig", config="name: ${hydra:job.name}")
    assert compose_args(flow).cfg["name"] == Path(flow.fn.__code__.co_filename).stem


def test_the_signature_is_the_schema_without_any_file(make: Make) -> None:
    flow = make(
        "test_size: float = 0.2, names: list[str] = ['a'], *, hyper: dict[str, float], "
        "seed: int, kind: Kind = Kind.A, opts: Opts = Opts(), frame: Frame = None",
        "",
        before="""
            class Kind(enum.Enum):
                A = 1
                B = 2
            @dataclass
            class Opts:
                lr: float = 0.1
            class Frame: ...
            """,
    )
    bare = compose_args(flow)
    assert bare.inputs["test_size"] == 0.2
    assert not {"hyper", "seed"} & set(bare.inputs)
    said = compose_args(
        flow,
        [
            "test_size=1",
            "hyper={C: 0.15}",
            "seed=3",
            "kind=B",
            "names=[x,y]",
            "opts.lr=2",
            "hyper.D=1",
        ],
    ).inputs
    assert (said["test_size"], said["seed"], said["kind"].name) == (1.0, 3, "B")
    assert said["hyper"] == {"C": 0.15, "D": 1.0}
    assert (said["names"], said["opts"].lr) == (["x", "y"], 2.0)
    with pytest.raises(ConfigError, match="unknown key 'tets_size'; did you mean 'test_size'"):
        compose_args(flow, ["tets_size=1"])
    with pytest.raises(ConfigError, match="seed: Value 'x'"):
        compose_args(flow, ["seed=x"])


def test_a_dataclass_takes_the_whole_config(make: Make) -> None:
    before = """
        @dataclass
        class Model:
            C: float = 1.0
        @dataclass
        class Config:
            model: Model = field(default_factory=Model)
            seed: int = MISSING
        """
    flow = make("cfg: Config", "", before=before)
    composed = compose_args(flow, ["model.C=3", "seed=4"])
    assert composed.inputs["cfg"] == {"model": {"C": 3.0}, "seed": 4}
    with pytest.raises(ConfigError, match=r"unknown key 'model.D'"):
        compose_args(flow, ["model.D=3"])
    wrong = make("cfg: Config", before=before, config="sed: 1")
    with pytest.raises(ConfigError, match=r"unknown config key 'sed' .*did you mean 'seed'"):
        compose_args(wrong)


def test_a_structured_primary_config(make: Make) -> None:
    flow = make(
        "cfg: DictConfig",
        'config_name="structured"',
        before="""
        from hydra.core.config_store import ConfigStore
        @dataclass
        class Config:
            lr: float = 0.1
        ConfigStore.instance().store(name="structured", node=Config)
        """,
    )
    composed = compose_args(
        flow, ["lr=1", "execution_environment=far", "turnout.tasks.t.retries=1"]
    )
    assert composed.cfg == {"lr": 1.0}
    assert composed.environment == "far"
    with pytest.raises(ConfigError, match="unknown key 'lrr'"):
        compose_args(flow, ["lrr=1"])


def test_config_and_single_parameters_together(make: Make) -> None:
    flow = make("cfg: DictConfig, seed: int = 1, x: str = 'd'", config="seed: 5\nmodel: {C: 1}")
    composed = compose_args(flow, ["x=9"])
    assert composed.inputs["cfg"] == {"seed": 5, "x": "9", "model": {"C": 1}}
    assert (composed.inputs["seed"], composed.inputs["x"]) == (5, "9")


def test_two_workflows_of_one_module_have_a_config_each(make: Make, tmp_path: Path) -> None:
    make("cfg: DictConfig", config="a: 1", other="b: 2")
    path = tmp_path / "pair.py"
    path.write_text(
        "from omegaconf import DictConfig\nfrom turnout.dsl import workflow\n"
        "@workflow(config_path='conf', config_name='config')\ndef one(cfg: DictConfig): ...\n"
        "@workflow(config_path='conf', config_name='other')\ndef two(cfg: DictConfig): ...\n"
    )
    pair = project.import_file(path)
    assert compose_args(pair.one).cfg == {"a": 1}
    assert compose_args(pair.two).cfg == {"b": 2}


def test_without_a_default_backend_hydra_asks_for_one(make: Make) -> None:
    registry = plugins.Registry()

    class Lone:
        @hookimpl
        def turnout_backends(self) -> list[Any]:
            return [Far()]

    registry.register(Lone(), "lone")
    plugins.use(registry)
    flow = make("cfg: DictConfig", config="a: 1")
    with pytest.raises(ConfigError, match="You must specify 'execution_environment'"):
        compose_args(flow)
    assert compose_args(flow, ["execution_environment=far"]).environment == "far"
