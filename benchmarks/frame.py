"""A DataFrame of 100 MB handed through five tasks; its peak memory tells copies."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

ROWS, COLUMNS = 1_250_000, 10


def make() -> pd.DataFrame:
    """100 MB of float64, made in one block."""
    block = np.arange(ROWS * COLUMNS, dtype="float64").reshape(ROWS, COLUMNS)
    return pd.DataFrame(block, copy=False)


def hand_on(df: pd.DataFrame) -> pd.DataFrame:
    return df


def told(seconds: float, frame: Any) -> dict[str, float]:
    if frame.shape != (ROWS, COLUMNS) or frame.iloc[-1, -1] != ROWS * COLUMNS - 1:
        raise AssertionError("the frame has changed")
    return {"seconds": seconds}


def plain() -> dict[str, float]:
    start = perf_counter()
    df = make()
    for _ in range(4):
        df = hand_on(df)
    return told(perf_counter() - start, df)


def turnout() -> dict[str, float]:
    import turnout

    make_task, hand_on_task = turnout.task(make), turnout.task(hand_on)

    @turnout.workflow
    def five() -> pd.DataFrame:
        df = make_task()
        for _ in range(4):
            df = hand_on_task(df)
        return df

    start = perf_counter()
    df = turnout.run(five).outputs
    return told(perf_counter() - start, df)


def flytekit() -> dict[str, float]:
    import flytekit

    make_task, hand_on_task = flytekit.task(make), flytekit.task(hand_on)

    @flytekit.workflow
    def five() -> pd.DataFrame:
        df = make_task()
        for _ in range(4):
            df = hand_on_task(df=df)
        return df

    start = perf_counter()
    df = five()
    return told(perf_counter() - start, df)


def pipefunc() -> dict[str, float]:
    from pipefunc import PipeFunc, Pipeline

    steps = [PipeFunc(make, "df0")]
    steps += [PipeFunc(hand_on, f"df{i + 1}", renames={"df": f"df{i}"}) for i in range(4)]
    start = perf_counter()
    df = Pipeline(steps).run("df4", kwargs={})
    return told(perf_counter() - start, df)


def imported_turnout() -> dict[str, float]:
    """What the frame and the import take without a pipeline."""
    import turnout as _  # noqa: F401  (it is its memory that counts)

    return plain()
