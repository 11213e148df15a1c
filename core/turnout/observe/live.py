"""Progress in place, for terminals: what runs now, redrawn below everything tasks print."""

from __future__ import annotations

import builtins
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TextIO

from turnout.backend.hooks import RunEvent
from turnout.observe.summary import summary
from turnout.observe.tally import Entry, Tally, duration_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["LiveProgress"]

_PATIENCE: Final = 0.3
_PERIOD: Final = 0.125
_MOST_LINES: Final = 8
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ERASE_BELOW: Final = "\x1b[J"
_input: Final = builtins.input


class LiveProgress:
    """Shows the running nodes at the bottom of a terminal, and a summary at the end.

    Nothing is drawn, and nothing imported for it, in the first 0.3 seconds. The cursor rests
    on an empty line *above* what is drawn, so that whatever else writes to the terminal, a
    child process included, goes there and is never overwritten. While a line is unfinished,
    such as a debugger's prompt, nothing is drawn at all.

    Attributes:
        where: where the record of the run is kept, for the closing line.
    """

    def __init__(self, stream: TextIO, *, colour: bool = True) -> None:
        self.where = ""
        self._stream = stream
        self._colour = colour
        self._tally = Tally()
        self._screen = _Screen(stream)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._opened = contextlib.ExitStack()
        self.node_started = self._tally.node_started
        self.node_failed = self._tally.node_failed
        self.node_retried = self._tally.node_retried
        self.node_finished = self._tally.node_finished
        self.node_cached = self._tally.node_cached

    def run_started(self, event: RunEvent) -> None:
        """A run begins; its view opens if it is still going on after a moment."""
        self._tally.run_started(event)
        self._stop.clear()
        # At once, so that a line that is begun before anything is drawn is known to be unfinished.
        self._opened.enter_context(self._screen.opened())
        self._thread = threading.Thread(target=self._draw, name="turnout progress", daemon=True)
        self._thread.start()

    def run_finished(self, event: RunEvent) -> None:
        """The run has ended: the view closes, and its summary stays."""
        self.close()
        with contextlib.suppress(OSError, ValueError):
            text = summary(self._tally, event, where=self.where, colour=self._colour)
            # Where a run has failed, a report follows.
            self.write(text + "\n" * (2 if event.status == "failed" else 1))

    def write(self, text: str) -> None:
        """Write lines that stay, above the view if there is one."""
        self._screen.write(self._stream, text)
        self._stream.flush()

    def close(self) -> None:
        """Take the view away; safe to call at any time."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2.0)
        self._thread = None
        self._opened.close()

    def _draw(self) -> None:
        if self._stop.wait(_PATIENCE):
            return
        from rich.console import Console

        console = Console(file=self._stream, force_terminal=True, no_color=not self._colour)
        step = 0
        while True:
            try:
                self._screen.show(self._frame(console, step))
            except (OSError, ValueError):
                return
            if self._stop.wait(_PERIOD):
                return
            step += 1

    def _frame(self, console: Console, step: int) -> list[str]:
        """The lines of the view, each cut to the width of the terminal."""
        from rich.text import Text

        now = time.time()
        spin = _SPINNER[step % len(_SPINNER)]
        running = list(self._tally.running.values())
        # A map is told by its items, once there are some.
        maps = {entry.node.rpartition("[")[0] for entry in running}
        running = [entry for entry in running if entry.node not in maps]
        room = max(1, min(_MOST_LINES, console.height - 4))
        shown = running if len(running) <= room else running[: room - 1]
        texts = [_running_line(spin, entry, now) for entry in shown]
        if len(shown) < len(running):
            texts.append(Text(f"  and {len(running) - len(shown)} more", style="dim"))
        texts.append(Text(f"  {self._totals(now)}", style="dim"))
        lines = []
        for text in texts:
            text.truncate(max(console.width - 1, 10), overflow="ellipsis")
            with console.capture() as captured:
                console.print(text, end="", soft_wrap=True, highlight=False)
            lines.append(captured.get())
        return lines

    def _totals(self, now: float) -> str:
        counts = self._tally.counts
        ended = sum(counts.values())
        run = self._tally.run
        known = run.nodes if run is not None and run.nodes >= ended else 0
        if any("[" in name for name in list(self._tally.entries)):
            known = 0  # the items of maps are not in the number the run began with
        parts = [f"{ended} of {known} nodes" if known else f"{ended} nodes"]
        parts += [f"{counts[what]} {what}" for what in ("cached", "failed") if counts[what]]
        parts.append(_elapsed(now - self._tally.began))
        return " · ".join(parts)


def _running_line(spin: str, entry: Entry, now: float) -> Any:
    from rich.text import Text

    name = "".join(char if char.isprintable() else "?" for char in entry.node)
    text = Text.assemble(
        (spin, "cyan"), " ", f"{name:<32}", (duration_text(now - entry.began), "dim")
    )
    if entry.attempts > 1:
        text.append(f"  attempt {entry.attempts}", style="yellow")
    return text


def _elapsed(seconds: float) -> str:
    """A duration that is still growing, without digits that flicker."""
    return f"{max(seconds, 0.0):.1f} s" if seconds < 59.95 else duration_text(seconds)


class _Screen:
    """A terminal that the view shares with everything that prints."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._drawn = False
        self._unfinished = False
        self._held = False

    def show(self, lines: list[str]) -> None:
        """Draw the view below the cursor, and leave the cursor where it was."""
        with self._lock:
            if self._unfinished or self._held:
                return
            body = "".join(f"\n{line}" for line in lines)
            self._stream.write(f"\r{_ERASE_BELOW}{body}\r\x1b[{len(lines)}A")
            self._stream.flush()
            self._drawn = True

    def write(self, stream: TextIO, text: str) -> int:
        """Write what somebody prints, in the place of the view."""
        with self._lock:
            self.erase()
            if text:
                self._unfinished = not text.endswith("\n")
            return stream.write(text)

    def erase(self) -> None:
        """Take the view off the screen."""
        with self._lock:
            if self._drawn:
                self._drawn = False
                self._stream.write(_ERASE_BELOW)
                self._stream.flush()

    def ask(self, prompt: object = "", /) -> str:
        """Read a line as `input` does, with nothing drawn meanwhile; debuggers come here too."""
        with self._lock:
            self.erase()
            self._held = True
        try:
            return _input(prompt)
        finally:
            self._held = self._unfinished = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Have everything that prints to this terminal go through here."""
        before = sys.stdout, sys.stderr
        shared = [_Shared(stream, self) if _is_terminal(stream) else stream for stream in before]
        moved = []
        for handler in _handlers():
            for original, replacement in zip(before, shared, strict=True):
                if handler.stream is original and replacement is not original:
                    handler.setStream(replacement)
                    moved.append((handler, original, replacement))
        sys.stdout, sys.stderr = shared
        asked = builtins.input
        if asked is _input:
            builtins.input = self.ask
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):  # nobody looks at it any more
                self.erase()
            builtins.input = asked
            if sys.stdout is shared[0]:
                sys.stdout = before[0]
            if sys.stderr is shared[1]:
                sys.stderr = before[1]
            for handler, original, replacement in moved:
                if handler.stream is replacement:
                    handler.setStream(original)


class _Shared:
    """A standard stream whose writes make way for the view."""

    def __init__(self, stream: TextIO, screen: _Screen) -> None:
        self._wrapped = stream
        self._screen = screen

    def write(self, text: str) -> int:
        return self._screen.write(self._wrapped, text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._wrapped)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _handlers() -> list[logging.StreamHandler[Any]]:
    """Every logging handler that writes to a stream."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    return [
        handler
        for logger in loggers
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
    ]
