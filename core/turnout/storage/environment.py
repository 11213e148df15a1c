"""What a run was made with: installed packages, and the state of the git repository."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import subprocess

__all__ = ["Git", "GitQuery", "git_state", "installed_versions", "loaded_versions", "start_git"]

_WAIT: Final = 5.0
_IMPORT_NAMES: Final = {
    "beautifulsoup4": "bs4",
    "opencv_python": "cv2",
    "opencv_python_headless": "cv2",
    "pillow": "PIL",
    "python_dateutil": "dateutil",
    "pyyaml": "yaml",
    "scikit_image": "skimage",
    "scikit_learn": "sklearn",
}


def installed_versions() -> dict[str, str]:
    """Version by name of every installed distribution, names as in their folders, sorted.

    The names of the ``.dist-info`` folders say both, 20 times faster than reading the metadata
    in them. The first one on the path counts, as it does for imports.
    """
    return dict(_installed(tuple(sys.path)))


def loaded_versions() -> dict[str, str]:
    """The `installed_versions` of those whose module has been imported in this process."""
    modules = sys.modules
    return {
        name: version
        for name, version in _installed(tuple(sys.path)).items()
        if _IMPORT_NAMES.get(name, name) in modules
    }


@functools.lru_cache(maxsize=4)
def _installed(path: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in dict.fromkeys(path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in names:
            if entry.endswith(".dist-info"):
                name, _, version = entry[:-10].partition("-")
                found.setdefault(name.lower(), version)
    return dict(sorted(found.items()))


class Git(NamedTuple):
    """The state of a repository.

    Attributes:
        commit: the full hash of the commit that is checked out.
        branch: the branch, or ``""`` where none is.
        dirty: whether files that git tracks were changed.
    """

    commit: str
    branch: str
    dirty: bool


def git_state(root: str | Path) -> Git | None:
    """The state of the repository around ``root``; ``None`` without repository, commit or git."""
    return start_git(root).result()


def start_git(root: str | Path) -> GitQuery:
    """Ask git without waiting for its answer."""
    folder = os.path.abspath(root)
    while not os.path.exists(os.path.join(folder, ".git")):
        folder, before = os.path.dirname(folder), folder
        if folder == before:
            return GitQuery(None)
    import subprocess

    # Without the variable git would take a lock that the user's own git may want.
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "-uno"]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return GitQuery(None)
    return GitQuery(process)


class GitQuery:
    """A question to git that may still be open."""

    __slots__ = ("_process", "_state")

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        self._state: Git | None = None

    def result(self) -> Git | None:
        """The answer, waited for at most 5 seconds; ``None`` where there is none."""
        process, self._process = self._process, None
        if process is None:
            return self._state
        import subprocess

        try:
            output, _ = process.communicate(timeout=_WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        if process.returncode == 0:
            self._state = _read(output.decode("utf-8", "replace"))
        return self._state


def _read(text: str) -> Git | None:
    said: dict[str, str] = {}
    dirty = False
    for line in text.splitlines():
        if line.startswith("# "):
            key, _, value = line[2:].partition(" ")
            said[key] = value
        else:
            dirty = True
    commit = said.get("branch.oid", "")
    if not commit or commit == "(initial)":
        return None
    branch = said.get("branch.head", "")
    return Git(commit, "" if branch == "(detached)" else branch, dirty)
