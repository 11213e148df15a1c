"""A plugin that writes down what the lifecycle hooks tell, and checks the order they guarantee."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from turnout.backend.hooks import NodeEvent, RunEvent, hookimpl


class Told(NamedTuple):
    """One event: ``started``, ``failed``, ``retried``, ``finished`` or ``cached``, of a node."""

    what: str
    node: str
    event: NodeEvent


class Recording:
    """Takes the events of runs; a plugin for `installed`.

    Attributes:
        nodes: the events of nodes, in the order they came.
        runs: the events of runs.
    """

    def __init__(self) -> None:
        self.nodes: list[Told] = []
        self.runs: list[RunEvent] = []

    @hookimpl
    def turnout_run_started(self, run: RunEvent) -> None:
        """A run has started."""
        self.runs.append(run)

    @hookimpl
    def turnout_run_finished(self, run: RunEvent) -> None:
        """A run has ended."""
        self.runs.append(run)

    @hookimpl
    def turnout_node_started(self, event: NodeEvent) -> None:
        """A node has started."""
        self.nodes.append(Told("started", event.node, event))

    @hookimpl
    def turnout_node_failed(self, event: NodeEvent) -> None:
        """An attempt has failed."""
        self.nodes.append(Told("failed", event.node, event))

    @hookimpl
    def turnout_node_retried(self, event: NodeEvent) -> None:
        """A further attempt begins."""
        self.nodes.append(Told("retried", event.node, event))

    @hookimpl
    def turnout_node_finished(self, event: NodeEvent) -> None:
        """A node has succeeded."""
        self.nodes.append(Told("finished", event.node, event))

    @hookimpl
    def turnout_node_cached(self, event: NodeEvent) -> None:
        """A node was found in the cache."""
        self.nodes.append(Told("cached", event.node, event))

    def of(self, node: str) -> list[str]:
        """What was told of one node, in order."""
        return [told.what for told in self.nodes if told.node == node]

    def check(self, needs: Mapping[str, Iterable[str]] | None = None) -> None:
        """Check the guarantee: ``started (failed retried)* (finished | failed)``, or ``cached``.

        Args:
            needs: for nodes of interest, those that must have finished before they start.

        Raises:
            AssertionError: the guarantee was broken; the message names the node.
        """
        for node in dict.fromkeys(told.node for told in self.nodes):
            problem = misordered(self.of(node))
            if problem:
                raise AssertionError(f"node {node!r}: {problem}: {', '.join(self.of(node))}")
        for node, earlier in (needs or {}).items():
            begun = self._first(node, ("started", "cached"))
            for need in earlier:
                ended = self._first(need, ("finished", "cached"))
                if begun is not None and (ended is None or ended > begun):
                    raise AssertionError(f"node {node!r} was started before {need!r} had finished")

    def _first(self, node: str, kinds: Iterable[str]) -> int | None:
        for index, told in enumerate(self.nodes):
            if told.node == node and told.what in kinds:
                return index
        return None


def misordered(events: Iterable[str]) -> str:
    """What is wrong with the order of a node's events; ``""`` if nothing is.

    >>> misordered(["started", "failed", "retried", "finished"])
    ''
    >>> misordered(["started", "retried", "finished"])
    "'retried' after 'started'"
    """
    follows = {
        "": ("started", "cached"),
        "started": ("failed", "finished"),
        "failed": ("retried",),
        "retried": ("failed", "finished"),
        "finished": (),
        "cached": (),
    }
    last = ""
    for event in events:
        if event not in follows[last]:
            return f"{event!r} after {last!r}" if last else f"{event!r} comes first"
        last = event
    return ""
