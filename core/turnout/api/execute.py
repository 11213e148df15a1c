"""Executes a plan: opens executors and records, drives the engine, tells how it ended."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from turnout.api.recorder import Recorder, first_record
from turnout.api.run import NodeInfo, Run
from turnout.api.signals import ended_as_interrupted
from turnout.backend.base import Detached, Executor, ExecutorBackend, Project, Session, silent
from turnout.backend.call import RunInfo
from turnout.engine import Engine, Result, State, Watch
from turnout.errors import PlanError, RunCancelled, RunFailed
from turnout.graph.serial import dumps
from turnout.plan import Environment, Plan
from turnout.plan.settings import never_met
from turnout.storage.opened import records_at
from turnout.storage.records import NodeRow, Records
from turnout.uncollected import uncollected

if TYPE_CHECKING:
    from turnout.api.detached import Follower


_log = logging.getLogger(__name__)


def new_run_id() -> str:
    """An id that sorts by time and that two processes never share."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}"


class Execution:
    """A plan being executed, in this thread or in one of its own.

    Args:
        plan: what to execute.
        project: the user's code.
        observers: objects with methods such as ``node_finished``.
        name, tags: what the user calls the run.
        config: gives the resolved config, for the record.
        log: takes lines the user should read.
        run_id: the run's id, where it has been given one.

    Attributes:
        errand: the run as it is sent to a process elsewhere, where that is to drive it.
    """

    def __init__(
        self,
        plan: Plan,
        project: Project,
        *,
        observers: Iterable[Any] = (),
        name: str = "",
        tags: tuple[str, ...] = (),
        config: Callable[[], Any] = lambda: None,
        log: Callable[[str], None] = silent,
        run_id: str = "",
    ) -> None:
        self.plan = plan
        self.run_id = run_id or new_run_id()
        self.url: str | None = None
        self.result: Result | None = None
        self.records: Records | None = None
        self.error: BaseException | None = None
        self.project = project
        self._log = log
        self._name, self._tags, self._config = name, tags, config
        self._thread: threading.Thread | None = None
        self._cancelled = False
        settings = plan.environment.config
        self.home = os.path.join(project.root, ".turnout")
        self.store = settings.store or self.home
        self.info = RunInfo(
            run_id=self.run_id,
            workflow=plan.graph.name,
            environment=plan.environment.name,
            store=self.store,
            cache=settings.cache,
            keep=settings.keep,
            allow_pickle=settings.allow_pickle,
            env_vars=tuple(settings.env_vars.items()),
        )
        self.watch = Watch(self.run_id, plan.graph.name, plan.environment.name, observers)
        self._engine: Engine | Follower | None = None
        self.errand: bytes | None = None
        self._follower: Follower | None = None
        self._ahead: Executor | None = None
        """The executor of the run's own environment, opened before the engine asks for it."""

    def start(self) -> None:
        """Execute in a thread of its own."""
        self._thread = threading.Thread(
            target=self._in_thread, name=f"turnout-{self.run_id}", daemon=True
        )
        self._thread.start()

    def _in_thread(self) -> None:
        try:
            self.execute()
        except BaseException as error:  # told to whoever waits
            self.error = self.error or error

    def execute(self) -> None:
        """Execute to the end; failures are kept for `raise_failure`.

        Raises:
            KeyboardInterrupt: the user interrupted; the run is recorded as cancelled.
        """
        backend = self.plan.environment.backend
        if not isinstance(backend, ExecutorBackend):
            raise PlanError([f"{backend.name!r} does not execute graphs here"])
        self._see_to_store()
        try:
            if self.errand is None and backend.starts_ahead(self.plan.environment.config):
                self._start_ahead()
            self._execute()
        finally:
            self._close_ahead()

    def _start_ahead(self) -> None:
        """Let what the first calls need start up while the run is being recorded."""
        plan = self.plan
        first = sum(
            not (step.needs or step.guard or step.environment) and step.spec is not None
            for step in plan.program.steps
            if plan.wanted is None or step.index in plan.wanted
        )
        if not first:
            return
        try:
            self._ahead = self._open(plan.environment)
            self._ahead.expect(first)
        except Exception:  # the engine meets it again, and then there is a record to tell of it
            self._close_ahead()

    def _close_ahead(self) -> None:
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            ahead.close()

    def _execute(self) -> None:
        """Record the run and drive it."""
        plan = self.plan
        self.records = records_at(self.home)
        recorder = Recorder(
            self.records,
            first_record(
                self.run_id,
                plan.graph.name,
                plan.environment.name,
                name=self._name,
                tags=self._tags,
                config=self._config(),
                graph=dumps(plan.graph, brief=True),
                here=self.errand is None,
            ),
            self.project.root,
            store=self._apart,
            keep=self.info.keep in ("auto", "all"),
        )
        engine = self._driver(recorder)
        self._engine = engine
        self.result = engine.result
        if self._cancelled:
            engine.cancel()
        known = len(plan.program.steps if plan.wanted is None else plan.wanted)
        aside = len(plan.program.steps) - known
        self.watch.run("running", known)
        try:
            # A run that is driven elsewhere goes on without this terminal.
            with ended_as_interrupted(hung_up=self._follower is None):
                engine.run()
            if engine.result.status == "succeeded":
                self._keep_outputs(engine.result.value, recorder)
            if self._follower is not None:
                recorder.take(self._follower.rows)
        except BaseException as error:
            self.error = error
            if not isinstance(error, KeyboardInterrupt):
                engine.result.status = "failed"
            raise
        finally:
            ended = engine.result
            failure = ended.error or self.error
            # The engine knows this execution too; apart, they are gone with their last user.
            self._engine = None
            if ended.status != "running":
                recorder.finish(ended.status, failure, self.url)
            self.watch.run(ended.status, max(known, len(ended.jobs) - aside), failure)
            if self._follower is None and ended.status in ("succeeded", "failed"):
                self._warn(ended)

    def _warn(self, ended: Result) -> None:
        """Tell what had no effect: an end on a branch not taken, settings for tasks never met."""
        rules = self.plan.rules
        warnings = list(never_met(rules.overrides, rules.tasks.values()))
        if ended.unreached:
            warnings.append(
                f"node {self.plan.until!r} was not run: it stands on a branch that was not taken"
            )
        for told in warnings:
            if self._log is silent:
                _log.warning("%s", told)
            else:
                self._log(f"warning: {told}")

    def _driver(self, recorder: Recorder) -> Engine | Follower:
        """What drives the plan: the engine here, or a process elsewhere that is followed."""
        if self.errand is None:
            return Engine(self.plan, self.info, self._open, self.watch, recorder.ended)
        from turnout.api.detached import Follower

        environment = self.plan.environment
        assert isinstance(environment.backend, ExecutorBackend)

        def started(there: Detached) -> None:
            self.url = there.url
            recorder.locate(there.url)

        session = self._session(environment)
        self._follower = Follower(self.errand, session, environment.backend, self.watch, started)
        return self._follower

    def _open(self, environment: Environment) -> Executor:
        if self._ahead is not None and environment is self.plan.environment:
            ahead, self._ahead = self._ahead, None
            return ahead
        backend = environment.backend
        assert isinstance(backend, ExecutorBackend)
        with uncollected():  # an SDK may be large
            executor = backend.open(self._session(environment))
        self.url = self.url or executor.url
        return executor

    def _session(self, environment: Environment) -> Session:
        return Session(
            info=self.info,
            config=environment.config,
            project=self.project,
            tasks=self.plan.rules.tasks,
            log=self._log,
            needs_store=self._needs_store,
        )

    @property
    def _needs_store(self) -> bool:
        return self.info.keep == "all" or self.plan.rules.caches

    def _see_to_store(self) -> None:
        """Refuse a store that cannot be used before anything runs that needs it.

        Raises:
            PlanError: it cannot be reached, or not be written to.
        """
        if not self._needs_store or self.store == self.home:
            return
        from turnout.worker.stores import identity

        try:
            identity(self.info)
        except Exception as error:  # file systems behind URLs have exceptions of their own
            what = "keep=all" if self.info.keep == "all" else "a cached task"
            problem = (
                f"execution_environment.store: {self.store} cannot be used, and {what} needs it "
                f"({type(error).__name__}: {error})"
            )
            raise PlanError([problem]) from error

    def _keep_outputs(self, value: Any, recorder: Recorder) -> None:
        """The workflow's result, kept under the empty node name."""
        from turnout.errors import EncodeError

        if self.info.keep not in ("auto", "all") or self.records is None:
            return
        from turnout.worker.keeping import SMALL_BYTES, size_of

        if self.info.keep != "all" and size_of(value) > SMALL_BYTES:
            return
        try:
            kept = self.records.keep(self.run_id, "", value)
        except EncodeError:
            if self.info.keep == "all":
                raise
            return
        row = NodeRow(
            self.run_id, "", status="succeeded", codec=kept.codec, payload=kept.payload,
            artifact=kept.artifact,
        )  # fmt: skip
        recorder.add(row)

    @property
    def _apart(self) -> str:
        """Where workers put large results, if not beside the records."""
        return self.store if self.store != self.home else ""

    @property
    def status(self) -> str:
        """How the run stands."""
        if self.error is not None and not isinstance(self.error, KeyboardInterrupt):
            return "failed"
        if self._thread is not None and self._thread.is_alive():
            return "running"
        return self.result.status if self.result is not None else "running"

    @property
    def value(self) -> Any:
        """What the workflow returned."""
        assert self.result is not None
        return self.result.value

    def nodes(self) -> list[NodeInfo]:
        """The nodes so far; of a run that is driven elsewhere, once it has ended."""
        rows = self.rows()
        rows.sort(key=lambda row: (not row.started, row.started))
        return [NodeInfo.of(row) for row in rows]

    def rows(self) -> list[NodeRow]:
        """The record's rows of the nodes that have ended."""
        if self._follower is not None:
            return list(self._follower.rows)
        from turnout.api.recorder import row_of

        jobs = list(self.result.jobs if self.result is not None else ())
        ended = (job for job in jobs if job.state not in (State.WAITING, State.RUNNING))
        keep = self.info.keep in ("auto", "all")
        return [row_of(self.run_id, job, self._apart, keep) for job in ended]

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread.

        Raises:
            TimeoutError: it goes on.
        """
        if self._thread is None:
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"run {self.run_id} goes on after {timeout} seconds")

    def cancel(self) -> None:
        """End the run."""
        self._cancelled = True
        engine = self._engine
        if engine is not None:
            engine.cancel()

    def interrupt(self, stays: bool | None) -> bool | None:
        """End the run, as the user's interrupt does where several go on.

        Args:
            stays: whether those before it that are driven elsewhere go on; ``None``: none was.

        Returns:
            The same for those that follow.
        """
        if self._follower is None:
            self.cancel()
            return stays
        return self._follower.interrupt(stays)

    def raise_failure(self, run: Run[Any]) -> None:
        """Raise what the run ended in, if it did not end well.

        Raises:
            RunFailed: a node failed; the cause is its exception.
            RunCancelled: it was cancelled, or goes on elsewhere and is not followed any more.
        """
        if self.error is not None:
            raise self.error
        result = self.result
        if result is None or result.status == "succeeded":
            return
        if result.status == "cancelled":
            raise RunCancelled(f"run {self.run_id} was cancelled", run)
        if result.status == "running":
            raise RunCancelled(f"run {self.run_id} goes on elsewhere", run)
        from turnout.worker.failures import fold

        error = result.error
        if error is not None:
            fold(error)
        what = f"node {result.node!r}" if result.node else f"run {self.run_id}"
        message = f"{what} failed: {type(error).__name__}: {error}"
        raise RunFailed(message, run=run, node=result.node) from error
