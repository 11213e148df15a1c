"""Stretches of work in which looking for garbage would find none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection inside the block, which makes objects that stay.

    So do imports and graphs. Looking through them again and again takes an eighth of the time of
    large imports, and makes large graphs cost more a node than small ones.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
