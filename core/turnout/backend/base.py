"""The two kinds of backend, and what each is given and must give back."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from turnout.backend.call import Call, Completion, Handle, RunInfo, Status, Summary, Ticket
from turnout.backend.capability import EXECUTOR_DEFAULTS, Capability, unsupported
from turnout.backend.checks import Check
from turnout.errors import PluginError
from turnout.graph import Graph, TaskKey

KEEP_MODES = ("auto", "all", "cached", "none")
INTERRUPT_MODES = ("ask", "cancel", "detach")
CACHE_MODES = ("use", "refresh", "read", "off")


@dataclass
class EnvironmentConfig:
    """Fields every environment has; backends derive their schema from it.

    Attributes:
        backend: name of the backend behind the environment.
        store: path or fsspec URL of the store; unset is ``.turnout/`` beside the project.
        strict: refuse settings that would have no effect.
        keep: which values of a run are stored: ``auto``, ``all``, ``cached`` or ``none``.
        cache: ``use``, ``refresh`` (compute and replace), ``read`` (never write) or ``off``.
        allow_pickle: whether pickled entries of the store may be read.
        env_vars: environment variables set while tasks run.
        on_interrupt: what Ctrl-C does where a run outlives the process that started it:
            ``cancel`` it, ``detach`` and let it go on, or ``ask`` (without a terminal: cancel).
        schedule: a timetable that starts the workflow, as a cron expression.
    """

    backend: str = ""
    store: str | None = None
    strict: bool = False
    keep: str = "auto"
    cache: str = "use"
    allow_pickle: bool = True
    env_vars: dict[str, str] = field(default_factory=dict)
    on_interrupt: str = "ask"
    schedule: str | None = None

    def __post_init__(self) -> None:
        # YAML reads a bare `off` as false, and the text field turns that into "False".
        self.cache = "off" if self.cache in ("False", "false") else self.cache
        for name, modes in (
            ("keep", KEEP_MODES),
            ("cache", CACHE_MODES),
            ("on_interrupt", INTERRUPT_MODES),
        ):
            if getattr(self, name) not in modes:
                raise ValueError(
                    f"execution_environment.{name} is one of {', '.join(modes)}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.schedule is not None and not _is_cron(self.schedule):
            raise ValueError(
                "execution_environment.schedule is a cron expression such as '0 1 * * *' or "
                f"'@daily', not {self.schedule!r}"
            )


def _is_cron(text: str) -> bool:
    words = text.split()
    return len(words) == 5 or (len(words) == 1 and text.startswith("@"))


def silent(line: str) -> None:
    """Takes a line and tells nobody."""
    del line


class Project(NamedTuple):
    """The user's code.

    Attributes:
        root: nearest ancestor with ``pyproject.toml``, ``.git`` or ``.turnout``.
        source: directory whose modules workers import.
        exclude: patterns of files that do not travel.
        main: importable name that ``__main__`` is known by, and its file; ``None`` in a notebook.
    """

    root: Path
    source: Path
    exclude: tuple[str, ...] = ()
    main: tuple[str, Path] | None = None


class Session(NamedTuple):
    """What a backend is given when a run opens it.

    Attributes:
        info: run, environment and store, as every call carries them.
        config: the environment's settings, an instance of the backend's schema.
        project: the user's code.
        tasks: the tasks of the graph as objects, by key, for executors in this process.
        log: takes a line the user should read, such as a dashboard's address.
        needs_store: whether workers cannot do without the store, for a cached task or
            ``keep=all``.
    """

    info: RunInfo
    config: Any
    project: Project
    tasks: Mapping[TaskKey, Any]
    log: Callable[[str], None] = silent
    needs_store: bool = False


class Executor(abc.ABC):
    """Places calls while our engine drives the graph. One run opens one and closes it.

    Methods are called from one thread.
    """

    accepts_pending: ClassVar[bool] = False
    """Whether the handle of an unfinished ticket may be a leaf of a further call.

    Then every ticket carries its handle from the start. A call whose input comes to nothing ends
    as `Status.UPSTREAM_FAILED`, and is submitted again once its inputs exist. Ends may be told in
    any order. The engine releases the handles of calls that are done; that of a call that ended
    otherwise is the executor's to forget."""

    batch_size: ClassVar[int | None] = None
    """How many calls at most are submitted together; ``None`` for all that are ready.

    Small batches let the first calls begin while those after them are made ready; a service that
    takes a whole array of jobs at once wants a map as one."""

    url: str | None = None
    """Where a person can look at what runs here; known once the executor is open."""

    on_start: Callable[[Ticket], None] | None = None
    """Set by the engine when somebody watches: to be called from `wait_any` when a call begins.
    An executor that cannot tell leaves it alone."""

    def expect(self, calls: int) -> None:
        """Start what so many calls will need, never waiting for it; they come in a moment.

        Asked at most once, before the first call, and only where `ExecutorBackend.starts_ahead`.
        """

    @abc.abstractmethod
    def submit(self, calls: Sequence[Call]) -> Sequence[Ticket]:
        """Take a batch of calls, never waiting for any; one ticket each, in order.

        Raises:
            EncodeError: a value of a call cannot be sent; nothing of the batch has started.
        """

    @abc.abstractmethod
    def wait_any(self, timeout: float | None = None) -> Iterable[Completion]:
        """Wait until a ticket ends, and give all that have; each ticket is given once.

        What gives them one by one may go on while more is submitted and cancelled in between.

        Args:
            timeout: seconds to wait at most; ``None`` waits as long as it takes. With nothing
                under way it returns at once.
        """

    @abc.abstractmethod
    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """End what these tickets run; each still completes, as done or as cancelled.

        What was sent ahead comes in one batch with what it waits for, in any order.
        """

    @abc.abstractmethod
    def fetch(self, handle: Handle) -> Any:
        """The value behind a handle, in this process."""

    @abc.abstractmethod
    def put(self, value: Any) -> Handle:
        """A handle for a value of this process, for leaves that several calls share."""

    def split(self, handle: Handle, length: int) -> Sequence[Handle] | None:
        """Handles for the items of a list result; ``None`` where it must be fetched instead."""
        return None

    def release(self, handles: Sequence[Handle]) -> None:
        """Forget values no further call will need."""

    @abc.abstractmethod
    def close(self) -> None:
        """End everything this executor started; called exactly once, after failures too."""


class Observation(NamedTuple):
    """Something a compiler backend's engine says of a node.

    Attributes:
        node: the node's name in the run.
        status: how it ended; ``None`` when an attempt has begun.
        attempt: number of the attempt, from 1.
        summary: the worker's summary, when there is one.
        error: the exception, when it did not end well.
    """

    node: str
    status: Status | None = None
    attempt: int = 1
    summary: Summary | None = None
    error: BaseException | None = None


class Submission(abc.ABC):
    """A run that a compiler backend has handed to its engine."""

    @property
    @abc.abstractmethod
    def id(self) -> str:
        """The engine's own name for the run."""

    @property
    def url(self) -> str | None:
        """Where a person can look at the run."""
        return None

    @property
    @abc.abstractmethod
    def status(self) -> str:
        """``running``, ``succeeded``, ``failed`` or ``cancelled``; a run may fail with no node."""

    @abc.abstractmethod
    def poll(self) -> Sequence[Observation]:
        """What has begun and ended since the last poll, a node's beginning before its end."""

    @abc.abstractmethod
    def result(self) -> Any:
        """The workflow's result, once the run has succeeded."""

    @abc.abstractmethod
    def output(self, node: str) -> Any:
        """What one node returned, once it has succeeded.

        Raises:
            KeyError: there is no such node, or it has not succeeded.
        """

    @abc.abstractmethod
    def cancel(self) -> None:
        """Ask the engine to end the run."""


class Backend(abc.ABC):
    """The code behind environments; `ExecutorBackend` and `CompilerBackend` are its two kinds.

    Attributes:
        name: what ``execution_environment`` calls it; lower case, an identifier.
        summary: one line for ``turnout backends``.
        schema: the dataclass of its settings, derived from `EnvironmentConfig`.
        task_options: the dataclass of what ``options={name: {...}}`` of a task may say to this
            backend alone; names and types are checked against it, and a ``ValueError`` of its
            ``__post_init__`` is a problem of the plan. ``None``: there is nothing to say.
        is_default: whether it is the environment when the config names none.
        capabilities: what differs from the defaults of its kind.
        runs_at_once: how many jobs of a sweep run side by side in one process, where the sweep
            does not say; with 1 they always run one after another.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    schema: ClassVar[type[EnvironmentConfig]] = EnvironmentConfig
    task_options: ClassVar[type[Any] | None] = None
    is_default: ClassVar[bool] = False
    capabilities: ClassVar[Mapping[str, Capability]] = {}
    runs_at_once: ClassVar[int] = 1

    @abc.abstractmethod
    def capability(self, name: str, config: Any = None) -> Capability:
        """How the environment with these settings honours a setting."""

    def check(self, config: Any) -> Sequence[str]:
        """Problems that can be told without starting anything, such as a missing SDK."""
        return ()

    def doctor(self, config: Any, project: Project) -> Iterable[Check]:
        """Look whether runs with these settings will work, for ``turnout doctor``.

        It may start what a run would start, and stops it again. Each check is shown, with the
        time it took, as it comes, so a generator is best. An exception ends the checks of this
        backend as one more problem.
        """
        problems = self.check(config)
        for told in problems:
            what, _, remedy = told.partition("; ")
            yield Check.problem("use", what, remedy or "change its settings, or choose another")
        if not problems:
            yield Check.ok("use", "nothing speaks against it")

    def refuse(self, config: Any, node: str, options: Any) -> Sequence[str]:
        """Problems with one node's options, such as more devices than there are."""
        return ()

    def shared(
        self, config: Any, project: Project, log: Callable[[str], None]
    ) -> AbstractContextManager[Any]:
        """What runs with these settings share, kept alive inside the block.

        A sweep enters it before its first run and leaves it after its last, so that nothing is
        stopped and started again in between; a run by itself does not ask for it. Runs open their
        own executors inside the block as always. When jobs of one sweep differ in settings the
        backend's schema adds, the block is left and entered again between them.

        Raises:
            PluginError: it cannot be started; the job that needs it fails.
        """
        return nullcontext()


class Detached(abc.ABC):
    """A process elsewhere that drives a run, so that this one may go away.

    Attributes:
        url: where a person can look at it.
    """

    url: str | None = None

    @abc.abstractmethod
    def state(self) -> str:
        """``running``, ``cancelled`` if somebody has ended it, or in a word how else it ended."""

    @abc.abstractmethod
    def output(self) -> str:
        """What it has printed since the last time this was asked."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """End it as Ctrl-C would."""


class ExecutorBackend(Backend):
    """A backend whose graph our engine drives."""

    def capability(self, name: str, config: Any = None) -> Capability:
        """The backend's own statement, else what engine and worker do for every executor."""
        stated = self.capabilities.get(name) or EXECUTOR_DEFAULTS.get(name)
        return stated or unsupported(f"{self.name} does not know {name!r}")

    @abc.abstractmethod
    def open(self, session: Session) -> Executor:
        """Start what is needed to execute the calls of one run.

        Raises:
            PluginError: the SDK is missing; the message says how to install it.
        """

    def starts_ahead(self, config: Any) -> bool:
        """Whether what an executor starts can start up while the run is still being recorded.

        It is then opened before that, and told by `Executor.expect` what comes. Opening it must
        not take time.
        """
        return False

    def elsewhere(self, config: Any) -> EnvironmentConfig | None:
        """The settings with which a process elsewhere is to drive the run; ``None``: this one."""
        return None

    def detach(self, command: Sequence[str], session: Session) -> Detached:
        """Start a command elsewhere, in a copy of the project's root, and leave it alone.

        Asked only where `elsewhere` gives settings. The command reaches the store of the run,
        and that is how it takes the run and tells of it.

        Raises:
            PluginError: it cannot be started.
        """
        raise PluginError(
            f"backend {self.name!r} gives settings for a process elsewhere, and starts none: "
            "`elsewhere` needs `detach`"
        )

    def find(self, config: Any, run_id: str) -> Detached:
        """The process that `detach` has started for a run, perhaps in another session.

        Args:
            config: the settings it was started with.
            run_id: the run.

        Raises:
            PluginError: it cannot be asked for, now or at all.
        """
        raise PluginError(f"backend {self.name!r} does not find again what it has started")


class CompilerBackend(Backend):
    """A backend that translates the whole graph for an engine that drives itself."""

    def capability(self, name: str, config: Any = None) -> Capability:
        """The backend's own statement; what it does not state it does not support."""
        return self.capabilities.get(name) or unsupported(f"{self.name} does not state {name!r}")

    @abc.abstractmethod
    def compile(self, graph: Graph, session: Session) -> Any:
        """Translate the graph; nothing is sent anywhere."""

    @abc.abstractmethod
    def submit(self, compiled: Any, inputs: Mapping[str, Any], session: Session) -> Submission:
        """Start one execution of a compiled graph."""
