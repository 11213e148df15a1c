"""A composed config taken apart: reserved nodes, inputs, and what the workflow sees."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from turnout.config import environments, inputs, reserved
from turnout.config.composed import Composed, Workflow
from turnout.config.explain import explain
from turnout.config.masked import masked, masked_settings
from turnout.errors import cause

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from turnout.backend.base import EnvironmentConfig

RESERVED: Final = (environments.GROUP, reserved.NODE)
_NAMES_RESERVED: Final = re.compile(rf"(?<![\w-])({'|'.join(RESERVED)})(?![\w-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What Hydra knows of a job.

    Attributes:
        overrides: as typed, without Hydra's own.
        choices: the option chosen for each config group.
        output_dir: the job's directory.
        number: its place in a sweep.
    """

    overrides: tuple[str, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)
    output_dir: Path | None = None
    number: int | None = None

    @classmethod
    def of(cls, hydra: DictConfig) -> Job:
        """Read the ``hydra`` node of a composed config."""
        from omegaconf import OmegaConf

        # As typed: read one by one they would be resolved, ``x=${y}`` too.
        typed: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
        output = OmegaConf.select(hydra, "runtime.output_dir", throw_on_missing=False)
        return cls(
            overrides=tuple(typed),
            choices=dict(hydra.runtime.choices),
            output_dir=Path(output) if output else None,
            number=OmegaConf.select(hydra, "job.num", throw_on_missing=False),
        )


def take_apart(
    workflow: Workflow,
    full: DictConfig,
    *,
    job: Job,
    environment: str | Mapping[str, Any] | DictConfig | EnvironmentConfig | None = None,
    pin_hydra: bool = False,
) -> Composed:
    """Separate the reserved nodes from the rest.

    Args:
        workflow: whose parameters the config feeds.
        full: the composed config; left as it is.
        job: what Hydra knows.
        environment: used instead of the config's own node.
        pin_hydra: resolve ``${hydra:...}`` now, because Hydra will not be there later.

    Raises:
        ConfigError: a reserved node is wrong, or an input cannot be resolved.
        PluginError: the plugin that brings the environment is broken.
    """
    from omegaconf import OmegaConf, flag_override
    from omegaconf.errors import OmegaConfBaseException

    if environment is None:
        name, settings = environment_of(full, job.choices)
    else:
        name, settings = environments.resolve(environment)
    secret = masked(full)
    if environment is not None:
        secret = {key: text for key, text in secret.items() if not _of_group(key)}
        secret |= masked_settings(environments.GROUP, environment)
    try:
        said = None
        if full._get_node(reserved.NODE, validate_access=False) is not None:
            said = full[reserved.NODE]
        if OmegaConf.is_config(said):
            said = OmegaConf.to_container(said, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise explain(error, within=reserved.NODE) from cause(error)
    turnout = reserved.parse(said)
    cfg = copy.deepcopy(full)
    borrowed: list[str] = []
    with flag_override(cfg, ["struct", "readonly"], [False, False]):
        _pin(cfg, borrowed, pin_hydra)
        for key in (*RESERVED, "hydra"):
            if cfg._get_node(key, validate_access=False) is not None:
                del cfg[key]
    if OmegaConf.get_type(cfg) is dict:
        inputs.check_keys(workflow, cfg)
    return Composed(
        cfg=cfg,
        inputs=inputs.bind(workflow, cfg),
        environment=name,
        settings=settings,
        turnout=turnout,
        borrowed=tuple(borrowed),
        masked=secret,
        overrides=job.overrides,
        choices=job.choices,
        output_dir=job.output_dir,
        job_number=job.number,
    )


def _of_group(key: str) -> bool:
    return key.partition(".")[0] == environments.GROUP


def environment_of(full: DictConfig, chosen: Mapping[str, Any]) -> tuple[str, EnvironmentConfig]:
    """The environment a composed config names, and its settings.

    Args:
        full: the composed config.
        chosen: the option chosen for each config group.

    Raises:
        ConfigError: there is no such environment, or a setting is wrong.
        PluginError: the plugin that brings the environment is broken.
    """
    node: Any = full._get_node(environments.GROUP, validate_access=False)
    option = None
    if node is not None:
        node = _plain_scalar(node)
        option = chosen.get(environments.GROUP)
    return environments.resolve(node, option if isinstance(option, str) else None)


def _plain_scalar(node: Any) -> Any:
    """What a node that is no mapping holds; a mapping as it is."""
    from omegaconf import DictConfig

    if isinstance(node, DictConfig):
        if node._is_interpolation():
            return node._dereference_node()
        return None if node._is_none() else node
    return node._dereference_node()._value() if node._is_interpolation() else node._value()


def _pin(container: Any, borrowed: list[str], pin_hydra: bool) -> None:
    """Replace interpolations that name a reserved node, which is about to go, by their values."""
    from omegaconf import DictConfig, ListConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if container._is_none() or container._is_missing() or container._is_interpolation():
        return
    root = container._get_parent() is None
    keys = list(container.keys()) if isinstance(container, DictConfig) else range(len(container))
    for key in keys:
        if root and key in (*RESERVED, "hydra"):
            continue
        node = container._get_node(key)
        if node._is_interpolation():
            text = str(node._value())
            names_reserved = _NAMES_RESERVED.search(text) is not None
            if not names_reserved and not (pin_hydra and "${hydra:" in text):
                continue
            try:
                value = container[key]
                if OmegaConf.is_config(value):
                    value = OmegaConf.to_container(value, resolve=True)
                container[key] = value
            except OmegaConfBaseException:
                continue  # whoever reads it gets the error
            if names_reserved:
                borrowed.append(container._get_full_key(key))
        elif isinstance(node, (DictConfig, ListConfig)):
            _pin(node, borrowed, pin_hydra)
