"""The records of runs, and what a run keeps."""

from __future__ import annotations

import pytest

import turnout
from turnout.errors import ConfigError, RunFailed
from turnout.testing.pipelines import flow, trouble, values
from turnout.testing.place import Place, asks


class Recorded:
    """The records of runs, and what a run keeps."""

    def test_runs_are_found_again(self, on: Place) -> None:
        """``get_run`` and ``runs`` reopen earlier runs, with nodes and results."""
        first = on.run(flow.chain, n=2, tags=["nightly"])
        second = on.run(flow.diamond, x=1)
        assert turnout.get_run("latest").id == second.id
        assert [run.id for run in turnout.runs()] == [second.id, first.id]
        assert [run.id for run in turnout.runs(tag="nightly")] == [first.id]
        assert [run.id for run in turnout.runs(workflow="diamond")] == [second.id]
        found = turnout.get_run(first.id)
        assert found.status == "succeeded"
        assert found.outputs == 2
        nodes = {node.name: node for node in found.nodes}
        assert sorted(nodes) == ["inc", "inc-2"]
        assert nodes["inc"].task == "inc"
        assert nodes["inc"].status == "succeeded"
        assert nodes["inc"].attempts == 1
        assert nodes["inc"].seconds >= 0

    def test_a_node_s_result_is_found(self, on: Place) -> None:
        """``Run.output(node)`` gives what a node returned, then and later."""
        run = on.run(values.several)
        assert run.output("divide") == (3, 2)
        assert turnout.get_run(run.id).output("rate") == values.Scores(1.0, ["a", "b"])
        with pytest.raises(ConfigError, match="nobody"):
            run.output("nobody")

    @asks("map")
    def test_items_of_maps_are_recorded(self, on: Place) -> None:
        """Each item of a map is a node."""
        run = on.run(flow.mapped, n=3)
        names = [node.name for node in turnout.get_run(run.id).nodes]
        assert {"numbers", "double", "double[0]", "double[1]", "double[2]"} == set(names)
        assert run.output("double[2]") == 4

    def test_failed_runs_are_recorded(self, on: Place) -> None:
        """The record says what failed, and why."""
        failure = on.failure(trouble.failing, kind="plain")
        run = turnout.get_run(failure.run.id)
        assert run.status == "failed"
        nodes = {node.name: node for node in run.nodes}
        assert nodes["boom"].status == "failed"
        assert nodes["boom"].error == "PlainError: a plain one"
        with pytest.raises(RunFailed, match="a plain one"):
            _ = run.outputs

    def test_what_is_kept(self, on: Place) -> None:
        """``keep``: nothing large under ``none``; everything under ``all``."""
        kept = on.run(values.through, kind="long text", settings={"keep": "all"})
        assert kept.output("make") == "x" * 100_000
        lean = on.run(values.through, kind="long text", settings={"keep": "none"})
        assert lean.outputs == "x" * 100_000
        with pytest.raises(ConfigError, match="not kept"):
            lean.output("make")

    def test_a_run_in_the_background(self, on: Place) -> None:
        """``wait=False`` returns at once; ``wait`` and ``outputs`` wait for the end."""
        run = on.run(flow.chain, n=5, wait=False)
        assert run.outputs == 5
        assert run.wait(30).status == "succeeded"
        failing = on.run(trouble.failing, kind="plain", wait=False)
        with pytest.raises(RunFailed, match="boom"):
            failing.wait(30)
        assert failing.status == "failed"
