"""Hydra's config loader with what turnout adds to every composition.

Three things, none of which the user's files have to mention: the signature's keys and the
``turnout`` node come first, the ``execution_environment`` group comes before the primary config
unless the user's own defaults name it, and turnout's launcher stands in for Hydra's basic one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final, get_origin

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ConfigDefault, GroupDefault, InputDefault, ResultDefault
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from turnout.backend.registry import registry
from turnout.config import reserved
from turnout.config.environments import GROUP
from turnout.errors import ConfigError

LAUNCHER: Final = "turnout"
_NO_PRIMARY: Final = "_dummy_empty_config_"  # what Hydra composes where there is no config name
_BASE: Final = "_turnout_"
_DUPLICATE: Final = (
    f"{GROUP} appears more than once in the final defaults list",
    f"Multiple values for {GROUP}.",
)


class _Repository(ConfigRepository):
    """Config files and entries, with turnout's defaults added to two of them."""

    primary: str = _NO_PRIMARY
    environment: str | None = None

    def load_config(self, config_path: str) -> ConfigResult | None:
        found = super().load_config(config_path)
        if found is None:
            return None
        if config_path == self.primary and self.environment is not None:
            found.defaults_list = _with_group(found.defaults_list or [], self.environment)
        elif config_path == "hydra/config":
            for default in found.defaults_list or ():
                if isinstance(default, GroupDefault) and default.group == "launcher":
                    default.value = LAUNCHER
        return found


class Loader(ConfigLoaderImpl):
    """Composes configs for one workflow.

    Args:
        search_path: where configs are found.
        base: the config the workflow's signature describes.
    """

    def __init__(self, search_path: ConfigSearchPath, base: DictConfig) -> None:
        super().__init__(search_path)
        self.repository: _Repository = _Repository(search_path)
        self._base: DictConfig = OmegaConf.create({reserved.NODE: reserved.defaults()})
        for key in base:
            self._base._set_item_impl(key, base._get_node(key))

    def _load_configuration_impl(
        self, config_name: str | None, *args: Any, **kwargs: Any
    ) -> DictConfig:
        implementation = super()._load_configuration_impl
        composed: DictConfig = self._with_group(
            config_name, lambda: implementation(config_name, *args, **kwargs)
        )
        return composed

    def compute_defaults_list(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode
    ) -> DefaultsList:
        """The defaults list as `load_configuration` uses it, for ``--info``."""
        implementation = super().compute_defaults_list
        found: DefaultsList = self._with_group(
            config_name, lambda: implementation(config_name, overrides, run_mode)
        )
        return found

    def _with_group(self, config_name: str | None, compose: Callable[[], Any]) -> Any:
        """Compose with the group added; without, if the user's defaults turn out to name it.

        They can name it anywhere: in a nested file, or with ``+`` on the command line.
        """
        repository = self.repository
        repository.primary = config_name or _NO_PRIMARY
        repository.environment = _default_name()
        try:
            return compose()
        except ConfigCompositionException as error:
            if not str(error).startswith(_DUPLICATE):
                raise
        finally:
            repository.environment = None
        return compose()

    def _compose_config_from_defaults_list(
        self, defaults: list[ResultDefault], repo: IConfigRepository
    ) -> DictConfig:
        base = ResultDefault(config_path=_BASE, package="")
        cfg = super()._compose_config_from_defaults_list([base, *defaults], repo)
        # Hydra closes every mapping next; these take keys nobody has declared.
        node = cfg._get_node(reserved.NODE)
        if isinstance(node, DictConfig) and not node._is_none():
            for key in ("tasks", "plugins"):
                _open(node._get_node(key))
        group = cfg._get_node(GROUP)
        if isinstance(group, DictConfig):
            if OmegaConf.get_type(group) is dict:
                _open(group)  # a user's file that hides the schema; its keys are checked later
            else:
                _open_mappings(group)
        for name in self._base:
            if name != reserved.NODE:
                _open_mappings(cfg._get_node(name))
        return cfg

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        if default.config_path == _BASE:
            return ConfigResult(
                provider="turnout", path="turnout://", config=copy.deepcopy(self._base), header={}
            )
        return super()._load_single_config(default, repo)


def _default_name() -> str:
    try:
        return registry().default().name
    except ConfigError:
        return "???"  # Hydra then asks for a choice and lists the options


def _with_group(defaults: Sequence[InputDefault], environment: str) -> list[InputDefault]:
    """The primary config's defaults with the group before everything else of it."""
    theirs = list(defaults)
    for default in theirs:
        if (
            isinstance(default, GroupDefault)
            and not default.is_override()
            and default.group in (GROUP, f"/{GROUP}")
            and default.package is None
        ):
            return theirs
    # Absolute, so that it is the same key for a primary config in a subdirectory.
    added = GroupDefault(group=f"/{GROUP}", value=environment, package=f"_global_.{GROUP}")
    if all(default.is_override() for default in theirs):
        # Hydra adds `_self_` to a list that has entries, with a warning to its author.
        return [added, ConfigDefault(path="_self_"), *theirs]
    return [added, *theirs]


def _open(node: Any) -> None:
    if isinstance(node, DictConfig) and not node._is_interpolation():
        OmegaConf.set_struct(node, False)


def _open_mappings(node: Any) -> None:
    """Let what is annotated as a mapping take new keys; everything else stays closed."""
    if not isinstance(node, DictConfig) or node._is_interpolation():
        return
    kind = node._metadata.ref_type
    if kind is dict or get_origin(kind) is dict:
        _open(node)
    if node._is_missing() or node._is_none():
        return
    for _, child in node.items_ex(resolve=False):
        _open_mappings(child)
