"""The function becomes a task; the config file stays as it was."""

from omegaconf import DictConfig

import turnout
from turnout import task, workflow


@task
def do_things(cfg: DictConfig) -> None:
    print(f"Doing things with {cfg.experiment_name=} and {cfg.model.learning_rate=}!")


@workflow(config_path="conf", config_name="config")
def pipeline(cfg: DictConfig) -> None:
    do_things(cfg)


if __name__ == "__main__":
    turnout.main(pipeline)
