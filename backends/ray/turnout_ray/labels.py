"""Labels of machines, as a task's ``label_selector`` asks for them.

https://docs.ray.io/en/latest/ray-core/scheduling/labels.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_VALUE: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?"
_NAME: Final = re.compile(rf"(?:[a-zA-Z0-9][a-zA-Z0-9.-]{{0,252}}/)?{_VALUE}")
_ASKED: Final = re.compile(rf"(!?)(?:in\(({_VALUE}(?:, ?{_VALUE})*)\)|({_VALUE}))")


def unreadable(selector: Mapping[str, str]) -> Iterator[str]:
    """What Ray would not understand, each in a sentence.

    >>> [*unreadable({"zone": "in(a, b)", "disk": "=ssd"})]
    ["label_selector.disk is VALUE, !VALUE, in(A, B) or !in(A, B), not '=ssd'"]
    >>> [*unreadable({"my zone": "a"})]
    ["label_selector has 'my zone', and a label is letters, digits, dots, dashes and underscores"]
    """
    for name, asked in selector.items():
        if not _NAME.fullmatch(name):
            yield (
                f"label_selector has {name!r}, and a label is letters, digits, dots, dashes and "
                "underscores"
            )
        elif asked and not _ASKED.fullmatch(asked):
            yield f"label_selector.{name} is VALUE, !VALUE, in(A, B) or !in(A, B), not {asked!r}"


def fit(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Whether a machine has what is asked for.

    >>> fit({"zone": "b"}, {"zone": "in(a, b)", "disk": "!hdd"})
    True
    >>> fit({"zone": "b"}, {"disk": "ssd"})
    False
    """
    return all(_is_fit(labels.get(name), asked) for name, asked in selector.items())


def _is_fit(label: str | None, asked: str) -> bool:
    found = _ASKED.fullmatch(asked)
    if found is None:
        return label == asked
    other, several, one = found.groups()
    wanted = re.split(", ?", several) if several else [one]
    return (label in wanted) != bool(other)
