"""Plugins as they are installed: small distributions on the path of another process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


class Site:
    """A directory of installed distributions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / ".turnout").mkdir()

    def install(self, name: str, points: dict[str, str], **modules: str) -> None:
        """A distribution with entry points and modules."""
        info = self.path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        lines = "\n".join(f"{key} = {value}" for key, value in points.items())
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[turnout]\n{lines}\n")
        for module, text in modules.items():
            (self.path / f"{module}.py").write_text(textwrap.dedent(text))

    def python(self, code: str, status: int = 0) -> str:
        """What a process prints that finds these distributions."""
        paths = [str(self.path), os.environ.get("PYTHONPATH", "")]
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


BACKEND = """
    from turnout import spi

    class Mine(spi.ExecutorBackend):
        name = "mine"
        def open(self, session):
            return spi.InlineExecutor(session.tasks)

    @spi.hookimpl
    def turnout_backends():
        return [Mine()]
"""
FLOW = """
import turnout
from turnout import task, workflow

@task(retries=1)
def half(x: int) -> float:
    return x / 2

@workflow
def flow(x: int) -> float:
    return half(x)
"""
REGISTRY = """
from turnout.backend.registry import registry
found = registry()
print(*sorted(found.backends))
for broken in found.broken:
    print(broken)
"""


def test_a_stranger_s_backend_is_found_and_runs(site: Site) -> None:
    site.install("turnout-mine", {"mine": "turnout_mine"}, turnout_mine=BACKEND)
    told = site.python(FLOW + "print(turnout.run(flow, x=3, execution_environment='mine').outputs)")
    assert told == "1.5\n"


def test_a_plugin_that_cannot_be_imported_spoils_nothing(site: Site) -> None:
    site.install("turnout-bad", {"bad": "turnout_bad"}, turnout_bad="1 / 0")
    site.install("turnout-mine", {"mine": "turnout_mine"}, turnout_mine=BACKEND)
    told = site.python(REGISTRY)
    assert "mine" in told.splitlines()[0]
    assert "plugin 'bad' of 'turnout-bad' cannot be loaded: ZeroDivisionError" in told
    told = site.python(
        FLOW
        + """
try:
    turnout.run(flow, x=3, execution_environment="bad")
except turnout.errors.PluginError as error:
    print(error, "|", type(error.__cause__).__name__)
print(turnout.run(flow, x=3).outputs)
"""
    )
    assert "plugin 'bad' of 'turnout-bad' cannot be loaded" in told
    assert "| ZeroDivisionError" in told
    assert told.splitlines()[-1] == "1.5"


def test_a_missing_sdk_is_told_when_the_backend_is_used(site: Site) -> None:
    site.install(
        "turnout-far",
        {"far": "turnout_far"},
        turnout_far="""
            from turnout import spi

            class Far(spi.ExecutorBackend):
                name = "far"
                def open(self, session):
                    try:
                        import far_sdk_that_is_not_there
                    except ImportError as error:
                        raise spi.PluginError(
                            "far needs its SDK: pip install 'turnout-far[sdk]'"
                        ) from error

            @spi.hookimpl
            def turnout_backends():
                return [Far()]
        """,
    )
    assert "far" in site.python(REGISTRY).splitlines()[0]
    told = site.python(
        FLOW
        + """
try:
    turnout.run(flow, x=3, execution_environment="far")
except turnout.errors.PluginError as error:
    print(error)
print(turnout.get_run().status)
"""
    )
    assert "pip install 'turnout-far[sdk]'" in told
    assert told.splitlines()[-1] == "failed"


def test_a_hook_s_name_that_is_not_known_is_told(site: Site) -> None:
    site.install(
        "turnout-odd",
        {"odd": "turnout_odd"},
        turnout_odd="""
            from turnout import spi

            @spi.hookimpl
            def turnout_node_finshed(event):
                pass
        """,
    )
    told = site.python(REGISTRY)
    assert "there is no hook 'turnout_node_finshed'" in told
    assert "did you mean 'turnout_node_finished'?" in told


def test_a_hook_s_argument_that_is_not_known_is_told(site: Site) -> None:
    site.install(
        "turnout-odd",
        {"odd": "turnout_odd"},
        turnout_odd="""
            from turnout import spi

            @spi.hookimpl
            def turnout_node_finished(evnt):
                pass
        """,
    )
    told = site.python(REGISTRY)
    assert "plugin 'odd' of 'turnout-odd' cannot be loaded" in told
    assert "evnt" in told


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('return ["mine"]', "neither an ExecutorBackend nor a CompilerBackend"),
        ("return [Named('Not A Name')]", "lower-case identifier"),
        ("return [Named('')]", "lower-case identifier"),
        ("raise RuntimeError('out of order')", "out of order"),
        ("return None", "TypeError"),
    ],
)
def test_what_is_no_backend_is_refused(site: Site, body: str, problem: str) -> None:
    site.install(
        "turnout-odd",
        {"odd": "turnout_odd"},
        turnout_odd=f"""
            from turnout import spi

            class Named(spi.ExecutorBackend):
                def __init__(self, name):
                    self.name = name
                def open(self, session):
                    return None

            @spi.hookimpl
            def turnout_backends():
                {body}
        """,
    )
    told = site.python(REGISTRY)
    assert "plugin 'odd' of 'turnout-odd' cannot be loaded" in told
    assert problem in told


def test_a_backend_s_name_is_taken_once(site: Site) -> None:
    site.install("turnout-a", {"a": "turnout_a"}, turnout_a=BACKEND)
    site.install("turnout-b", {"b": "turnout_b"}, turnout_b=BACKEND)
    told = site.python(REGISTRY)
    assert "plugin 'b' of 'turnout-b' cannot be loaded" in told
    assert "the backend name 'mine' is taken by 'turnout-a' already" in told


def test_a_plugin_with_one_bad_backend_brings_none(site: Site) -> None:
    text = BACKEND.replace("return [Mine()]", "return [Mine(), 'bad']")
    site.install("turnout-half", {"half": "turnout_half"}, turnout_half=text)
    told = site.python(REGISTRY)
    assert "mine" not in told.splitlines()[0]
    assert "plugin 'half' of 'turnout-half' cannot be loaded" in told


def test_one_module_under_two_names_is_refused(site: Site) -> None:
    site.install("turnout-twice", {"one": "turnout_twice", "two": "turnout_twice"},
                 turnout_twice=BACKEND)  # fmt: skip
    told = site.python(REGISTRY)
    assert "mine" in told.splitlines()[0]
    assert "turnout_twice is registered as 'one' already" in told


def test_an_environment_that_is_not_there_is_told_with_those_that_are(site: Site) -> None:
    site.install("turnout-mine", {"mine": "turnout_mine"}, turnout_mine=BACKEND)
    told = site.python(
        FLOW
        + """
try:
    turnout.run(flow, x=3, execution_environment="mien")
except turnout.errors.ConfigError as error:
    print(error)
"""
    )
    assert "unknown execution environment 'mien'; did you mean 'mine'?" in told
    assert "local" in told


def test_a_wrapping_hook_is_around_every_attempt(site: Site) -> None:
    site.install(
        "turnout-wrap",
        {"wrap": "turnout_wrap"},
        turnout_wrap="""
            from contextlib import contextmanager
            import turnout
            from turnout import spi

            @contextmanager
            def around(call):
                print("before", call.id, turnout.current().attempt)
                try:
                    yield
                except ZeroDivisionError:
                    print("saw it")
                    raise
                finally:
                    print("after", call.id)

            @spi.hookimpl
            def turnout_wrap_call(call):
                return around(call)
        """,
    )
    told = site.python(
        """
import turnout
tries = []

@turnout.task(retries=1)
def shaky(x: int) -> int:
    tries.append(x)
    return x // (len(tries) - 1)

@turnout.workflow
def flow(x: int) -> int:
    return shaky(x)

print(turnout.run(flow, x=3).outputs)
"""
    )
    assert told.splitlines() == [
        "before shaky 1", "saw it", "after shaky", "before shaky 2", "after shaky", "3",
    ]  # fmt: skip


def test_an_exception_of_a_wrapping_hook_fails_the_attempt(site: Site) -> None:
    site.install(
        "turnout-wrap",
        {"wrap": "turnout_wrap"},
        turnout_wrap="""
            from turnout import spi

            @spi.hookimpl
            def turnout_wrap_call(call):
                raise PermissionError("not today")
        """,
    )
    told = site.python(
        FLOW
        + """
try:
    turnout.run(flow, x=3)
except turnout.errors.RunFailed as error:
    print(error, error.run.nodes[0].attempts)
"""
    )
    assert told == "node 'half' failed: PermissionError: not today 2\n"


def test_a_wrapping_hook_cannot_swallow_a_failure(site: Site) -> None:
    site.install(
        "turnout-wrap",
        {"wrap": "turnout_wrap"},
        turnout_wrap="""
            from contextlib import suppress
            from turnout import spi

            @spi.hookimpl
            def turnout_wrap_call(call):
                return suppress(ZeroDivisionError)
        """,
    )
    told = site.python(
        """
import turnout

@turnout.task
def bad(x: int) -> int:
    return 1 // x

@turnout.workflow
def flow(x: int) -> int:
    return bad(x)

try:
    turnout.run(flow, x=0)
except turnout.errors.RunFailed as error:
    print(error)
"""
    )
    assert "swallowed the exception of 'bad'" in told


def test_a_codec_of_a_plugin_is_used_for_what_is_kept(site: Site) -> None:
    site.install(
        "turnout-codec",
        {"codec": "turnout_codec"},
        turnout_codec="""
            from turnout import spi

            class Codec:
                name, version, canonical = "celsius", 1, True
                def handles(self, value):
                    return type(value).__name__ == "Celsius"
                def encode(self, value):
                    print("encoded")
                    return str(value.degrees).encode()
                def decode(self, payload):
                    import flow_with_values
                    return flow_with_values.Celsius(float(payload))

            @spi.hookimpl
            def turnout_codecs():
                return [Codec()]
        """,
        flow_with_values="""
            import turnout

            class Celsius:
                def __init__(self, degrees):
                    self.degrees = degrees

            @turnout.task(cache=True)
            def warm(x: float) -> Celsius:
                return Celsius(x)

            @turnout.task
            def read(value: Celsius) -> float:
                return value.degrees

            @turnout.workflow
            def flow(x: float) -> float:
                return read(warm(x))
        """,
    )
    told = site.python(
        """
import turnout
from flow_with_values import flow
print(turnout.run(flow, x=3).outputs)
run = turnout.run(flow, x=3)
print(run.outputs, run.nodes[0].status)
"""
    )
    assert "encoded" in told
    assert told.splitlines()[-1] == "3.0 cached"


def test_lifecycle_hooks_that_raise_change_nothing(site: Site) -> None:
    site.install(
        "turnout-loud",
        {"loud": "turnout_loud"},
        turnout_loud="""
            from turnout import spi

            @spi.hookimpl
            def turnout_run_started(run):
                raise RuntimeError("run started")

            @spi.hookimpl
            def turnout_node_started(event):
                raise RuntimeError("node started")

            @spi.hookimpl
            def turnout_node_finished(event):
                raise RuntimeError("node finished")

            @spi.hookimpl
            def turnout_run_finished(run):
                raise RuntimeError("run finished")
        """,
    )
    told = site.python(FLOW + "print(turnout.run(flow, x=3).outputs)")
    assert "1.5" in told.splitlines()
    for what in ("run started", "node started", "node finished", "run finished"):
        assert f"RuntimeError: {what}" in told


def test_a_plugin_that_raises_keeps_none_from_the_others(site: Site) -> None:
    for name, body in (
        ("a", "print('a heard')"), ("b", "raise RuntimeError('b')"), ("c", "print('c heard')"),
    ):  # fmt: skip
        site.install(
            f"turnout-{name}",
            {name: f"turnout_{name}"},
            **{
                f"turnout_{name}": f"""
                    from turnout import spi

                    @spi.hookimpl
                    def turnout_node_finished(event):
                        {body}
                """
            },
        )
    told = site.python(FLOW + "turnout.run(flow, x=3)")
    assert "a heard" in told
    assert "c heard" in told


def test_without_any_plugin_the_message_says_so(site: Site) -> None:
    told = site.python(
        """
from turnout.backend.registry import Registry
from turnout.errors import ConfigError
try:
    Registry().default()
except ConfigError as error:
    print(error)
"""
    )
    assert "no installed backend declares itself the default" in told


def test_two_defaults_are_refused_with_their_names(site: Site) -> None:
    text = BACKEND.replace('name = "mine"', 'name = "mine"\n        is_default = True')
    site.install("turnout-mine", {"mine": "turnout_mine"}, turnout_mine=text)
    told = site.python(
        FLOW
        + """
try:
    turnout.run(flow, x=3)
except turnout.errors.ConfigError as error:
    print(error)
"""
    )
    assert "several backends declare themselves the default (local, mine)" in told
