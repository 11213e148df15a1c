"""OmegaConf's and Hydra's errors as one clear message each.

They are told apart by name, so that nothing is imported to explain an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from turnout.backend.registry import choices, registry
from turnout.errors import ConfigError, TurnoutError

_NOISE: Final = re.compile(r"^\s*(full_key|object_type|reference_type)\s*[:=]")
_PLACE: Final = re.compile(r"^In '([^']+)'")
_TO_APPEND: Final = re.compile(r"^To append to your config use (\S.*)$", re.MULTILINE)
_GROUP: Final = "execution_environment"


def explain(
    error: BaseException, within: str = "", what: str = "the config cannot be composed"
) -> ConfigError:
    """A `ConfigError` that says what, where and the way out.

    Args:
        error: what OmegaConf or Hydra raised, or anything that came up while composing.
        within: the key the failing part stands at, where OmegaConf cannot know it.
        what: what has failed, for an error of neither.

    Raises:
        KeyboardInterrupt: the error came up in the wake of one, which had left a config half made.
    """
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, KeyboardInterrupt):
            raise link
        link = link.__context__  # which OmegaConf suppresses, and keeps
    if isinstance(error, ConfigError):
        return error
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, TurnoutError):
            return ConfigError(str(link))
    for link in chain:
        if _is(link, "MissingConfigException"):
            return ConfigError(_missing(link))
    for link in chain:
        if _is(link, "ConfigKeyError") or _is(link, "ConfigAttributeError"):
            return ConfigError(_unknown_key(link, error, within))
    for link in chain:
        if _is(link, "OmegaConfBaseException"):
            return ConfigError(_bad_value(link, error, within))
    text = _clean(str(error))
    if _is(error, "HydraException"):
        return ConfigError(text)
    return ConfigError(f"{what}: {type(error).__name__}: {text}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _is(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)


def _clean(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not _NOISE.match(line)).strip()


def _missing(error: Any) -> str:
    """A config file that is not there; for the group, the message users of it need."""
    wanted = str(error.missing_cfg_file or "")
    if not wanted.startswith(f"{_GROUP}/"):
        return _clean(str(error))
    name = wanted.removeprefix(f"{_GROUP}/")
    for broken in registry().broken:
        if broken.name == name:
            return str(broken)
    known = set(error.options or ()) | set(registry().backends)
    return f"unknown execution environment {name!r}; {choices(name, known)}"


def _unknown_key(error: Any, outer: BaseException, within: str) -> str:
    key = str(error.key)
    full = _full_key(error, within) or key
    text = f"{_place(outer)}unknown key {full!r}; {choices(key, _keys(error.parent_node))}"
    append = _TO_APPEND.search(str(outer))
    typed = error.object_type is not None and error.object_type is not dict
    if append and not typed and not full.startswith((f"{_GROUP}.", "turnout.")):
        text += f". To add a key the config does not have, write {append[1]}"
    return text


def _bad_value(error: Any, outer: BaseException, within: str) -> str:
    text = _clean(str(error))
    full = _full_key(error, within)
    if full and full not in text:
        text = f"{full}: {text}"
    override = str(outer).partition("Error merging override ")[2].splitlines()
    said = f" (in the override {override[0]})" if override and error is not outer else ""
    return f"{_place(outer)}{text}{said}"


def _full_key(error: Any, within: str) -> str:
    full = str(error.full_key or "")
    if within and full != within and not full.startswith((f"{within}.", f"{within}[")):
        full = f"{within}.{full}" if full else within
    return full


def _place(outer: BaseException) -> str:
    found = _PLACE.match(str(outer))
    return f"in {found[1]!r}: " if found else ""


def _keys(node: Any) -> Iterable[str]:
    try:
        return [str(key) for key in node if key != "hydra"]
    except Exception:  # a message about an error must not raise another
        return []
