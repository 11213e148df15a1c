"""What a plan tells beside what will run."""

from __future__ import annotations

from typing import NamedTuple


class Note(NamedTuple):
    """Something a plan tells beside what will run.

    Attributes:
        kind: ``advisory``, ``whole config``, ``cache``, ``config`` or ``dynamic``.
        node: the node or task it is about.
        text: the message.
    """

    kind: str
    node: str
    text: str
