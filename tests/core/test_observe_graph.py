from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from functools import partial
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout import Cache, conditional, dynamic, map_task, task, workflow
from turnout.graph import Graph, TaskNode, TaskSpec
from turnout.graph.serial import loads
from turnout.observe.layers import Link, Vertex, arrange
from turnout.observe.layout import lay_out
from turnout.observe.render_html import render_html
from turnout.observe.render_mermaid import render_mermaid
from turnout.observe.render_svg import render_svg
from turnout.observe.render_text import render_text
from turnout.observe.sketch import sketch

EVIL = "</title></script><script>alert('é')</script>]]>\"&#60;\x1b[2J"


@task(cache=True, retries=2)
def load(path: str) -> list[float]:
    return [float(len(path))]


@task
def score(data: list[float], C: float = 1.0) -> float:
    return C * len(data)


@task
def evaluate(C: float, data: list[float]) -> float:
    return C + len(data)


@task
def best(scores: list[float]) -> float:
    return max(scores)


@task
def announce(accuracy: float) -> str:
    return f"{accuracy}"


@dynamic
def expand(data: list[float]) -> float:
    return score(data)


@task
def cleanup(path: str) -> None:
    return None


@workflow
def inner(data: list[float], C: float) -> float:
    return score(data, C)


@workflow(on_failure=cleanup)
def everything(path: str, C: float, grid: list[float]) -> str:
    data = load(path)
    scores = map_task(partial(evaluate, data=data), concurrency=4)(C=grid)
    one = inner(data, C)
    two = inner(expand.with_options(cache=Cache(version="1"))(data) and data, C) if C > 9 else one
    more = expand(data)
    accuracy = best([one, two, more])
    verdict = (
        conditional("gate")
        .if_((accuracy >= 0.9) & (accuracy < C))
        .then(announce(accuracy))
        .elif_(accuracy >= 0.5)
        .then(announce(score(data)))
        .else_()
        .fail("too weak: " + EVIL)
    )
    best(scores) >> load.with_options(retries=0)("late")
    return verdict


@pytest.fixture(scope="module")
def graph() -> Graph:
    return everything.trace({"path": "x.csv", "C": 2.0, "grid": [1.0, 2.0]}).graph


def evil_graph() -> Graph:
    spec = TaskSpec(key=EVIL, name=EVIL, ref="m:f")  # type: ignore[arg-type]
    args = ((EVIL, ("const", EVIL)), ("other", ("input", "cfg", EVIL)))
    node = TaskNode(id=EVIL, task=EVIL, args=args, line=EVIL)  # type: ignore[arg-type]
    return Graph(name=EVIL, nodes=(node,), tasks={spec.key: spec}, result=("output", EVIL))


def chain(length: int, width: int) -> Graph:
    spec = TaskSpec(key="step", name="step", ref="m:step")  # type: ignore[arg-type]
    nodes = []
    for number in range(length):
        before = [f"step-{number - back}" for back in range(1, width + 1) if number >= back]
        args = tuple((f"a{i}", ("output", name)) for i, name in enumerate(before))
        nodes.append(TaskNode(id=f"step-{number}", task="step", args=args))  # type: ignore[arg-type]
    return Graph(name="long", nodes=tuple(nodes), tasks={spec.key: spec})


def test_text_names_every_node_and_what_it_takes(graph: Graph) -> None:
    lines = render_text(graph).splitlines()
    assert lines[0] == f"everything(path, C, grid)  {graph.ref}"
    text = "\n".join(lines)
    assert re.search(r"├─ load +path +cache, retries=2", text)
    assert re.search(r"├─ evaluate  \(evaluate for each of C\) +data=load, C=grid", text)
    assert "concurrency=4" in text
    assert re.search(r"├─ gate  \(branch\)", text)
    assert "│  ├─ if best >= 0.9 and best < C → announce" in text
    assert "└─ else fails: too weak" in text
    assert "on failure: cleanup" in text
    assert re.search(r"after best-2", text)
    assert re.search(r"fixed: C  \(.*test_observe_graph.py:\d+\)", text)


def test_text_has_no_control_characters_and_an_ascii_form(graph: Graph) -> None:
    for one in (graph, evil_graph()):
        assert "\x1b" not in render_text(one)
    plain = render_text(graph, ascii_only=True)
    assert "|- load" in plain
    assert plain.translate(str.maketrans("", "", "é?")).isascii()


def test_a_sub_workflow_used_twice_is_shown_once() -> None:
    @workflow
    def twice(data: list[float]) -> float:
        return best([inner(data, 1.0), inner(data, 1.0)])

    text = render_text(twice.trace({"data": [1.0]}).graph)
    assert text.count("├─ score") == 1
    assert "as in inner" in text


def test_mermaid_is_a_flowchart_with_subgraphs(graph: Graph) -> None:
    text = render_mermaid(graph)
    assert text.startswith("flowchart TD\n")
    assert text.count("subgraph ") == text.count("    end\n") == 2
    assert '[["evaluate<br/>evaluate for each of C<br/>grid"]]:::map' in text
    names = set(re.findall(r"\b(n\d+)[\[({]", text))
    ends = re.findall(r"(n\d+) -.*> ?(?:\|.*\|)? ?(n\d+)$", text, re.MULTILINE)
    assert len(ends) > 10
    assert {end for pair in ends for end in pair} <= names


def test_labels_cannot_break_out_of_mermaid() -> None:
    for line in render_mermaid(evil_graph()).splitlines():
        inside = re.sub(r'"[^"]*"', "", line)
        assert "script" not in inside
        assert "<" not in line.replace("<br/>", "")


@pytest.mark.parametrize("make", ["graph", "evil", "empty", "chain"])
def test_svg_is_well_formed_and_names_every_node(make: str, graph: Graph) -> None:
    one = {
        "graph": graph,
        "evil": evil_graph(),
        "empty": Graph(name="nothing"),
        "chain": chain(150, 3),
    }[make]
    root = ET.fromstring(render_svg(one))
    keys = {element.get("data-key") for element in root.iter() if element.get("data-key")}
    if make != "evil":
        assert {node.id for node in one.nodes} <= keys
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    text = render_svg(one)
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "prefers-color-scheme:dark" in text


def test_html_is_one_file_that_runs_only_its_own_script(graph: Graph) -> None:
    for one in (graph, evil_graph()):
        page = render_html(one)
        assert page.count("<script") == page.count("</script") == 1
        assert "default-src 'none'" in page
        assert not re.search(r"(src|href)\s*=|@import|url\(", page.replace("default-src", ""))
        drawing = page[page.index("<svg") : page.index("</svg>") + 6]
        ET.fromstring(drawing)
        table = page[page.index("<table>") : page.index("</table>") + 8]
        ET.fromstring(table)
    assert "retries=2" in render_html(graph)


def test_the_json_of_a_graph_draws_the_same(graph: Graph) -> None:
    from turnout.graph.serial import dumps

    again = loads(dumps(graph))
    assert json.loads(dumps(again)) == json.loads(dumps(graph))
    assert render_svg(again) == render_svg(graph)
    assert render_text(again) == render_text(graph)


@pytest.mark.parametrize("one", ["graph", "chain"])
def test_boxes_lie_inside_the_picture_and_not_on_each_other(one: str, graph: Graph) -> None:
    picture = sketch(graph if one == "graph" else chain(200, 2))
    layout = lay_out(picture)
    boxes = [box for outer in picture.boxes for box in outer.walk() if not box.children]
    places = [layout.places[box.key] for box in boxes]
    for place in places:
        assert -0.01 <= place.x <= place.x + place.width <= layout.width + 0.01
        assert -0.01 <= place.y <= place.y + place.height <= layout.height + 0.01
    for a, b in combinations(places, 2):
        apart_x = a.x + a.width <= b.x + 0.01 or b.x + b.width <= a.x + 0.01
        apart_y = a.y + a.height <= b.y + 0.01 or b.y + b.height <= a.y + 0.01
        assert apart_x or apart_y
    for route in layout.routes:
        source, target = layout.places[route.arrow.source], layout.places[route.arrow.target]
        assert source.y + source.height < target.y


def test_no_arrow_crosses_the_label_of_another(graph: Graph) -> None:
    layout = lay_out(sketch(graph))
    labelled = [route for route in layout.routes if route.label is not None]
    assert len(labelled) == 3
    for one in labelled:
        label = one.label
        assert label is not None
        for other in layout.routes:
            if other is one:
                continue
            for (x, _, bottom), (to, top, _) in pairwise([*other.lanes, other.lanes[-1]]):
                beside = not label.x < x < label.x + label.width
                beside &= not label.x < to < label.x + label.width
                above = max(bottom, top) <= label.y
                below = min(bottom, top) >= label.y + label.height
                assert beside or above or below


def test_the_table_tells_the_cases_of_a_branch(graph: Graph) -> None:
    page = render_html(graph)
    assert "<code>if best &gt;= 0.5: announce-2</code>" in page
    assert "<code>else: fails: too weak" in page


@st.composite
def levels(draw: st.DrawFn) -> tuple[list[Vertex], list[Link]]:
    count = draw(st.integers(1, 30))
    size = st.integers(10, 200)
    vertices = [Vertex(width=draw(size), height=draw(size)) for _ in range(count)]
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=60))
    return vertices, [Link(source=a, target=b) for a, b in pairs]


@settings(max_examples=60, deadline=None)
@given(levels())
def test_no_vertex_lies_on_another_whatever_the_links(
    level: tuple[list[Vertex], list[Link]],
) -> None:
    vertices, links = level
    placed = arrange(vertices, links)
    assert placed == arrange(vertices, links)
    boxes = list(zip(vertices, placed.centers, placed.tops, strict=True))
    for (a, ax, ay), (b, bx, by) in combinations(boxes, 2):
        apart = abs(ax - bx) >= (a.width + b.width) / 2 - 0.01
        assert apart or ay + a.height <= by or by + b.height <= ay
    for link, route in zip(links, placed.routes, strict=True):
        downs = [top for _, top, _ in route]
        assert downs == sorted(downs)
        if link.source < link.target and route:
            assert placed.tops[link.source] < downs[0] < placed.tops[link.target]
