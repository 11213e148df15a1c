"""Names of a module that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnout.uncollected import uncollected


def imported_on_use(names: dict[str, Any], homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module that lets names be imported later.

    Args:
        names: the module's globals; a name stands there once it has been asked for.
        homes: the module that each group of names comes from, the names apart by spaces.

    >>> names = {"__name__": "mine"}
    >>> imported_on_use(names, {"math": "tau pi"})("pi"), names["pi"]
    (3.141592653589793, 3.141592653589793)
    """
    home_of = {name: module for module, group in homes.items() for name in group.split()}

    def getattribute(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {names['__name__']!r} has no attribute {name!r}")
        import importlib

        with uncollected():
            found = names[name] = getattr(importlib.import_module(home), name)
        return found

    return getattribute
