"""What the record of a run has of its config, and how it is used again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import turnout
from turnout import task, workflow
from turnout.api.recorded import recorded, settings_of
from turnout.config.plain import compose_plain

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    monkeypatch.setenv("KEY_OF_TOKEN", "token")
    monkeypatch.setenv("PLACE", str(tmp_path / "results"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def resolver() -> Iterator[None]:
    OmegaConf.register_new_resolver("peek", lambda key, *, _root_: _root_[key])
    yield
    OmegaConf.clear_resolver("peek")


@task(cache=True)
def text(x: str) -> str:
    return x


@workflow
def reads_b(cfg: DictConfig) -> str:
    return text(cfg.b)


def of(config: str, flow: Any = reads_b, **given: Any) -> dict[str, Any]:
    return recorded(compose_plain(flow, OmegaConf.create(config), **given))


def test_what_cannot_be_resolved_and_is_not_read_stays_a_text() -> None:
    config = """
    a: ${nope}
    b: ok
    c: [1, "${.5}", "${oc.env:NOPE}", "x${a}"]
    again: {itself: "${again}", other: "${b}"}
    round: ${round}
    late: ???
    later: ${late}
    """
    run = turnout.run(reads_b, OmegaConf.create(config))
    assert run.outputs == "ok"
    assert turnout.get_run(run.id)._record().config["inputs"] == {  # type: ignore[index]
        "a": "${nope}",
        "b": "ok",
        "c": [1, "${.5}", "${oc.env:NOPE}", "x${a}"],
        "again": {"itself": "${again}", "other": "ok"},
        "round": "${round}",
        "late": "???",
        "later": "${late}",
    }


def test_values_of_variables_are_masked_wherever_they_get_to(resolver: None) -> None:
    config = """
    token: ${oc.env:TOKEN}
    b: ${token}
    url: pg://${b}@host
    name: token
    by_name: ${${name}}
    by_variable: ${${oc.env:KEY_OF_TOKEN}}
    selected: ${oc.select:token}
    peeked: ${peek:token}
    listed: ${oc.dict.values:part}
    part: {deep: [1, "${oc.env:TOKEN}"], n: 3}
    copy: ${part}
    borrowed: ${execution_environment.env_vars.T}
    further: ${borrowed}
    execution_environment: {env_vars: {T: "${oc.env:TOKEN}", U: "${name}"}}
    """
    found = of(config)
    assert SECRET not in str(found)
    inputs, settings = found["inputs"], found["execution_environment"]
    written = OmegaConf.to_container(OmegaConf.create(config))
    del written["execution_environment"]  # type: ignore[union-attr,arg-type]
    assert inputs == written
    assert settings["env_vars"] == {"T": "${oc.env:TOKEN}", "U": "token"}
    assert compose_plain(reads_b, OmegaConf.create(config)).inputs["cfg"].b == SECRET


def test_the_resolver_is_left_as_it_was() -> None:
    from omegaconf.basecontainer import BaseContainer

    before = BaseContainer._resolvers["oc.env"]
    of("b: ${oc.env:TOKEN}")
    assert BaseContainer._resolvers["oc.env"] is before


def test_settings_given_apart_from_the_config_are_masked_and_replace_its_own() -> None:
    given = {"env_vars": {"T": "${oc.env:TOKEN}"}}
    for found in (
        of("b: 1", environment=given),
        of("{b: 1, execution_environment: {keep: '${oc.env:TOKEN}'}}", environment=given),
        recorded(compose_plain(single, environment=given, given={"x": "a"})),
    ):
        assert found["execution_environment"]["env_vars"] == {"T": "${oc.env:TOKEN}"}
        assert found["execution_environment"]["keep"] == "auto"


@workflow
def single(x: str) -> str:
    return text(x)


def test_results_are_found_in_a_store_that_a_variable_names() -> None:
    config = "{b: ok, execution_environment: {store: '${oc.env:PLACE}'}}"
    run = turnout.run(reads_b, OmegaConf.create(config))
    assert turnout.run(reads_b, OmegaConf.create(config)).nodes[0].cached
    assert turnout.get_run("latest").output("text") == "ok"
    assert run.status == "succeeded"


def test_a_store_with_credentials_is_masked_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORE", f"s3://me:{SECRET}@bucket/x")
    config = "{b: ok, place: '${oc.env:STORE}', execution_environment: {store: '${place}'}}"
    found = of(config)
    assert found["execution_environment"]["store"] == "${place}"

    class Record:
        config = found

    again = settings_of(Record())  # type: ignore[arg-type]
    assert again["store"] == f"s3://me:{SECRET}@bucket/x"
    monkeypatch.delenv("STORE")
    assert settings_of(Record())["store"] == "${place}"  # type: ignore[arg-type]
