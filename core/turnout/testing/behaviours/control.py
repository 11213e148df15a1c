"""Order, branches, maps, dynamic graphs and sub-workflows."""

from __future__ import annotations

import threading

import pytest

from turnout.errors import BranchFailed
from turnout.testing.pipelines import flow, marks
from turnout.testing.place import Place, asks


class Control:
    """Order, branches, maps, dynamic graphs and sub-workflows."""

    @asks("order")
    def test_order_without_data(self, on: Place) -> None:
        """``a >> b`` and ``order(...)`` hold though no data flows."""
        found = on.value(flow.ordered, scratch=on.scratch)
        assert found == ["first", "middle", "last"] == on.marks

    @asks("order")
    def test_order_around_sub_workflows(self, on: Place) -> None:
        """A sub-workflow as a step of an order waits as a whole."""
        on.value(flow.sub_order, scratch=on.scratch)
        assert on.marks == ["early", "one", "two"]

    def test_chains_and_fans(self, on: Place) -> None:
        """Data gives the order."""
        assert on.value(flow.chain, n=40) == 40
        assert on.value(flow.fan, n=40) == 820
        assert on.value(flow.diamond, x=0) == 5

    @asks("conditional")
    @pytest.mark.parametrize(("x", "case"), [(9, "high"), (8, "middle"), (4, "middle")])
    def test_only_the_chosen_case_runs(self, on: Place, x: int, case: str) -> None:
        """The first case that holds runs, and nothing of the others."""
        assert on.value(flow.gate, scratch=on.scratch, x=x) == case
        assert on.marks == [case]

    @asks("conditional")
    def test_a_case_may_fail(self, on: Place) -> None:
        """``fail(message)`` fails the conditional with the message."""
        failure = on.failure(flow.gate, scratch=on.scratch, x=0)
        assert isinstance(failure.__cause__, BranchFailed)
        assert failure.node == "gate"
        assert "the value is below 5" in str(failure)
        assert on.marks == []

    @asks("conditional")
    @pytest.mark.parametrize(
        ("x", "case"), [(1, "not three"), (2, "three"), (-5, "outside"), (200, "outside")]
    )
    def test_conditionals_inside_one_another(self, on: Place, x: int, case: str) -> None:
        """Conditionals nest; predicates are put together with ``& | ~``."""
        assert on.value(flow.nested_gate, scratch=on.scratch, x=x) == case
        assert on.marks == [case]

    @asks("conditional", "order")
    def test_what_a_conditional_gives_goes_on(self, on: Place) -> None:
        """A conditional's result is a value like any, and may be waited for."""
        assert on.value(flow.after_gate, scratch=on.scratch, x=9) == 111
        assert on.value(flow.after_gate, scratch=on.scratch, x=1) == 104
        assert on.marks == ["after", "after"]

    @asks("map")
    def test_maps_keep_the_order_of_items(self, on: Place) -> None:
        """Results are in the order of the items, whichever ends first."""
        assert on.value(flow.mapped, n=8, seconds=0.05) == [0, 2, 4, 6, 8, 10, 12, 14]

    @asks("map")
    def test_maps_zip_lists(self, on: Place) -> None:
        """Several lists are zipped; their items may be results of tasks."""
        assert on.value(flow.mapped_constants) == [11, 22, 33]

    @asks("map")
    def test_a_map_over_nothing_is_empty(self, on: Place) -> None:
        """An empty list gives an empty list."""
        assert on.value(flow.mapped_empty) == []

    @asks("map")
    def test_maps_follow_maps(self, on: Place) -> None:
        """A map takes the results of another."""
        assert on.value(flow.mapped_twice, n=10) == 65

    @asks("map")
    def test_lists_of_unequal_length_fail(self, on: Place) -> None:
        """Lists of unequal length fail the map; the message tells them."""
        failure = on.failure(flow.unequal, n=3)
        assert failure.node == "add"
        assert "a has 3" in str(failure)
        assert "b has 4" in str(failure)

    @asks("map")
    @pytest.mark.parametrize("width", [1, 2])
    def test_concurrency_is_a_limit(self, on: Place, width: int) -> None:
        """No more items run at once than ``concurrency`` says."""
        assert on.value(flow.narrow, scratch=on.scratch, n=6, width=width) == [0, 2, 4, 6, 8, 10]
        assert marks.most_at_once(on.scratch) <= width

    @asks("map")
    def test_items_may_fail_within_the_ratio(self, on: Place) -> None:
        """With ``min_success_ratio`` a failed item gives ``None``."""
        found = on.value(flow.tolerant, n=10, bad=[0, 7, 9], ratio=0.7)
        assert found == [None, 1, 2, 3, 4, 5, 6, None, 8, None]

    @asks("map")
    def test_too_many_failed_items_fail_the_map(self, on: Place) -> None:
        """Below the ratio the run fails with an item's exception."""
        failure = on.failure(flow.tolerant, n=10, bad=[0, 3, 7, 9], ratio=0.7)
        assert isinstance(failure.__cause__, ValueError)
        assert failure.node.startswith("fragile[")

    @asks("map", "dynamic")
    def test_a_failure_inside_a_dynamic_item_counts_for_the_map(self, on: Place) -> None:
        """The item of a map may be dynamic; what fails in it fails the item."""
        assert on.value(flow.tolerant_dynamic, bad=[1]) == [1, None, 3]

    @asks("dynamic")
    def test_dynamic_graphs(self, on: Place) -> None:
        """Dynamic tasks loop, nest, return structures and hand inputs on."""
        assert on.value(flow.grown, n=4) == {
            "squares": [0, 1, 4, 9],
            "total": 14,
            "until": 128,
            "fib": 13,
            "picked": {"sum": 6, "parts": [1, (2, "text")]},
            "alone": {"sum": 0, "parts": []},
        }

    @asks("dynamic")
    def test_dynamic_graphs_inside_one_another(self, on: Place) -> None:
        """Nobody waits inside a worker, so depth needs no further workers."""
        assert on.value(flow.depths, n=25) == 1

    def test_sub_workflows(self, on: Place) -> None:
        """Workflows inside workflows take inputs and results."""
        assert on.value(flow.outer, x=1) == [3, 7, 8]

    def test_two_runs_at_once(self, on: Place) -> None:
        """Two runs in one store do not disturb each other."""
        found: dict[int, object] = {}

        def run(n: int) -> None:
            found[n] = on.value(flow.fan, n=n)

        threads = [threading.Thread(target=run, args=(n,)) for n in (10, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {10: 55, 20: 210}
