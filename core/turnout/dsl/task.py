"""Tasks: functions that a workflow places as nodes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from turnout.dsl import trace as tracing
from turnout.dsl.fields import output_fields
from turnout.dsl.frames import location
from turnout.dsl.inputs import use
from turnout.dsl.signatures import (
    Placeable,
    annotation,
    annotations_of,
    check_function,
    check_name,
    params_of,
    spelt,
)
from turnout.errors import GraphError
from turnout.graph import Cache, Resources, Secret, TaskKey, TaskOptions, TaskSpec
from turnout.graph.refs import ref_of, resolve
from turnout.types import checker, claimed, exact_types, hints, show

if TYPE_CHECKING:
    from datetime import timedelta

P = ParamSpec("P")
R = TypeVar("R")

_NO_OPTIONS = TaskOptions()
_KINDS = inspect.Parameter


class Task(Placeable, Generic[P, R]):
    """A function with options. Outside a workflow, calling it is a plain call.

    Attributes:
        fn: the function.
        name: what nodes, config and messages call it.
        key: its key in a graph's table of tasks.
        options: the options written at the task.
        node_options: what `with_options` laid over them.
        dynamic: whether the body builds a graph at run time.
        is_async: whether the function is a coroutine function.
        positional_only: parameters that can only be given by position.
        by_position: the parameters of a plain function that all can be given by position, and
            that gives the result when it is called; ``None`` where there is more to it.
        plain: the task without what `with_options` laid over it.
        signature: the function's signature.

    >>> from turnout.dsl import task
    >>> @task
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double(21)
    42
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None = None,
        options: TaskOptions = _NO_OPTIONS,
        dynamic: bool = False,
    ) -> None:
        check_function(fn, "task")
        # First, for a function's own attributes must not stand in for those of the task.
        functools.update_wrapper(self, fn)
        self.fn = fn
        own: str = getattr(fn, "__name__", type(fn).__name__)
        self.name: str = own.strip("<>") if name is None else name
        check_name(self.name)
        self.key = TaskKey(ref_of(fn))
        self.options = options
        self.node_options: TaskOptions | None = None
        self.dynamic = dynamic
        self.is_async = inspect.iscoroutinefunction(fn)
        self.signature = inspect.signature(fn)
        self.plain = self
        self._spec: TaskSpec | None = None
        if dynamic and self.is_async:
            raise TypeError(
                f"@dynamic {self.name!r} is an async def; its body builds a graph and waits for "
                "nothing, so write def"
            )
        parameters = self.signature.parameters.values()
        for parameter in parameters:
            if parameter.kind is _KINDS.VAR_POSITIONAL:
                raise TypeError(
                    f"task {self.name!r} takes *{parameter.name}; a task names its parameters, so "
                    "take a list instead"
                )
        self._positional = tuple(
            p.name
            for p in parameters
            if p.kind in (_KINDS.POSITIONAL_ONLY, _KINDS.POSITIONAL_OR_KEYWORD)
        )
        self.positional_only = tuple(p.name for p in parameters if p.kind is _KINDS.POSITIONAL_ONLY)
        # A wrapper may be called otherwise than the signature it shows says.
        code = fn.__code__ if type(fn) is FunctionType else None
        plainly = code is not None and code.co_varnames[: code.co_argcount] == self._positional
        self.by_position = self._positional if plainly and not (dynamic or self.is_async) else None
        self._accepts = frozenset(p.name for p in parameters if p.kind is not _KINDS.VAR_KEYWORD)
        self._required = frozenset(
            p.name for p in parameters if p.default is p.empty and p.kind is not _KINDS.VAR_KEYWORD
        )
        self._takes_more = any(p.kind is _KINDS.VAR_KEYWORD for p in parameters)
        # How many arguments are all of them, without keywords; -1 where some need keywords.
        self._whole = len(self._positional) if self._required <= set(self._positional) else -1
        # `update_wrapper` has taken the attributes' dict in hand; reading from a copy of it is
        # three times as fast (PEP 659: only a dict of its own is specialised).
        self.__dict__ = dict(self.__dict__)

    @functools.cached_property
    def annotations(self) -> dict[str, Any]:
        """Parameter name to annotation; those without one are left out."""
        return annotations_of(self.fn, self.signature)

    @functools.cached_property
    def returns(self) -> Any:
        """The return annotation, ``Any`` if there is none."""
        return annotation(hints(self.fn).get("return", Any))

    @functools.cached_property
    def gives(self) -> Any:
        """What is known of a result: of a dynamic task, what its graph is said to return."""
        return claimed(self.returns) if self.dynamic else self.returns

    @functools.cached_property
    def result_test(self) -> tuple[frozenset[type], Callable[[Any], str | None] | None]:
        """Classes whose direct instances fit the return annotation, and what checks all others."""
        return exact_types(self.returns), checker(self.returns)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: D102  (the function's)
        result: Any  # what is made is a promise, and to editors the function's result
        trace = tracing.current()
        if trace is not None:
            if kwargs or len(args) != self._whole:
                names, values = self.arguments(args, kwargs)
                result = trace.add_task(self, names, values)
            else:
                result = trace.add_task(self, self._positional, args)
        elif self.dynamic:
            result = plain_run(self, args, kwargs)
        else:
            result = self.fn(*args, **kwargs)
        return result  # type: ignore[no-any-return]

    def call(self, given: Mapping[str, Any]) -> Any:
        """Call the function with arguments by name; a coroutine function's coroutine is given."""
        if not self.positional_only:
            return self.fn(**given)
        rest = dict(given)
        first = [rest.pop(name) for name in self.positional_only if name in rest]
        return self.fn(*first, **rest)

    def arguments(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Iterable[str], Sequence[Any]]:
        """The parameters that a call gives, and the value of each.

        Raises:
            GraphError: they do not fit the signature.
        """
        names = self._positional
        count = len(args)
        if count <= len(names):
            given = dict(zip(names, args, strict=False))
            given.update(kwargs)
            if (
                len(given) == count + len(kwargs)
                and self._required <= given.keys()
                and (self._takes_more or given.keys() <= self._accepts)
                and not (self.positional_only and kwargs.keys() & set(self.positional_only))
            ):
                return given, [*given.values()]
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            problem = str(error)
        else:
            problem = "its positional-only parameters cannot be keywords too"
        raise GraphError(
            f"task {self.name!r}: {problem}; it is {self.name}{spelt(self.signature)}",
            location=location(),
        )

    def with_options(  # noqa: PLR0913  (one for each option there is)
        self,
        *,
        cache: bool | Cache | None = None,
        retries: int | None = None,
        timeout: float | str | timedelta | None = None,
        resources: Resources | None = None,
        image: str | None = None,
        env_vars: Mapping[str, str] | None = None,
        secrets: Iterable[Secret | str] | None = None,
        interruptible: bool | None = None,
        execution_environment: str | None = None,
        report: bool | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Task[P, R]:
        """The same task with options laid over for the nodes it makes; see `task`.

        An input given as an option is fixed.
        """
        said = TaskOptions(
            cache=use(cache),
            retries=use(retries),
            timeout=cast("float | None", use(timeout)),
            resources=use(resources),
            image=use(image),
            env_vars=use(env_vars),
            secrets=cast("tuple[Secret, ...] | None", use(secrets)),
            interruptible=use(interruptible),
            execution_environment=use(execution_environment),
            report=use(report),
            options=use(options),
        )
        other: Task[P, R] = Task.__new__(Task)
        other.__dict__ = dict(self.__dict__)
        other.node_options = (self.node_options or _NO_OPTIONS).merged(said.named())
        return other

    def same_as(self, other: Task[..., Any]) -> bool:
        """Whether two tasks are one to a graph: the options of nodes do not count."""
        return self.plain is other.plain or (
            self.fn is other.fn
            and self.name == other.name
            and self.dynamic == other.dynamic
            and self.options == other.options
        )

    @functools.cached_property
    def importable(self) -> bool:
        """Whether importing the function's name gives this task, so that workers can."""
        ref = ref_of(self.fn)
        if ref.startswith("__main__:"):
            return False  # a notebook or prompt; each process has another __main__
        try:
            found = resolve(ref)
        except Exception:  # an import runs the user's code
            return False
        return isinstance(found, Task) and found.fn is self.fn

    def spec(self, key: TaskKey) -> TaskSpec:
        """The task as a graph knows it."""
        if self._spec is None or self._spec.key != key:
            self._spec = TaskSpec(
                key=key,
                name=self.name,
                ref=ref_of(self.fn),
                importable=self.importable,
                params=params_of(self.signature, self.annotations),
                returns="" if self.returns is Any else show(self.returns),
                fields=tuple(map(str, output_fields(self.returns) or ())),
                options=self.options.named(),
                dynamic=self.dynamic,
            )
        return self._spec

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __reduce__(self) -> Any:
        if self.importable and self.same_as(resolve(self.key)):
            return (_by_name, (str(self.key), self.node_options))
        return (_rebuilt, (self.fn, self.name, self.options, self.dynamic, self.node_options))


def _by_name(ref: str, node_options: TaskOptions | None) -> Task[..., Any]:
    task: Task[..., Any] = resolve(ref)
    return _with_node_options(task, node_options)


def _rebuilt(
    fn: Callable[..., Any],
    name: str,
    options: TaskOptions,
    dynamic: bool,
    node_options: TaskOptions | None,
) -> Task[..., Any]:
    task: Task[..., Any] = Task(fn, name=name, options=options, dynamic=dynamic)
    return _with_node_options(task, node_options)


def _with_node_options(task: Task[..., Any], options: TaskOptions | None) -> Task[..., Any]:
    if options is None:
        return task
    other = task.with_options()
    other.node_options = options
    return other


def plain_run(callee: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """A plain call of a dynamic task or a workflow: trace it and run it here."""
    if _plain_runner is None:
        raise GraphError(f"{callee.name!r} builds a graph; import turnout before calling it")
    return _plain_runner(callee, args, kwargs)


_plain_runner: Callable[..., Any] | None = None


def set_plain_runner(runner: Callable[..., Any]) -> None:
    """Say what runs a graph for a plain call; the engine stands above this package."""
    global _plain_runner
    _plain_runner = runner
