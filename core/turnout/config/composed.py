"""What composing a config gives, whichever way it was composed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from turnout.config.reserved import Settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from turnout.backend.base import EnvironmentConfig


class Workflow(Protocol):
    """What this package asks of a workflow."""

    @property
    def fn(self) -> Callable[..., Any]:
        """The function."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def config_path(self) -> str | None:
        """Directory of its config, relative to the function's file."""

    @property
    def config_name(self) -> str | None:
        """Name of its primary config."""

    @property
    def version_base(self) -> str | None:
        """Hydra's compatibility version."""

    @property
    def signature(self) -> inspect.Signature:
        """The function's signature."""

    @property
    def hints(self) -> Mapping[str, Any]:
        """Parameter name to annotation."""

    def takes_whole(self, name: str, /) -> bool:
        """Whether a parameter receives the whole config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """One job's config, taken apart.

    Attributes:
        cfg: the config as the workflow sees it, without the reserved nodes; empty where inputs
            were given as values only.
        inputs: the value of each workflow parameter that has one; a parameter that is not
            here takes its default, and without a default it is open.
        environment: the option chosen for ``execution_environment``, such as ``prod``.
        settings: the environment's settings, an instance of its backend's schema.
        turnout: the settings of the ``turnout`` node.
        borrowed: paths of ``cfg`` whose values were interpolated from a reserved node.
        masked: the interpolations that lead to ``oc.env``, by the full key of their value.
        advice: what to say where inputs turn out to have no value.
        overrides: the job's overrides, as typed.
        choices: the option chosen for each config group.
        output_dir: Hydra's directory of the job; ``None`` outside a Hydra application.
        job_number: the job's place in its sweep; ``None`` for a single run.
    """

    cfg: DictConfig | Mapping[str, Any]
    inputs: Mapping[str, Any]
    environment: str
    settings: EnvironmentConfig
    turnout: Settings = field(default_factory=Settings)
    borrowed: tuple[str, ...] = ()
    masked: Mapping[str, str] = field(default_factory=dict)
    advice: str = ""
    overrides: tuple[str, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)
    output_dir: Path | None = None
    job_number: int | None = None
