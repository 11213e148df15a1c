"""``turnout doctor ray``: whether Ray works here, or the cluster that the settings name."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import ray

from turnout import spi
from turnout_ray import cluster
from turnout_ray.doctor_jobs import jobs
from turnout_ray.leftovers import leftovers
from turnout_ray.options import joins
from turnout_ray.versions import Versions, compared, versions

_PATIENCE: Final = 60.0
_GIB: Final = 1 << 30
_SHARED: Final = Path("/dev/shm")
_SHARE: Final = 0.3  # of the memory, which Ray takes for its object store


def checks(config: Any, project: spi.Project) -> Iterator[spi.Check]:
    """Everything that can be looked at from here."""
    yield spi.Check.ok("Ray", f"{ray.__version__}, {os.path.dirname(ray.__file__)}")
    if config.submit:
        yield from jobs(config, project)
        return
    yield from leftovers(joins=joins(config))
    if not joins(config):
        yield from _shared_memory()
    try:
        cluster.enter(config, project, lambda _: None)
    except spi.PluginError as error:
        yield _unreachable(config, error)
        return
    try:
        yield _connected(config)
        yield from _tasks(config)
        yield _object_store()
        yield _dashboard(config)
    finally:
        cluster.leave()
    if not joins(config):
        yield spi.Check.ok("stopping", "the instance is stopped")


def _unreachable(config: Any, error: BaseException) -> spi.Check:
    if joins(config):
        remedy = (
            "look with `ray status --address=...` on a machine of the cluster;\n"
            "address=null starts an instance on this machine instead"
        )
        return spi.Check.problem("cluster", str(error), remedy)
    return spi.Check.problem("instance", str(error), "look into /tmp/ray/session_latest/logs")


def _connected(config: Any) -> spi.Check:
    nodes = [node for node in ray.nodes() if node["Alive"]]
    there = _resources()
    amounts = f"{there.get('CPU', 0):g} CPU, {there.get('GPU', 0):g} GPU"
    amounts += f", {there.get('memory', 0) / _GIB:.1f} GiB for tasks"
    detail = f"{len(nodes)} node{'s' * (len(nodes) != 1)}, {amounts}"
    if joins(config):
        where = config.address or os.environ.get("RAY_ADDRESS")
        return spi.Check.ok("cluster", f"joined {where}: {detail}")
    return spi.Check.ok("instance", f"starts here: {detail}")


def _tasks(config: Any) -> Iterator[spi.Check]:
    """A task, which starts a worker, and another one, which finds it there."""
    import cloudpickle

    sent = cloudpickle.dumps(_by_value(versions))
    task: Any = ray.remote(num_cpus=1)(_by_value(_call))
    began = time.perf_counter()
    try:
        theirs = Versions(*ray.get(task.remote(sent), timeout=_PATIENCE))
        first = time.perf_counter() - began
        began = time.perf_counter()
        ray.get(task.remote(sent), timeout=_PATIENCE)
        further = time.perf_counter() - began
    except ray.exceptions.GetTimeoutError:
        yield spi.Check.problem(
            "task",
            f"no worker has taken it in {_PATIENCE:.0f} s",
            "`ray status` says what the cluster is busy with, and what it waits for"
            if joins(config)
            else "look into /tmp/ray/session_latest/logs",
        )
        return
    except ray.exceptions.RayError as error:
        yield spi.Check.problem(
            "task", f"{type(error).__name__}: {error}".strip(), "correct runtime_env, or the nodes"
        )
        return
    yield spi.Check.ok(
        "task", f"the first one took {first:.2f} s, a further one {1000 * further:.1f} ms"
    )
    yield compared(theirs, "on the workers")


def _call(sent: bytes) -> Any:
    import pickle

    return pickle.loads(sent)()


def _by_value(function: Any) -> Any:
    """The function as one of no module: pickled whole, and not by its name."""
    import types

    copy = types.FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
    copy.__module__ = "__main__"
    return copy


def _object_store() -> spi.Check:
    size = _resources().get("object_store_memory", 0)
    return spi.Check.ok("object store", f"{size / _GIB:.1f} GiB")


def _resources() -> dict[str, float]:
    return dict(ray.cluster_resources())


def _dashboard(config: Any) -> spi.Check:
    url = cluster.url()
    if url:
        return spi.Check.ok("dashboard", url)
    if joins(config):
        return spi.Check.ok("dashboard", "the cluster serves none, or not to this machine")
    return spi.Check.ok("dashboard", "none; execution_environment.dashboard=true serves one")


def _shared_memory() -> Iterator[spi.Check]:
    """Ray keeps values in shared memory, and in files where there is too little of it."""
    with contextlib.suppress(OSError):  # not every system has it
        room = os.statvfs(_SHARED)
        free = room.f_bavail * room.f_frsize
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        detail = f"{_SHARED} has {free / _GIB:.1f} GiB free of {memory / _GIB:.1f} GiB memory"
        if free < _SHARE * memory:
            yield spi.Check.warning(
                "shared memory",
                f"{detail}: a large object store goes to files, which is slow",
                "set execution_environment.object_store_memory to less than that, or in a\n"
                f"container give it more: docker run --shm-size={_SHARE * memory / _GIB:.0f}g",
            )
        else:
            yield spi.Check.ok("shared memory", detail)
