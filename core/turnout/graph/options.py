"""What a task asks for: resources, cache, secrets, and its other options.

Every field of `TaskOptions` may be unset (``None``), so that the options written at the
task, at the node and in the config can be laid over one another with `merged`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from turnout.graph.refs import ref_of

if TYPE_CHECKING:
    from datetime import timedelta

CacheMode = Literal["use", "refresh", "read", "off"]

_MEM = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGTP]i?)?B?\s*$", re.IGNORECASE)
_MEM_UNITS: Final = {
    "": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40, "PI": 2**50,
}  # fmt: skip
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def memory_bytes(text: str | int) -> int:
    """Bytes of a memory size written as Kubernetes does.

    Raises:
        ValueError: the text is not a size.

    >>> memory_bytes("1Gi"), memory_bytes("500M"), memory_bytes(42)
    (1073741824, 500000000, 42)
    """
    match = _MEM.match(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a memory size; write '512Mi', '2Gi' or bytes")
    return int(float(match[1]) * _MEM_UNITS[(match[2] or "").upper()])


def duration_seconds(value: float | str | timedelta) -> float:
    """Seconds of a duration: a number of seconds, a `timedelta`, or text such as ``"1h30m"``.

    Raises:
        ValueError: the text is not a duration, or it is not positive.

    >>> duration_seconds("1h30m"), duration_seconds("250ms"), duration_seconds(5)
    (5400.0, 0.25, 5.0)
    """
    if isinstance(value, str):
        parts = _DURATION.findall(value)
        if parts and _DURATION.sub("", value).strip() == "":
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        else:
            try:
                seconds = float(value)
            except ValueError:
                raise ValueError(
                    f"{value!r} is not a duration; write seconds, '30s', '5m' or '1h30m'"
                ) from None
    else:
        seconds = value.total_seconds() if hasattr(value, "total_seconds") else float(value)
    if seconds <= 0:
        raise ValueError(f"a duration must be positive, not {value!r}")
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task needs of a machine.

    Attributes:
        cpu: cores; fractions allowed.
        mem: memory, as bytes or Kubernetes text such as ``"1Gi"``.
        gpu: devices.
        accelerator: the device's model, such as ``"A100"``.
        disk: scratch space, written like ``mem``.
        custom: backend-defined countable resources, name to amount.
    """

    cpu: float | None = None
    mem: str | int | None = None
    gpu: float | None = None
    accelerator: str | None = None
    disk: str | int | None = None
    custom: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("cpu", "gpu"):
            amount = getattr(self, name)
            if amount is not None and amount < 0:
                raise ValueError(f"resources.{name} must not be negative, not {amount!r}")
        for name in ("mem", "disk"):
            size = getattr(self, name)
            if size is not None:
                memory_bytes(size)
        for name, amount in self.custom.items():
            if type(amount) not in (int, float) or amount < 0:
                raise ValueError(f"resources.custom[{name!r}] is a number from 0, not {amount!r}")

    def __bool__(self) -> bool:
        return self != _NO_RESOURCES


_NO_RESOURCES = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """How a task's results are cached.

    Attributes:
        version: stands in for the digest of the task's code; change it to forget old results.
        ignored_inputs: parameters that do not count in the cache key.
        depends: further functions, classes, modules-as-text or constants whose change must miss.
        packages: distributions whose installed version counts in the key.
        mode: overrides the environment's ``cache`` for this task.
    """

    version: str | None = None
    ignored_inputs: tuple[str, ...] = ()
    depends: tuple[Any, ...] = ()
    packages: tuple[str, ...] = ()
    mode: CacheMode | None = None

    def __post_init__(self) -> None:
        for name in ("ignored_inputs", "depends", "packages"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise TypeError(f"Cache({name}=...) takes a tuple, not the string {value!r}")
            object.__setattr__(self, name, tuple(value))
        if self.mode not in (None, "use", "refresh", "read", "off"):
            raise ValueError(f"Cache(mode=...) is use, refresh, read or off, not {self.mode!r}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret a task may read; resolved by the worker of tasks that declare it.

    Attributes:
        name: the secret's name, and the variable it is set as unless ``as_env`` says another.
        group: the group or vault it lives in, where the resolver knows groups.
        key: the key inside the group.
        as_env: the environment variable the task finds it under.
    """

    name: str
    group: str | None = None
    key: str | None = None
    as_env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of a task; ``None`` means "not said here".

    Attributes:
        cache: ``True``, ``False`` or a `Cache`.
        retries: further attempts after the first one failed.
        timeout: seconds one attempt may take, a `timedelta`, or text such as ``"5m"``.
        resources: what the task needs of a machine.
        image: the container image the task wants.
        env_vars: environment variables set while the task runs.
        secrets: secrets the task may read.
        interruptible: whether the task may run on machines that can be taken away.
        execution_environment: the environment this task runs in, if not the run's own.
        report: whether the task renders a report.
        options: backend name to that backend's own settings.
    """

    cache: bool | Cache | None = None
    retries: int | None = None
    timeout: float | None = None
    resources: Resources | None = None
    image: str | None = None
    env_vars: Mapping[str, str] | None = None
    secrets: tuple[Secret, ...] | None = None
    interruptible: bool | None = None
    execution_environment: str | None = None
    report: bool | None = None
    options: Mapping[str, Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.retries is not None:
            if type(self.retries) is not int:
                raise TypeError(f"retries takes a whole number, not {self.retries!r}")
            if self.retries < 0:
                raise ValueError(f"retries must not be negative, not {self.retries!r}")
        if self.timeout is not None:
            object.__setattr__(self, "timeout", duration_seconds(self.timeout))
        if self.secrets is not None:
            if isinstance(self.secrets, (str, Secret)):
                raise TypeError(f"secrets takes a list of names, not {self.secrets!r}")
            given: Iterable[Any] = self.secrets
            secrets = tuple(s if isinstance(s, Secret) else Secret(s) for s in given)
            object.__setattr__(self, "secrets", secrets)
        if isinstance(self.resources, Mapping):  # as configs give it
            object.__setattr__(self, "resources", Resources(**self.resources))
        for name in ("env_vars", "options"):
            said = getattr(self, name)
            if said is not None:
                object.__setattr__(self, name, _as_json(said))

    def merged(self, over: TaskOptions | None) -> TaskOptions:
        """These options with everything ``over`` says laid on top.

        ``env_vars`` and ``options`` are joined key by key, and ``resources`` field by field;
        all else is replaced.
        """
        if over is None:
            return self
        said: dict[str, Any] = {}
        for name in OPTION_NAMES:
            value = getattr(over, name)
            if value is None:
                continue
            mine = getattr(self, name)
            if mine is not None and name in ("env_vars", "options"):
                value = {**mine, **value}
            elif mine is not None and name == "resources":
                value = _laid_over(mine, value)
            said[name] = value
        return dataclasses.replace(self, **said) if said else self

    def named(self) -> TaskOptions:
        """These options without callables: what a cache depends on is there by name."""
        cache = self.cache
        if not isinstance(cache, Cache) or all(isinstance(item, str) for item in cache.depends):
            return self
        names = tuple(map(name_of, cache.depends))
        return dataclasses.replace(self, cache=dataclasses.replace(cache, depends=names))

    def to_json(self) -> dict[str, Any]:
        """The options that are set, as JSON values; `from_json` is the way back."""
        said: dict[str, Any] = {}
        for name in OPTION_NAMES:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, (Cache, Resources)):
                value = _set_fields(value)
            elif name == "secrets":
                value = [_set_fields(secret) for secret in value]
            elif isinstance(value, Mapping):
                value = {key: value[key] for key in sorted(value)}
            said[name] = value
        return said

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskOptions:
        """Options read back from `to_json`."""
        said = dict(data)
        if isinstance(said.get("cache"), Mapping):
            said["cache"] = Cache(**said["cache"])
        if "resources" in said:
            said["resources"] = Resources(**said["resources"])
        if "secrets" in said:
            said["secrets"] = tuple(Secret(**secret) for secret in said["secrets"])
        return cls(**said)


def name_of(item: Any) -> str:
    """What something a cache depends on is called in a graph.

    >>> name_of(name_of), name_of("package.module"), name_of((1, 2))
    ('turnout.graph.options:name_of', 'package.module', '(1, 2)')
    """
    if isinstance(item, str):
        return item
    return ref_of(item) if hasattr(item, "__qualname__") else repr(item)


def _as_json(value: Any) -> Any:
    """Mappings as dicts and sequences as lists, so that what is read back is equal."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return value


OPTION_NAMES: Final = tuple(f.name for f in dataclasses.fields(TaskOptions))


def _set_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, tuples as lists."""
    said = {}
    for f in dataclasses.fields(value):
        item = getattr(value, f.name)
        if item is None or item in ((), {}):
            continue
        said[f.name] = list(item) if isinstance(item, tuple) else item
    return said


def _laid_over(under: Resources, over: Resources) -> Resources:
    said = {
        f.name: getattr(over, f.name)
        for f in dataclasses.fields(Resources)
        if getattr(over, f.name) not in (None, {})
    }
    return dataclasses.replace(under, **said)
