"""The directory Hydra makes for a job goes again where nothing has run in it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from omegaconf import DictConfig, OmegaConf

_HYDRAS: Final = frozenset({"config.yaml", "hydra.yaml", "overrides.yaml"})


class JobDirectory:
    """A job's directory, looked at before Hydra makes it.

    Args:
        config: the job's config with its ``hydra`` node.
    """

    def __init__(self, config: DictConfig) -> None:
        self._subdir = config.hydra.output_subdir
        # What is not there yet, the directory first and then those around it.
        self._missing: list[Path] = []
        try:
            path = Path(os.path.abspath(str(config.hydra.run.dir)))
        except Exception:  # only Hydra can resolve it, when the job runs; it stays then
            return
        while not path.exists():
            self._missing.append(path)
            path = path.parent

    def remove(self, hydra: DictConfig) -> None:
        """Remove what Hydra has made, unless anybody else has put something there.

        Args:
            hydra: the job's config, which says where Hydra did make it.
        """
        made = Path(str(OmegaConf.select(hydra, "hydra.runtime.output_dir")))
        if not self._missing or self._missing[0] != made:
            return
        said = made / str(self._subdir) / "overrides.yaml"
        mine = OmegaConf.to_yaml(hydra.hydra.overrides.task)
        if said.is_file() and said.read_text(encoding="utf-8") != mine:
            return  # a job that began in the same second shares it
        logs = [
            handler
            for handler in logging.root.handlers
            if isinstance(handler, logging.FileHandler)
            and Path(handler.baseFilename).parent == made
        ]
        try:
            files = self._files(made, {Path(handler.baseFilename) for handler in logs})
            if files is None:
                return
            for handler in logs:
                # One that is only closed would open its file again.
                logging.root.removeHandler(handler)
                handler.close()
            for file in files:
                file.unlink()
            for folder in (*{file.parent for file in files} - {made}, *self._missing):
                folder.rmdir()
        except OSError:  # another job uses it, or the date's directory, by now
            return

    def _files(self, made: Path, logs: set[Path]) -> list[Path] | None:
        """Hydra's files; ``None`` where there is something else, or something was logged."""
        found: list[Path] = []
        for folder, _, names in os.walk(made):
            here = Path(folder)
            if here not in (made, made / str(self._subdir)):
                return None
            for name in names:
                file = here / name
                own = name in _HYDRAS if here != made else file in logs and not file.stat().st_size
                if not own or file.is_symlink():
                    return None
                found.append(file)
        return found
