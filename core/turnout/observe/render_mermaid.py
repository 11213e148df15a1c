"""A graph as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from turnout.graph import Graph
from turnout.observe.describe import shorten
from turnout.observe.sketch import Box, sketch

__all__ = ["render_mermaid"]

_SHAPES: Final = {
    "task": ("[", "]"),
    "map": ("[[", "]]"),
    "dynamic": ("{{", "}}"),
    "decision": ("{", "}"),
    "fail": ("([", "])"),
    "join": ("((", "))"),
    "port": ("([", "])"),
    "result": ("([", "])"),
}
_ARROWS: Final = {"data": "-->", "order": "-.->", "choice": "-->"}
# The fills are dark enough for white text, so that they read on light and on dark pages.
_CLASSES: Final = (
    "classDef task fill:#1d6fb8,stroke:#1d6fb8,color:#fff",
    "classDef map fill:#0f766e,stroke:#0f766e,color:#fff",
    "classDef dynamic fill:#7c3aed,stroke:#7c3aed,color:#fff",
    "classDef decision fill:#a16207,stroke:#a16207,color:#fff",
    "classDef join fill:#a16207,stroke:#a16207,color:#fff",
    "classDef fail fill:#b91c1c,stroke:#b91c1c,color:#fff",
    "classDef port fill:#64748b,stroke:#64748b,color:#fff",
    "classDef result fill:#64748b,stroke:#64748b,color:#fff",
)


def render_mermaid(graph: Graph) -> str:
    """A graph as a Mermaid flowchart, for pages that render Mermaid, such as a README.

    >>> from turnout.graph import TaskNode, TaskSpec
    >>> spec = TaskSpec(key="load", name="load", ref="main:load")
    >>> node = TaskNode(id="load", task="load", args=(("cfg", ("input", "cfg", "data")),))
    >>> graph = Graph(name="hello", nodes=(node,), tasks={"load": spec})
    >>> print(render_mermaid(graph).splitlines()[1].strip())
    n1["load<br/>cfg.data"]:::task
    """
    picture = sketch(graph)
    names: dict[str, str] = {}
    lines = [line for box in picture.boxes for line in _box(box, names)]
    used = {box.kind for outer in picture.boxes for box in outer.walk()}
    for arrow in picture.arrows:
        text = "" if arrow.label in ("after", "condition", "result") else _label(arrow.label)
        label = f"|{text}|" if text else ""
        lines.append(f"{names[arrow.source]} {_ARROWS[arrow.kind]}{label} {names[arrow.target]}")
    lines += [line for line in _CLASSES if line.split()[1] in used]
    return "flowchart TD\n" + "".join(f"    {line}\n" for line in lines)


def _box(box: Box, names: dict[str, str]) -> Iterator[str]:
    name = names[box.key] = f"n{len(names) + 1}"
    label = _label(box.title, *box.notes)
    if box.children:
        yield f"subgraph {name}[{label}]"
        for child in box.children:
            for line in _box(child, names):
                yield "    " + line
        yield "end"
    else:
        opening, closing = _SHAPES[box.kind]
        yield f"{name}{opening}{label}{closing}:::{box.kind}"


def _label(*lines: str) -> str:
    """Quoted text whose every sign that HTML or Mermaid could act on is an entity."""
    return '"' + "<br/>".join(_escaped(line) for line in lines if line) + '"'


def _escaped(text: str) -> str:
    return "".join(
        char if char.isalnum() or char in " .,_-=()[]:/+'…→?" else f"#{ord(char)};"
        for char in shorten(text, 60)
    )
