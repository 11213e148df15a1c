"""What holds between the relation of annotations, the checks and the conversions."""

from __future__ import annotations

import enum
import pathlib
from collections import abc
from typing import Any, Literal, NewType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, ListConfig, OmegaConf

from turnout.errors import ConfigError, TypeMismatch
from turnout.types import Relation, checker, convert, relate, show


class Base:
    pass


class Derived(Base):
    pass


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


UserId = NewType("UserId", int)

TEXTS = st.text(alphabet="abRED/?", max_size=4).filter(lambda text: "???" not in text)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-5, 5),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    complex: st.complex_numbers(allow_nan=False),
    str: TEXTS,
    bytes: st.binary(max_size=3),
    type(None): st.none(),
    np.float32: st.integers(-5, 5).map(np.float32),
    np.float64: st.integers(-5, 5).map(np.float64),
    np.int64: st.integers(-5, 5).map(np.int64),
    np.bool_: st.booleans().map(np.bool_),
    UserId: st.integers(-5, 5),
    Color: st.sampled_from(Color),
    Literal["a", "RED"]: st.sampled_from(["a", "RED"]),
    Literal[1, "a"]: st.sampled_from([1, "a"]),
    Base: st.builds(Base) | st.builds(Derived),
    Derived: st.builds(Derived),
    pathlib.PurePath: TEXTS.map(pathlib.PurePath),
}
HASHABLE = [one for one in SCALARS if one not in (Base, Derived)]


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    return SCALARS[annotation]


@st.composite
def typed(draw: st.DrawFn, depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    """An annotation, and values of it."""
    kind = draw(st.sampled_from(["scalar"] if depth == 0 else KINDS))
    if kind == "scalar":
        annotation = draw(st.sampled_from(list(SCALARS)))
        return annotation, _values(annotation)
    if kind in ("set", "frozenset"):
        item = draw(st.sampled_from(HASHABLE))
        values = st.sets if kind == "set" else st.frozensets
        return {"set": set, "frozenset": frozenset}[kind][item], values(_values(item), max_size=3)
    if kind in ("dict", "mapping"):
        key = draw(st.sampled_from([str, int, Color]))
        item, items = draw(typed(depth=depth - 1))
        made = {"dict": dict, "mapping": abc.Mapping}[kind][key, item]
        return made, st.dictionaries(_values(key), items, max_size=3)
    first, firsts = draw(typed(depth=depth - 1))
    if kind == "list":
        return list[first], st.lists(firsts, max_size=3)
    if kind == "sequence":
        return abc.Sequence[first], st.lists(firsts, max_size=3)
    if kind == "tuple...":
        return tuple[first, ...], st.lists(firsts, max_size=3).map(tuple)
    second, seconds = draw(typed(depth=depth - 1))
    if kind == "tuple":
        return tuple[first, second], st.tuples(firsts, seconds)
    return first | second if _joins(first, second) else first, firsts


def _joins(first: Any, second: Any) -> bool:
    try:
        return (first | second) is not None
    except TypeError:
        return False


KINDS = [
    "scalar",
    "list",
    "sequence",
    "tuple",
    "tuple...",
    "set",
    "frozenset",
    "dict",
    "mapping",
    "union",
]


def _same(value: Any, other: Any) -> bool:
    return value is other or (type(value) is type(other) and value == other)


@given(typed())
def test_every_annotation_proves_itself_and_goes_to_anything(pair):
    annotation, _ = pair
    assert relate(annotation, annotation) is Relation.PROVEN
    assert relate(annotation, Any) is Relation.PROVEN
    assert relate(Any, annotation) is Relation.CHECK
    assert relate(annotation, annotation | None) is Relation.PROVEN
    assert relate(list[annotation], abc.Iterable[annotation]) is Relation.PROVEN


@given(typed(), st.data())
def test_values_of_an_annotation_fit_it_and_are_not_converted(pair, data):
    annotation, values = pair
    value = data.draw(values)
    test = checker(annotation)
    assert test(value) is None
    assert convert(value, annotation, "it") is value


@given(typed(), typed(), st.data())
def test_what_is_proven_fits_and_stays_what_it_is(one, other, data):
    produced, values = one
    wanted, _ = other
    value = data.draw(values)
    if relate(produced, wanted) is Relation.PROVEN:
        assert checker(wanted)(value) is None
        assert convert(value, wanted, "it") is value


@given(typed(), typed(), st.data())
def test_what_is_refused_cannot_be_converted(one, other, data):
    produced, values = one
    wanted, _ = other
    value = data.draw(values.filter(_filled))
    if relate(produced, wanted) is Relation.REFUSED:
        with pytest.raises(TypeMismatch):
            convert(value, wanted, "it")


def _filled(value: Any) -> bool:
    """An empty list is a list of anything; only what has items can be refused for them."""
    if isinstance(value, str | bytes):
        return bool(value)
    if isinstance(value, list | tuple | set | frozenset | dict):
        parts = value.values() if isinstance(value, dict) else value
        return bool(value) and all(map(_filled, parts))
    return True


@given(typed(), typed(), st.data())
def test_what_is_converted_fits_and_is_not_converted_again(one, other, data):
    _, values = one
    wanted, _ = other
    value = data.draw(values)
    before = repr(value)
    try:
        made = convert(value, wanted, "it")
    except TypeMismatch:
        assert checker(wanted)(value) is not None
    else:
        assert checker(wanted)(made) is None
        assert _same(convert(made, wanted, "it"), made)
    assert repr(value) == before


PLAIN = st.recursive(
    st.integers(-5, 5) | st.floats(allow_nan=False) | st.booleans() | st.none() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(PLAIN, max_size=3) | st.dictionaries(TEXTS, PLAIN, max_size=3), typed())
def test_a_config_is_converted_as_the_plain_containers_in_it_are(plain, pair):
    wanted, _ = pair
    config = OmegaConf.create({"it": plain}).it
    assert isinstance(config, DictConfig | ListConfig)
    kind = DictConfig if isinstance(plain, dict) else ListConfig
    try:
        made = convert(plain, wanted, "it")
    except TypeMismatch:
        with pytest.raises((TypeMismatch, ConfigError)):
            convert(config, wanted, "it")
    else:
        again = convert(config, wanted, "it")
        # A list may fit a later member of a union as it is; a config is converted to the first.
        assert "|" in show(wanted) or _same(again, made)
        assert relate(kind, wanted) is Relation.CHECK


@given(typed())
def test_the_text_of_an_annotation_can_be_read_back(pair):
    annotation, _ = pair
    names = {show(cls): cls for cls in (*filter(_is_class, SCALARS), abc.Mapping, abc.Sequence)}
    names |= {"UserId": UserId, "Literal": Literal, "numpy": np}
    again = eval(show(annotation), names)
    assert relate(list[annotation], list[again]) is Relation.PROVEN
    assert relate(list[again], list[annotation]) is Relation.PROVEN


def _is_class(thing: Any) -> bool:
    return isinstance(thing, type)
