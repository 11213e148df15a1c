"""Two tasks, each with its part of the config, each cached on that part."""

from omegaconf import DictConfig

import turnout
from turnout import task, workflow


@task(cache=True)
def do_things(cfg: DictConfig) -> None:
    print(f"Doing things with {cfg.experiment_name=} and {cfg.model.learning_rate=}!")


@task(cache=True)
def tell(cfg: DictConfig) -> None:
    print(f"Let me tell you about {cfg.another_key=}!")


@workflow(config_path="conf", config_name="parts")
def pipeline(cfg: DictConfig) -> None:
    do_things(cfg.things)
    tell(cfg.story)


if __name__ == "__main__":
    turnout.main(pipeline)
