"""Data beside the config: a plain input of the workflow, handed to a task as it is."""

from omegaconf import DictConfig

import turnout
from turnout import task, workflow


@task(cache=True)
def do_things(cfg: DictConfig, data: list[float]) -> float:
    print(f"Doing things with {cfg.experiment_name=} and {cfg.model.learning_rate=}!")
    return cfg.model.learning_rate * sum(data)


@task(cache=True)
def tell(cfg: DictConfig) -> None:
    print(f"Let me tell you about {cfg.another_key=}!")


@workflow(config_path="conf", config_name="parts")
def pipeline(cfg: DictConfig, data: list[float]) -> float:
    result = do_things(cfg.things, data)
    tell(cfg.story)
    return result


if __name__ == "__main__":
    turnout.main(pipeline)
