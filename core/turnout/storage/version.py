"""The version of a task's code: what stands for it in a cache key.

It is made of the function's source and of the project functions, classes and constants it
reaches. Files of the standard library, of installed packages and of turnout do not count.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import importlib.util
import linecache
import os
import sys
import types
import weakref
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args, get_origin

from turnout.graph.refs import main_name, module_name, ref_of
from turnout.storage.checksum import checksum
from turnout.storage.digest import Tokens
from turnout.storage.source import (
    Import,
    Piece,
    piece_of_class,
    piece_of_file,
    piece_of_function,
)

__all__ = ["SCHEME", "Version", "is_project", "is_project_file", "version_of"]

SCHEME: Final = "c2"
"""Prefix of every version; raised when the same code would get another one."""

_MISSING: Final = object()


class Version(NamedTuple):
    """The version of some code.

    Attributes:
        digest: changes whenever the code or what it reaches does.
        notes: what it could not follow, one sentence each.
    """

    digest: str
    notes: tuple[str, ...] = ()


def version_of(function: Any, depends: Iterable[Any] = ()) -> Version:
    """The version of code.

    Names are looked up anew at each call, as a notebook may have given them other values;
    reading and parsing source is remembered.

    Args:
        function: a function, class, task or workflow.
        depends: what it reaches in ways that cannot be seen: functions, classes, names of
            modules as text, constants.

    >>> import textwrap
    >>> version_of(textwrap.dedent) == version_of(textwrap.dedent)
    True
    """
    walk = _Walk()
    walk.roots(function, depends)
    text = "\n".join(walk.finish())
    notes = tuple(dict.fromkeys(walk.notes))
    return Version(SCHEME + checksum(text.encode("utf-8", "surrogatepass")), notes)


class _Walk:
    """One look at everything some code reaches, in an order that never changes."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._records: list[str] = []
        self._labels: dict[int, str] = {}
        self._taken: set[str] = set()
        self._pending: list[tuple[Any, str]] = []
        self._alive: list[Any] = []
        self._files: set[str] = set()

    def roots(self, function: Any, depends: Iterable[Any]) -> None:
        self._records.append(self.reach(_unwrapped(function)))
        for item in depends:
            spec = _find(item) if isinstance(item, str) else None
            if spec is not None:
                self._module_file(str(item), spec)
                self._records.append(f"module {item}")
            else:
                self._records.append(self._value(item, "Cache(depends=...)", ""))

    def finish(self) -> list[str]:
        while self._pending:
            obj, label = self._pending.pop(0)
            parts = self._class(obj) if isinstance(obj, type) else self._function(obj)
            self._records.append(f"{label}: {' '.join(parts)}")
        return self._records

    def reach(self, obj: Any) -> str:
        """The label of a function or class, whose code will be looked at if it is the project's."""
        known = self._labels.get(id(obj))
        if known is not None:
            return known
        label = ref_of(obj)
        if not is_project(obj):
            wrapped = getattr(obj, "__wrapped__", None)
            inner = [self.reach(wrapped)] if callable(wrapped) else []
            inner += self._registered(obj)
            return f"{label}<{','.join(inner)}>" if inner else label
        while label in self._taken:
            label += "'"
        self._taken.add(label)
        self._labels[id(obj)] = label
        self._alive.append(obj)
        self._pending.append((obj, label))
        return label

    def _registered(self, function: Any) -> list[str]:
        """What `functools.singledispatch` chooses from."""
        registry = getattr(function, "registry", None)
        if not callable(function) or not isinstance(registry, types.MappingProxyType):
            return []
        found = [
            f"{self.reach(kind)}:{self._value(chosen, '', '', noted=False)}"
            for kind, chosen in registry.items()
        ]
        return sorted(found)

    def _function(self, function: Any) -> list[str]:
        code: types.CodeType = function.__code__
        names = ChainMap(_closure(function), function.__globals__)
        piece = _function_piece(function, names)
        place = os.path.basename(code.co_filename)
        parts = [piece.digest, *self._bindings(piece, names, place)]
        given = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        parts += [self._value(value, "a default", place, noted=False) for value in given]
        parts += self._annotated(function)
        wrapped = getattr(function, "__wrapped__", None)
        if callable(wrapped):
            parts.append(self.reach(_unwrapped(wrapped)))
        self._imports(piece, names.get("__package__") or "")
        return parts

    def _class(self, kind: type) -> list[str]:
        parts = [self.reach(base) for base in kind.__bases__]
        methods = [m for m in map(_method, vars(kind).values()) if m is not None]
        own = [m for m in methods if m.__qualname__.startswith(f"{kind.__qualname__}.")]
        # A dataclass has methods that were made by exec.
        files = [f for method in own if _has_source(f := method.__code__.co_filename)]
        in_module = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
        filename = files[0] if files else in_module
        piece = piece_of_class(kind.__qualname__, filename)
        if piece is None:
            for name, value in sorted(vars(kind).items()):
                if not name.startswith("__") or callable(value) or name == "__annotations__":
                    parts.append(f"{name}={self._value(value, name, '', noted=False)}")
            return parts
        module = sys.modules.get(kind.__module__)
        scope = own[0].__globals__ if own else vars(module) if module is not None else {}
        names = ChainMap(*map(_closure, own), scope)
        parts += [piece.digest, *self._bindings(piece, names, os.path.basename(filename))]
        for annotated in (kind, *own):
            parts += self._annotated(annotated)
        self._imports(piece, scope.get("__package__") or "")
        return parts

    def _annotated(self, obj: Any) -> list[str]:
        """The project's classes in annotations, which may be quoted or behind an alias."""
        from turnout.types import hints

        if not getattr(obj, "__annotations__", None):
            return []
        kinds = [kind for annotation in hints(obj).values() for kind in _classes(annotation)]
        return [self.reach(kind) for kind in dict.fromkeys(kinds) if is_project(kind)]

    def _bindings(self, piece: Piece, names: Mapping[str, Any], place: str) -> list[str]:
        self.notes += piece.notes
        parts = []
        for chain in piece.chains:
            found, rest = names.get(chain[0], _MISSING), list(chain[1:])
            while isinstance(found, types.ModuleType) and rest and _is_project_module(found):
                inner = vars(found).get(rest[0], _MISSING)
                if inner is _MISSING:
                    break
                found = inner
                del rest[0]
            if found is not _MISSING:
                name = ".".join(chain)
                parts.append(f"{name}={self._value(found, name, place)}")
        return parts

    def _value(self, value: Any, name: str, place: str, *, noted: bool = True) -> str:
        value = _unwrapped(value)
        if isinstance(value, types.ModuleType):
            if _is_project_module(value):
                self._module_file(value.__name__, getattr(value, "__spec__", None), value)
            return f"module {value.__name__}"
        tokens = _Reached(self)
        try:
            text = tokens.token(value)
        except RecursionError:
            text, tokens.opaque = "endless", [type(value)]
        if noted and any(_is_noteworthy(kind) for kind in tokens.opaque):
            where = f" in {place}" if place else ""
            self.notes.append(f"uses {name}{where}, whose content does not count")
        return text

    def _imports(self, piece: Piece, package: str) -> None:
        for wanted in piece.imports:
            for module in _modules_of(wanted, package):
                spec = _find(module)
                if spec is not None:
                    self._module_file(module, spec)

    def _module_file(self, name: str, spec: Any, module: Any = None) -> None:
        """Count a whole module, where it cannot be seen what of it is used.

        Its file is read and never imported: a local import may be there to avoid just that.
        """
        filename = getattr(module, "__file__", None) or getattr(spec, "origin", None) or ""
        if not is_project_file(filename) or filename in self._files:
            return
        self._files.add(filename)
        piece = piece_of_file(filename)
        if piece is None:
            return
        self._records.append(f"file {name}: {piece.digest}")
        is_package = os.path.basename(filename) == "__init__.py"
        self._imports(piece, name if is_package else name.rpartition(".")[0])


class _Reached(Tokens):
    """Tokens of constants: functions in them are reached, and nothing is pickled."""

    __slots__ = ("_walk", "opaque")

    def __init__(self, walk: _Walk) -> None:
        super().__init__(walk.reach)
        self._walk = walk
        self.opaque: list[type] = []

    def kind(self, kind: type) -> str:
        return self._walk.reach(kind)

    def pickled(self, value: Any) -> str:
        self.canonical = False
        if callable(value) and hasattr(value, "__name__"):
            return f"callable({ref_of(value)})"
        self.opaque.append(type(value))
        return f"opaque({self._walk.reach(type(value))})"


_pieces: weakref.WeakKeyDictionary[Any, tuple[types.CodeType, Piece]] = weakref.WeakKeyDictionary()


def _function_piece(function: Any, names: Mapping[str, Any]) -> Piece:
    code: types.CodeType = function.__code__
    known = _pieces.get(function)
    if known is not None and known[0] is code:
        return known[1]

    def is_ours(chain: tuple[str, ...]) -> bool:
        found = names.get(chain[0]) if chain else None
        while isinstance(found, functools.partial):
            found = found.func
        module = found.__name__ if isinstance(found, types.ModuleType) else _module_of(found)
        return module.partition(".")[0] == "turnout"

    piece = piece_of_function(code, is_ours)
    _pieces[function] = (code, piece)
    return piece


def _unwrapped(obj: Any) -> Any:
    """The function of a task or workflow; anything else as it is."""
    if type(obj).__module__.startswith("turnout.") and callable(getattr(obj, "fn", None)):
        return obj.fn
    return obj


def _classes(annotation: Any) -> Iterator[type]:
    """The classes an annotation is made of."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        yield annotation
    parts = annotation if isinstance(annotation, list) else get_args(annotation)
    for part in (get_origin(annotation), *parts):
        if part is not None:
            yield from _classes(part)


def _module_of(obj: Any) -> str:
    return module_name(getattr(obj, "__module__", None) or "")


def _method(value: Any) -> Any:
    """The function behind an item of a class's namespace, or ``None``."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    return value if isinstance(value, types.FunctionType) else None


def _closure(function: Any) -> dict[str, Any]:
    """What a function takes from the functions around it."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # nothing is in the cell yet
            if name != "__class__":
                found[name] = cell.cell_contents
    return found


def _is_noteworthy(kind: type) -> bool:
    return kind.__module__.partition(".")[0] not in (*sys.stdlib_module_names, "turnout")


def is_project(obj: Any) -> bool:
    """Whether a function or class is the user's, as `is_project_file` says of a file."""
    if isinstance(obj, types.FunctionType):
        filename = obj.__code__.co_filename
        if not filename.startswith("<") or _has_source(filename):
            return is_project_file(filename)
        # Made by exec: it belongs to whoever it says it does.
        module = sys.modules.get(obj.__module__ or "")
        return not filename.startswith("<frozen") and _is_project_module(module)
    if isinstance(obj, type):
        return _is_project_module(sys.modules.get(obj.__module__))
    return False


def _is_project_module(module: Any) -> bool:
    if module is None:
        return True
    filename = getattr(module, "__file__", None)
    if filename is None:
        # A notebook has no file; modules built into Python have none either.
        return module.__name__ in ("__main__", main_name())
    return is_project_file(filename)


def _has_source(filename: str) -> bool:
    return bool(filename) and bool(linecache.getlines(filename))


@functools.lru_cache(maxsize=4096)
def is_project_file(filename: str) -> bool:
    """Whether a file is the user's: not Python's, not an installed package's, not turnout's."""
    if not filename or filename in ("built-in", "frozen", "namespace"):
        return False
    if filename.startswith("<"):
        return not filename.startswith("<frozen")
    path = os.path.abspath(filename)
    parts = path.split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return not path.startswith((os.path.dirname(os.__file__) + os.sep, here + os.sep))


def _modules_of(wanted: Import, package: str) -> list[str]:
    module = wanted.module
    if wanted.level:
        parents = package.split(".") if package else []
        if wanted.level - 1 > len(parents):
            return []
        parents = parents[: len(parents) - wanted.level + 1]
        module = ".".join([*parents, module] if module else parents)
    if not module:
        return []
    # What is imported from a package may be one of its modules.
    return [module, *(f"{module}.{name}" for name in wanted.names if name != "*")]


def _find(module: str) -> importlib.machinery.ModuleSpec | None:
    """Where a project module is, found without importing anything."""
    top, *rest = module.split(".")
    try:
        loaded = sys.modules.get(top)
        spec = getattr(loaded, "__spec__", None) if loaded else importlib.util.find_spec(top)
        if spec is None and loaded is not None and getattr(loaded, "__file__", None):
            spec = importlib.machinery.ModuleSpec(top, None, origin=loaded.__file__)
        name = top
        for part in rest:
            if spec is None or (spec.origin and not is_project_file(spec.origin)):
                return None
            name = f"{name}.{part}"
            places = spec.submodule_search_locations
            spec = importlib.machinery.PathFinder.find_spec(name, places) if places else None
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or not spec.origin or not is_project_file(spec.origin):
        return None
    return spec
