"""Which turnout this is, and whether what another process sends comes from the same.

What processes say to each other is no public format: it fits within one version.
"""

from __future__ import annotations

from turnout.errors import TurnoutError

__version__ = "0.1.0"


def see_to_version(theirs: str, *, here: str) -> None:
    """See that the sender of a message runs this version.

    Args:
        theirs: the sender's version.
        here: what this process is, in words.

    Raises:
        TurnoutError: it runs another.

    >>> see_to_version(__version__, here="a worker")
    >>> see_to_version("9.9", here="a worker")
    Traceback (most recent call last):
    turnout.errors.TurnoutError: the run comes from turnout 9.9, and a worker has turnout 0.1.0; \
install the same version on both sides
    """
    if theirs != __version__:
        raise TurnoutError(
            f"the run comes from turnout {theirs}, and {here} has turnout {__version__}; "
            "install the same version on both sides"
        )
