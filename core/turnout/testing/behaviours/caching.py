"""The cache: what hits, what misses, and what its modes do."""

from __future__ import annotations

from turnout.testing.pipelines import caching
from turnout.testing.place import Place, asks


class Caching:
    """The cache: what hits, what misses, and what its modes do."""

    @asks("cache")
    def test_equal_calls_run_once(self, on: Place) -> None:
        """Code and inputs being the same, the result is reused; else it is not."""
        assert on.value(caching.once, scratch=on.scratch, x=3.0) == 9.0
        run = on.run(caching.once, scratch=on.scratch, x=3.0)
        assert run.outputs == 9.0
        assert {node.name: node.status for node in run.nodes}["square"] == "cached"
        assert len(on.marks) == 1
        assert on.value(caching.once, scratch=on.scratch, x=4.0) == 16.0
        assert len(on.marks) == 2

    @asks("cache")
    def test_ignored_inputs_do_not_count(self, on: Place) -> None:
        """``Cache(ignored_inputs=...)`` leaves inputs out of the key."""
        on.value(caching.once, scratch=on.scratch, x=3.0, verbose=False)
        on.value(caching.once, scratch=on.scratch, x=3.0, verbose=True)
        assert len(on.marks) == 1

    @asks("cache")
    def test_a_call_has_one_key_however_it_is_spelled(self, on: Place) -> None:
        """Defaults count as given; a value counts the same wherever it comes from."""
        assert on.value(caching.spelled, scratch=on.scratch) == [9.0, 9.0, 9.0]
        assert len(on.marks) == 1

    @asks("cache")
    def test_values_without_canonical_form_hit(self, on: Place) -> None:
        """A cached task's pickled result stands for the call that made it."""
        assert on.value(caching.trained, scratch=on.scratch, x=2.0) == 3.0
        assert on.value(caching.trained, scratch=on.scratch, x=2.0) == 3.0
        assert on.marks == ["fit", "score"]

    @asks("cache")
    def test_versions_tell_results_apart(self, on: Place) -> None:
        """``Cache(version=...)`` stands in for the code."""
        for version in ("1", "1", "2", "1"):
            on.value(caching.versioned, scratch=on.scratch, x=2.0, version=version)
        assert len(on.marks) == 2

    @asks("cache")
    def test_a_task_depends_on_its_part_of_the_config(self, on: Place) -> None:
        """A key changes only with the part of the config that the task was given."""
        config = {"a": {"x": 2.0}, "b": {"x": 3.0, "power": 2}, "scratch": on.scratch}
        assert on.value(caching.parts, config) == [4.0, 9.0]
        config["b"] = {"x": 3.0, "power": 3}
        assert on.value(caching.parts, config) == [4.0, 27.0]
        assert len(on.marks) == 3

    @asks("cache")
    def test_the_modes_of_the_cache(self, on: Place) -> None:
        """``refresh`` replaces, ``read`` never writes, ``off`` does neither."""

        def runs(mode: str, x: float) -> int:
            before = len(on.marks)
            on.run(caching.once, scratch=on.scratch, x=x, settings={"cache": mode})
            return len(on.marks) - before

        assert [runs("read", 1.0), runs("read", 1.0)] == [1, 1]
        assert [runs("off", 1.0), runs("use", 1.0)] == [1, 1]
        assert [runs("read", 1.0), runs("use", 1.0)] == [0, 0]
        assert [runs("off", 1.0), runs("refresh", 1.0), runs("use", 1.0)] == [1, 1, 0]

    @asks("cache", "map")
    def test_items_of_a_map_are_cached_one_by_one(self, on: Place) -> None:
        """Only the items that are new run."""
        assert on.value(caching.cached_map, scratch=on.scratch, xs=[1.0, 2.0]) == [1.0, 4.0]
        found = on.value(caching.cached_map, scratch=on.scratch, xs=[1.0, 2.0, 3.0])
        assert found == [1.0, 4.0, 9.0]
        assert len(on.marks) == 3

    @asks("cache", "retries")
    def test_only_results_are_cached(self, on: Place) -> None:
        """A failed attempt leaves nothing in the cache; the attempt that succeeds does."""
        assert on.value(caching.cached_flaky, scratch=on.scratch) == 5
        assert on.value(caching.cached_flaky, scratch=on.scratch) == 5
        assert len(on.marks) == 2

    @asks("cache", "order")
    def test_an_input_changed_in_place_is_no_wrong_hit(self, on: Place) -> None:
        """What was computed from a changed input is not found by who has the unchanged one."""
        on.value(caching.spoiled, scratch=on.scratch, n=3)
        assert on.value(caching.unspoiled, scratch=on.scratch, n=3) == 3
        assert on.marks.count("rows") == 1
