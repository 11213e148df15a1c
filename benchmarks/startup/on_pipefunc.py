"""Three functions as a pipefunc pipeline under plain Hydra."""

import hydra
from bodies import evaluate, load, train
from omegaconf import DictConfig
from pipefunc import PipeFunc, Pipeline


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    pipeline = Pipeline(
        [PipeFunc(load, "data"), PipeFunc(train, "model"), PipeFunc(evaluate, "accuracy")]
    )
    print(pipeline.run("accuracy", kwargs={"rows": cfg.data.rows, "c": cfg.model.C}))


if __name__ == "__main__":
    main()
