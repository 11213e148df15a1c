"""Nodes of a run as rows of its record, and packed as a batch of them is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, NamedTuple

_USUAL_CODEC: Final = "plain/1"
_INLINE_TEXT: Final = 4096
# Rows hold plain values only, so looking for circles, a third of the work, is left out.
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_SELDOM: Final = ("cached", "key", "error", "digest", "codec", "artifact", "metrics")


class NodeRow(NamedTuple):
    """One node of a run; the fields are the columns of the table ``nodes``.

    Attributes:
        run_id: the run.
        node: the node's name in the run.
        task: the task's name; ``""`` for a node that is no task.
        status: how it ended.
        attempts: how many attempts were made.
        cached: ``""``, ``"hit"`` or ``"stored"``.
        key: the cache key, if it has one.
        started: seconds since the epoch.
        seconds: how long it took.
        error: type and message of what it failed with.
        digest: the result's digest, if it was taken.
        codec: how the kept result is encoded; ``None`` when it was not kept.
        payload: the kept result's bytes, when they are few.
        artifact: the name of the file with them otherwise; ``root#name`` where it is in another
            store than the one beside the records.
        metrics: name and value of what the task logged.
    """

    run_id: str
    node: str
    task: str = ""
    status: str = ""
    attempts: int = 1
    cached: str = ""
    key: str = ""
    started: float = 0.0
    seconds: float = 0.0
    error: str | None = None
    digest: str = ""
    codec: str | None = None
    payload: bytes | None = None
    artifact: str | None = None
    metrics: Mapping[str, float] | None = None


def usual_row(node: str, task: str, started: float, seconds: float, result: int) -> str:
    """As `packed`, of a node that succeeded at once with a whole number and no more to tell.

    >>> unpacked("r1", json.loads(usual_row("load", "load", 1.0, 0.5, 7))).payload
    b'7'
    """
    return (
        f'[{_quoted(node)},{_quoted(task)},"succeeded",1,'
        f'{int(started * 1e6)},{int(seconds * 1e9)},"{result}",null]'
    )


def packed(row: NodeRow, payloads: list[tuple[str, str, bytes]]) -> str:
    """A row as JSON text for a batch.

    Times are integers, and what most nodes do not have stands in one place.

    Args:
        row: the row.
        payloads: takes run, node and bytes of a result that stands apart.
    """
    (run_id, node, task, status, attempts, cached, key, started, seconds, error, digest, codec,
     payload, artifact, metrics) = row  # fmt: skip
    more = text = None
    if payload is not None:
        if codec == _USUAL_CODEC and len(payload) <= _INLINE_TEXT:
            text, codec = payload.decode("ascii"), None
        else:
            payloads.append((run_id, node, payload))
    if cached or key or error or digest or artifact or codec or metrics:
        seldom = (cached, key, error, digest, codec, artifact, metrics)
        more = dict(zip(_SELDOM, seldom, strict=True))
    return (
        f"[{_quoted(node)},{_quoted(task)},{_quoted(status)},{attempts},"
        f"{int(started * 1e6)},{int(seconds * 1e9)},"
        f"{'null' if text is None else _quoted(text)},{'null' if more is None else _encode(more)}]"
    )


def unpacked(run_id: str, values: list[Any]) -> NodeRow:
    """The row that was `packed`, read from its text, without the bytes that stand apart."""
    node, task, status, attempts, started, seconds, text, more = values
    said = dict(more or {})
    if text is not None:
        said |= {"codec": _USUAL_CODEC, "payload": text.encode("ascii")}
    return NodeRow(
        run_id, node, task, status, attempts, started=started / 1e6, seconds=seconds / 1e9, **said
    )
