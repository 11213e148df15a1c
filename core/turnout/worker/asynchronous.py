"""Runs ``async def`` tasks from plain code, also where an event loop is running already."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

_local = threading.local()

_LOOK_SECONDS: Final = 0.1
# What a cancelled coroutine has to clean up gets this long.
_CLEANUP_SECONDS: Final = 1.0


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
    return _beside(coroutine)


def _beside(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine run in a thread of its own, for it may come here again.

    Raises:
        KeyboardInterrupt: the user interrupted; the coroutine has been cancelled.
    """
    import asyncio
    from concurrent.futures import Future, wait

    future: Future[Any] = Future()
    begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def noted() -> Any:
        task = asyncio.current_task()
        assert task is not None
        begun.append((asyncio.get_running_loop(), task))
        return await coroutine

    def work() -> None:
        try:
            future.set_result(_once(noted()))
        except BaseException as error:
            future.set_exception(error)

    context = copy_context()
    around = asyncio.current_task()
    cancels = 0 if around is None else around.cancelling()
    # A coroutine that does not heed its cancelling must not keep Python from ending.
    threading.Thread(target=context.run, args=(work,), name="turnout-async", daemon=True).start()
    try:
        while not wait([future], _LOOK_SECONDS).done:
            # asyncio answers Ctrl-C by cancelling its task, which is waiting here.
            if around is not None and around.cancelling() > cancels:
                raise KeyboardInterrupt
    except BaseException:
        for loop, task in begun:
            with contextlib.suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
        wait([future], _CLEANUP_SECONDS)
        raise
    return future.result()


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
    """Close this thread's event loop, if it has one.

    One that is running belongs to the run around this one.
    """
    runner: asyncio.Runner | None = getattr(_local, "runner", None)
    if runner is not None and not runner.get_loop().is_running():
        del _local.runner
        runner.close()
