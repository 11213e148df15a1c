"""Inputs without a value: each is told once, at the level at which it can be given."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from turnout.dsl.known import OPEN, child_value
from turnout.dsl.trace import OpenInput
from turnout.dsl.workflow import WHOLE_CONFIG_NAMES, Workflow
from turnout.errors import ConfigError
from turnout.graph import Param, Path
from turnout.graph.binding import path_text
from turnout.types.config_values import override_key
from turnout.types.foreign import is_config

_WHOLE: Final = ""
"""How a config spells the path of a parameter that receives all of it."""


class NoValue(ConfigError):
    """Inputs have no value."""


@dataclass(slots=True)
class Missing:
    """The inputs without a value that were come across.

    Attributes:
        readers: their names as the config spells them, and who reads them.
        taken_apart: those of which parts are read.
    """

    readers: dict[str, list[str]] = field(default_factory=dict)
    taken_apart: set[str] = field(default_factory=set)

    def add(self, name: str, reader: str = "", *, part: bool = False) -> None:
        """Note one, or one more reader of it."""
        readers = self.readers.setdefault(name, [])
        if reader:
            readers.append(reader)
        if part:
            self.taken_apart.add(name)

    def add_required(self, params: Iterable[Param], values: Mapping[str, Any]) -> None:
        """Note parameters without a value, whether read or not."""
        for param in params:
            if values.get(param.name, OPEN) is OPEN:
                self.add(_WHOLE if param.whole else param.name)

    def add_fields(self, workflow: Workflow[..., Any], values: Mapping[str, Any]) -> None:
        """Note the fields without a value of parameters that are declared by a dataclass."""
        for param in workflow.params:
            if dataclasses.is_dataclass(workflow.hints.get(param.name)):
                for key in missing_keys(values.get(param.name)):
                    self.add(key if param.whole else joined(param.name, key))

    def told(self, params: Sequence[Param], workflow: str) -> list[str]:
        """One message each."""
        whole = next((param.name for param in params if param.whole), "")
        named = {} if whole else {param.name: param for param in params}
        return [
            (
                f"input {whole!r} is the whole config, and none was given; give it one: "
                f"turnout.run({workflow}, {whole})"
                if name == _WHOLE
                else self._told(name, readers, named.get(name))
            )
            for name, readers in self.readers.items()
        ]

    def _told(self, name: str, readers: list[str], param: Param | None) -> str:
        read = f", and {readers[0]} reads it" if readers else ""
        return (
            f"input {name!r} has no value{read}; give it one: {override_key(name)}=..."
            f"{_meant(param, taken_apart=name in self.taken_apart)}"
        )


def _meant(param: Param | None, *, taken_apart: bool) -> str:
    """What to say of a parameter that may have been meant to receive the whole config."""
    if param is None:
        return ""
    kinds = ("DictConfig", "dict", "Mapping") if taken_apart else ("DictConfig",)
    if not param.annotation.startswith(kinds) and (param.annotation or not taken_apart):
        return ""
    if param.name in WHOLE_CONFIG_NAMES:
        return f"; or, to receive the whole config, annotate {param.name!r} as DictConfig"
    names = " or ".join(map(repr, WHOLE_CONFIG_NAMES))
    return f"; or, to receive the whole config, name the parameter {names}"


def first_open(value: Any, path: Path) -> Path:
    """As much of a path as leads to the first value that is not there.

    Args:
        value: the value of the path's first part.
        path: one that leads to an open value.

    >>> first_open({"model": OPEN}, ("cfg", "model", "layers", 0))
    ('cfg', 'model')
    """
    for end, key in enumerate(path[1:], 1):
        if value is OPEN:
            return path[:end]
        value = child_value(value, key)
    return path


def joined(name: str, key: str) -> str:
    """A key below a name.

    >>> joined("model", "C"), joined("grid", "[0]"), joined("", "C")
    ('model.C', 'grid[0]', 'C')
    """
    return f"{name}{'' if key.startswith('[') or not name else '.'}{key}"


def missing_keys(value: Any) -> list[str]:
    """Dotted names of what is ``???`` inside a config; nothing for other values."""
    if not is_config(type(value)):
        return []
    from turnout.types.configs import missing_keys

    # A part keeps the name it had in its config.
    own = value._get_full_key(None)
    return [name.removeprefix(own).lstrip(".") for name in missing_keys(value)]


def steered_by(
    error: OpenInput, workflow: Workflow[..., Any], values: Mapping[str, Any]
) -> list[str]:
    """What to tell when the body itself reads an input that has no value.

    The graph ends there, so the others are those that are required whatever the body does.
    """
    found = Missing()
    first = str(error.path[0])
    absent = first_open(values.get(first, OPEN), error.path)
    name = path_text(absent[1:] if workflow.takes_whole(first) else absent)
    found.add(name, f"the workflow's body ({error.location})", part=len(absent) < len(error.path))
    found.add_required(workflow.params, values)
    found.add_fields(workflow, values)
    return found.told(workflow.params, workflow.name)


def told_at_once(problems: Sequence[str], *, missing: bool = True) -> ConfigError:
    """Problems with inputs as one error; a `NoValue` if inputs without a value are among them."""
    kind = NoValue if missing else ConfigError
    if len(problems) == 1:
        return kind(problems[0])
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return kind(f"the inputs have {len(problems)} problems:\n{lines}")
