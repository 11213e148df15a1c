"""What Ray has running on this machine already."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import ray  # noqa: F401  (it brings psutil)

from turnout import spi

_SESSION: Final = re.compile(r"session_[\w-]+")
_HEAD: Final = "--gcs-address="
_MOMENT: Final = 1.0


class _Process(NamedTuple):
    """A process of Ray's.

    Attributes:
        pid: its id.
        kind: ``gcs_server``, ``raylet`` or ``worker``.
        session: the session it belongs to, of a worker that of its raylet.
        orphan: whether what started it has gone.
        began: when, in seconds since the epoch.
    """

    pid: int
    kind: str
    session: str
    orphan: bool
    began: float


def leftovers(*, joins: bool) -> Iterator[spi.Check]:
    """Instances that run on this machine, and processes of instances that do not.

    Args:
        joins: whether the settings name an instance, which may well be here.
    """
    found = list(_processes())
    heads = {one.session: one for one in found if one.kind == "gcs_server"}
    standing = [_told(one) for one in heads.values() if one.orphan]
    programs = [_told(one) for one in heads.values() if not one.orphan]
    lost = [one for one in found if one.orphan and one.session not in heads]
    if lost:
        time.sleep(_MOMENT)  # an instance that ends is none that has gone
        lost = [one for one in lost if _is_left(one)]
    if programs:
        yield spi.Check.ok("instances", f"of programs that run here: {', '.join(programs)}")
    if standing and joins:
        yield spi.Check.ok("instances", f"on this machine: {', '.join(standing)}")
    elif standing:
        yield spi.Check.warning(
            "instances",
            f"on this machine, and a run would start another: {', '.join(standing)}",
            "address=auto joins it; `ray stop` ends every instance of this machine",
        )
    if lost:
        pids = [str(one.pid) for one in lost]
        yield spi.Check.warning(
            "leftovers",
            f"processes of an instance that has gone: {', '.join(pids)}",
            f"kill {' '.join(pids)}",
        )
    if not heads and not lost:
        yield spi.Check.ok("leftovers", "nothing of Ray's runs here")


def _is_left(one: _Process) -> bool:
    """Whether a process still runs, and its cluster does not: that may be on another machine."""
    import psutil  # type: ignore[import-untyped, import-not-found, unused-ignore]

    try:
        process = psutil.Process(one.pid)
        words = process.cmdline() if process.create_time() == one.began else []
    except psutil.Error:
        return False
    address = next((word.removeprefix(_HEAD) for word in words if word.startswith(_HEAD)), "")
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_MOMENT).close()
    except (OSError, ValueError):
        return bool(words)
    return False


def _processes() -> Iterator[_Process]:
    import psutil  # type: ignore[import-untyped, import-not-found, unused-ignore]

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            if not words or process.status() == psutil.STATUS_ZOMBIE:
                continue
            program = os.path.basename(words[0])
            if program in ("gcs_server", "raylet"):
                kind = program
            elif words[0].startswith("ray::"):
                kind = "worker"
            else:
                continue
            yield _Process(
                process.pid,
                kind,
                _session(process, words),
                # A node is looked after by its own raylet, which may have no parent.
                kind == "raylet" or process.ppid() == 1,
                process.create_time(),
            )


def _session(process: Any, words: list[str]) -> str:
    """The session named on the command line; a worker has none on its own."""
    for text in (" ".join(words), *(" ".join(up.cmdline()) for up in process.parents()[:1])):
        found = _SESSION.search(text)
        if found:
            return found[0]
    return ""


def _told(one: _Process) -> str:
    minutes = (time.time() - one.began) / 60
    age = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
    return f"process {one.pid}, {age} old"
