"""Three functions under plain Hydra."""

import hydra
from bodies import evaluate, load, train
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    data = load(cfg.data.rows)
    print(evaluate(train(cfg.model.C, data), data))


if __name__ == "__main__":
    main()
