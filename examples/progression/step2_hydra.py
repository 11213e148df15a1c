"""The settings move to a file; plain Hydra, no turnout yet."""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def do_things(cfg: DictConfig) -> None:
    print(f"Doing things with {cfg.experiment_name=} and {cfg.model.learning_rate=}!")


if __name__ == "__main__":
    do_things()
