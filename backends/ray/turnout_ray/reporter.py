"""What a worker tells while a call runs: that it has begun, and what its task logs.

A short call's words go with its reply. Those of a call that takes longer are posted to the
driver's mailbox, an actor, as soon as it has one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from turnout import spi

_PROGRESS: Final = "__ray_tqdm_magic_token__"
"""What `ray.experimental.tqdm_ray` marks its lines with."""


class Mailbox:
    """Where workers leave messages for the driver; an actor with an event loop."""

    def __init__(self) -> None:
        import asyncio

        self._post: list[tuple[tuple[str, int], list[spi.Message]]] = []
        self._some = asyncio.Event()

    async def post(self, key: tuple[str, int], messages: list[spi.Message]) -> None:
        """Leave messages of a call."""
        self._post.append((key, messages))
        self._some.set()

    async def rest(self) -> list[tuple[tuple[str, int], list[spi.Message]]]:
        """Take all there are."""
        post, self._post = self._post, []
        return post

    async def take(self) -> list[tuple[tuple[str, int], list[spi.Message]]]:
        """Wait for messages, and take all there are."""
        await self._some.wait()
        self._some.clear()
        post, self._post = self._post, []
        return post


class Address(NamedTuple):
    """Where a run's calls leave their messages.

    Attributes:
        mailbox: the name of the actor, which the driver makes when it has to wait.
        pause: seconds after which a call that goes on is told of.
        timed: whether the driver has to know at once when an attempt begins.
    """

    mailbox: str
    pause: float
    timed: bool = False


class Reporter:
    """The voice of this worker process, which runs one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: list[spi.Message] = []
        self._posted: list[Any] = []
        self._busy = threading.Event()
        self._running = False
        self._streams: tuple[Any, ...] = ()
        self._calls = 0
        self._address = Address("", 0.0)
        self._message: Sequence[Any] = ()
        self._actors: dict[str, Any] = {}
        self._thread: threading.Thread | None = None

    def begin(self, address: Address, message: Sequence[Any]) -> None:
        """A call begins."""
        self._address = address
        self._message = message
        self._calls += 1
        if self._thread is None:
            # Ray's own way is slower than many a run, and tells each line once for every node of
            # one machine; it stays for what is no print of Python's.
            self._streams = spi.forward_prints(lambda: self._running, self._print)
            self._thread = threading.Thread(
                target=self._watch, name="turnout-reporter", daemon=True
            )
            self._thread.start()
        self._running = True
        if not self._busy.is_set():
            self._busy.set()

    def end(self) -> None:
        """The call has ended."""
        for stream in self._streams:
            stream.finish()
        self._running = False

    def say(self, message: spi.Message) -> None:
        """Tell the driver something of the call that runs."""
        with self._lock:
            self._said.append(message)

    def tell(self, message: spi.Message) -> None:
        """Tell the driver at once: a task may keep every other thread from running."""
        self.say(message)
        self._flush()

    def _print(self, stream: str, text: str) -> None:
        own = [line for line in text.splitlines(keepends=True) if _PROGRESS in line]
        if own:
            # Ray's driver draws these bars, as it finds them in the worker's own output.
            os.write(1, "".join(own).encode())
            text = "".join(line for line in text.splitlines(keepends=True) if line not in own)
        if text:
            self.say(spi.printed(stream, text))

    def log(self, attributes: dict[str, Any]) -> None:
        """Tell what has been logged here."""
        self.say(spi.logged(attributes))

    def rest(self) -> list[spi.Message]:
        """What has not been posted, once what has been posted is there."""
        with self._lock:
            said, self._said = self._said, []
            posted, self._posted = self._posted, []
        if posted:
            import ray

            # The driver may be gone, and its mailbox with it.
            ray.wait(posted, num_returns=len(posted), timeout=5.0)
        return said

    def _watch(self) -> None:
        while True:
            self._busy.wait()
            number = self._calls
            time.sleep(self._address.pause)
            if not self._running:
                self._busy.clear()
                if self._running:  # a call has begun in between
                    self._busy.set()
            elif self._said and self._calls == number:
                self._flush()

    def _flush(self) -> None:
        import ray

        name = self._address.mailbox
        try:
            actor = self._actors.get(name)
            if actor is None:
                actor = self._actors[name] = ray.get_actor(name)
        except (ValueError, ray.exceptions.RayError):
            return  # the driver does not wait yet
        with self._lock:
            said, self._said = self._said, []
            if said:
                self._posted.append(actor.post.remote(spi.about(self._message), said))


reporter = Reporter()
