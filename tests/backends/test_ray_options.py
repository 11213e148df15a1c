"""What of the settings for Ray is refused before Ray is started or asked."""

from __future__ import annotations

import http.server
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout import Resources, spi, task, workflow
from turnout.errors import ConfigError, PlanError, PluginError
from turnout_ray import knocking
from turnout_ray.backend import RayBackend, RayConfig
from turnout_ray.options import problems_of, remote_options


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()


@task
def one() -> int:
    return 1


@workflow
def single() -> int:
    return one()


def told(options: Any = None, resources: Any = None, **settings: Any) -> str:
    """What a run on a cluster is refused for; nobody is at that address."""
    said = {"options": None if options is None else {"ray": options}, "resources": resources}
    tasks = {"one": {name: value for name, value in said.items() if value is not None}}
    environment = {"backend": "ray", "address": "10.255.255.1:1", **settings}
    with pytest.raises((PlanError, ConfigError)) as refused:
        turnout.run(single, {"turnout": {"tasks": tasks}}, execution_environment=environment)
    return str(refused.value)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ("SPREAD", "options.ray is a mapping of settings, not 'SPREAD'"),
        ({"resources": {"tpu": "many"}}, "options.ray.resources: expected"),
        ({"resources": 3}, "options.ray.resources: expected"),
        ({"resources": {"tpu": -1}}, "resources must not be negative: tpu"),
        ({"resources": {"CPU": 1}}, "'CPU' is no custom resource; use Resources(cpu=...)"),
        ({"resources": {"tpu": 1.5}}, "above one, Ray gives whole ones only"),
        ({"max_retries": "three"}, "options.ray.max_retries: expected int | None"),
        ({"max_retries": -5}, "max_retries is a number of times, or -1"),
        ({"label_selector": {"a": 1}}, "options.ray.label_selector: expected"),
        ({"label_selector": {"my zone": "b"}}, "label_selector has 'my zone', and a label is"),
        ({"label_selector": {"a": "in(b"}}, "label_selector.a is VALUE, !VALUE, in(A, B) or"),
        ({"scheduling_strategy": "SPRAED"}, "scheduling_strategy is DEFAULT or SPREAD"),
        ({"runtime_env": "x"}, "options.ray.runtime_env: expected"),
        ({"runtime_env": {"pipp": ["a"]}}, "runtime_env has no 'pipp'; did you mean 'pip'?"),
        ({"runtime_env": {"env_vars": {"A": 1}}}, "options.ray.runtime_env: "),
        ({"runtime_env": {"working_dir": "/tmp"}}, "for a single task Ray takes URLs only"),
        ({"runtime_env": {"py_modules": ["here"]}}, "for a single task Ray takes URLs only"),
        ({"runtime_env": {"excludes": "data"}}, "excludes is a list of patterns, not 'data'"),
    ],
)
def test_settings_of_a_task_for_ray(options: Any, hint: str) -> None:
    said = told(options)
    assert hint in said
    assert "node 'one'" in said


def test_resources_that_ray_does_not_give() -> None:
    assert "asks for 1.5 gpu; above one" in told(resources={"gpu": 1.5})
    assert "custom['tpu'] is a number from 0" in told(resources={"custom": {"tpu": -1}})
    with pytest.raises(ValueError, match="is a number from 0, not '1'"):
        Resources(custom={"tpu": "1"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"placement_group": {"bundles": 3}}, "placement_group takes bundles"),
        ({"placement_group": {"bundles": [1]}}, "placement_group takes bundles"),
        ({"placement_group": {"bundles": [{"CPU": 1}], "strategy": "PAKC"}}, "STRICT_SPREAD"),
        (
            {"placement_group": {"bundles": [{"CPU": 0.5}]}},
            "node 'one' asks for 1 CPU, and no bundle of the group has that",
        ),
        (
            {"placement_group": {"bundles": [{"CPU": 1}]}, "scheduling_strategy": "SPREAD"},
            "set one of the two",
        ),
        (
            {"placement_group": {"bundles": [{"CPU": 64}]}, "address": "local", "num_cpus": 2},
            "placement_group asks for 64 CPU, and the instance that is started here has 2 CPU",
        ),
        (
            {"placement_group": {"bundles": [{"licence": 1}]}, "address": "local"},
            "asks for 1 licence, and the instance that is started here has 0 licence",
        ),
        ({"runtime_env": {"pipp": ["a"]}}, "did you mean 'pip'?"),
        ({"runtime_env": {"env_vars": {"A": 2}}}, "execution_environment.runtime_env: "),
        ({"runtime_env": {"excludes": "data"}}, "excludes is a list of patterns"),
        ({"runtime_env": {"working_dir": "/nope"}}, "'/nope', and there is nothing of that name"),
        ({"object_store_memory": "10"}, "object_store_memory=10 is 10 bytes; Ray needs 75Mi"),
        ({"address": "http://127.0.0.1:8265"}, "is a dashboard's, for submit=true"),
        ({"address": "ray://127.0.0.1:1", "submit": True}, "is for joining a cluster"),
        ({"address": "http://joe:secret@h:8265", "submit": True}, "RAY_JOB_HEADERS"),
    ],
)
def test_settings_of_the_environment(settings: Any, hint: str) -> None:
    said = told(**settings)
    assert hint in said
    assert "joe:secret" not in said


def test_a_task_may_not_leave_the_placement_group() -> None:
    group = {"bundles": [{"CPU": 1}]}
    said = told({"scheduling_strategy": "SPREAD"}, placement_group=group)
    assert "node 'one' would be placed by scheduling_strategy=SPREAD, outside of" in said


def test_an_image_reaches_ray_wherever_the_run_is_driven(monkeypatch: pytest.MonkeyPatch) -> None:
    options = spi.TaskOptions(image="team/image:1")
    image = {"runtime_env": {"image_uri": "team/image:1"}}
    submitted = RayConfig(address="http://h:8265", submit=True, store="s")
    assert remote_options(submitted, options).items() >= image.items()
    there = RayBackend().elsewhere(submitted)
    assert "runtime_env" not in remote_options(there, options), "an instance started here"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # as it is in a Ray job
    assert remote_options(there, options).items() >= image.items()


def test_a_bundle_may_name_what_ray_alone_knows() -> None:
    bundles = [{"CPU": 1, "node:__internal_head__": 0.001}]
    config = RayConfig(address="local", num_cpus=1, placement_group={"bundles": bundles})
    assert not RayBackend().check(config)


def test_what_an_image_would_not_have_is_refused() -> None:
    image = spi.TaskOptions(image="team/image:1", options={"ray": {"runtime_env": {"pip": ["a"]}}})
    config = RayConfig(address="auto", runtime_env={"conda": "b", "env_vars": {"C": "c"}})
    of_all, own = problems_of(config, "one", image)
    assert of_all.startswith("node 'one' has an image, in which execution_environment.runtime_env")
    assert "has no effect: conda;" in of_all
    assert "options.ray.runtime_env has no effect: pip;" in own
    assert not problems_of(RayConfig(address="local"), "one", image), "it runs without one"


def test_whole_numbers_and_urls_are_fine() -> None:
    config = RayConfig(address="auto")
    fine = {
        "resources": {"tpu": 2, "half": 0.5},
        "runtime_env": {"pip": ["a"], "working_dir": "s3://bucket/project.zip"},
        "max_retries": -1,
    }
    options = spi.TaskOptions(options={"ray": fine}, resources=Resources(gpu=2))
    assert list(RayBackend().refuse(config, "one", options)) == []


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"options": {"label_selector": {"zone": "b"}}}, "asks for a machine with a label 'zone'"),
        ({"resources": {"mem": "900Ti"}}, "asks for 9.22e+05 GiB of memory and this machine has"),
        ({"num_cpus": 0}, "asks for 1 cpu and this machine's instance has 0"),
    ],
)
def test_what_an_instance_started_here_will_never_have(settings: Any, hint: str) -> None:
    assert hint in told(**settings, address="local")


def test_labels_that_ray_gives_can_be_asked_for() -> None:
    options = spi.TaskOptions(options={"ray": {"label_selector": {"ray.io/node-id": "a"}}})
    assert not problems_of(RayConfig(address="local"), "one", options)


def test_who_does_not_speak_as_ray_does_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        there = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(PluginError, match="no cluster\nit says nothing, or wants TLS"):
            knocking.knock(f"ray://{there}")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as pages:
        threading.Thread(target=pages.handle_request, daemon=True).start()
        with pytest.raises(PluginError, match="what answers there is no cluster"):
            knocking.knock(f"127.0.0.1:{pages.server_port}")
