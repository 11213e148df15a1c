"""The functions of the project that a body may call, as far as their names tell."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Collection, Iterator
from opcode import opmap
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from turnout.dsl.frames import is_library
from turnout.dsl.signatures import Placeable
from turnout.graph.refs import module_name, short_file

NOTHING: Final = object()
"""What a name stands for that is not known."""

# Jumps on None are what `is None` is compiled to; patterns look at the type of their subject.
_LOOKS: Final = frozenset(
    number
    for name, number in opmap.items()
    if name in {"IS_OP", "MATCH_CLASS", "MATCH_MAPPING", "MATCH_SEQUENCE"}
    or name.endswith(("_IF_NONE", "_IF_NOT_NONE"))
)


def check_identity(entity: Placeable, inputs: Collection[str] = ()) -> None:
    """Refuse ``is`` on a promise in a body; looked for once.

    Args:
        entity: the workflow or dynamic task.
        inputs: the parameters that stand for inputs.

    Raises:
        GraphError: there is one; see `turnout.dsl.identity.check`.
    """
    if entity.sound:
        return
    if looks_closely(entity.fn):
        from turnout.dsl import identity

        identity.check(entity.fn, inputs)
    entity.sound = True


class Names:
    """What the names in a function stand for that are not its own.

    Attributes:
        file: the function's file, as messages tell it.
    """

    def __init__(self, fn: FunctionType) -> None:
        code = fn.__code__
        self.file = short_file(code.co_filename, module_name(fn.__module__ or "__main__"))
        self._globals = fn.__globals__
        self._cells = dict(zip(code.co_freevars, fn.__closure__ or (), strict=True))

    def of(self, name: str) -> Any:
        """The object of a name, `NOTHING` where there is none."""
        if name in self._cells:
            try:
                return self._cells[name].cell_contents
            except ValueError:  # not assigned yet
                return NOTHING
        return self._globals.get(name, getattr(builtins, name, NOTHING))


def attribute(owner: Any, name: str) -> Any:
    """An attribute of a module or class, `NOTHING` of all else."""
    if isinstance(owner, ModuleType):
        return vars(owner).get(name, NOTHING)
    if isinstance(owner, type):
        found = inspect.getattr_static(owner, name, NOTHING)
        return found.__func__ if isinstance(found, staticmethod) else found
    return NOTHING


def layers(fn: Any) -> Iterator[FunctionType]:
    """A function, and those it wraps, as far as they are the user's."""
    seen: set[int] = set()
    while id(fn) not in seen:
        seen.add(id(fn))
        plain = getattr(fn, "__func__", fn)
        if isinstance(plain, FunctionType) and not is_library(plain.__code__.co_filename):
            yield plain
        fn = getattr(fn, "__wrapped__", fn)


def looks_closely(fn: Callable[..., Any]) -> bool:
    """Whether a function, or one it may call, compares with ``is`` or matches patterns.

    Only bytecode is looked at: this costs microseconds, reading sources milliseconds.
    """
    todo = [*layers(fn)]
    seen: set[CodeType] = set()
    while todo:
        function = todo.pop()
        if function.__code__ in seen:
            continue
        seen.add(function.__code__)
        names = {*function.__code__.co_freevars}
        for code in _codes(function.__code__):
            if not _LOOKS.isdisjoint(code.co_code[::2]):
                return True
            names.update(code.co_names)
        around = Names(function)
        for name in names:
            found = around.of(name)
            todo.extend(layers(found) if isinstance(found, FunctionType) else ())
            if isinstance(found, (ModuleType, type)) and not _is_installed(found):
                for part in names:
                    member = attribute(found, part)
                    todo.extend(layers(member) if isinstance(member, FunctionType) else ())
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _is_installed(owner: ModuleType | type) -> bool:
    if isinstance(owner, type):
        return owner.__module__ == "builtins"
    file = getattr(owner, "__file__", None)
    return not file or is_library(file)
