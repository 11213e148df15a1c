"""Three tasks under turnout, all defaults on."""

import bodies
from omegaconf import DictConfig

import turnout

load, train = turnout.task(bodies.load), turnout.task(bodies.train)
evaluate = turnout.task(bodies.evaluate)


@turnout.workflow(config_path="conf", config_name="config")
def pipeline(cfg: DictConfig) -> float:
    data = load(cfg.data.rows)
    return evaluate(train(cfg.model.C, data), data)


if __name__ == "__main__":
    turnout.main(pipeline)
