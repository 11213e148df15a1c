"""How a conversion says, from deep inside a value, that it cannot be made.

This is control flow of the package; nobody outside sees it.
"""

from __future__ import annotations

from turnout.types.show import Found


class Misfit(Exception):
    """A value cannot be converted.

    Attributes:
        found: what was found, and where in the value.
        expected: what was expected there; ``""`` stands for the annotation of the container.
    """

    def __init__(self, found: Found, expected: str = "") -> None:
        self.found = found
        self.expected = expected
        super().__init__(found, expected)

    def inside(self, place: str, expected: str = "") -> Misfit:
        """The same, seen from the container."""
        outer = Misfit(self.found.inside(place), self.expected or expected)
        outer.__cause__ = self.__cause__
        return outer
