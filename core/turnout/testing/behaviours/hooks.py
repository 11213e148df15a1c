"""What the lifecycle hooks tell, and in which order."""

from __future__ import annotations

from turnout.errors import RunFailed
from turnout.testing.pipelines import caching, flow, trouble
from turnout.testing.place import Place, asks


class Hooks:
    """What the lifecycle hooks tell, and in which order."""

    def test_every_node_starts_and_finishes(self, on: Place) -> None:
        """Started, then finished, after all inputs have finished; one event of each."""
        run, told = on.recorded(flow.diamond, x=0)
        assert not isinstance(run, RunFailed)
        needs = {
            "inc-2": ["inc"], "inc-3": ["inc"], "inc-4": ["inc-3"], "add": ["inc-2", "inc-4"],
        }  # fmt: skip
        told.check(needs)
        for node in ("inc", *needs):
            assert told.of(node) == ["started", "finished"]
        assert [event.status for event in told.runs] == ["running", "succeeded"]
        assert {event.run_id for event in told.runs} == {run.id}
        assert {event.event.run_id for event in told.nodes} == {run.id}

    @asks("retries")
    def test_attempts_are_told_one_by_one(self, on: Place) -> None:
        """Started, any number of (failed, retried), then finished."""
        _, told = on.recorded(trouble.retried, scratch=on.scratch, failures=2)
        told.check({"inc": ["flaky"]})
        assert told.of("flaky") == [
            "started", "failed", "retried", "failed", "retried", "finished",
        ]  # fmt: skip
        numbers = [event.event.attempt for event in told.nodes if event.node == "flaky"]
        assert numbers == [1, 1, 2, 2, 3, 3]
        assert {event.event.attempts for event in told.nodes if event.node == "flaky"} == {3}
        assert {event.event.attempts for event in told.nodes if event.node == "inc"} == {1}
        errors = [str(event.event.error) for event in told.nodes if event.what == "failed"]
        assert errors == ["attempt 1", "attempt 2"]

    def test_failures_are_told(self, on: Place) -> None:
        """Started, then failed, with the exception; nothing of what depends on it."""
        failure, told = on.recorded(trouble.failing, kind="plain")
        assert isinstance(failure, RunFailed)
        told.check()
        assert told.of("boom") == ["started", "failed"]
        assert told.of("inc") == []
        assert isinstance(told.nodes[-1].event.error, trouble.PlainError)
        assert told.runs[-1].status == "failed"
        assert isinstance(told.runs[-1].error, trouble.PlainError)

    @asks("cache")
    def test_cached_nodes_are_told_alone(self, on: Place) -> None:
        """Of a node found in the cache nothing else is told."""
        on.run(caching.once, scratch=on.scratch, x=3.0)
        _, told = on.recorded(caching.once, scratch=on.scratch, x=3.0)
        told.check({"square": ["same"], "same-2": ["square"]})
        assert told.of("square") == ["cached"]
        assert next(event for event in told.nodes if event.node == "square").event.key

    @asks("map", "dynamic")
    def test_maps_and_dynamic_tasks_enclose_their_parts(self, on: Place) -> None:
        """A map or dynamic task starts before and finishes after what it grows."""
        _, told = on.recorded(flow.mapped, n=3)
        told.check({"double": ["numbers"]})
        order = [(event.what, event.node) for event in told.nodes]
        for number in range(3):
            item = f"double[{number}]"
            assert told.of(item) == ["started", "finished"]
            assert order.index(("started", "double")) < order.index(("started", item))
            assert order.index(("finished", item)) < order.index(("finished", "double"))
        _, told = on.recorded(flow.depths, n=1)
        told.check()
        order = [(event.what, event.node) for event in told.nodes]
        assert order.index(("started", "deep")) < order.index(("started", "deep/deep"))
        assert order[-1] == ("finished", "deep")

    @asks("conditional")
    def test_cases_not_chosen_are_not_told(self, on: Place) -> None:
        """A conditional starts and finishes; of the cases not chosen nothing is told."""
        _, told = on.recorded(flow.gate, scratch=on.scratch, x=8)
        told.check({"gate": ["inc"]})
        assert told.of("gate") == ["started", "finished"]
        assert told.of("mark") == []
        assert told.of("mark-2") == ["started", "finished"]

    @asks("map")
    def test_failed_items_are_told(self, on: Place) -> None:
        """An item that may fail is told as failed, and its map as finished."""
        _, told = on.recorded(flow.tolerant, n=4, bad=[2], ratio=0.5)
        told.check({"plain": ["fragile"]})
        assert told.of("fragile[2]") == ["started", "failed"]
        assert told.of("fragile") == ["started", "finished"]
