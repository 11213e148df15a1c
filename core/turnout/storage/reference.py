"""Names of functions and classes that mean the same in every process of a project."""

from __future__ import annotations

import sys
from typing import Any

_main_name: str | None = None


def main_name() -> str | None:
    """The importable name that ``__main__`` is also known by, or ``None``."""
    global _main_name
    main = sys.modules.get("__main__")
    if main is None:
        return None
    if _main_name is not None and sys.modules.get(_main_name) is main:
        return _main_name
    _main_name = next(
        (
            name
            for name, module in list(sys.modules.items())
            if module is main and name not in ("__main__", "__mp_main__")
        ),
        None,
    )
    return _main_name


def module_of(obj: Any) -> str:
    """The name of the module an object says it was made in; ``""`` when it says none."""
    module = getattr(obj, "__module__", None)
    if not isinstance(module, str):
        return ""
    if module in ("__main__", "__mp_main__"):
        return main_name() or "__main__"
    return module


def reference(obj: Any) -> str:
    """``module:qualname`` of a function or class, whether or not it can be imported.

    >>> import collections
    >>> reference(collections.OrderedDict)
    'collections:OrderedDict'
    """
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    return f"{module_of(obj)}:{name or type(obj).__qualname__}"


def importable(obj: Any) -> str | None:
    """The `reference` of an object if another process of the project can import it by that.

    What stands in ``__main__`` counts only where that module has an importable name.
    """
    module = module_of(obj)
    name = getattr(obj, "__qualname__", None)
    if module in ("", "__main__") or not isinstance(name, str) or "<" in name:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is obj else None
