"""A workflow's config from overrides, without running a Hydra application."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.config.apart import Job, take_apart
from turnout.config.composed import Composed, Workflow


def compose_args(workflow: Workflow, overrides: Sequence[str] = ()) -> Composed:
    """Compose as ``python main.py`` would with these overrides; no directory is made.

    Args:
        workflow: whose file, config and signature it is composed for.
        overrides: as on the command line, such as ``model.C=1``.

    Raises:
        ConfigError: the config cannot be composed.
        PluginError: the plugin that brings the environment is broken.
    """
    from hydra import version
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.utils import JobRuntime, setup_globals
    from hydra.types import RunMode

    from turnout.config import places
    from turnout.config.explain import explain
    from turnout.config.inputs import described
    from turnout.config.loader import Loader
    from turnout.errors import TurnoutError, cause

    version.setbase(workflow.version_base)
    setup_globals()
    running = HydraConfig.instance()
    before, name_before = running.cfg, JobRuntime.instance().get("name")
    JobRuntime.instance().set("name", places.job_name(workflow))
    try:
        loader = Loader(places.search_path(workflow), described(workflow))
        full = loader.load_configuration(
            config_name=workflow.config_name,
            overrides=list(overrides),
            run_mode=RunMode.RUN,
            from_shell=False,
        )
        running.set_config(full)
        job = Job.of(full.hydra)
        return take_apart(workflow, full, job=job, pin_hydra=True)
    except TurnoutError:
        raise
    except Exception as error:
        raise explain(error) from cause(error)
    finally:
        running.cfg = before
        JobRuntime.instance().set("name", name_before)
