"""Three flytekit tasks, run locally under plain Hydra."""

import bodies
import flytekit
import hydra
from omegaconf import DictConfig

load, train = flytekit.task(bodies.load), flytekit.task(bodies.train)
evaluate = flytekit.task(bodies.evaluate)


@flytekit.workflow
def pipeline(rows: int, c: float) -> float:
    data = load(rows=rows)
    return evaluate(model=train(c=c, data=data), data=data)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    print(pipeline(rows=cfg.data.rows, c=cfg.model.C))


if __name__ == "__main__":
    main()
