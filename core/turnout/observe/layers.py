"""Layered drawing of one level of boxes: rows, order inside the rows, places, and routes.

The method is that of Sugiyama, Tagawa and Toda (1981): rows by longest path, order by
barycenters, places by least squares. Long links share their way with those of the same end, as
the lines of a metro map do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

__all__ = ["Arrangement", "Link", "Vertex", "arrange"]

_SWEEPS: Final = 16
_STRAIGHTENING: Final = 4  # sweeps that pay even where nothing crosses: they shorten the links
_SETTLES: Final = 40
_LANE: Final = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """A box to be placed.

    Attributes:
        width: in pixels.
        height: in pixels; 0 for a point on the border of the level.
        pin: ``top`` and ``bottom`` hold it in the first or last row.
    """

    width: float
    height: float
    pin: Literal["", "top", "bottom"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A connection between two vertices, by index.

    Attributes:
        source: index of the upper one.
        target: index of the lower one.
        leave: where it leaves the source, right of its middle.
        arrive: where it arrives at the target, right of its middle.
        kind: links of different kinds never share their way.
        pull: how strongly it draws its ends together.
    """

    source: int
    target: int
    leave: float = 0.0
    arrive: float = 0.0
    kind: str = ""
    pull: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Where everything goes.

    Attributes:
        centers: the middle of each vertex, from the left.
        tops: the upper edge of each vertex.
        routes: for each link the points it passes, each the middle of a lane through a row:
            x, upper y, lower y.
        width: of the whole.
        height: of the whole.
    """

    centers: Sequence[float]
    tops: Sequence[float]
    routes: Sequence[Sequence[tuple[float, float, float]]]
    width: float
    height: float


def arrange(
    vertices: Sequence[Vertex],
    links: Sequence[Link],
    *,
    column_gap: float = 26.0,
    row_gap: float = 46.0,
) -> Arrangement:
    """Place vertices in rows so that every link goes down.

    >>> two = [Vertex(width=40, height=20), Vertex(width=40, height=20)]
    >>> placed = arrange(two, [Link(source=0, target=1)])
    >>> placed.centers, placed.tops
    ([20.0, 20.0], [0.0, 66.0])
    """
    if not vertices:
        return Arrangement(centers=[], tops=[], routes=[], width=0.0, height=0.0)
    down = _downward(len(vertices), links)
    row_of = _rows(vertices, down)
    net = _Net(vertices, row_of)
    lanes = net.lanes(links, down)
    net.sort()
    centers = net.settle(column_gap)
    left = min(x - w / 2 for x, w in zip(centers, net.rooms, strict=True))
    centers = [x - left for x in centers]
    width = max(x + w / 2 for x, w in zip(centers, net.rooms, strict=True))

    heights = [0.0] * len(net.rows)
    for index, vertex in enumerate(vertices):
        heights[row_of[index]] = max(heights[row_of[index]], vertex.height)
    gaps = [row_gap * (1.0 + min(crowd, 40) / 40) for crowd in net.crowds()]
    last = len(heights) - 1
    for number in range(last):
        # A row of border points takes no more space than the border itself.
        if not heights[number] or not heights[number + 1]:
            gaps[number] = row_gap * 0.35
    row_tops = []
    y = 0.0
    for height, gap in zip(heights, gaps, strict=True):
        row_tops.append(y)
        y += height + gap
    total = row_tops[last] + heights[last]
    routes = [
        [
            (
                centers[point],
                row_tops[net.row[point]],
                row_tops[net.row[point]] + heights[net.row[point]],
            )
            for point in lane
        ]
        for lane in lanes
    ]
    count = len(vertices)
    tops = [row_tops[row_of[index]] for index in range(count)]
    return Arrangement(centers=centers[:count], tops=tops, routes=routes, width=width, height=total)


def _downward(count: int, links: Sequence[Link]) -> list[tuple[int, int]]:
    """The pairs of linked vertices without those that would close a cycle."""
    pairs = dict.fromkeys(
        (link.source, link.target) for link in links if link.source != link.target
    )
    following: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        following[source].append(target)
    state = [0] * count
    back: set[tuple[int, int]] = set()
    for start in range(count):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(following[start]))]
        while stack:
            vertex, todo = stack[-1]
            for target in todo:
                if state[target] == 1:
                    back.add((vertex, target))
                elif not state[target]:
                    state[target] = 1
                    stack.append((target, iter(following[target])))
                    break
            else:
                state[vertex] = 2
                stack.pop()
    return [pair for pair in pairs if pair not in back]


def _rows(vertices: Sequence[Vertex], pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Longest path from the top, no row much longer than the picture is high."""
    count = len(vertices)
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        above[target].append(source)
        below[source].append(target)
    first = 1 if any(vertex.pin == "top" for vertex in vertices) else 0
    most = max(8, math.ceil(math.sqrt(count) * 1.1))
    row = [0] * count
    filled: dict[int, int] = {}
    missing = [len(sources) for sources in above]
    ready = [index for index in range(count) if not missing[index]]
    order = []
    while ready:
        index = ready.pop(0)
        order.append(index)
        if vertices[index].pin != "top":
            row[index] = max([row[source] + 1 for source in above[index]], default=first)
            row[index] = max(row[index], first)
            while filled.get(row[index], 0) >= most and vertices[index].pin != "bottom":
                row[index] += 1
            filled[row[index]] = filled.get(row[index], 0) + 1
        for target in below[index]:
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for index in reversed(order):
        # What starts from nothing stands next to what needs it first.
        if not above[index] and below[index] and not vertices[index].pin:
            near = min(row[target] for target in below[index]) - 1
            while near > row[index] and filled.get(near, 0) >= most:
                near -= 1
            if near > row[index]:
                filled[row[index]] -= 1
                filled[near] = filled.get(near, 0) + 1
                row[index] = near
    last = max(
        (r for r, vertex in zip(row, vertices, strict=True) if vertex.pin != "bottom"), default=0
    )
    lowest = max([last, *(row[i] for i in range(count) if vertices[i].pin == "bottom")])
    needs_own = any(v.pin == "bottom" and not v.height for v in vertices)
    bottom = max(lowest, last + 1) if needs_own else lowest
    for index, vertex in enumerate(vertices):
        if vertex.pin == "bottom":
            row[index] = bottom
    used = sorted(set(row))
    return [used.index(r) for r in row] if len(used) <= max(row) else row


class _Net:
    """Vertices and the points of long links, all in rows, with links from row to row only."""

    def __init__(self, vertices: Sequence[Vertex], row_of: Sequence[int]) -> None:
        self.row = list(row_of)
        self.rooms = [vertex.width for vertex in vertices]
        self.rows: list[list[int]] = [[] for _ in range(max(row_of) + 1)]
        for index, row in enumerate(row_of):
            self.rows[row].append(index)
        self.real = len(vertices)
        self.above: list[dict[int, float]] = [{} for _ in vertices]
        self.below: list[dict[int, float]] = [{} for _ in vertices]
        # How far right of a vertex's middle a link touches it: (vertex, other end) to pixels.
        self.shift: dict[tuple[int, int], float] = {}

    def point(self, row: int) -> int:
        index = len(self.row)
        self.row.append(row)
        self.rooms.append(_LANE)
        self.rows[row].append(index)
        self.above.append({})
        self.below.append({})
        return index

    def join(self, upper: int, lower: int, pull: float) -> None:
        # Long links shall run straight, whatever hangs on them.
        weight = pull * (16.0 if min(upper, lower) >= self.real else 1.0)
        weight = max(weight, self.below[upper].get(lower, 0.0))
        self.below[upper][lower] = self.above[lower][upper] = weight

    def lanes(self, links: Sequence[Link], pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
        """For each link the points it passes between its ends; makes them."""
        known = set(pairs)
        leaving: dict[tuple[int, str], int] = {}
        arriving: dict[tuple[int, str], int] = {}
        for link in links:
            if self.row[link.target] - self.row[link.source] > 1:
                start, end = (link.source, link.kind), (link.target, link.kind)
                leaving[start] = leaving.get(start, 0) + 1
                arriving[end] = arriving.get(end, 0) + 1
        shared: dict[tuple[str, int, str, int], int] = {}
        lanes: list[list[int]] = []
        for link in links:
            upper, lower = self.row[link.source], self.row[link.target]
            if (link.source, link.target) not in known or lower <= upper:
                lanes.append([])
                continue
            lane: list[int] = []
            if lower - upper > 1:
                many_leave = leaving[link.source, link.kind] >= arriving[link.target, link.kind]
                side, vertex = ("from", link.source) if many_leave else ("to", link.target)
                for row in range(upper + 1, lower):
                    key = (side, vertex, link.kind, row)
                    if key not in shared:
                        shared[key] = self.point(row)
                    lane.append(shared[key])
            steps = [link.source, *lane, link.target]
            for one, two in pairwise(steps):
                self.join(one, two, link.pull)
            self.shift[link.source, steps[1]] = link.leave
            self.shift[link.target, steps[-2]] = link.arrive
            lanes.append(lane)
        for point in range(self.real, len(self.row)):
            # All that hangs on a lane together pulls at it like one.
            for near, far in ((self.above, self.below), (self.below, self.above)):
                hanging = [index for index in near[point] if index < self.real]
                for index in hanging:
                    near[point][index] = far[index][point] = near[point][index] / len(hanging)
        return lanes

    def crowds(self) -> list[int]:
        """For each row how many links leave it sideways at once; more of them need more room."""
        return [
            sum(len(self.below[index]) for index in row if len(self.below[index]) > 1)
            for row in self.rows
        ]

    def sort(self) -> None:
        """Order the rows so that few links cross."""
        best = [list(row) for row in self.rows]
        fewest = self._crossings()
        for sweep in range(_SWEEPS):
            if fewest == 0 and sweep >= _STRAIGHTENING:
                break
            downward = sweep % 2 == 0
            rows = self.rows[1:] if downward else self.rows[-2::-1]
            beside = self.above if downward else self.below
            for row in rows:
                self._by_barycenter(row, beside)
            crossings = self._crossings()
            if crossings <= fewest:
                fewest = crossings
                best = [list(row) for row in self.rows]
        self.rows = best

    def _by_barycenter(self, row: list[int], beside: list[dict[int, float]]) -> None:
        place = self._places()
        weight = {}
        for position, index in enumerate(row):
            others = beside[index]
            mean = sum(place[o] for o in others) / len(others) if others else position / len(row)
            weight[index] = mean
        row.sort(key=lambda index: weight[index])

    def _places(self) -> dict[int, float]:
        """Each vertex's place in its row, from 0 to 1, so that long and short rows compare."""
        return {
            index: (position + 0.5) / len(row)
            for row in self.rows
            for position, index in enumerate(row)
        }

    def _crossings(self) -> int:
        total = 0
        for row, under in pairwise(self.rows):
            position = {index: place for place, index in enumerate(under)}
            ends = [p for index in row for p in sorted(position[o] for o in self.below[index])]
            total += _inversions(ends, len(under))
        return total

    def settle(self, gap: float) -> list[float]:
        """The middle of every vertex: near those it is linked to, none overlapping."""
        x = [0.0] * len(self.row)
        for row in self.rows:
            self._place(row, [0.0] * len(row), [1.0] * len(row), x, gap)
        for step in range(_SETTLES):
            rows = self.rows if step % 2 == 0 else self.rows[::-1]
            for row in rows:
                wanted, weights = [], []
                for index in row:
                    total = pull = 0.0
                    for beside in (self.above[index], self.below[index]):
                        for other, weight in beside.items():
                            at = x[other] + self.shift.get((other, index), 0.0)
                            pull += weight * (at - self.shift.get((index, other), 0.0))
                            total += weight
                    wanted.append(pull / total if total else x[index])
                    weights.append(total or 0.1)
                self._place(row, wanted, weights, x, gap)
        return x

    def _place(
        self,
        row: Sequence[int],
        wanted: Sequence[float],
        weights: Sequence[float],
        x: list[float],
        gap: float,
    ) -> None:
        """Least squares under the order and distances of a row, by pooling adjacent violators."""
        offset = 0.0
        offsets = []
        for position, index in enumerate(row):
            if position:
                before = row[position - 1]
                space = gap if max(index, before) < self.real else gap / 2
                offset += (self.rooms[before] + self.rooms[index]) / 2 + space
            offsets.append(offset)
        blocks: list[tuple[float, float, int]] = []
        for want, weight, off in zip(wanted, weights, offsets, strict=True):
            total, mass, size = weight * (want - off), weight, 1
            while blocks and blocks[-1][0] / blocks[-1][1] > total / mass:
                earlier = blocks.pop()
                total, mass, size = total + earlier[0], mass + earlier[1], size + earlier[2]
            blocks.append((total, mass, size))
        position = 0
        for total, mass, size in blocks:
            for _ in range(size):
                x[row[position]] = total / mass + offsets[position]
                position += 1


def _inversions(values: Sequence[int], size: int) -> int:
    """How many pairs stand in the wrong order, by a Fenwick tree.

    >>> _inversions([2, 0, 1], 3)
    2
    """
    tree = [0] * (size + 1)
    total = 0
    for seen, value in enumerate(values):
        index, smaller = value + 1, 0
        while index:
            smaller += tree[index]
            index -= index & -index
        total += seen - smaller
        index = value + 1
        while index <= size:
            tree[index] += 1
            index += index & -index
    return total
