"""What every node of a run is held to: its options, its version, and its environment's word.

The same rules serve the plan and the graphs that dynamic tasks bring at run time.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from turnout.backend.base import ExecutorBackend
from turnout.backend.capability import BEHAVIOURS, Capability
from turnout.errors import ConfigError, PluginError
from turnout.graph import BranchNode, Cache, Graph, MapNode, TaskKey, TaskNode, TaskOptions
from turnout.graph.options import name_of
from turnout.graph.refs import resolve
from turnout.plan.environment import Environment
from turnout.plan.note import Note
from turnout.plan.own_options import has_others, problems_with, without_backend


@dataclass(slots=True)
class Rules:
    """Options, versions and capabilities for the tasks of a run.

    Attributes:
        environment: the run's own environment.
        resolve: finds the environment a task names.
        overrides: options the config gives to tasks, by task name.
        tasks: task objects by key; dynamic graphs add theirs.
        environments: the tasks' own environments found so far, by name.
        notes: what a plan should tell.
    """

    environment: Environment
    resolve: Callable[[str], Environment]
    overrides: Mapping[str, TaskOptions] = field(default_factory=dict)
    tasks: dict[TaskKey, Any] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    _memo: dict[tuple[TaskKey, int], tuple[TaskOptions | None, TaskOptions]] = field(
        default_factory=dict
    )
    _clean: set[tuple[TaskKey, int, type]] = field(default_factory=set)
    _visited: set[str] = field(default_factory=set)
    _versions: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def options(self, key: TaskKey, node: TaskOptions | None) -> TaskOptions:
        """A node's options: the task's, the node's over them, the config's over both."""
        memo = self._memo.get((key, id(node)))
        if memo is not None and memo[0] is node:
            return memo[1]
        task = self.tasks[key]
        found: TaskOptions = task.options.merged(node).merged(self.overrides.get(task.name))
        if found.execution_environment == self.environment.name:
            found = dataclasses.replace(found, execution_environment=None)
        self._memo[key, id(node)] = (node, found)
        return found

    def annotations(self, key: TaskKey) -> Mapping[str, Any]:
        """The annotations of a task's parameters."""
        return self.tasks[key].annotations  # type: ignore[no-any-return]

    def version(self, key: TaskKey, options: TaskOptions) -> str:
        """A task's version for the cache key; ``""`` when it is not cached."""
        cache = options.cache
        if not cache or self.environment.config.cache == "off":
            return ""
        said = cache if isinstance(cache, Cache) else Cache()
        if said.mode == "off":
            return ""
        known = (key, said.version, tuple(map(name_of, said.depends)), said.packages)
        if known not in self._versions:
            self._versions[known] = "+".join([self._code(key, said), *_installed(said.packages)])
        return self._versions[known]

    @property
    def caches(self) -> bool:
        """Whether a task asked about so far is cached."""
        return bool(self._versions)

    def _code(self, key: TaskKey, cache: Cache) -> str:
        if cache.version is not None:
            return f"given:{cache.version}"
        from turnout.storage.version import version_of

        task = self.tasks[key]
        version = version_of(task.fn, _depends(cache, task.options.cache))
        for text in version.notes:
            note = Note("cache", task.name, text)
            if note not in self.notes:
                self.notes.append(note)
        return version.digest

    def environment_of(self, options: TaskOptions) -> Environment:
        """The environment a node runs in.

        Raises:
            ConfigError: the options name an environment there is not.
        """
        name = options.execution_environment
        if not name:
            return self.environment
        if name not in self.environments:
            self.environments[name] = self.resolve(name)
        return self.environments[name]

    def check(self, graph: Graph, prefix: str = "") -> list[str]:
        """What of a graph cannot be honoured, one message each; notes what has no effect."""
        problems: list[str] = []
        for kind, present in (
            ("order", any(node.after for node in graph.nodes)),
            ("conditional", any(type(node) is BranchNode for node in graph.nodes)),
            ("on_failure", graph.on_failure is not None),
        ):
            if present:
                self._ask(self.environment, kind, f"workflow {graph.name!r}", problems)
        for node in (*graph.nodes, graph.on_failure):
            if not isinstance(node, TaskNode):
                continue
            # Nodes alike in task, kind and options get the same answer; one that gave neither
            # a problem nor a note need not be asked about again.
            like = (node.task, id(node.options), type(node))
            if like in self._clean:
                continue
            name = f"{prefix}{node.id}"
            before = len(problems) + len(self.notes)
            options = self.options(node.task, node.options)
            try:
                environment = self.environment_of(options)
            except (ConfigError, PluginError) as error:
                problems.append(f"node {name!r}: {error}")
                continue
            problems += self._held_to(node, name, options, environment)
            if len(problems) + len(self.notes) == before:
                self._clean.add(like)
        for inner in graph.workflows.values():
            problems += self.check(inner, f"{prefix}{inner.name}/")
        return problems

    def _held_to(
        self, node: TaskNode, name: str, options: TaskOptions, environment: Environment
    ) -> list[str]:
        """What of one node cannot be honoured."""
        who = f"node {name!r}"
        problems: list[str] = []
        if environment is not self.environment:
            self._ask(self.environment, "execution_environment", who, problems)
            problems += self._elsewhere(environment, who)
        for told in without_backend(options.options or {}, environment.backend.name):
            text = f"{who} sets {told}"
            if environment.config.strict:
                problems.append(f"{text} (strict=true)")
            else:
                self.notes.append(Note("advisory", who, text))
        settings = asked_for(options, environment.backend.name)
        if isinstance(node, MapNode):
            settings.append("map")
        if self.tasks[node.task].dynamic:
            settings.append("dynamic")
            if options.cache:
                problems.append(
                    f"{who} sets cache, and the graph of a dynamic task is made anew in every "
                    "run; cache the tasks it calls"
                )
        for setting in settings:
            self._ask(environment, setting, who, problems)
        if isinstance(options.cache, Cache):
            problems += _not_installed(name, options.cache.packages)
        unfit = list(problems_with(options, environment.backend, name))
        if not unfit:  # the backend reads them, and may rely on their types
            unfit += environment.backend.refuse(environment.config, name, options)
        return problems + unfit

    def _elsewhere(self, environment: Environment, who: str) -> list[str]:
        """Problems with a task's own environment."""
        if not isinstance(environment.backend, ExecutorBackend):
            told = f"{environment.name!r}, which takes whole workflows and no single tasks"
            return [f"{who} asks for the environment {told}"]
        if environment.name in self._visited:
            return []
        self._visited.add(environment.name)
        return list(environment.backend.check(environment.config))

    def _ask(self, environment: Environment, setting: str, who: str, problems: list[str]) -> None:
        capability = environment.backend.capability(setting, environment.config)
        if capability.honoured:
            return
        text = f"{who} sets {setting}, which {environment.name!r} "
        if setting in BEHAVIOURS:
            others = [name for name in able(setting) if name != environment.backend.name]
            can = f"; {', '.join(others)} can" if others else ""
            problems.append(f"{text}cannot honour: {capability.reason}{can}")
            return
        note = f"{text}takes as advice only: {capability.reason}"
        if environment.config.strict:
            problems.append(f"{note} (strict=true)")
        else:
            self.notes.append(Note("advisory", who, note))


def _depends(cache: Cache, written: bool | Cache | None) -> list[Any]:
    """What a cache depends on, as objects: those written at the task, others by their names."""
    objects = (
        {name_of(item): item for item in written.depends} if isinstance(written, Cache) else {}
    )
    found: list[Any] = []
    for item in cache.depends:
        name = name_of(item)
        if name not in objects and ":" in name:
            with contextlib.suppress(ImportError, AttributeError):
                objects[name] = resolve(name)
        found.append(objects.get(name, item))
    return found


def _installed(packages: Iterable[str]) -> list[str]:
    import importlib.metadata

    found = []
    for name in sorted(packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name}={importlib.metadata.version(name)}")
    return found


def _not_installed(node: str, packages: tuple[str, ...]) -> list[str]:
    known = {text.partition("=")[0] for text in _installed(packages)}
    return [
        f"node {node!r} sets Cache(packages=...) with {name!r}, which is not installed here"
        for name in packages
        if name not in known
    ]


def asked_for(options: TaskOptions, backend: str) -> list[str]:
    """The settings a node asks for, as names of capabilities.

    >>> asked_for(TaskOptions(retries=2, cache=False), "any")
    ['retries']
    """
    named = [
        name
        for name in (
            "cache", "retries", "timeout", "env_vars", "secrets", "report", "resources", "image",
            "interruptible",
        )
        if getattr(options, name)
    ]  # fmt: skip
    if options.options and has_others(options.options, backend):
        named.append("options")
    return named


def able(setting: str) -> list[str]:
    """The installed backends that honour a setting."""
    from turnout.backend.registry import registry

    found = registry().backends.values()
    return sorted(b.name for b in found if _honours(b, setting))


def _honours(backend: Any, setting: str) -> bool:
    capability: Capability = backend.capability(setting)
    return capability.honoured
