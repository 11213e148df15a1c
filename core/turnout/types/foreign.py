"""Classes of other modules, recognised without importing them.

A value or an annotation can only come from a module that somebody has imported, so one that
is not in `sys.modules` has nothing to say.
"""

from __future__ import annotations

import sys
from typing import Any, Final

_NUMPY: Final = {
    "bool_": bool,
    "integer": int,
    "floating": float,
    "complexfloating": complex,
    "str_": str,
    "bytes_": bytes,
}
_TABLES: Final = ("ndarray", "DataFrame", "Series")
_KIN: dict[type, type] = {}


def kin(cls: type) -> type | None:
    """The Python class that a numpy scalar class counts as; ``None`` for every other class.

    >>> kin(int) is None
    True
    """
    known = _KIN.get(cls)
    if known is not None:
        return known
    numpy = sys.modules.get("numpy")
    generic = getattr(numpy, "generic", None)
    if generic is None or not issubclass(cls, generic):
        return None
    # A duration is an integer to numpy, and none to anybody else.
    if issubclass(cls, getattr(numpy, "timedelta64", ())):
        return None
    for name, plain in _NUMPY.items():
        if issubclass(cls, getattr(numpy, name)):
            _KIN[cls] = plain
            return plain
    return None


def is_open_scalar(cls: type) -> bool:
    """Whether a class is an abstract one of numpy's, whose values have kin of several classes."""
    numpy = sys.modules.get("numpy")
    generic = getattr(numpy, "generic", None)
    if generic is None or not issubclass(cls, generic) or kin(cls) is not None:
        return False
    return any(issubclass(getattr(numpy, name), cls) for name in _NUMPY)


def is_dict_config(cls: type) -> bool:
    """Whether a class is OmegaConf's `DictConfig`."""
    return _is_omegaconf(cls, "DictConfig")


def is_list_config(cls: type) -> bool:
    """Whether a class is OmegaConf's `ListConfig`."""
    return _is_omegaconf(cls, "ListConfig")


def is_config(cls: type) -> bool:
    """Whether a class is one of OmegaConf's containers, or a base of theirs."""
    return _is_omegaconf(cls, "Container")


def _is_omegaconf(cls: type, name: str) -> bool:
    if cls.__module__ == "builtins":
        return False
    base = getattr(sys.modules.get("omegaconf"), name, None)
    return base is not None and issubclass(cls, base)


def is_pydantic(cls: Any) -> bool:
    """Whether a class is a pydantic model."""
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return base is not None and isinstance(cls, type) and issubclass(cls, base)


def is_path(cls: type) -> bool:
    """Whether a class is one of `pathlib`'s, or derived from them."""
    pathlib = sys.modules.get("pathlib")
    return pathlib is not None and issubclass(cls, pathlib.PurePath)


def is_named_tuple(cls: Any) -> bool:
    """Whether a class was made by `typing.NamedTuple` or `collections.namedtuple`."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def table_size(value: Any) -> int | None:
    """How many items an array of NumPy's or a table of pandas' has; ``None`` for all else.

    >>> table_size([1, 2]) is None
    True
    """
    kind = type(value)
    if kind.__name__ not in _TABLES or kind is not _table(kind):
        return None
    return int(value.size)


def _table(kind: type) -> type | None:
    return getattr(sys.modules.get(kind.__module__.partition(".")[0]), kind.__name__, None)
