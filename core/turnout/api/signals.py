"""What ends a process from outside ends its run as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_as_interrupted(*, hung_up: bool = False) -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt`: what a run has started would not hear of it.

    A signal that the user has set a handler for or ignores is left alone, and so is everything
    outside the main thread.

    Args:
        hung_up: whether the end of the terminal, SIGHUP, does so too.
    """
    ends = [signal.SIGTERM]
    if hung_up and hasattr(signal, "SIGHUP"):
        ends.append(signal.SIGHUP)
    here = threading.current_thread() is threading.main_thread()
    ours = [end for end in ends if here and signal.getsignal(end) is signal.SIG_DFL]
    for end in ours:
        signal.signal(end, signal.default_int_handler)
    try:
        yield
    finally:
        for end in ours:
            signal.signal(end, signal.SIG_DFL)
