"""Pickle for values no typed codec knows, built on cloudpickle."""

from __future__ import annotations

import functools
import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

from turnout.graph.refs import importable, main_name, ref_of, resolve


def dumps(
    value: Any,
    *,
    stored: bool = False,
    buffers: Callable[[pickle.PickleBuffer], Any] | None = None,
) -> bytes:
    """The value as pickle bytes, which `pickle.loads` reads.

    What stands in ``__main__`` is named by the module's importable name where it has one.
    Where it has none it travels by value, or is named as it is if the bytes are ``stored``:
    a class copied into a store would come back as another class.

    Args:
        value: what to pickle.
        stored: whether the bytes outlive this process.
        buffers: takes large buffers, which then stay out of the bytes; as `pickle.Pickler` says
            of ``buffer_callback``.

    Raises:
        Exception: whatever pickling raises for a value bound to this process.
    """
    file = io.BytesIO()
    _pickler()(file, stored, buffers).dump(value)
    return file.getvalue()


@functools.cache
def _pickler() -> Any:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        """cloudpickle that names what the project's main module holds, and takes no open files."""

        def __init__(self, file: io.BytesIO, stored: bool, buffers: Any) -> None:
            super().__init__(file, protocol=5, buffer_callback=buffers)
            self._stored = stored

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, io.TextIOWrapper) and obj not in (sys.stdout, sys.stderr):
                # cloudpickle would send the text of the file in its place.
                raise pickle.PicklingError(f"cannot pickle the open file {obj.name!r}")
            if getattr(obj, "__module__", None) == "__main__" and callable(obj):
                if main_name() is not None:
                    name = importable(obj)
                    if name is not None:
                        return resolve, (name,)
                elif self._stored and _is_top(obj):
                    return resolve, (ref_of(obj),)
            return super().reducer_override(obj)

    return Pickler


def _is_top(obj: Any) -> bool:
    found: Any = sys.modules["__main__"]
    for part in str(getattr(obj, "__qualname__", "?")).split("."):
        found = getattr(found, part, None)
    return found is obj
