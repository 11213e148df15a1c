"""The config a workflow's signature describes, and its parameters' values in a composed one."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from turnout.backend.registry import choices
from turnout.config import environments, reserved
from turnout.config.composed import Workflow
from turnout.errors import ConfigError, cause

if TYPE_CHECKING:
    from omegaconf import DictConfig

EMPTY: Final = inspect.Parameter.empty
_TAKEN: Final = {environments.GROUP: "turnout", reserved.NODE: "turnout", "hydra": "Hydra"}


def described(workflow: Workflow) -> DictConfig:
    """The config of the signature alone: a key for every parameter.

    The fields of a dataclass that receives the whole config stand at the top. What has no
    default is ``???``. Keys are typed as far as OmegaConf knows the annotation.

    Raises:
        ConfigError: a parameter or a field has a reserved name.
    """
    from omegaconf import OmegaConf

    check_names(workflow)
    base: DictConfig = OmegaConf.create()
    for name, parameter in workflow.signature.parameters.items():
        annotation = workflow.hints.get(name, Any)
        if not workflow.takes_whole(name):
            _place(base, _node(name, annotation, parameter.default))
        elif dataclasses.is_dataclass(annotation):
            given = parameter.default
            _place(base, OmegaConf.structured(annotation if _is_type(given) else given))
    return base


def check_names(workflow: Workflow) -> None:
    """Refuse parameters of a name that no input can have, and such fields of a whole config.

    Raises:
        ConfigError: there is one.
    """
    for name in workflow.signature.parameters:
        annotation = workflow.hints.get(name, Any)
        fields: Iterable[Any] = ()
        if workflow.takes_whole(name) and dataclasses.is_dataclass(annotation):
            fields = dataclasses.fields(annotation)
        for what, key in (("parameter", name), *(("config field", f.name) for f in fields)):
            if key in _TAKEN:
                raise ConfigError(
                    f"workflow {workflow.name!r} has a {what} {key!r}, and that name is reserved: "
                    f"that key of a config is {_TAKEN[key]}'s own; rename the {what}"
                )


def bind(workflow: Workflow, cfg: DictConfig) -> dict[str, Any]:
    """The value of each parameter that has one, by name.

    Raises:
        ConfigError: a value is an interpolation that leads nowhere.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

    values: dict[str, Any] = {}
    for name in workflow.signature.parameters:
        if workflow.takes_whole(name):
            values[name] = cfg
            continue
        try:
            if cfg._get_node(name, validate_access=False) is not None and not OmegaConf.is_missing(
                cfg, name
            ):
                values[name] = cfg[name]
        except InterpolationToMissingValueError:
            continue
        except OmegaConfBaseException as error:
            raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from cause(error)
    return values


def check_keys(workflow: Workflow, keys: Iterable[Any], *, closed: bool = False) -> None:
    """Refuse top-level keys no parameter receives, where the signature can tell.

    Args:
        workflow: whose parameters receive them. One that takes a ``DictConfig`` takes any key,
            one that takes a dataclass only its fields.
        keys: the config's keys.
        closed: refuse them too where parameters take single keys. A config from files may have
            more, for its own interpolations.

    Raises:
        ConfigError: a key is not among those described.
    """
    known: set[str] = set()
    for name in workflow.signature.parameters:
        if not workflow.takes_whole(name):
            known.add(name)
            continue
        annotation = workflow.hints.get(name, Any)
        if not dataclasses.is_dataclass(annotation):
            return
        closed = True
        known.update(f.name for f in dataclasses.fields(annotation))
    for key in keys if closed else ():
        if key not in known:
            raise ConfigError(
                f"unknown config key {str(key)!r} of workflow {workflow.name!r}; "
                f"{choices(str(key), known)}"
            )


def _node(name: str, annotation: Any, default: Any) -> DictConfig:
    """A config of one key; untyped where OmegaConf cannot express the annotation or default."""
    from omegaconf import MISSING, DictConfig, OmegaConf

    value = MISSING if default is EMPTY else default
    if default is EMPTY and isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        value = annotation  # its fields have defaults of their own, or are missing one by one
    for kind in (annotation, Any):
        field = dataclasses.field(default_factory=lambda: value)
        try:
            made = dataclasses.make_dataclass("Inputs", [(name, kind, field)])
            typed = OmegaConf.structured(made)
        except Exception:  # OmegaConf has no one exception for what it cannot express
            continue
        if isinstance(typed, DictConfig):
            return typed
    # The default is nothing a config can hold: the parameter takes it where nothing is given.
    return OmegaConf.create({name: MISSING})


def _place(base: DictConfig, typed: DictConfig) -> None:
    """Move typed children below an untyped root, which further keys can join."""
    for key in typed:
        if key == "defaults":
            continue
        base._set_item_impl(key, typed._get_node(key))


def _is_type(default: Any) -> bool:
    return default is EMPTY or isinstance(default, type) or default is None
