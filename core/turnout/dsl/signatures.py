"""What functions take and give, and which of them can be tasks and workflows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from turnout.graph import Param
from turnout.types import hints, show


class Placeable:
    """What a workflow body can place as a node: a task or a workflow.

    Attributes:
        fn: the function.
        sound: whether its body is known to compare no promise by identity.
    """

    fn: Callable[..., Any]
    sound = False


def spelt(signature: inspect.Signature) -> str:
    """A signature without its annotations."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def params_of(signature: inspect.Signature, annotations: Mapping[str, Any]) -> tuple[Param, ...]:
    """A signature's parameters as a graph knows them."""
    return tuple(
        Param(
            name=p.name,
            annotation=show(annotations[p.name]) if p.name in annotations else "",
            required=p.default is p.empty,
        )
        for p in signature.parameters.values()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    )


def annotations_of(fn: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    """Parameter name to annotation; those without one are left out, and so is ``**kwargs``."""
    found = hints(fn)
    return {
        name: annotation(found[name])
        for name, parameter in signature.parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and found.get(name, Any) is not Any
    }


def annotation(said: Any) -> Any:
    """An annotation as it is compared: ``None`` is its own type."""
    return type(None) if said is None else said


def check_function(fn: Any, what: str) -> None:
    """Refuse to decorate what is no function.

    Raises:
        TypeError: it is a task or workflow already, a class, or cannot be called.
    """
    if isinstance(fn, Placeable):
        raise TypeError(f"{fn!r} cannot be made a {what}")
    if not callable(fn) or inspect.isclass(fn):
        raise TypeError(f"@{what} takes a function, not {fn!r}")


def check_name(name: str) -> None:
    """Refuse a name that config keys and node ids cannot spell.

    Raises:
        ValueError: it is no identifier, dashes aside.
    """
    if not name.replace("-", "_").isidentifier():
        raise ValueError(
            "a name is made of letters, digits, '_' and '-', and starts with a letter; "
            f"not {name!r}"
        )
