"""The Ray instance this process is connected to: started, joined, or the user's own.

Runs of one process that overlap share it; the last to leave stops what was started here.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import ray

from turnout import spi
from turnout_ray.joining import quietly, reason, with_project
from turnout_ray.knocking import knock
from turnout_ray.labels import fit
from turnout_ray.options import joins, told
from turnout_ray.starting import Keeper, for_a_run

_lock = threading.Lock()
_users = 0
_ours = False
_made: Any = None
"""The settings that `enter` connected with."""
_project: spi.Project | None = None
"""The project whose files went along."""

_keeper: Keeper | None = None
"""The thread that an instance was started in, if it was not the main thread."""

_OF_AN_INSTANCE: Final = ("num_cpus", "num_gpus", "object_store_memory", "dashboard")

_FOR_A_CALL: Final = (
    "pyarrow", "pyarrow.json", "pydantic.main", "pydantic.types", "pydantic.v1.fields",
    "cloudpickle",
)  # fmt: skip
"""What Ray imports, where it is installed, to serialize a first value; and we for a first call."""

_ITS_TURN: Final = 0.5
"""How many seconds `ray.init` takes at least before it only waits for its processes."""

JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Set in a Ray job's process, whose workers have the job's files already."""


def enter(config: Any, project: spi.Project, log: Callable[[str], None]) -> None:
    """Be connected to the instance the settings name, until `leave`.

    Raises:
        PluginError: it cannot be reached, or the process is connected to another one, or with
            other settings.
        KeyboardInterrupt: the user interrupted; nothing is left running.
    """
    global _users, _ours, _made, _project
    with _lock:
        if ray.is_initialized():
            _see_that_it_fits(config, project, log)
        else:
            begin = time.monotonic()
            # Where a cluster is joined, an interrupt leaves nothing half started.
            held = contextlib.nullcontext() if joins(config) else _to_its_end(log)
            with _as_it_was(signal.SIGTERM), held:
                _connect_to_stay(config, project)
            _ours, _made, _project = True, config, project
            what = "joined" if joins(config) else "started on this machine"
            log(f"Ray {ray.__version__} {what} in {time.monotonic() - begin:.1f} s")
            found = url()
            if found:
                log(f"Ray dashboard: {found}")
        _users += 1


@contextmanager
def _as_it_was(number: signal.Signals) -> Iterator[None]:
    """Leave a signal's handler alone: Ray's own ends the driver as if the run had failed."""
    if threading.current_thread() is not threading.main_thread():
        logger = logging.getLogger("ray._private.worker")
        logger.addFilter(_is_news)  # it has no handler to set, and warns of that
        try:
            yield
        finally:
            logger.removeFilter(_is_news)
        return
    before = signal.getsignal(number)
    try:
        yield
    except SystemExit as left:
        raise KeyboardInterrupt from left  # Ray's handler has ended what was started
    finally:
        signal.signal(number, before if before is not None else signal.SIG_DFL)


def _is_news(record: logging.LogRecord) -> bool:
    return "SIGTERM handler is not set" not in record.getMessage()


@contextmanager
def _to_its_end(log: Callable[[str], None]) -> Iterator[None]:
    """Hold an interrupt back while Ray starts: half started it would leave processes behind.

    A second interrupt goes through.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    interrupted = False

    def note(number: int, frame: Any) -> None:
        nonlocal interrupted
        if interrupted:
            signal.default_int_handler(number, frame)
        interrupted = True
        log("interrupted; Ray starts up first, and is stopped then")

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        ray.shutdown()
        raise KeyboardInterrupt


def _see_that_it_fits(config: Any, project: spi.Project, log: Callable[[str], None]) -> None:
    """Refuse a connection that is not what the settings say.

    Raises:
        PluginError: so it is.
    """
    if _made is not None:
        _see_that_it_is_shared(config, project)
        return
    if not _is_where(config):
        raise spi.PluginError(
            f"this process is connected to the Ray cluster at {_address()}, and "
            f"execution_environment.address is {config.address}; call ray.shutdown() first"
        )
    settings = ("namespace", *_OF_AN_INSTANCE)
    said = [f"{name}={value}" for name in settings if (value := getattr(config, name))]
    if said:
        told = f"Ray is connected already, by ray.init, where {', '.join(said)} has no effect"
        if config.strict:
            raise spi.PluginError(f"{told} (strict=true); call ray.shutdown() first")
        log(told)


def _see_that_it_is_shared(config: Any, project: spi.Project) -> None:
    """Refuse what another run of this process has connected otherwise: one would get its ways."""
    differ = []
    if joins(config) != joins(_made) or (joins(config) and not _is_where(config)):
        differ.append("address")
    # What is unset asks for nothing; but tasks get variables only as declared.
    names = ("namespace", *(() if joins(config) else _OF_AN_INSTANCE))
    differ += [name for name in names if getattr(config, name) not in (None, False)]
    differ = [
        name for name in (*differ, "runtime_env") if _said(config, name) != _said(_made, name)
    ]
    if differ:
        name = differ[0]
        raise spi.PluginError(
            f"another run of this process has connected to Ray with {name}={_said(_made, name)}, "
            f"and this one says {name}={_said(config, name)}; let that one end first, or give both "
            "the same settings"
        )
    if joins(config) and _project is not None and _project.root != project.root:
        raise spi.PluginError(
            f"another run of this process has sent the project {_project.root} to the cluster, "
            f"and this one is of {project.root}; let that one end first"
        )


def _said(config: Any, name: str) -> Any:
    value = getattr(config, name)
    return "local" if name == "address" and not joins(config) else value


def leave(*, gone: bool = False) -> None:
    """A run has ended; the last one ends what `enter` began.

    Args:
        gone: whether the cluster has gone, of which Ray would wait to take leave.
    """
    global _users, _ours, _made, _project, _keeper
    with _lock:
        _users -= 1
        if _users == 0 and _ours:
            _ours, _made, _project = False, None, None
            if not gone:
                ray.shutdown()
            if _keeper is not None:
                _keeper.end()
                _keeper = None


def missing(config: Any) -> dict[str, Any]:
    """What of the settings' ``runtime_env`` tasks have to bring along, on the user's connection."""
    with _lock:
        return dict(config.runtime_env) if _made is None else {}


def started() -> bool:
    """Whether what this process is connected to was started here, and so does not grow."""
    with _lock:
        return _made is not None and not joins(_made)


def url() -> str | None:
    """Where Ray's dashboard is, if there is one."""
    if ray.util.client.ray.is_connected():
        return None  # the address is known inside the cluster only
    found = ray._private.worker.get_dashboard_url()
    return f"http://{found}" if found else None


def lacks(wanted: Mapping[str, float], labels: Mapping[str, str]) -> str:
    """What no single node has, in words; empty where one has it all.

    Args:
        wanted: amounts, by the names that Ray's nodes have for them.
        labels: a ``label_selector``.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    fitting = [node["Resources"] for node in nodes if fit(node["Labels"], labels)]
    if any(all(has.get(name, 0) >= much for name, much in wanted.items()) for has in fitting):
        return ""
    said = ", ".join(f"{name}={value}" for name, value in labels.items())
    there = f"a machine labelled {said}"
    if not fitting:
        return there
    short = {
        name: much
        for name, much in wanted.items()
        if all(has.get(name, 0) < much for has in fitting)
    }
    words = told(short) or told(wanted) + " on one machine"
    return f"{words} on {there}" if labels else words


def _connect_to_stay(config: Any, project: spi.Project) -> None:
    """Connect for all runs of this process that overlap, whichever ends first."""
    global _keeper
    if threading.current_thread() is threading.main_thread() or joins(config):
        _connect(config, project)
    else:
        _keeper = Keeper(functools.partial(_connect, config, project))


def _connect(config: Any, project: spi.Project) -> None:
    common: dict[str, Any] = {"namespace": config.namespace, "logging_level": "WARNING"}
    environment = dict(config.runtime_env)
    where = None
    if joins(config):
        where = config.address or os.environ["RAY_ADDRESS"]
        knock(where)
        common["address"] = config.address
        if where.startswith("ray://"):
            # That of a server there, which warns that it is one.
            common["logging_level"] = "ERROR"
        way = quietly(environment)
        if JOB not in os.environ:
            environment = with_project(environment, project)
    else:
        common |= {
            "address": "local",
            "num_cpus": config.num_cpus,
            "num_gpus": config.num_gpus,
            "include_dashboard": config.dashboard,
        }
        if config.object_store_memory is not None:
            common["object_store_memory"] = spi.memory_bytes(config.object_store_memory)
        way = for_a_run(dashboard=config.dashboard)
    try:
        with _imported_meanwhile(), way:
            ray.init(runtime_env=environment or None, **common)
    except BaseException as error:
        if ray.is_initialized():
            ray.shutdown()
        if not isinstance(error, Exception):
            raise
        raise spi.PluginError(reason(where, error)) from error


@contextmanager
def _imported_meanwhile() -> Iterator[None]:
    """Import what Ray needs for the first call while it waits for its processes to start.

    The call itself would have to wait for these imports otherwise. Ray stays in this thread: the
    processes it starts end with the thread that started them.
    """
    ended = threading.Event()

    def load() -> None:
        # Ray's own imports come first; two threads that import take turns, and both wait.
        if ended.wait(_ITS_TURN):
            return  # an instance that was there, or none: nothing is waited for
        for name in _FOR_A_CALL:
            with contextlib.suppress(Exception):  # whoever needs it meets it again
                importlib.import_module(name)
        # All that has been imported for Ray is young. Somebody has to look through it once.
        gc.collect(1)

    thread = threading.Thread(target=load, name="turnout-ray-imports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _address() -> str:
    return str(ray.get_runtime_context().gcs_address)


def _is_where(config: Any) -> bool:
    """Whether the user's own connection is to where the settings say."""
    address = config.address
    if address in (None, "auto"):
        return True
    if ray.util.client.ray.is_connected():
        there = ray.util.client.ray.get_context().client_worker._conn_str
        return address.startswith("ray://") and _same(address.removeprefix("ray://"), there)
    # Whether the user has started an instance here, or joined one, cannot be told.
    return address != "local" and "://" not in address and _same(address, _address())


def _same(one: str, other: str) -> bool:
    """Whether two ``host:port`` are the same place."""
    (host, _, port), (there, _, its_port) = one.rpartition(":"), other.rpartition(":")
    return port == its_port and _ip(host) == _ip(there)


def _ip(host: str) -> str:
    try:
        found = socket.gethostbyname(host)
    except OSError:
        return host
    if not found.startswith("127."):
        return found
    return str(ray.util.get_node_ip_address())
