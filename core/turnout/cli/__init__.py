"""The command line: ``turnout run | plan | graph | backends | doctor``, and what plugins add."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments; those of this process by default.

    Returns:
        The exit status: 0 done, 1 the run failed, 2 usage or config, 3 the plan was refused,
        130 cancelled.
    """
    from turnout.cli.commands import invoke

    return invoke(argv)
