"""From the start of the process to the first task on Ray; run as on_ray.py is."""

import os
import time

import turnout


@turnout.task
def first(began: float) -> float:
    return time.time() - began


@turnout.workflow
def pipeline() -> float:
    return first(float(os.environ["BEGAN"]))


if __name__ == "__main__":
    turnout.main(pipeline)
