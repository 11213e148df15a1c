"""Completion in bash, which click would take apart."""

from __future__ import annotations

import os
from typing import Final

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

__all__ = ["install"]

_BREAKS: Final = ":="
# A value that may go on is followed by no space.
_GOES_ON: Final = """COMPREPLY+=($value)
            if [[ $value == *[.:=/] || $value == *.py ]]; then compopt -o nospace; fi"""


class Bash(BashComplete):
    """Bash takes words apart at ``:`` and ``=``; here they are whole again."""

    source_template = BashComplete.source_template.replace("COMPREPLY+=($value)", _GOES_ON)
    _cut = 0

    def get_completion_args(self) -> tuple[list[str], str]:
        split = split_arg_string(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"]) + 1]
        if len(split) <= int(os.environ["COMP_CWORD"]):
            split.append("")
        words: list[str] = []
        for position, word in enumerate(split):
            before = split[position - 1] if position else ""
            if position > 1 and word and (_is_break(word) or _is_break(before)):
                words[-1] += word
            else:
                words.append(word)
        incomplete = words[-1]
        # Bash replaces what stands behind the last break only.
        last = split[-1]
        self._cut = len(incomplete) - (0 if _is_break(last) else len(last))
        return words[1:-1], incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        return f"{item.type},{item.value[self._cut :]}"


def _is_break(word: str) -> bool:
    return bool(word) and not word.strip(_BREAKS)


def install() -> None:
    """Have bash's completion go through `Bash`."""
    add_completion_class(Bash)
