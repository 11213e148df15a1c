from __future__ import annotations

from turnout import task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@workflow
def pipeline(x: int, tries: int) -> int:
    return double.with_options(retries=tries)(x)


def test_an_input_given_as_an_option_is_fixed() -> None:
    graph = pipeline.trace({"x": 1, "tries": 3}).graph
    (node,) = graph.nodes
    assert node.options is not None  # type: ignore[union-attr]
    assert node.options.retries == 3  # type: ignore[union-attr]
    assert [(fixed.path, fixed.what) for fixed in graph.fixed] == [(("tries",), "value")]
