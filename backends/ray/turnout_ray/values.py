"""Values in Ray's object store, and what stands for them in the driver."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, TypeAlias

from turnout import spi

Reply: TypeAlias = bytes | tuple[list[list[bytes]], list[bytes], int | None]
"""What a worker gives back: its last message, and the messages it had not sent before; with a
list that stays in the store, its size in bytes."""


class Box(spi.Payload):
    """A value as one object of the store, whose large buffers are read where they lie.

    It is opened where it is used, not where Ray unpacks it: the user's modules may have to be
    imported first.
    """

    __slots__ = ()

    def __reduce__(self) -> Any:
        # Ray keeps these buffers apart, and hands out views of them.
        head, *rest = self.buffers
        return _box, (self.digest, bytes(head), *map(pickle.PickleBuffer, rest))

    def value(self) -> Any:
        if self._buffers is None:
            return super().value()
        head, *rest = self._buffers
        return spi.loads(head, rest)

    def copied(self) -> Any:
        """The value with memory of its own, which outlives Ray and may be written to."""
        return super().value()


def _box(digest: str, *buffers: Any) -> Box:
    return Box(buffers=buffers, digest=digest)


def opened(given: Any) -> spi.Payload:
    """A value as Ray gives it: in a box, or inside the reply of the worker that made it."""
    return given if isinstance(given, Box) else spi.result(unpack(given)[1])


def with_length(intro: bytes) -> bytes:
    """An introduction that calls can begin with."""
    return len(intro).to_bytes(4, "big") + intro


def introduced(intro: Any, message: spi.Message) -> tuple[Any, ...]:
    """A call's message as arguments of a task, after the introduction of its kind.

    They are as few as can be, for each costs time. Where the introduction is an object of the
    store, it is the second.
    """
    inside = isinstance(intro, bytes)
    first = (intro if inside else bytes(4)) + message[0]
    head = first if len(message) == 1 else [first, *map(bytes, message[1:])]
    return (head,) if inside else (head, intro)


def taken(args: Sequence[Any]) -> tuple[bytes, list[bytes], Sequence[Any]]:
    """The introduction, the call's message, and the values beside it, from a task's arguments.

    >>> taken(introduced(with_length(b"who"), [b"what", b"with"]))
    (b'who', [b'what', b'with'], ())
    """
    head, *given = args
    first, rest = (head, []) if isinstance(head, bytes) else (head[0], head[1:])
    size = 4 + int.from_bytes(first[:4], "big")
    intro = first[4:size] if size > 4 else given.pop(0)
    return intro, [first[size:], *rest], tuple(given)


def pack(message: spi.Message, said: Sequence[spi.Message], size: int | None = None) -> Reply:
    """A reply; mostly it is a single byte string, which Ray moves without pickling."""
    if not said and len(message) == 1 and size is None:
        return bytes(message[0])
    return [[bytes(part) for part in one] for one in said], [bytes(part) for part in message], size


def unpack(reply: Reply) -> tuple[list[list[bytes]], list[bytes], int | None]:
    """The messages the worker had not sent before, its last one, and the size of a list."""
    return ([], [reply], None) if isinstance(reply, bytes) else reply


class RayHandle(spi.Handle):
    """A result, or a value that was put.

    Attributes:
        ref: Ray's reference; ``None`` once it is released.
        result: the value, where it came with the reply.
        size: bytes of the value in the store, if it is a list.
        maker: the call that makes it, until that has ended well.
    """

    __slots__ = ("maker", "ref", "result", "size")

    def __init__(self, ref: Any) -> None:
        self.ref = ref
        self.result: spi.Payload | None = None
        self.size: int | None = None
        self.maker: Any = None


class CallFailed(Exception):
    """A call has failed; Ray carries it to the driver, and to the calls that wait for the result.

    Args:
        call: the call's node, and the number of its first attempt.
        text: what the task raised, for people who look at Ray's own pages.
        reply: what the worker says.
    """

    def __init__(self, call: tuple[str, int], text: str, reply: Reply) -> None:
        super().__init__(call, text, reply)
        self.call = call
        self.text = text
        self.reply = reply

    def __str__(self) -> str:
        return self.text
