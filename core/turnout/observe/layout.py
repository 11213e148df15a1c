"""Where every box of a sketch stands, and how its arrows run; boxes inside boxes included."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from turnout.observe.describe import shorten, shorten_middle
from turnout.observe.layers import Arrangement, Link, Vertex, arrange
from turnout.observe.sketch import Arrow, Box, Sketch

__all__ = ["Layout", "Place", "Route", "lay_out", "text_width"]

TITLE_SIZE: Final = 14.0
NOTE_SIZE: Final = 12.0
TITLE_CHARS: Final = 30
NOTE_CHARS: Final = 36
LABEL_CHARS: Final = 30
PADDING: Final = 18.0
_TOP, _BOTTOM = "\0in ", "\0out "  # before the name of an arrow's source: a point on a border
_LABEL = "\1label "  # before the ends of an arrow: its label, which others go around
_LABEL_HEIGHT: Final = 18.0
_SMALL: Final = {"decision": (30.0, 30.0), "join": (14.0, 14.0)}


@dataclass(slots=True)
class Place:
    """Where a box is: its upper left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """The way of an arrow: lanes, each a vertical piece ``(x, from y, to y)``.

    A choice goes through its label, of which ``label`` is the place.
    """

    arrow: Arrow
    lanes: tuple[tuple[float, float, float], ...]
    label: Place | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A sketch with everything in its place."""

    places: dict[str, Place]
    routes: tuple[Route, ...]
    width: float
    height: float


def text_width(text: str, size: float) -> float:
    """About how wide text is in a usual sans-serif face, a little on the safe side.

    >>> text_width("ill", 10) < text_width("WWW", 10)
    True
    """
    units = 0.0
    for char in text:
        if char in "iljtf.,:;'|!()[]{} /":
            units += 0.36
        elif char in "mwMW@%…→":
            units += 0.92
        elif char.isupper() or char in "_=<>+#":
            units += 0.69
        else:
            units += 1.05 if ord(char) > 0x2E80 else 0.585
    return units * size


def shown_lines(box: Box) -> tuple[str, tuple[str, ...]]:
    """Title and notes as they are drawn."""
    return shorten_middle(box.title, TITLE_CHARS), tuple(shorten(n, NOTE_CHARS) for n in box.notes)


def lay_out(picture: Sketch) -> Layout:
    """Place the boxes of a sketch; its origin is the upper left corner."""
    return _Nest(picture).layout()


_Step = tuple[str, str]  # an arrow's way through one level: from what to what
_Use = tuple[str, str]  # kind and source of an arrow
_Lane = tuple[float, float, float]
_Inside = tuple[list[str], list[tuple[_Step, _Use]], Arrangement, list[list[_Lane]]]


class _Nest:
    """Levels inside levels: each is arranged when all inside it are."""

    def __init__(self, picture: Sketch) -> None:
        self.picture = picture
        self.root = Box(key="", kind="root", title="", children=list(picture.boxes))
        self.parent: dict[str, str] = {}
        self.box: dict[str, Box] = {}
        for outer in self.root.walk():
            self.box[outer.key] = outer
            for child in outer.children:
                self.parent[child.key] = outer.key
        # Level to the steps through it, and the kinds and sources of the arrows that take them.
        self.steps: dict[str, dict[_Step, dict[_Use, None]]] = {}
        self.labels: dict[tuple[str, str], str] = {}  # level and name to text
        self.ways = [self._way(arrow) for arrow in picture.arrows]
        self.size: dict[str, tuple[float, float]] = {}
        self.border: dict[str, dict[str, float]] = {}
        self.inside: dict[str, _Inside] = {}

    def _levels(self, key: str) -> list[str]:
        chain = []
        while key:
            key = self.parent[key]
            chain.append(key)
        return chain

    def _way(self, arrow: Arrow) -> list[tuple[str, _Step]]:
        """Level and step, from the arrow's source to its target."""
        ups, downs = self._levels(arrow.source), self._levels(arrow.target)
        common = next(level for level in ups if level in set(downs))
        way: list[tuple[str, _Step]] = []
        here = arrow.source
        for level in ups[: ups.index(common)]:
            way.append((level, (here, _BOTTOM + arrow.source)))
            here = level
        entering = downs[: downs.index(common)][::-1]
        there = entering[0] if entering else arrow.target
        way.append((common, (here, there)))
        for position, level in enumerate(entering):
            after = entering[position + 1] if position + 1 < len(entering) else arrow.target
            way.append((level, (_TOP + arrow.source, after)))
        for level, step in way:
            uses = self.steps.setdefault(level, {}).setdefault(step, {})
            uses[arrow.kind, arrow.source] = None
        if arrow.kind == "choice":
            level, step = way[0]
            self.labels[level, _label_name(step)] = shorten(arrow.label, LABEL_CHARS)
        return way

    def layout(self) -> Layout:
        self._arrange(self.root)
        places: dict[str, Place] = {}
        self._place(self.root, 0.0, 0.0, places)
        width, height = self.size[""]
        routes = []
        for arrow, way in zip(self.picture.arrows, self.ways, strict=True):
            lanes = self._lanes(arrow, way, places)
            label = self._label_place(*way[0], places) if arrow.kind == "choice" else None
            routes.append(Route(arrow, tuple(lanes), label))
        return Layout(places=places, routes=tuple(routes), width=width, height=height)

    def _arrange(self, level: Box) -> None:
        for child in level.children:
            if child.children:
                self._arrange(child)
            else:
                self.size[child.key] = _box_size(child)
        steps = self.steps.get(level.key, {})
        names = [child.key for child in level.children]
        names += dict.fromkeys(end for step in steps for end in step if end.startswith("\0"))
        labels = {name: text for (place, name), text in self.labels.items() if place == level.key}
        names += labels
        index = {name: position for position, name in enumerate(names)}
        vertices = [self._vertex(name, labels) for name in names]
        ways = [(step, use) for step, uses in steps.items() for use in uses]
        links = []
        for (source, target), (kind, origin) in ways:
            between = _label_name((source, target)) if kind == "choice" else ""
            stops = [source, between, target] if between in labels else [source, target]
            for upper, lower in pairwise(stops):
                links.append(
                    Link(
                        source=index[upper],
                        target=index[lower],
                        leave=self.border.get(upper, {}).get(_BOTTOM + origin, 0.0),
                        arrive=self.border.get(lower, {}).get(_TOP + origin, 0.0),
                        kind=kind,
                        pull=0.2 if kind == "order" else 1.0,
                    )
                )
        placed = arrange(vertices, links, row_gap=32.0 if labels else 44.0)
        routes: list[list[_Lane]] = []
        parts = iter(placed.routes)
        for step, (kind, _) in ways:
            route = [*next(parts)]
            position = index.get(_label_name(step), -1) if kind == "choice" else -1
            if position >= 0:
                top = placed.tops[position]
                row = [v for v, y in zip(vertices, placed.tops, strict=True) if y == top]
                bottom = top + max(vertex.height for vertex in row)
                route += [(placed.centers[position], top, bottom), *next(parts)]
            routes.append(route)
        self.inside[level.key] = (names, ways, placed, routes)
        inner_width, inner_height = placed.width, placed.height
        if level.key:
            width = max(inner_width, _heading_width(level)) + 2 * PADDING
            height = inner_height + _heading_height(level) + PADDING
            self.size[level.key] = (width, height)
            self.border[level.key] = {
                name: placed.centers[position] - inner_width / 2
                for name, position in index.items()
                if name.startswith("\0")
            }
        else:
            self.size[""] = (inner_width, inner_height)

    def _vertex(self, name: str, labels: dict[str, str]) -> Vertex:
        if name.startswith("\0"):
            return Vertex(width=6.0, height=0.0, pin="top" if name.startswith(_TOP) else "bottom")
        if name in labels:
            return Vertex(width=text_width(labels[name], NOTE_SIZE) + 12, height=_LABEL_HEIGHT)
        width, height = self.size[name]
        return Vertex(width=width, height=height, pin="bottom" if self.box[name].handler else "")

    def _place(self, level: Box, x: float, y: float, places: dict[str, Place]) -> None:
        names, _, placed, _ = self.inside[level.key]
        if level.key:
            width, height = self.size[level.key]
            places[level.key] = Place(x, y, width, height)
            x += (width - placed.width) / 2
            y += _heading_height(level)
        for name, center, top in zip(names, placed.centers, placed.tops, strict=False):
            if name.startswith(("\0", _LABEL)):
                continue
            width, height = self.size[name]
            child = self.box[name]
            if child.children:
                self._place(child, x + center - width / 2, y + top, places)
            else:
                places[name] = Place(x + center - width / 2, y + top, width, height)

    def _origin(self, level: str, places: dict[str, Place]) -> tuple[float, float]:
        """Where the coordinates of a level begin in the picture."""
        if not level:
            return 0.0, 0.0
        place, placed = places[level], self.inside[level][2]
        return (
            place.x + (place.width - placed.width) / 2,
            place.y + _heading_height(self.box[level]),
        )

    def _lanes(
        self, arrow: Arrow, way: list[tuple[str, _Step]], places: dict[str, Place]
    ) -> list[tuple[float, float, float]]:
        start, end = places[arrow.source], places[arrow.target]
        middle = start.x + start.width / 2
        lanes = [(middle, start.y + start.height, self._row_end(arrow.source, places))]
        for level, step in way:
            names, ways, placed, routes = self.inside[level]
            left, top = self._origin(level, places)
            route = routes[ways.index((step, (arrow.kind, arrow.source)))]
            lanes += [(left + x, top + y1, top + y2) for x, y1, y2 in route]
            target = step[1]
            if target.startswith(_BOTTOM):
                x = left + placed.centers[names.index(target)]
                outer = places[level]
                lanes.append((x, top + placed.height, self._row_end(level, places)))
                lanes[-1] = (x, min(lanes[-1][1], outer.y + outer.height), lanes[-1][2])
            elif target != arrow.target:
                inner = self.inside[target]
                inner_left, inner_top = self._origin(target, places)
                x = inner_left + inner[2].centers[inner[0].index(_TOP + arrow.source)]
                lanes.append((x, places[target].y, inner_top))
        lanes.append((end.x + end.width / 2, end.y, end.y))
        return lanes

    def _label_place(self, level: str, step: _Step, places: dict[str, Place]) -> Place:
        names, _, placed, _ = self.inside[level]
        name = _label_name(step)
        position = names.index(name)
        left, top = self._origin(level, places)
        width = text_width(self.labels[level, name], NOTE_SIZE) + 12
        x = left + placed.centers[position] - width / 2
        return Place(x, top + placed.tops[position], width, _LABEL_HEIGHT)

    def _row_end(self, name: str, places: dict[str, Place]) -> float:
        """The lower edge of the row a box stands in: arrows go straight down as far as that."""
        level = self.parent[name]
        names, _, placed, _ = self.inside[level]
        top = placed.tops[names.index(name)]
        _, origin = self._origin(level, places)
        row = [n for n, t in zip(names, placed.tops, strict=False) if t == top and n in places]
        return origin + top + max((places[n].height for n in row), default=0.0)


def _label_name(step: _Step) -> str:
    return _LABEL + " ".join(step)


def _box_size(box: Box) -> tuple[float, float]:
    if box.kind in _SMALL:
        return _SMALL[box.kind]
    title, notes = shown_lines(box)
    if box.kind in ("port", "result"):
        return max(text_width(title, NOTE_SIZE) + 22, 44.0), 22.0
    widest = max([text_width(title, TITLE_SIZE) * 1.06, *(text_width(n, NOTE_SIZE) for n in notes)])
    extra = 22.0 if box.kind == "dynamic" else 0.0
    return max(widest + 30 + extra, 84.0), 34.0 + 17.0 * len(notes)


def _heading_width(box: Box) -> float:
    title, notes = shown_lines(box)
    return max(
        [text_width(title, TITLE_SIZE) * 1.06 + 40, *(text_width(n, NOTE_SIZE) for n in notes)]
    )


def _heading_height(box: Box) -> float:
    return 34.0 + 16.0 * len(box.notes)
