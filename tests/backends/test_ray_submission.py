"""Calls that have their options in common, sent to a real instance."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import ray

from turnout_ray import submission


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.chdir(tmp_path_factory.mktemp("place"))
        ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture
def function(instance: None) -> Any:
    def halves(number: int) -> tuple[int, int, str]:  # in here, for workers do not import tests
        return number // 2, number % 2, ray.get_runtime_context().get_task_name()

    return ray.remote(halves)


def test_every_call_has_its_arguments_and_all_have_the_options(function: Any) -> None:
    one = submission.submitter(function, {"name": "whole"})
    three = submission.submitter(function, {"name": "parts", "num_returns": 3})
    assert ray.get([one((7,)), one((8,))]) == [(3, 1, "whole"), (4, 0, "whole")]
    assert [ray.get(three((number,))) for number in (7, 8)] == [[3, 1, "parts"], [4, 0, "parts"]]
    assert ray.get(one((ray.put(9),))) == (4, 1, "whole"), "a reference comes as its value"


def test_the_function_stays_what_it_was(function: Any) -> None:
    submission.submitter(function, {"name": "whole"})
    assert ray.get(function.remote(7)) == (3, 1, "halves")


def test_threads_share_a_function(function: Any) -> None:
    found: dict[int, Any] = {}

    def send(number: int) -> None:
        submit = submission.submitter(function, {"name": f"of {number}"})
        found[number] = ray.get(submit((number,)))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: (number // 2, number % 2, f"of {number}") for number in range(8)}


def test_where_ray_has_no_such_decorators_each_call_goes_the_whole_way() -> None:
    sent = []

    class Function:
        def _remote(self, **given: Any) -> None:
            sent.append(given)

    submit = submission.submitter(Function(), {"name": "whole"})
    submit((1,))
    submit((2,))
    assert sent == [{"args": (n,), "kwargs": {}, "name": "whole"} for n in (1, 2)]
