"""Bindings: where the value of an argument comes from.

A binding is a tuple whose first item is a tag. It is ready for JSON as it stands, and it is
the one description of an argument that tracing, planning, engine and worker share:

====================================  ====================================================
``("const", value)``                  a JSON scalar written in the workflow
``("value", index)``                  another constant; ``Graph.values[index]``
``("input", parameter, *path)``       a part of an input of the graph
``("output", node, *path)``           a part of what a node returns
``("list", items)``                   a list of bindings
``("tuple", items)``                  a tuple of bindings
``("dict", ((key, item), ...))``      a dict whose keys are constants
``("object", cls, ((field, item)..)`` a dataclass or NamedTuple; ``cls`` is a value binding
``("config", ((key, item), ...))``    a ``DictConfig`` of bindings
``("instantiate", item)``             an object Hydra builds from a config, in the worker
====================================  ====================================================

A *shape* is a binding whose leaves have been numbered: ``("leaf", i, *path)`` stands for a
part of the i-th of the values that travel beside it, and ``("own", i)`` for a copy of it that
the task may keep and change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

Path = tuple[str | int, ...]
Binding = tuple[Any, ...]
Shape = tuple[Any, ...]

LEAVES: Final = frozenset({"const", "value", "input", "output", "leaf", "own", "step"})


def map_leaves(binding: Binding, change: Callable[[Binding], Binding]) -> Binding:
    """The same structure with ``change`` applied to each leaf.

    >>> map_leaves(("list", (("const", 1), ("input", "cfg"))), lambda leaf: ("leaf", leaf[1]))
    ('list', (('leaf', 1), ('leaf', 'cfg')))
    """
    tag = binding[0]
    if tag in LEAVES:
        return change(binding)
    if tag in ("list", "tuple"):
        items = [
            change(item) if item[0] in LEAVES else map_leaves(item, change) for item in binding[1]
        ]
        return (tag, tuple(items))
    if tag in ("dict", "config"):
        return (tag, tuple((key, map_leaves(item, change)) for key, item in binding[1]))
    if tag == "object":
        fields = tuple((name, map_leaves(item, change)) for name, item in binding[2])
        return (tag, map_leaves(binding[1], change), fields)
    if tag == "instantiate":
        return (tag, map_leaves(binding[1], change))
    raise ValueError(f"unknown binding {binding!r}")


def leaves(binding: Binding) -> Iterator[Binding]:
    """Every leaf of a binding, in order.

    >>> list(leaves(("dict", (("a", ("const", 1)), ("b", ("output", "load", "x"))))))
    [('const', 1), ('output', 'load', 'x')]
    """
    tag = binding[0]
    if tag in LEAVES:
        yield binding
    elif tag in ("list", "tuple"):
        for item in binding[1]:
            if item[0] in LEAVES:
                yield item
            else:
                yield from leaves(item)
    elif tag in ("dict", "config"):
        for _, item in binding[1]:
            yield from leaves(item)
    elif tag == "object":
        yield from leaves(binding[1])
        for _, item in binding[2]:
            yield from leaves(item)
    else:
        yield from leaves(binding[1])


def select(binding: Binding, path: Path) -> Binding:
    """The part of a binding at ``path``: inside the structure as far as it goes, then in its leaf.

    Raises:
        KeyError: the structure has no such part.

    >>> select(("dict", (("a", ("output", "load")),)), ("a", "rows"))
    ('output', 'load', 'rows')
    """
    for position, key in enumerate(path):
        tag = binding[0]
        if tag in ("input", "output", "leaf", "value"):
            return (*binding, *path[position:])
        if tag in ("list", "tuple"):
            binding = binding[1][key]
        elif tag in ("dict", "config"):
            binding = dict(binding[1])[key]
        elif tag == "object":
            fields = binding[2]
            binding = fields[key][1] if isinstance(key, int) else dict(fields)[key]
        else:
            raise KeyError(key)
    return binding


def path_text(path: Path) -> str:
    """A path as users write it.

    >>> path_text(("cfg", "model", "layers", 0, "size"))
    'cfg.model.layers[0].size'
    """
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else str(key)
    return text


def freeze(data: Any) -> Any:
    """JSON lists as tuples, all the way down: what `json.loads` made of a binding, made whole."""
    if isinstance(data, list):
        return tuple(freeze(item) for item in data)
    return data
