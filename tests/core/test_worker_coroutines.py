"""Async tasks in runs inside one another, and interrupts where an event loop is running."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from turnout import task, workflow


@task
async def inside(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


@workflow
def plainly(n: int) -> int:
    return inside(n)


@task
async def around(n: int) -> int:
    await asyncio.sleep(0)
    return plainly(n)


@workflow
def flow(n: int) -> int:
    return inside(around(n))


def test_an_async_task_may_call_a_workflow_with_async_tasks() -> None:
    assert flow(1) == 3


def test_it_may_do_so_where_a_loop_is_running() -> None:
    async def notebook() -> int:
        return flow(1)

    assert asyncio.run(notebook()) == 3


SCRIPT = """
import asyncio
from turnout import task, workflow

@task
async def slow(n: int) -> int:
    print("waiting", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)
    return n

@workflow
def flow(n: int) -> int:
    return slow(n)

async def notebook() -> int:
    return flow(1)

asyncio.run(notebook())
"""


def test_an_interrupt_ends_a_coroutine_beside_a_running_loop(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        told, problem = process.communicate(timeout=50)
    assert time.monotonic() - begin < 30
    assert told == "cleaned up\n"
    assert problem.rstrip().endswith("KeyboardInterrupt")
