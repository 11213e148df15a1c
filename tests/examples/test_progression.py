from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DOING = "Doing things with cfg.experiment_name='training' and cfg.model.learning_rate=0.001!"
TELLING = "Let me tell you about cfg.another_key='yet_another_value'!"

Copy = Callable[[str], Any]


def said(output: str) -> list[str]:
    """The lines the tasks printed, in order."""
    return [line for line in output.splitlines() if line.startswith(("Doing", "Let me"))]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("step1_print.py", ["Doing things!"]),
        ("step2_hydra.py", [DOING]),
        ("step3_task.py", [DOING]),
        ("step4_two_tasks.py", [DOING, TELLING]),
        ("step5_data.py", [DOING, TELLING]),
    ],
)
def test_each_step_says_its_lines(example: Copy, script: str, lines: list[str]) -> None:
    assert said(example("progression").python(script)) == lines


def test_settings_come_from_the_command_line_in_every_step(example: Copy) -> None:
    steps = example("progression")
    for script in ("step2_hydra.py", "step3_task.py"):
        assert said(steps.python(script, "model.learning_rate=0.1")) == [
            DOING.replace("0.001", "0.1")
        ]


@pytest.mark.parametrize("script", ["step4_two_tasks.py", "step5_data.py"])
def test_only_the_task_whose_part_changed_runs_again(example: Copy, script: str) -> None:
    steps = example("progression")
    assert said(steps.python(script)) == [DOING, TELLING]
    assert said(steps.python(script)) == []
    assert said(steps.python(script, "story.another_key=news")) == [
        TELLING.replace("yet_another_value", "news")
    ]
    assert said(steps.python(script, "things.model.learning_rate=0.1")) == [
        DOING.replace("0.001", "0.1")
    ]
    assert said(steps.python(script)) == []


def test_other_data_runs_the_task_that_uses_it(example: Copy) -> None:
    steps = example("progression")
    steps.python("step5_data.py")
    assert said(steps.python("step5_data.py", "data=[1,2]")) == [DOING]


def test_data_is_given_from_python_beside_the_config(example: Copy) -> None:
    code = (
        "import turnout; from omegaconf import OmegaConf; from step5_data import pipeline\n"
        "cfg = OmegaConf.load('conf/parts.yaml')\n"
        "print(turnout.run(pipeline, cfg, data=[1.0, 1.0]).outputs)"
    )
    lines = example("progression").python("-c", code).splitlines()
    assert lines[-1] == "0.002"
    assert said("\n".join(lines)) == [DOING, TELLING]
