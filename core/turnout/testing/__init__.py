"""The kit for authors of backends: the shared suite, and what tests of plugins need.

A backend's whole test module is an import, a subclass and a fixture; see `BackendSuite`.
"""

try:
    import pytest
except ImportError as missing:
    raise ImportError("turnout.testing needs pytest: pip install pytest") from missing

pytest.register_assert_rewrite("turnout.testing.behaviours", "turnout.testing.place")

from turnout.testing.place import Place, asks  # noqa: E402  (after the rewriting of asserts)
from turnout.testing.plugins import installed  # noqa: E402
from turnout.testing.recording import Recording  # noqa: E402
from turnout.testing.suite import BackendSuite  # noqa: E402
from turnout.testing.threads import ThreadsBackend  # noqa: E402

__all__ = ["BackendSuite", "Place", "Recording", "ThreadsBackend", "asks", "installed"]
