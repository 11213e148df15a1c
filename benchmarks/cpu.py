"""Eight tasks of 0.25 s of processor time each, two at once; starting the workers is included."""

from __future__ import annotations

from time import perf_counter, thread_time

TASKS, SECONDS, WORKERS = 8, 0.25, 2


def spin(i: int) -> int:
    """Burn processor time of this thread: the work does not shrink when the machine is busy."""
    end = thread_time() + SECONDS
    while thread_time() < end:
        pass
    return i


def told(start: float, result: list[int]) -> dict[str, float]:
    seconds = perf_counter() - start
    if result != list(range(TASKS)):
        raise AssertionError(result)
    return {"seconds": seconds}


def plain() -> dict[str, float]:
    start = perf_counter()
    return told(start, [spin(i) for i in range(TASKS)])


def pool() -> dict[str, float]:
    """The standard library's process pool: what two processes can do at best."""
    from concurrent.futures import ProcessPoolExecutor

    start = perf_counter()
    with ProcessPoolExecutor(WORKERS) as workers:
        return told(start, list(workers.map(spin, range(TASKS))))


def turnout() -> dict[str, float]:
    import turnout

    task = turnout.task(spin)

    @turnout.workflow
    def wide() -> list[int]:
        return [task(i) for i in range(TASKS)]

    run_workflow = turnout.run  # imported here; the peers are imported before the clock starts too
    start = perf_counter()
    run = run_workflow(wide, execution_environment={"backend": "local", "workers": WORKERS})
    return told(start, run.outputs)


def flytekit() -> dict[str, float]:
    import flytekit

    task = flytekit.task(spin)

    @flytekit.workflow
    def wide() -> list[int]:
        return [task(i=i) for i in range(TASKS)]

    start = perf_counter()
    return told(start, wide())


def pipefunc() -> dict[str, float]:
    from concurrent.futures import ProcessPoolExecutor

    from pipefunc import PipeFunc, Pipeline

    pipeline = Pipeline([PipeFunc(spin, "y", mapspec="i[n] -> y[n]")])
    start = perf_counter()
    with ProcessPoolExecutor(WORKERS) as workers:
        results = pipeline.map(
            {"i": list(range(TASKS))},
            executor=workers,
            show_progress=False,
            storage="dict",
            run_folder=None,
        )
        return told(start, list(results["y"].output))
