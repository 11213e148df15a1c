"""Where modules of the project are found: in every process in the order of the driver's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def folders_of(root: str) -> list[str]:
    """The project's folders on ``sys.path``, first ones first; libraries are none.

    Args:
        root: the project's root.
    """
    places = dict.fromkeys(os.path.realpath(place) for place in sys.path)
    within, libraries = os.path.realpath(root), os.path.realpath(sys.prefix)
    return [
        place for place in places if _is_within(place, within) and not _is_within(place, libraries)
    ]


def put_first(folders: Sequence[str], root: str) -> None:
    """Let modules be found in these folders of the project before they are in others of it.

    Args:
        folders: what the driver's `folders_of` gives, as they are here.
        root: the project's root here.
    """
    if folders_of(root)[: len(folders)] != [*folders]:
        rest = [place for place in sys.path if os.path.realpath(place) not in folders]
        sys.path[:] = [*folders, *rest]


def _is_within(place: str, root: str) -> bool:
    return place == root or place.startswith(root.rstrip(os.sep) + os.sep)
