"""Annotations as objects, resolved as far as they can be."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

from turnout.types import hints

if TYPE_CHECKING:
    import decimal
    from fractions import Fraction


class Here:
    pass


def test_texts_become_objects_and_annotated_stays():
    def scale(x: list[float], by: Annotated[int, "unit"] = 1, *, note=None) -> None: ...

    assert hints(scale) == {"x": list[float], "by": Annotated[int, "unit"], "return": type(None)}


def test_each_name_that_is_only_there_for_type_checkers_is_any_by_itself():
    def mixed(
        a: Fraction,
        b: dict[str, Fraction],
        c: decimal.Decimal,
        d: list[decimal.Decimal],
        e: Fraction[int],
        f: int,
        g: Literal["Fraction"],
        h: Annotated[list[Fraction], "note"],
        i: list["Fraction"],  # noqa: UP037  (a text inside a text)
    ) -> Here: ...

    assert hints(mixed) == {
        "a": Any,
        "b": dict[str, Any],
        "c": Any,
        "d": list[Any],
        "e": Any,
        "f": int,
        "g": Literal["Fraction"],
        "h": Annotated[list[Any], "note"],
        "i": list[Any],
        "return": Here,
    }


def test_what_cannot_be_an_annotation_at_all_is_any():
    def odd(x: int, y: int) -> int:
        return x + y

    odd.__annotations__ = {"x": "not an annotation", "y": "int"}
    assert hints(odd) == {"x": Any, "y": int}


def test_local_names_come_from_the_closure_and_from_the_function_around():
    class Used:
        pass

    class Mentioned:
        pass

    def make(x: Used, y: Mentioned) -> list[Mentioned]:
        return [Used]

    assert hints(make) == {"x": Used, "y": Mentioned, "return": list[Mentioned]}


def test_the_closure_is_enough_when_the_function_around_has_returned():
    def outer():
        class Used:
            pass

        def inner(x: Used) -> Any:
            return Used

        return inner, Used

    inner, used = outer()
    assert hints(inner) == {"x": used, "return": Any}


def test_a_local_name_hides_a_global_one():
    class Here:
        pass

    def take(x: Here): ...

    assert hints(take) == {"x": Here}


def test_a_name_that_is_defined_later_is_found_later():
    def early(x: Later): ...  # noqa: F821  (it comes later)

    assert hints(early) == {"x": Any}
    globals()["Later"] = int
    try:
        assert hints(early) == {"x": int}
    finally:
        del globals()["Later"]


def test_decorated_and_partial_functions_have_the_hints_of_the_function_inside():
    def note(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            return fn(*args, **kwargs)

        return wrapper

    @note
    def scale(x: Here, by: Unheard) -> float: ...  # noqa: F821  (nor does it come)

    assert hints(scale) == {"x": Here, "by": Any, "return": float}
    assert hints(functools.partial(scale, by=2)) == hints(scale)


def test_callable_objects_methods_and_builtins():
    class Model:
        def __call__(self, x: int) -> float: ...

        def fit(self, y: str) -> None: ...

    assert hints(Model()) == {"x": int, "return": float}
    assert hints(Model().fit) == {"y": str, "return": type(None)}
    assert hints(len) == {}
    assert hints(3) == {}


def test_fields_of_classes():
    @dataclass
    class Base:
        a: int
        b: Fraction

    @dataclass
    class Derived(Base):
        c: list[Here]

    class Pair(NamedTuple):
        left: int
        right: Here

    class Options(TypedDict):
        depth: int

    assert hints(Derived) == {"a": int, "b": Any, "c": list[Here]}
    assert hints(Pair) == {"left": int, "right": Here}
    assert hints(Options) == {"depth": int}
    assert hints(Here) == {}


def test_what_is_returned_is_the_callers_own():
    def one(x: int): ...

    hints(one)["x"] = str
    assert hints(one) == {"x": int}


def test_importing_the_package_loads_nothing_heavy():
    heavy = "numpy pandas beartype omegaconf pydantic hydra rich click asyncio cloudpickle fsspec"
    code = (
        "import sys, turnout.types as t; t.checker(list[int])([1]); t.convert(1, float, '');"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]", ran.stderr
