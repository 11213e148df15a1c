"""What runs on both sides of a connection, and whether it fits together."""

from __future__ import annotations

from typing import NamedTuple

from turnout import spi


class Versions(NamedTuple):
    """What one side runs.

    Attributes:
        ray: the version of Ray.
        python: that of Python.
        turnout: that of turnout; empty where it is not installed.
    """

    ray: str
    python: str
    turnout: str


def versions() -> tuple[str, ...]:
    """Those of the process it runs in; sent elsewhere by itself, so that it needs no turnout."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("ray", "turnout"):
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("")
    return (found[0], platform.python_version(), found[1])


def compared(theirs: Versions, where: str) -> spi.Check:
    """Whether another process runs what this one does.

    Args:
        theirs: what it runs.
        where: where it is, in words.
    """
    ours = Versions(*versions())
    both = zip(ours._fields, ours, theirs, strict=True)
    if ours == theirs:
        told = ", ".join(f"{name} {mine}" for name, mine, _ in both)
        return spi.Check.ok("versions", f"here and {where}: {told}")
    told = "\n".join(
        f"{name} {mine} here, {other or 'none'} {where}"
        for name, mine, other in both
        if mine != other
    )
    remedy = "install the same versions on both sides"
    minor = [version.rpartition(".")[0] for version in (ours.python, theirs.python)]
    if (ours.ray, minor[0], ours.turnout) == (theirs.ray, minor[1], theirs.turnout):
        return spi.Check.warning("versions", told, remedy)
    return spi.Check.problem("versions", told, remedy)
