"""A config made by the caller: `turnout.run` from Python, and under a plain ``@hydra.main``.

Hydra is asked for what it knows where the caller's process has it loaded, and never imported.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from turnout.backend.registry import choices, registry
from turnout.config import environments, inputs
from turnout.config.apart import Job, take_apart
from turnout.config.composed import Composed, Workflow
from turnout.config.explain import explain
from turnout.config.masked import masked_settings
from turnout.errors import ConfigError, cause

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from turnout.backend.base import EnvironmentConfig

_SCALARS: Final = (str, int, float, bytes, Path, enum.Enum, type(None))


def compose_plain(
    workflow: Workflow,
    config: Any = None,
    environment: str | Mapping[str, Any] | DictConfig | EnvironmentConfig | None = None,
    given: Mapping[str, Any] | None = None,
) -> Composed:
    """Compose from Python values.

    Args:
        workflow: whose parameters the config feeds.
        config: a ``DictConfig``, mapping or dataclass instance; it may hold the reserved nodes.
        environment: a name or settings; wins over the config's ``execution_environment``.
        given: inputs by parameter name, which win over the config's keys.

    Raises:
        ConfigError: a key or input is unknown, or a value cannot be used.
        PluginError: the plugin that brings the environment is broken.
    """
    inputs.check_names(workflow)
    if isinstance(environment, str):
        _check_environment(environment)
    values = dict(given or {})
    parameters = workflow.signature.parameters
    for name in values:
        if name not in parameters:
            raise ConfigError(
                f"workflow {workflow.name!r} has no input {name!r}; {choices(name, parameters)}"
            )
    whole = next((name for name in parameters if workflow.takes_whole(name)), None)
    if whole is not None and whole in values:
        if config is not None:
            raise ConfigError(f"the config is given twice: as config and as {whole!r}")
        config = values.pop(whole)
    job = running_job()
    if config is None and (whole is None or not _describes_itself(workflow, whole)):
        name, settings = environments.resolve(environment)
        return Composed(
            cfg={},
            inputs=values,
            environment=name,
            settings=settings,
            masked=_masked(environment),
            advice=_advice(workflow),
            overrides=job.overrides,
            choices=job.choices,
            output_dir=job.output_dir,
            job_number=job.number,
        )
    full, objects = _as_config(workflow, config, whole)
    composed = take_apart(workflow, full, job=job, environment=environment)
    if isinstance(config, Mapping):
        inputs.check_keys(workflow, [*composed.cfg, *objects], closed=True)
    return dataclasses.replace(composed, inputs={**composed.inputs, **objects, **values})


def running_job() -> Job:
    """What Hydra says of the job this process is in; nothing where it is in none."""
    module = sys.modules.get("hydra.core.hydra_config")
    if module is None or not module.HydraConfig.initialized():
        return Job()
    return Job.of(module.HydraConfig.get())


def _check_environment(name: str) -> None:
    """Refuse a name that is no backend's; it may be that of a preset, which a call cannot find."""
    try:
        registry().backend(name)
    except ConfigError as error:
        raise ConfigError(
            f"{error}. A preset is a file of a Hydra config, and known where that is composed; "
            f"give turnout.run what compose(..., overrides=['+execution_environment={name}']) gives"
        ) from None


def _advice(workflow: Workflow) -> str:
    """How a workflow that was given no config is given the one of its files."""
    if workflow.config_name is None:
        return ""
    return (
        f"From Python nobody reads the config files of workflow {workflow.name!r}: compose "
        f"{workflow.config_name!r} with Hydra (initialize and compose), and call "
        f"turnout.run({workflow.name}, cfg)"
    )


def _masked(environment: Any) -> dict[str, str]:
    """What of settings comes from ``oc.env``; OmegaConf is asked only if they name it."""
    if isinstance(environment, (str, type(None))) or "${" not in str(environment):
        return {}
    return masked_settings(environments.GROUP, environment)


def _describes_itself(workflow: Workflow, whole: str) -> bool:
    """Whether the parameter's annotation is enough to make a config: a dataclass's defaults."""
    default = workflow.signature.parameters[whole].default
    return default is inputs.EMPTY and dataclasses.is_dataclass(workflow.hints.get(whole))


def _as_config(
    workflow: Workflow, config: Any, whole: str | None
) -> tuple[DictConfig, dict[str, Any]]:
    """A config, and the values no config can hold, which are inputs as they are."""
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(config, DictConfig):
        return config, {}
    objects: dict[str, Any] = {}
    try:
        if config is None:
            return inputs.described(workflow), {}
        if dataclasses.is_dataclass(config):
            return OmegaConf.structured(config), {}
        if not isinstance(config, Mapping):
            raise ConfigError(
                "config is a DictConfig, a mapping or a dataclass, "
                f"not a value of type {type(config).__name__}"
            )
        held: dict[str, Any] = {}
        for key, value in config.items():
            where = held if _can_be_held(value) else objects
            where[key] = value
        if whole is not None and objects:
            name = next(iter(objects))
            raise ConfigError(
                f"config key {name!r} is of type {type(objects[name]).__name__}, which a config "
                f"cannot hold; give workflow {workflow.name!r} a parameter for it"
            )
        full: DictConfig = OmegaConf.create(held)
        if whole is not None and _describes_itself(workflow, whole):
            base = inputs.described(workflow)
            base.merge_with(full)
            full = base
    except OmegaConfBaseException as error:
        raise explain(error) from cause(error)
    return full, objects


def _can_be_held(value: Any) -> bool:
    if isinstance(value, (*_SCALARS, Mapping, list, tuple)):
        return True
    if dataclasses.is_dataclass(value):
        return True
    return type(value).__module__.startswith("omegaconf")
