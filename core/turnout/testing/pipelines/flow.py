"""Order, branches, maps, dynamic graphs and sub-workflows."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from turnout import conditional, dynamic, map_task, order, task, workflow
from turnout.testing.pipelines.marks import busy, leave


@task
def mark(scratch: str, name: str, seconds: float = 0.0) -> str:
    """Leave a mark, after a while."""
    time.sleep(seconds)
    leave(scratch, name)
    return name


@task
def inc(x: int) -> int:
    """One more."""
    return x + 1


@task
def add(a: int, b: int) -> int:
    """A sum."""
    return a + b


@task
def total(numbers: list[int]) -> int:
    """The sum of many."""
    return sum(numbers)


@task
def numbers(n: int) -> list[int]:
    """The first n numbers."""
    return list(range(n))


@workflow
def ordered(scratch: str) -> list[str]:
    """Steps in an order that no data asks for; the slowest is first."""
    last = mark(scratch, "last")
    middle = mark.with_options()(scratch, "middle", 0.02)
    first = mark(scratch, "first", 0.1)
    order(first, middle, last)
    first >> last  # type: ignore[operator]
    return [first, middle, last]


@workflow
def chain(n: int, x: int = 0) -> int:
    """One task after another."""
    for _ in range(n):
        x = inc(x)
    return x


@workflow
def fan(n: int) -> int:
    """Many tasks, and one that takes all."""
    return total([inc(number) for number in range(n)])


@workflow
def diamond(x: int) -> int:
    """Two ways from one task to another."""
    top = inc(x)
    return add(inc(top), inc(inc(top)))


@workflow
def gate(scratch: str, x: int) -> str:
    """Three cases, of which the last fails."""
    value = inc(x)
    return (
        conditional("gate")
        .if_(value >= 10)
        .then(mark(scratch, "high"))
        .elif_(value >= 5)
        .then(mark(scratch, "middle"))
        .else_()
        .fail("the value is below 5")
    )


@workflow
def nested_gate(scratch: str, x: int) -> str:
    """A conditional inside a case, predicates put together, and what all cases share."""
    value = inc(x)
    other = inc(value)
    return (
        conditional("outer")
        .if_((value > 0) & (other < 100))
        .then(
            conditional("inner")
            .if_((value != 3) | ~(other <= 50))  # type: ignore[arg-type]
            .then(mark(scratch, "not three"))
            .else_()
            .then(mark(scratch, "three"))
        )
        .else_()
        .then(mark(scratch, "outside"))
    )


@workflow
def after_gate(scratch: str, x: int) -> int:
    """What a conditional gives goes on, and something waits for it."""
    value = inc(x)
    chosen = conditional("size").if_(value > 5).then(inc(value)).else_().then(inc(inc(value)))
    said = mark(scratch, "after")
    order(chosen, said)
    return add(chosen, 100)


@task
def double(x: int, scratch: str = "", seconds: float = 0.0) -> int:
    """Twice as much; the first ones take longest."""
    if scratch:
        busy(scratch, seconds)
    elif seconds:
        time.sleep(seconds / (x + 1))
    return 2 * x


@workflow
def mapped(n: int, seconds: float = 0.0) -> list[int]:
    """A map over a list made at run time."""
    return map_task(partial(double, seconds=seconds))(numbers(n))


@workflow
def mapped_constants() -> list[int]:
    """A map over several lists known at once, results of tasks among them."""
    return map_task(add)(a=[1, inc(1), 3], b=[10, 20, inc(29)])


@workflow
def mapped_empty() -> list[int]:
    """A map over nothing."""
    return map_task(inc)(numbers(0))


@workflow
def mapped_twice(n: int) -> int:
    """A map over the results of a map."""
    return total(map_task(inc)(map_task(inc)(numbers(n))))


@workflow
def unequal(n: int) -> list[int]:
    """A map over lists of unequal length."""
    return map_task(add)(a=numbers(n), b=numbers(n + 1))


@workflow
def narrow(scratch: str, n: int, width: int) -> list[int]:
    """A map of which a few items run at once."""
    return map_task(partial(double, scratch=scratch, seconds=0.03), concurrency=width)(numbers(n))


@task
def fragile(x: int, bad: list[int]) -> int:
    """Fails for some."""
    if x in bad:
        raise ValueError(f"no {x}")
    return x


@task
def plain(values: list[int | None]) -> list[int | None]:
    """What it was given."""
    return values


@workflow
def tolerant(n: int, bad: list[int], ratio: float) -> list[int | None]:
    """A map of which some items may fail."""
    from turnout import fixed

    least = fixed(ratio)
    return plain(map_task(partial(fragile, bad=bad), min_success_ratio=least)(numbers(n)))


@dynamic
def inner(x: int, bad: list[int]) -> int:
    """A dynamic task, part of which may fail."""
    return inc(fragile(x, bad))


@workflow
def tolerant_dynamic(bad: list[int]) -> list[int | None]:
    """A map of dynamic tasks of which one may fail."""
    return map_task(partial(inner, bad=bad), min_success_ratio=0.5)(numbers(3))


@dynamic
def squares(n: int) -> list[int]:
    """As many nodes as the number says."""
    return [add(x, x * x - x) for x in range(n)]


@dynamic
def until(x: int, limit: int) -> int:
    """A loop: goes on until the value is large enough."""
    if x >= limit:
        return x
    return until(add(x, x), limit)


@dynamic
def fib(n: int) -> int:
    """A tree of dynamic tasks."""
    if n < 2:
        return n
    return add(fib(n - 1), fib(n - 2))


@dynamic
def pick(data: list[int], where: str) -> dict[str, Any]:
    """Hands an argument on unchanged, and returns a structure."""
    if where == "sum":
        return {"sum": total(data), "parts": [inc(data[0]), (inc(data[1]), "text")]}
    return {"sum": 0, "parts": []}


@workflow
def grown(n: int) -> dict[str, Any]:
    """Dynamic tasks of all kinds."""
    size = inc(n - 1)
    return {
        "squares": squares(size),
        "total": total(squares(size)),
        "until": until(inc(0), 100),
        "fib": fib(7),
        "picked": pick(numbers(size), "sum"),
        "alone": pick(numbers(0), "none"),
    }


@workflow
def sub(x: int, times: int = 2) -> dict[str, int]:
    """A workflow to be used in others; ``times`` is fixed."""
    for _ in range(times):
        x = inc(x)
    return {"value": x, "more": inc(x)}


@workflow
def outer(x: int) -> list[int]:
    """Workflows inside a workflow, with inputs and with results of tasks."""
    first = sub(x)
    second = sub(first["more"], times=3)
    return [first["value"], second["value"], add(second["more"], 0)]


@workflow
def sub_order(scratch: str) -> list[str]:
    """A sub-workflow as a step of an order."""
    late = two_marks(scratch)
    early = mark(scratch, "early", 0.1)
    order(early, late)
    return [early, late]


@workflow
def two_marks(scratch: str) -> str:
    """Two marks, one after the other."""
    one = mark(scratch, "one")
    two = mark(scratch, "two")
    order(one, two)
    return two


@dynamic
def deep(n: int) -> int:
    """Dynamic tasks inside one another."""
    return inc(0) if n == 0 else deep(n - 1)


@workflow
def depths(n: int) -> int:
    """How deep dynamic tasks may be."""
    return deep(n)
