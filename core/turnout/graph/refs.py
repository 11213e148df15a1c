"""Names of code: ``module:qualname`` and back.

A script is known by its importable name, never as ``__main__``, so that a name written by
one process means the same thing in another.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def main_name() -> str | None:
    """The importable name of ``__main__``; ``None`` in a notebook or at a prompt."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    if not file:
        return None
    stem, ending = os.path.splitext(os.path.basename(file))
    # An installed command has no ending; it is nobody's module.
    return stem if ending == ".py" and stem.isidentifier() else None


def module_name(name: str) -> str:
    """A module's name as other processes know it."""
    return (main_name() or name) if name == "__main__" else name


def resolve(ref: str) -> Any:
    """The object named ``module:qualname``.

    Raises:
        ImportError: the module cannot be imported.
        AttributeError: the module has no such name.

    >>> resolve("json:dumps").__name__
    'dumps'
    """
    module, _, name = ref.partition(":")
    if module == main_name() and module not in sys.modules:
        found: Any = sys.modules["__main__"]
    else:
        found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def ref_of(obj: Any) -> str:
    """``module:qualname`` of a function or class, whether or not it can be imported."""
    module = module_name(getattr(obj, "__module__", None) or "__main__")
    return f"{module}:{getattr(obj, '__qualname__', type(obj).__qualname__)}"


def importable(obj: Any) -> str | None:
    """``module:qualname`` if importing that gives this very object, else ``None``.

    >>> importable(importable), importable(lambda: 0)
    ('turnout.graph.refs:importable', None)
    """
    module = getattr(obj, "__module__", None)
    name = getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        return None
    if module == "__main__" and main_name() is None:
        return None
    loaded = sys.modules.get(module)
    found: Any = loaded
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        return None
    return f"{module_name(module)}:{name}" if found is obj else None


def short_file(filename: str, module: str) -> str:
    """A file's name with as many folders as its module has packages; the same on every machine.

    >>> short_file("/home/a/proj/flows/train.py", "flows.train")
    'flows/train.py'
    """
    parts = filename.replace(os.sep, "/").split("/")
    depth = 1 if module == "__main__" else module.count(".") + 1
    if parts[-1] == "__init__.py":
        depth += 1
    return "/".join(parts[-depth:])
