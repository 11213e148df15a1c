"""Where a workflow's configs are found, and what its jobs are called."""

from __future__ import annotations

import inspect
import os

from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.utils import (
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
    detect_task_name,
)
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.utils import validate_config_path

from turnout.config.composed import Workflow
from turnout.errors import ConfigError


def search_path(
    workflow: Workflow, config_path: str | None = None, config_dir: str | None = None
) -> ConfigSearchPath:
    """Hydra's search path, with ``config_path`` relative to the workflow's file.

    Args:
        workflow: whose file it is.
        config_path: used instead of the workflow's own.
        config_dir: a further directory, searched before turnout's and Hydra's own entries.

    Raises:
        ConfigError: a path is not what it has to be.
    """
    path = config_path if config_path is not None else workflow.config_path
    try:
        validate_config_path(path)
    except ValueError as error:
        raise ConfigError(str(error).strip()) from error
    found = create_automatic_config_search_path(*_origin(workflow), path)
    if config_dir is not None:
        folder = os.path.abspath(config_dir)
        if not os.path.isdir(folder):
            raise ConfigError(f"--config-dir: there is no directory {config_dir!r}")
        found.prepend(
            provider="command-line",
            path=f"file://{folder}",
            anchor=SearchPathQuery(provider="schema"),
        )
    assert isinstance(found, ConfigSearchPathImpl)
    return found


def job_name(workflow: Workflow) -> str:
    """The name of the workflow's file, as Hydra names jobs."""
    return detect_task_name(*_origin(workflow))


def _origin(workflow: Workflow) -> tuple[str | None, str | None]:
    """The workflow's file; its module where it was not loaded from a directory."""
    function = inspect.unwrap(workflow.fn)
    file = function.__code__.co_filename
    if "HYDRA_MAIN_MODULE" not in os.environ and os.path.isfile(file):
        return file, None
    if function.__module__ == "__main__":
        return os.path.join(os.getcwd(), f"{workflow.name}.py"), None
    found: tuple[str | None, str | None] = detect_calling_file_or_module_from_task_function(
        function
    )
    return found
