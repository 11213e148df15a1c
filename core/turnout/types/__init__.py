"""Annotations: read, shown, compared with each other and with values."""

from turnout.types.check import check, checker, exact_types
from turnout.types.convert import convert
from turnout.types.hints import hints
from turnout.types.marks import Mark, claimed, each_of, has_mark
from turnout.types.relate import Relation, relate
from turnout.types.show import describe, show

__all__ = [
    "Mark",
    "Relation",
    "check",
    "checker",
    "claimed",
    "convert",
    "describe",
    "each_of",
    "exact_types",
    "has_mark",
    "hints",
    "relate",
    "show",
]
