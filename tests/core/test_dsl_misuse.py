"""Inputs while the graph is built: what is refused, and what errors say."""

# Every spelling that users may write is written here, the clumsy ones too:
# ruff: noqa: C416, PLC3002, PLW0108

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from omegaconf import MISSING, DictConfig, OmegaConf

import turnout
from turnout import fixed, task, workflow
from turnout.dsl import Traced
from turnout.errors import ConfigError, GraphError

HERE = f"{__name__.replace('.', '/')}.py"

YAML = """
name: fish
n: 3
lr: 0.5
flag: true
zero: 0
nothing: null
late: ???
text: abc
grid: [1, 2, 3]
layers: [{size: 4, act: relu}, {size: 8, act: null}]
model: {C: 0.1, max_iter: 10, deep: {er: 1}}
copied: ${model.C}
part: ${model}
broken: ${nowhere}
items: [7]
keys: k
values: v
get: g
index: 5
count: 6
pop: 7
"""


@task
def see(x: Any) -> Any:
    return x


def trace(body: Callable[[Any], Any], cfg: Any = None, **options: Any) -> Traced:
    """Trace a workflow with this body; its result is handed to a task, so that it is bound."""

    def flow(cfg: DictConfig) -> Any:
        see(body(cfg))

    return workflow(**options)(flow).trace({"cfg": OmegaConf.create(YAML) if cfg is None else cfg})


def bound(traced: Traced) -> Any:
    return dict(traced.graph.node("see").args)["x"]


def fixings(traced: Traced) -> list[str]:
    return [
        turnout.graph.binding.path_text(f.path) + ("" if f.what == "value" else " keys")
        for f in traced.graph.fixed
    ]


def refused(body: Callable[[Any], Any], cfg: Any = None, **options: Any) -> GraphError:
    with pytest.raises(GraphError) as caught:
        trace(body, cfg, **options)
    return caught.value


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (lambda cfg: OmegaConf.to_container(cfg.model), "looked into by OmegaConf"),
        (lambda cfg: OmegaConf.to_yaml(cfg.model), "looked into by OmegaConf"),
        (lambda cfg: OmegaConf.select(cfg.model, "C"), "looked into by OmegaConf"),
        (lambda cfg: OmegaConf.merge(cfg.model, {"C": 1}), "pickled or copied"),
        (lambda cfg: copy.deepcopy(cfg.model), "pickled or copied"),
        (lambda cfg: np.array(cfg.model), "turned into an array"),
        (lambda cfg: np.mean(cfg.model), "turned into an array"),
    ],
)
def test_libraries_that_look_inside_get_a_message_that_recommends_fixed(
    body: Callable[[Any], Any], what: str
) -> None:
    message = refused(body).message
    assert what in message or "turned into an array" in message
    assert "use turnout.fixed(cfg.model) for its plain value" in message


@pytest.mark.parametrize(
    "body",
    [
        lambda cfg: setattr(cfg.model, "C", 3),
        lambda cfg: cfg.model.__setitem__("C", 3),
        lambda cfg: cfg.model.__delitem__("C"),
        lambda cfg: cfg.model.pop("C"),
        lambda cfg: cfg.model.update({"C": 1}),
        lambda cfg: cfg.model.setdefault("D", 1),
    ],
)
def test_an_input_cannot_be_changed(body: Callable[[Any], Any]) -> None:
    message = refused(body).message
    assert "input 'cfg.model' cannot be changed while the graph is built" in message
    assert "turnout.fixed(cfg.model)" in message


def _is(body: Callable[..., Any]) -> GraphError:
    with pytest.raises(GraphError) as caught:
        workflow(body).trace({"cfg": OmegaConf.create(YAML), "flag": True})
    return caught.value


def test_is_on_an_input_is_refused_with_its_line() -> None:
    def plainly(cfg: DictConfig) -> Any:
        x = 1
        if cfg.name is x:
            see(1)

    error = _is(plainly)
    assert error.location == f"{HERE}:{inspect.getsourcelines(plainly)[1] + 2}"
    assert "'cfg.name is x' compares the input cfg.name by identity" in error.message
    assert "write ==, or turnout.fixed(cfg.name)" in error.message

    def parameter(flag: bool) -> Any:
        return see(flag is True)

    def through_names(cfg: DictConfig) -> Any:
        mode, other = cfg.model, 3
        deep = mode.deep
        return see(deep is not other)

    def through_loops(cfg: DictConfig) -> Any:
        for layer in cfg.layers:
            if layer.act is False:
                see(layer)

    def in_a_comprehension(cfg: DictConfig) -> Any:
        return [see(x) for x in cfg.grid if x is not True]

    def in_a_lambda(cfg: DictConfig) -> Any:
        return (lambda: see(cfg.n is Ellipsis))()

    for body in (parameter, through_names, through_loops, in_a_comprehension, in_a_lambda):
        assert "by identity" in _is(body).message


def test_is_none_and_is_on_what_is_plain_are_fine() -> None:
    marker = object()

    def flow(cfg: DictConfig, flag: Any = None) -> Any:
        plain = fixed(cfg.n)
        cfg2 = cfg
        cfg2 = fixed(cfg2)
        assert plain is plain  # noqa: PLR0124
        assert cfg2.nothing is None
        assert marker is not cfg2
        if flag is None and cfg.nothing is None and cfg.n is not None:
            see(plain)

    workflow(flow).trace({"cfg": OmegaConf.create({"n": 1, "nothing": None})})


def test_a_type_error_names_the_inputs_involved() -> None:
    def notes(body: Callable[[Any], Any]) -> str:
        with pytest.raises(TypeError) as caught:
            trace(body)
        return "\n".join(caught.value.__notes__)

    said = notes(lambda cfg: ",".join(cfg.grid))
    assert "inputs involved: cfg.grid;" in said
    assert "use turnout.fixed(cfg.grid) where its plain value is needed" in said
    assert "involved: cfg.n;" in notes(lambda cfg: json.dumps({"a": cfg.n, "b": 1}))
    assert "involved: cfg.name, cfg.n;" in notes(lambda cfg: cfg.name + cfg.n)
    assert "involved: cfg.n;" in notes(lambda cfg: np.sqrt(cfg.n))
    assert "task outputs are involved;" in notes(lambda cfg: np.sqrt(see(1)))

    def helper(value: Any) -> Any:
        return "a" + value

    def output(cfg: Any) -> Any:
        out = see(cfg.n)
        return json.dumps([out.part])

    assert "task outputs are involved (see.part);" in notes(output)
    assert "involved: cfg.model.C;" in notes(lambda cfg: helper(cfg.model.C))


def test_errors_of_libraries_name_the_inputs_and_those_of_users_do_not() -> None:
    with pytest.raises(ValueError, match="not a supported primitive type") as caught:
        trace(lambda cfg: OmegaConf.create({"a": cfg.n}))
    assert "use turnout.fixed(cfg.n)" in caught.value.__notes__[0]

    def body(cfg: Any) -> Any:
        raise ValueError(f"no such model: {cfg.name}")

    with pytest.raises(ValueError, match="no such model: fish") as plain:
        trace(body)
    assert not hasattr(plain.value, "__notes__")


def test_missing_keys_and_indices_are_errors_of_python_and_omegaconf() -> None:
    with pytest.raises(AttributeError, match=r"the config .cfg.model. has no key .nope."):
        trace(lambda cfg: cfg.model.nope)
    with pytest.raises(KeyError):
        trace(lambda cfg: cfg["nope"])
    with pytest.raises(IndexError):
        trace(lambda cfg: cfg.grid[7])
    with pytest.raises(IndexError):
        trace(lambda cfg: cfg.grid[-7])


def test_a_broken_interpolation_is_told_where_it_is_read() -> None:
    with pytest.raises(ConfigError, match=r"test_dsl_misuse.py:\d+: cfg.broken: 'broken': Inter"):
        trace(lambda cfg: cfg.broken)
    with pytest.raises(ConfigError, match=r"test_dsl_misuse.py:\d+: cfg: Interpolation key"):
        trace(lambda cfg: fixed(cfg))


def test_missing_values_steer_nothing() -> None:
    for body in (lambda cfg: cfg.late + 1, lambda cfg: fixed(cfg.late), lambda cfg: str(cfg.late)):
        message = refused(body).message
        assert message.startswith("input 'cfg.late' has no value yet and steers the workflow")
    assert "cfg.late" in refused(lambda cfg: 1 if cfg.late > 3 else 2).message
    assert "cfg.late" in refused(lambda cfg: [x for x in cfg.late.further]).message
    assert bound(trace(lambda cfg: cfg.get("late", 4), OmegaConf.create({"late": MISSING}))) == (
        "const",
        4,
    )


def test_only_allowed_inputs_may_be_fixed() -> None:
    options = {"fixed": ("n", "cfg.model")}
    traced = trace(lambda cfg: [fixed(cfg.n), fixed(cfg.model.C), len(cfg.model)], **options)
    assert fixings(traced) == ["cfg.model keys", "cfg.model.C", "cfg.n"]
    error = refused(lambda cfg: range(cfg.zero), **options)
    assert (
        error.message == "input 'cfg.zero' is fixed here, and workflow 'flow' allows only: "
        "cfg.model, n"
    )
    assert "allows only: none" in refused(lambda cfg: fixed(cfg.n), fixed=()).message
    with pytest.raises(TypeError, match="takes a tuple of paths"):
        workflow(fixed="n")(lambda n: n)


def test_what_is_allowed_to_be_fixed_is_an_input() -> None:
    def flow(cfg: DictConfig, folds: int = 1) -> None: ...

    for path in ("folds", "cfg", "cfg.model", "model.C", "grid[0]"):
        workflow(fixed=(path,))(flow).trace({"cfg": OmegaConf.create(YAML)})
    for path, meant in (("fodls", "folds"), ("modle.C", "model")):
        typo = workflow(fixed=("n", path))(flow)
        with pytest.raises(GraphError, match=f"allows '{path}' to be fixed, .* mean '{meant}'"):
            typo.trace({"cfg": OmegaConf.create(YAML)})
    workflow(fixed=("late",))(flow).trace({})


def test_an_input_belongs_to_its_workflow() -> None:
    kept: list[Any] = []
    trace(lambda cfg: kept.append(cfg))
    message = refused(lambda cfg: kept[0].n).message
    assert message.startswith("<input cfg.n> belongs to workflow 'flow' and is used in 'flow'")


def test_an_output_as_a_key_is_refused() -> None:
    assert "is used as a key" in refused(lambda cfg: cfg.model[see("C")]).message
