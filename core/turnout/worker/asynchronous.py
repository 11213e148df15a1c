"""Runs ``async def`` tasks from plain code, also where an event loop is running already."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_local = threading.local()
_aside: ThreadPoolExecutor | None = None


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine.

    The main thread keeps its event loop for the next call; other threads do not, for nobody
    would close it when they end. Where a loop is running in this thread, as in a notebook, the
    coroutine runs in a thread beside it.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        if threading.current_thread() is threading.main_thread():
            return _runner().run(coroutine, context=copy_context())
        return _once(coroutine)
    global _aside
    if _aside is None:
        _aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="turnout-async")
    context = copy_context()
    return _aside.submit(context.run, _once, coroutine).result()


def _once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio

    with asyncio.Runner() as runner:
        return runner.run(coroutine, context=copy_context())


def _runner() -> asyncio.Runner:
    import asyncio

    runner: asyncio.Runner | None = getattr(_local, "runner", None)
    if runner is None:
        runner = _local.runner = asyncio.Runner()
    return runner


def close() -> None:
    """Close this thread's event loop, if it has one."""
    runner: asyncio.Runner | None = getattr(_local, "runner", None)
    if runner is not None:
        del _local.runner
        runner.close()
