"""What ``turnout doctor`` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OK: Final = "ok"
WARNING: Final = "warning"
PROBLEM: Final = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Made with `ok`, `warning` and `problem`.

    Attributes:
        name: what was looked at, in a word or two.
        status: ``ok``, ``warning`` (works, but not as well as it could) or ``problem``.
        detail: what was found, on a line of its own for each fact.
        remedy: what to do about it; required of a problem.

    >>> Check.problem("SDK", "dask is not installed", "pip install dask").status
    'problem'
    """

    name: str
    status: str
    detail: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.status not in (OK, WARNING, PROBLEM):
            raise ValueError(f"a check is ok, warning or problem, not {self.status!r}")
        if self.status == PROBLEM and not self.remedy:
            raise ValueError(f"the problem {self.name!r} needs a remedy")

    @classmethod
    def ok(cls, name: str, detail: str = "") -> Check:
        """It is as it should be."""
        return cls(name, OK, detail)

    @classmethod
    def warning(cls, name: str, detail: str, remedy: str = "") -> Check:
        """It works, but not as well as it could."""
        return cls(name, WARNING, detail, remedy)

    @classmethod
    def problem(cls, name: str, detail: str, remedy: str) -> Check:
        """Runs will fail."""
        return cls(name, PROBLEM, detail, remedy)
