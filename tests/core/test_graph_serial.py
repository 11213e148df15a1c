"""Graphs as values: frozen, without callables, to JSON and back, the same bytes everywhere."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import types
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from turnout import Cache, Resources, Secret, conditional, dynamic, map_task, order, task, workflow
from turnout.errors import EncodeError
from turnout.graph import Graph, Value
from turnout.graph.serial import dumps, from_json, loads, to_json


class Pair(NamedTuple):
    left: Any
    right: Any


@task(retries=2, cache=Cache(depends=(json.dumps, "json"), packages=("numpy",)))
def one(x: Any = 0) -> Any:
    return x


@task(
    resources=Resources(cpu=0.5, mem="1Gi", custom={"tpu": 1}), secrets=["A", Secret("B", key="k")]
)
def two(a: Any, b: Any = None, *, c: Any = None) -> tuple[int, Any]:
    return 1, b


@dynamic(options={"flyte": {"labels": ("a", "b"), "n": {"x": 1}}}, env_vars={"Z": "1", "A": "2"})
def grow(n: int) -> list[int]:
    return [one(i) for i in range(n)]


@task
def note(error: str) -> None: ...


@workflow
def inner(x: Any, steps: int = 1) -> Any:
    for _ in range(steps):
        x = one(x)
    return x


constants = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters())
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.datetimes()
    | st.timedeltas()
    | st.sampled_from([pathlib.Path("a/b"), len, Pair, json.dumps, Pair(1, "x"), object]),
    lambda inside: (
        st.lists(inside)
        | st.tuples(inside, inside)
        | st.dictionaries(st.text() | st.integers(), inside)
        | st.sets(st.integers() | st.text())
        | st.builds(Pair, inside, inside)
    ),
    max_leaves=8,
)
steps = st.lists(
    st.tuples(st.sampled_from("tttpmcdsowi"), st.integers(0, 50), st.integers(0, 50), constants),
    max_size=12,
)


def build(program: list[tuple[str, int, int, Any]], cfg: Any) -> Any:
    """Interpret a program as a workflow body."""
    made: list[Any] = [cfg.a, cfg.b.c, one(cfg.b)]

    def pick(number: int) -> Any:
        return made[number % len(made)]

    for kind, first, second, constant in program:
        left, right = pick(first), pick(second)
        if kind == "t":
            made.append(two(left, [right, constant], c={"k": (left, constant)}))
        elif kind == "p":
            made.append(two(Pair(left, constant), b=right)[second % 2])
        elif kind == "m":
            made.append(map_task(partial(two, b=constant), concurrency=second + 1)([left, right]))
        elif kind == "c":
            opened = conditional("c").if_((one(left) >= first) | ~(one(1) == right))
            opened = opened.then([one(constant)]).elif_(one(right) < second).fail("no")
            made.append(opened.else_().then(two(constant)))
        elif kind == "d":
            made.append(grow(one(left)))
        elif kind == "s":
            made.append(inner(left, steps=second % 3))
        elif kind == "o":
            order(one(left), one(constant))
        elif kind == "w":
            made.append(one.with_options(retries=second, timeout=first + 1)(constant))
        elif first % 2 and cfg.b.c:
            made.append(cfg.names[second % len(cfg.names)])
    return made


CONFIG = {"a": 1, "b": {"c": 2, "d": [None]}, "names": ["x", "y"]}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=steps)
def test_any_graph_goes_to_json_and_back_unchanged(program: Any) -> None:
    def flow(cfg: Any) -> Any:
        return build(program, cfg)

    def trace() -> Graph:
        cfg = OmegaConf.create(CONFIG)
        return workflow(on_failure=note)(flow).trace({"cfg": cfg}).graph

    graph = trace()
    text = dumps(graph)
    back = loads(text)
    assert back == graph
    assert dumps(back) == text
    assert dumps(trace()) == text
    assert text.isascii()
    assert text == json.dumps(to_json(graph), sort_keys=True, separators=(",", ":"))
    assert from_json(to_json(graph)) == graph
    order_of = {node.id: index for index, node in enumerate(graph.nodes)}
    from turnout.dsl.finish import needs

    for node in graph.nodes:
        assert all(order_of[earlier] < order_of[node.id] for earlier in needs(node))


@given(number=st.integers(), name=st.sampled_from(["größe", "seconde", "a_b"]))
def test_names_of_any_alphabet_and_numbers_of_any_size_are_written_as_json(
    number: int, name: str
) -> None:
    def measure(größe: int, **more: Any) -> int:  # noqa: PLC2401  (users write in any language)
        return größe

    counted = task(name=name)(measure)

    def flow() -> Any:
        return counted(counted(number), **{'say "it"\n': 1, "no": None, "yes": True, "f": 0.5})

    graph = workflow(flow).trace({}).graph
    text = dumps(graph)
    assert text == json.dumps(to_json(graph), sort_keys=True, separators=(",", ":"))
    assert loads(text) == graph


@given(value=constants)
def test_constants_keep_value_and_type(value: Any) -> None:
    there = Value(encoded=Value(value).encoded)
    assert there == Value(value)
    assert there.object == value
    assert type(there.object) is type(value)
    assert hash(there) == hash(Value(value))


PROJECT = """
    import enum, dataclasses
    import turnout
    from turnout import task, workflow, conditional, map_task, Cache
    from flows.parts import inner, score

    class Mode(enum.Enum):
        FAST = "fast"

    @dataclasses.dataclass
    class Setup:
        name: str
        tags: set

    @task(cache=Cache(depends=(Setup,)))
    def load(setup: Setup, mode: Mode, names: set) -> dict:
        return {}

    @workflow
    def pipeline(cfg):
        data = load(Setup("a", {"x", "y", "z"}), Mode.FAST, {"one", "two", "three", 4})
        for name in cfg.names:
            data = inner(data, cfg.n)
        x = conditional("c").if_(score(data) > cfg.limit).then(score(data)).else_().fail("no")
        return {"a": map_task(score)([data, x]), "f": lambda: 0 if cfg.n else 1}["a"]
    """
PARTS = """
    from turnout import task, workflow

    @task
    def score(data) -> float:
        return 1.0

    @workflow
    def inner(data, n: int = 2):
        for _ in range(n):
            data = score(data)
        return data
    """
DUMP = """
    import sys
    from omegaconf import OmegaConf
    from turnout.graph.serial import dumps
    cfg = OmegaConf.create({"names": ["a", "b"], "n": 2, "limit": 0.5})
    sys.stdout.write(dumps(pipeline.trace({"cfg": cfg}).graph))
    """


def write(folder: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def test_the_same_bytes_in_another_process_folder_and_start(tmp_path: pathlib.Path) -> None:
    main = f"{textwrap.dedent(PROJECT)}\nif __name__ == '__main__':\n" + textwrap.indent(
        textwrap.dedent(DUMP), "    "
    )
    files = {"flows/__init__.py": "", "flows/parts.py": PARTS, "flows/train.py": main}
    for folder in ("one", "two"):
        write(tmp_path / folder, files)
    as_import = f"from flows.train import pipeline\n{textwrap.dedent(DUMP)}"
    texts = set()
    for seed, folder, arguments in (
        ("1", "one", ["-m", "flows.train"]),
        ("2", "two", ["-m", "flows.train"]),
        ("3", "one", ["-c", as_import]),
    ):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path / folder)}
        cwd = tmp_path if "-c" in arguments else tmp_path / folder
        done = subprocess.run(
            [sys.executable, *arguments],
            env=env,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=True,
        )
        texts.add(done.stdout)
    (text,) = texts
    graph = loads(text)
    assert {f.line for f in graph.fixed} == {"flows/train.py:22", "flows/parts.py:10"}
    assert graph.ref == "flows.train:pipeline"
    assert str(tmp_path) not in text


def test_a_script_and_its_module_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    script = textwrap.dedent(PARTS).replace("def inner(data, n: int = 2)", "def pipeline(cfg)")
    script = script.replace("range(n)", "range(cfg.n)").replace("data = score", "data = score")
    script = script.replace("score(data)\n    return", "score(cfg.limit)\n    return")
    script += f"\nif __name__ == '__main__':\n{textwrap.indent(textwrap.dedent(DUMP), '    ')}"
    write(tmp_path, {"train.py": script})
    texts = set()
    for arguments in (["train.py"], ["-c", f"from train import pipeline\n{textwrap.dedent(DUMP)}"]):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        texts.add(done.stdout)
    (text,) = texts
    assert '"train:pipeline"' in text
    assert "train.py:" in text


def test_a_graph_is_frozen_and_holds_no_callables() -> None:
    graph = inner.trace({"x": 1}).graph
    node = graph.nodes[0]
    for thing, name in ((graph, "nodes"), (node, "args"), (graph.tasks[node.task], "name")):
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
            setattr(thing, name, ())
    seen: list[Any] = [graph]
    while seen:
        thing = seen.pop()
        assert not isinstance(thing, (types.FunctionType, types.MethodType))
        if dataclasses.is_dataclass(thing):
            seen += [getattr(thing, f.name) for f in dataclasses.fields(thing)]
        elif isinstance(thing, dict):
            seen += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple)):
            seen += thing


def test_texts_that_are_no_graph() -> None:
    with pytest.raises(ValueError, match="a graph of format 99; this turnout reads 1"):
        loads('{"turnout_graph": 99}')
    with pytest.raises(ValueError, match="a graph of format None"):
        loads("{}")
    with pytest.raises(ValueError, match="unknown codec 'other' for a constant"):
        Value(encoded=("other", "")).object  # noqa: B018


def test_brief_graphs_describe_what_is_large_or_would_be_pickled() -> None:
    class Opaque:
        def __reduce__(self) -> Any:
            raise TypeError("never")

    values = [Opaque(), list(range(10_000)), [1, "a"], "x" * 5000, b"x" * 5000, len, [Opaque()]]
    graph = Graph(name="g", values=tuple(map(Value, values)))
    back = loads(dumps(graph, brief=True))
    assert [value.show() for value in back.values] == [
        "<Opaque>", "<list>", "[1, 'a']", "<str>", "<bytes>", "builtins:len", "<list>",
    ]  # fmt: skip
    assert dumps(back, brief=True) == dumps(graph, brief=True)
    with pytest.raises(ValueError, match="a constant, <Opaque>, was described in this graph and"):
        back.values[0].object  # noqa: B018
    with pytest.raises(EncodeError, match="a constant of type Opaque cannot be written into a gra"):
        dumps(graph)
    assert Value(Opaque()) != Value(Opaque())


def test_walking_a_graph_gives_each_graph_once() -> None:
    @workflow
    def outer() -> Any:
        return [inner(1), inner(2), inner(3, steps=2)]

    graph = outer.trace({}).graph
    assert [each.name for each in graph.walk()] == ["outer", "inner", "inner"]
    assert graph.node("inner").id == "inner"
    with pytest.raises(KeyError):
        graph.node("absent")
