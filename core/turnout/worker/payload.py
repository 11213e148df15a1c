"""Values as bytes: how they travel to a worker process and where results wait for consumers."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final

from turnout.backend.call import UNSET, Handle
from turnout.errors import EncodeError
from turnout.worker.frames import Bytes

SCALARS: Final = frozenset({bool, int, float, complex, str, bytes, type(None)})
_SMALL_TEXT = 4096


class Payload(Handle):
    """A value, its bytes, or both; each is made from the other when it is asked for.

    Args:
        value: the value, if this process has it.
        buffers: the pickle and the large buffers it leaves out, if they have been made.
        digest: the value's digest, if it has been taken.
    """

    __slots__ = ("__weakref__", "_buffers", "_value", "digest")

    def __init__(
        self, value: Any = UNSET, buffers: Sequence[Bytes] | None = None, digest: str = ""
    ) -> None:
        self._value = value
        self._buffers = buffers
        self.digest = digest

    @property
    def buffers(self) -> Sequence[Bytes]:
        """The pickle, then the buffers it leaves out.

        Raises:
            Exception: whatever pickling the value raises.
        """
        if self._buffers is None:
            self._buffers = dumps(self._value)
        return self._buffers

    @property
    def scalar(self) -> bool:
        """Whether the value is here and so small that it travels inside the call."""
        return is_scalar(self._value)

    def value(self) -> Any:
        """The value in this process; what came as bytes is made anew each time.

        Raises:
            EncodeError: it cannot be rebuilt here.
        """
        if self._value is not UNSET:
            return self._value
        assert self._buffers is not None
        head, *rest = self._buffers
        try:
            return loads(head, [bytearray(buffer) for buffer in rest])
        except Exception as error:
            raise EncodeError(
                f"a result cannot be rebuilt in this process: {type(error).__name__}: {error}"
            ) from error


def is_scalar(value: Any) -> bool:
    """Whether a value is plain and small.

    >>> is_scalar(1), is_scalar("a"), is_scalar([1])
    (True, True, False)
    """
    kind = type(value)
    return kind in SCALARS and (kind not in (str, bytes) or len(value) <= _SMALL_TEXT)


class _Quick(pickle.Pickler):
    """Pickles what other processes can import, without the time it takes to load cloudpickle."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, FunctionType)) and obj.__module__ == "__main__":
            raise pickle.PicklingError("__main__ is another module there")
        return NotImplemented


def _quickly(value: Any, apart: Callable[[pickle.PickleBuffer], Any] | None) -> bytes | None:
    """The value's pickle, if it needs no more than the names of code."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is not None and cloudpickle.list_registry_pickle_by_value():
        return None
    file = io.BytesIO()
    try:
        _Quick(file, protocol=5, buffer_callback=apart).dump(value)
    except Exception:  # the slower way may do it, and has the better words if not
        return None
    return file.getvalue()


def whole(value: Any) -> bytes:
    """A value's pickle with nothing left out.

    Raises:
        Exception: whatever pickling raises.
    """
    head = _quickly(value, None)
    if head is None:
        from turnout.storage.pickling import dumps as dumps_any

        head = dumps_any(value)
    return head


def dumps(value: Any) -> list[Bytes]:
    """A value's pickle, and the buffers it leaves out.

    >>> [head] = dumps({"a": [1, 2]})
    >>> loads(head)
    {'a': [1, 2]}

    Raises:
        Exception: whatever pickling raises.
    """
    apart: list[Bytes] = []

    def inside(buffer: pickle.PickleBuffer) -> bool:
        # All of them, so that an array is the same kind of array whatever its size.
        raw = buffer.raw()
        if raw.nbytes:
            apart.append(raw)
        return not raw.nbytes

    head = _quickly(value, inside)
    if head is None:
        from turnout.storage.pickling import dumps as dumps_any

        apart.clear()
        head = dumps_any(value, buffers=inside)
    return [head, *apart]


def loads(head: Bytes, rest: Sequence[Bytes] = ()) -> Any:
    """The value of a pickle; writable buffers become part of it without being copied."""
    return pickle.loads(head, buffers=rest)
