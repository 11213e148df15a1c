"""Digests of values: equal content gives the same text in every process and environment.

A value is written as a canonical text (its *token*) that is hashed. The type of every part
counts (``1``, ``1.0`` and ``True`` differ), the order of a dict or set does not. What has no
canonical form contributes the bytes of its pickle, which may differ between equal values.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import json
import os
import re
import types
from collections.abc import Callable, Iterable
from typing import Any, Final

from turnout.errors import EncodeError
from turnout.graph.refs import ref_of
from turnout.storage.checksum import blake2b, checksum

__all__ = ["SCHEME", "Tokens", "digest", "digest_and_canonical", "is_canonical", "was_changed"]

SCHEME: Final = "d2"
"""Prefix of every digest; raised when the same value would get another one."""


def digest(value: Any) -> str:
    """The digest of a value's content.

    Raises:
        EncodeError: part of it has no canonical form and cannot be pickled.

    >>> digest({"a": 1, "b": {2, 3}}) == digest({"b": {3, 2}, "a": 1})
    True
    >>> digest(1) == digest(1.0)
    False
    """
    scalar = _SCALAR.get(type(value))
    if scalar is not None:
        return _sealed(scalar(value))
    return digest_and_canonical(value)[0]


def is_canonical(value: Any) -> bool:
    """Whether the digest is one of the content alone, with no pickle in it.

    >>> is_canonical([1, "a", None]), is_canonical(object())
    (True, False)
    """
    return type(value) in _SCALAR or digest_and_canonical(value)[1]


def digest_and_canonical(value: Any) -> tuple[str, bool]:
    """`digest` and `is_canonical` of a value, which is looked at once."""
    tokens = Tokens()
    try:
        text = tokens.token(value)
    except RecursionError:
        # Nested too deeply or containing itself; pickle may know how.
        text = tokens.pickled(value)
    return _sealed(text), tokens.canonical


def was_changed(value: Any, before: str) -> bool:
    """Whether a value certainly has other content than when its digest was taken.

    Of plain data, arrays, tables and records it is known. What else an object holds may change
    when it is merely used, as what it remembers does.

    >>> rows = [1, 2]
    >>> before = digest(rows)
    >>> rows.append(3)
    >>> was_changed(rows, before)
    True
    """
    if type(value) in _SCALAR or not before.startswith(SCHEME):
        return False
    tokens = Tokens()
    try:
        text = tokens.token(value)
    except RecursionError:
        return False
    except EncodeError:
        return True
    return tokens.canonical and tokens.inert and _sealed(text) != before


def _sealed(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return SCHEME + blake2b(data, digest_size=16).hexdigest()


class Tokens:
    """Writes tokens, and remembers whether all of them were canonical.

    Args:
        function: gives the token of a function or class; its version if not given.

    Attributes:
        canonical: false once something had to be pickled.
        inert: false once an object counted by what it holds, which its use may change.
    """

    __slots__ = ("_callable", "_kinds", "_made", "canonical", "inert")

    def __init__(self, function: Callable[[Any], str] | None = None) -> None:
        self.canonical = True
        self.inert = True
        self._callable = function or _version_token
        self._kinds: dict[type, str] = {}
        self._made: dict[int, tuple[Any, str | None]] = {}

    def token(self, value: Any) -> str:
        """The canonical text of a value."""
        kind = type(value)
        scalar = _SCALAR.get(kind)
        if scalar is not None:
            return scalar(value)
        exact = _EXACT.get(kind)
        if exact is not None:
            return exact(self, value)
        if isinstance(value, type):
            return self._callable(value)
        return self._instance(value, kind)

    def items(self, values: Iterable[Any]) -> str:
        """The tokens of several values, with commas."""
        token = self.token
        return ",".join([token(value) for value in values])

    def kind(self, kind: type) -> str:
        """The token of the class of an instance: the version of the project's, others' name.

        What its methods do is as much what was passed as the fields are. It is remembered only
        for this value, as what the methods use may be given another value in a notebook.
        """
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _kind_token(kind)
        return known

    def once(self, value: Any, make: Callable[[], str]) -> str:
        """The token of an object that many others may hold, made once and kept short.

        Raises:
            RecursionError: the object contains itself.
        """
        known = self._made.get(id(value))
        if known is None:
            self._made[id(value)] = (value, None)
            text = checksum(make().encode("utf-8", "surrogatepass"))
            self._made[id(value)] = (value, text)
            return text
        if known[1] is None:
            raise RecursionError(f"a {type(value).__name__} contains itself")
        return known[1]

    def pickled(self, value: Any) -> str:
        """The token of last resort."""
        from turnout.storage.pickling import dumps

        self.canonical = False
        try:
            return f"pickle({self.kind(type(value))},{checksum(dumps(value))})"
        except Exception as error:
            from turnout.storage.codecs import refused

            raise refused(value, "", error) from error

    def _instance(self, value: Any, kind: type) -> str:
        if isinstance(value, enum.Enum):
            # A combination of flags may have no name.
            name = getattr(value, "_name_", None) or ""
            return f"enum({self.kind(kind)}.{name},{self._enum_value(value.value)})"
        if isinstance(value, os.PathLike) and kind.__module__.startswith("pathlib"):
            return f"path({_text(os.fspath(value))})"
        if isinstance(value, dt.tzinfo) and hasattr(value, "key"):
            return f"zone({_text(str(value.key))})"
        from turnout.storage import content

        text = content.token(self, value, kind)
        return text if text is not None else self.pickled(value)

    def _enum_value(self, value: Any) -> str:
        """The token of what a member stands for; one that has no canonical form is its name."""
        before, self.canonical = self.canonical, True
        try:
            text = self.token(value)
            return text if self.canonical else ""
        except EncodeError:
            return ""
        finally:
            self.canonical = before

    def _list(self, value: list[Any] | tuple[Any, ...]) -> str:
        name = "list" if type(value) is list else "tuple"
        if len(value) > 8 and _JSON_EXACT.issuperset(map(type, value)):
            try:
                return f"{name}*{json.dumps(value, separators=(',', ':'))}"
            except ValueError:  # an integer of more than 4300 digits
                pass
        return f"{name}[{self.items(value)}]"

    def _dict(self, value: dict[Any, Any]) -> str:
        token = self.token
        pairs = sorted([(token(key), token(item)) for key, item in value.items()])
        return "dict{" + ",".join([f"{key}:{item}" for key, item in pairs]) + "}"

    def _set(self, value: set[Any] | frozenset[Any]) -> str:
        name = type(value).__name__
        return f"{name}{{{','.join(sorted([self.token(item) for item in value]))}}}"

    def _function(self, value: Any) -> str:
        return self._callable(value)

    def _built_in(self, value: Any) -> str:
        owner = value.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return self._callable(value)
        return f"method({_text(value.__name__)},{self.token(owner)})"

    def _method(self, value: Any) -> str:
        return f"method({self._callable(value.__func__)},{self.token(value.__self__)})"

    def _partial(self, value: Any) -> str:
        parts = (value.args, value.keywords)
        return f"partial({self.token(value.func)},{self.items(parts)})"

    def _datetime(self, value: Any) -> str:
        zone = getattr(value, "tzinfo", None)
        moment = value.replace(tzinfo=None).isoformat() if zone is not None else value.isoformat()
        fold = getattr(value, "fold", 0)
        return f"{type(value).__name__}({moment},{fold},{self.token(zone)})"


def _version_token(function: Any) -> str:
    from turnout.storage.version import version_of

    return f"code({ref_of(function)},{version_of(function).digest})"


def _kind_token(kind: type) -> str:
    from turnout.storage.version import is_project

    return _version_token(kind) if is_project(kind) else ref_of(kind)


def _text(value: str) -> str:
    return f"{len(value)}'{value}'"


def _int(value: int) -> str:
    # Python refuses to write integers of more than 4300 digits in decimal.
    return repr(value) if value.bit_length() < 10_000 else hex(value)


def _bytes(value: bytes | bytearray) -> str:
    return f"{type(value).__name__}({value.hex() if len(value) <= 64 else checksum(value)})"


def _shown(name: str) -> Callable[[Tokens, Any], str]:
    """Tokens of types whose ``repr`` says everything."""
    return lambda _, value: f"{name}({value!r})"


_SCALAR: Final[dict[type, Callable[[Any], str]]] = {
    int: _int,
    float: repr,
    bool: repr,
    str: _text,
    type(None): repr,
}
_JSON_EXACT: Final = frozenset({int, float, bool, str, type(None)})
_EXACT: Final[dict[type, Callable[[Tokens, Any], str]]] = {
    list: Tokens._list,
    tuple: Tokens._list,
    dict: Tokens._dict,
    set: Tokens._set,
    frozenset: Tokens._set,
    bytes: lambda _, value: _bytes(value),
    bytearray: lambda _, value: _bytes(value),
    complex: _shown("complex"),
    range: _shown("range"),
    type(...): _shown("ellipsis"),
    slice: lambda tokens, v: f"slice({tokens.items((v.start, v.stop, v.step))})",
    dt.datetime: Tokens._datetime,
    dt.time: Tokens._datetime,
    dt.date: Tokens._datetime,
    dt.timedelta: _shown("timedelta"),
    dt.timezone: _shown("timezone"),
    re.Pattern: lambda tokens, v: f"pattern({tokens.items((v.pattern, v.flags))})",
    types.FunctionType: Tokens._function,
    types.BuiltinFunctionType: Tokens._built_in,
    types.MethodType: Tokens._method,
    functools.partial: Tokens._partial,
    types.MappingProxyType: lambda tokens, v: f"proxy({tokens.token(dict(v))})",
    types.SimpleNamespace: lambda tokens, v: f"namespace({tokens.token(vars(v))})",
    types.GenericAlias: _shown("alias"),
    types.UnionType: _shown("union"),
}
