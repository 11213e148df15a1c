"""What type checkers refuse; each line with a mistake says so."""

from __future__ import annotations

import turnout
from turnout import conditional, map_task, task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@task
def text(x: str) -> str:
    return x


@workflow
def flow(n: int) -> str:
    text(double(n))  # mistake
    double("1")  # mistake
    double(y=1)  # mistake
    double.with_options(retry=1)  # mistake
    map_task(double, ratio=0.5)  # mistake
    text(map_task(double)([1]))  # mistake
    text(conditional("c").if_(double(n) > 1).then(double(n)).else_().then(2))  # mistake
    return double(n)  # mistake


def outside() -> None:
    double(1)
    flow(1)
    flow("1")  # mistake
    turnout.run(double, x=1)  # mistake
