"""A graph as a picture: one SVG file that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from turnout.graph import Graph
from turnout.observe.describe import shorten
from turnout.observe.layout import (
    LABEL_CHARS,
    Place,
    Route,
    lay_out,
    shown_lines,
    text_width,
)
from turnout.observe.sketch import Box, Sketch, sketch

__all__ = ["draw", "render_svg", "xml_text"]

_MARGIN: Final = 28.0
_HEAD: Final = 44.0
_LEGEND: Final = 40.0
_WORDS: Final = {
    "task": "task",
    "map": "map",
    "dynamic": "dynamic",
    "workflow": "sub-workflow",
    "branch": "branch",
    "fail": "fails",
    "handler": "on failure",
}

STYLE: Final = """
.turnout{--bg:#fff;--ink:#0f172a;--dim:#52607a;--line:#8a97ab;--task:#2f74d0;--task-f:#eef5ff;
--map:#0b857c;--map-f:#e9faf6;--dynamic:#7c4ddb;--dynamic-f:#f5f0ff;--branch:#b7791f;
--branch-f:#fff8e6;--fail:#cf3434;--fail-f:#fff0f0;--port:#8a97ab;--port-f:#f4f6fa;
--workflow:#8a97ab;--workflow-f:#64748b12;--hot:#e0559a}
@media (prefers-color-scheme:dark){.turnout{--bg:#0f141c;--ink:#e6ebf3;--dim:#9aa8bd;
--line:#66758c;--task:#5e9cf0;--task-f:#15263f;--map:#2bb5a6;--map-f:#0f2d2c;--dynamic:#a585f2;
--dynamic-f:#251d40;--branch:#dba640;--branch-f:#2e2512;--fail:#f07070;--fail-f:#3a1a1d;
--port:#66758c;--port-f:#1b2432;--workflow:#66758c;--workflow-f:#94a3b814;--hot:#f58bbd}}
.turnout text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;
fill:var(--ink);font-size:14px}
.turnout .title{font-weight:600}
.turnout .note{font-size:12px;fill:var(--dim)}
.turnout .name{font-size:17px;font-weight:600}
.turnout .shape{stroke-width:1.5}
.turnout .group>.shape{stroke-width:1.2}
.turnout .task .shape{fill:var(--task-f);stroke:var(--task)}
.turnout .map .shape{fill:var(--map-f);stroke:var(--map)}
.turnout .dynamic .shape{fill:var(--dynamic-f);stroke:var(--dynamic)}
.turnout .decision .shape,.turnout .join .shape{fill:var(--branch-f);stroke:var(--branch)}
.turnout .fail .shape,.turnout .handler .shape{fill:var(--fail-f);stroke:var(--fail)}
.turnout .handler .shape{stroke-dasharray:5 3}
.turnout .port .shape,.turnout .result .shape{fill:var(--port-f);stroke:var(--port)}
.turnout .port .title,.turnout .result .title{font-size:12px;font-weight:500;fill:var(--dim)}
.turnout .workflow>.shape{fill:var(--workflow-f);stroke:var(--workflow)}
.turnout .branch>.shape{fill:none;stroke:var(--branch);stroke-dasharray:6 4}
.turnout .legend .branch .shape{fill:none}
.turnout .legend .workflow .shape{fill:var(--workflow-f);stroke:var(--workflow)}
.turnout .legend .branch .shape{stroke:var(--branch);stroke-dasharray:4 3}
.turnout .edge{fill:none;stroke:var(--line);stroke-width:1.5}
.turnout .edge.order{stroke-dasharray:2 4}
.turnout .edge.choice{stroke:var(--branch)}
.turnout .tip{fill:var(--line)}
.turnout .tip.choice{fill:var(--branch)}
.turnout .heading{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
.turnout .label{font-size:12px;fill:var(--branch)}
.turnout .reach{fill:none;stroke:transparent;stroke-width:12}
.turnout .arrow:hover .edge,.turnout .hot .edge{stroke:var(--hot);stroke-width:2.5}
.turnout .arrow:hover .tip,.turnout .hot .tip{fill:var(--hot)}
.turnout .back{fill:var(--bg)}
"""


def render_svg(graph: Graph) -> str:
    """A graph as an SVG document of its own.

    >>> render_svg(Graph(name="hello")).startswith("<svg xmlns=")
    True
    """
    return draw(sketch(graph))


def draw(picture: Sketch) -> str:
    """A sketch as an SVG document."""
    layout = lay_out(picture)
    title = shorten(picture.title, 70)
    kinds = _kinds(picture)
    legend = sum(text_width(_WORDS[kind], 12) + 48 for kind in kinds)
    inner = max(layout.width, text_width(title, 17) * 1.1, legend)
    width = inner + 2 * _MARGIN
    height = layout.height + 2 * _MARGIN + _HEAD + (_LEGEND if kinds else 0)
    shift = _MARGIN + (inner - layout.width) / 2
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="turnout" role="img" {size}>',
        f"<title>{xml_text(picture.title)}</title>",
        f"<style>{STYLE}</style>",
        '<rect class="back" width="100%" height="100%"/>',
        f'<text class="name" x="{_MARGIN:.0f}" y="{_MARGIN + 14:.0f}">{xml_text(title)}</text>',
        f'<g transform="translate({shift:.1f} {_MARGIN + _HEAD:.1f})">',
    ]
    boxes = [box for outer in picture.boxes for box in outer.walk()]
    lines += [_group(box, layout.places[box.key]) for box in boxes if box.children]
    for route in layout.routes:
        lines.append(_edge(route))
    lines += [_node(box, layout.places[box.key]) for box in boxes if not box.children]
    lines += [_heading(box, layout.places[box.key]) for box in boxes if box.children]
    lines += [label for route in layout.routes for label in _label(route)]
    lines.append("</g>")
    lines += _legend(kinds, _MARGIN, height - _MARGIN - 6)
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def xml_text(text: str) -> str:
    """Escaped for XML, without the control characters XML cannot hold."""
    kept = "".join(char if char >= " " or char in "\t\n" else "�" for char in text)
    return escape(kept.encode("utf-8", "replace").decode(), quote=True)


def _kinds(picture: Sketch) -> list[str]:
    found = {
        "handler" if box.handler else box.kind for outer in picture.boxes for box in outer.walk()
    }
    return [kind for kind in _WORDS if kind in found]


def _tooltip(box: Box) -> str:
    lines = [box.key if not box.key.startswith("=") else box.title]
    lines += [f"{name}: {text}" for name, text in (*box.takes, *box.facts)]
    return f"<title>{xml_text(chr(10).join(lines))}</title>"


def _group(box: Box, place: Place) -> str:
    return (
        f'<g class="group {box.kind}" data-key="{xml_text(box.key)}">{_tooltip(box)}'
        f'<rect class="shape" x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="12"/></g>'
    )


def _line(words: str, style: str, x: float, y: float, *, middle: bool = True) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{style}"{anchor} x="{x:.1f}" y="{y:.1f}">{xml_text(words)}</text>'


def _heading(box: Box, place: Place) -> str:
    title, notes = shown_lines(box)
    mark = "◇ " if box.kind == "branch" else ""
    left = place.x + 14
    text = _line(mark + title, "title heading", left, place.y + 22, middle=False)
    for position, note in enumerate(notes):
        text += _line(note, "note", left, place.y + 39 + 16 * position, middle=False)
    return text


def _node(box: Box, place: Place) -> str:
    kind = "handler" if box.handler else box.kind
    middle = place.x + place.width / 2
    title, notes = shown_lines(box)
    text = ""
    if box.kind != "join":
        base = place.y + {"port": 15.5, "result": 15.5, "decision": 20.0}.get(box.kind, 22.0)
        text = _line(title, "title", middle, base)
        for position, note in enumerate(notes):
            text += _line(note, "note", middle, base + 17 * (position + 1))
    return (
        f'<g class="node {kind}" data-key="{xml_text(box.key)}">{_tooltip(box)}'
        f"{_shape(box.kind, place)}{text}</g>"
    )


def _shape(kind: str, place: Place) -> str:
    x, y, w, h = place.x, place.y, place.width, place.height
    if kind == "join":
        return f'<circle class="shape" cx="{x + w / 2:.1f}" cy="{y + h / 2:.1f}" r="{w / 2:.1f}"/>'
    if kind in ("decision", "dynamic"):
        cut = w / 2 if kind == "decision" else min(13.0, h / 3)
        corners = (
            (x + cut, y),
            (x + w - cut, y),
            (x + w, y + h / 2),
            (x + w - cut, y + h),
            (x + cut, y + h),
            (x, y + h / 2),
        )
        points = " ".join(f"{at:.1f},{down:.1f}" for at, down in corners)
        return f'<polygon class="shape" points="{points}"/>'
    radius = {"port": 11, "result": 11, "fail": 17}.get(kind, 8)
    behind = ""
    if kind == "map":
        step = min(4.0, h / 8)
        for times in (2, 1):
            off = step * times
            behind += _rect(x + off, y - off, w - off, h, radius)
    return behind + _rect(x, y, w, h, radius)


def _rect(x: float, y: float, w: float, h: float, radius: float) -> str:
    return (
        f'<rect class="shape" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" '
        f'rx="{radius:g}"/>'
    )


def _edge(route: Route) -> str:
    """A smooth line through the lanes: straight inside a row, an S from one row to the next."""
    arrow, lanes = route.arrow, route.lanes
    x, start, end = lanes[0]
    path = f"M{x:.1f} {start:.1f}" + (f"V{end:.1f}" if end > start else "")
    y = max(start, end)
    for at, top, bottom in lanes[1:]:
        last = at == lanes[-1][0] and top == lanes[-1][1] and bottom == lanes[-1][2]
        stop = top - 6 if last else top
        if abs(at - x) < 0.5:
            path += f"V{stop:.1f}"
        else:
            half = (stop - y) / 2
            path += f"C{x:.1f} {y + half:.1f} {at:.1f} {stop - half:.1f} {at:.1f} {stop:.1f}"
        if bottom > top:
            path += f"V{bottom:.1f}"
        x, y = at, max(stop, bottom) if not last else stop
    tip_x, tip_y, _ = lanes[-1]
    wide, high = 4.5, tip_y - 8
    tip = f"M{tip_x - wide:.1f} {high:.1f}L{tip_x:.1f} {tip_y:.1f}L{tip_x + wide:.1f} {high:.1f}Z"
    words = f"{arrow.source} → {arrow.target}" + (f" ({arrow.label})" if arrow.label else "")
    source, target = xml_text(arrow.source), xml_text(arrow.target)
    return (
        f'<g class="arrow" data-source="{source}" data-target="{target}">'
        f"<title>{xml_text(words.replace('=', ''))}</title>"
        f'<path class="reach" d="{path}"/><path class="edge {arrow.kind}" d="{path}"/>'
        f'<path class="tip {arrow.kind}" d="{tip}"/></g>'
    )


def _label(route: Route) -> Iterator[str]:
    if route.label is not None:
        place = route.label
        yield (
            f'<rect class="back" x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
            f'height="{place.height:.1f}"/>'
        )
        middle = place.x + place.width / 2
        yield _line(shorten(route.arrow.label, LABEL_CHARS), "label", middle, place.y + 13)


def _legend(kinds: list[str], x: float, y: float) -> Iterator[str]:
    yield '<g class="legend">'
    for kind in kinds:
        shape = _shape("fail" if kind == "handler" else kind, Place(x, y - 10, 22, 13))
        shape = shape.replace('rx="8"', 'rx="3"').replace('rx="17"', 'rx="6"')
        yield f'<g class="{kind}">{shape}</g>'
        yield f'<text class="note" x="{x + 29:.0f}" y="{y + 1:.0f}">{_WORDS[kind]}</text>'
        x += text_width(_WORDS[kind], 12) + 48
    yield "</g>"
