from __future__ import annotations

import importlib
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from turnout.storage.digest import digest
from turnout.storage.version import Version, version_of

Project = Callable[..., Version]


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Writes a project anew, imports it, and gives the version of one of its functions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names: set[str] = set()

    def forget() -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in names:
                del sys.modules[name]
        importlib.invalidate_caches()
        linecache.clearcache()

    def take(main: str, function: str = "task", depends: Any = (), **files: str) -> Version:
        forget()
        for name, text in {"main_": main, **files}.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text))
            names.add(name.partition("__")[0])
        if any("__" in name for name in files):
            (tmp_path / "pkg" / "__init__.py").touch()
        module = importlib.import_module("main_")
        found = getattr(module, function)
        return version_of(found, depends(module) if callable(depends) else depends)

    yield take
    forget()


BASE = """
    def task(x):
        y = x + 1
        return y
"""


@pytest.mark.parametrize(
    "same",
    [
        """
        # A comment.
        def task(x):
            "A docstring."

            y = (x +
                 1)  # another
            return y
        """,
        """
        other = 5
        def unrelated():
            return other

        def task(x):
            y = x + 1
            return y
        """,
        """
        def y(): return 2
        def x(): return 3

        def task(x):
            y = x + 1
            return y
        """,
        """
        from turnout.storage.version import version_of as turnout_made

        def task(x):
            y = x + 1
            return y
        """,
    ],
)
def test_formatting_and_what_is_not_reached_do_not_count(version: Project, same: str) -> None:
    assert version(BASE) == version(same)


@pytest.mark.parametrize(
    "other",
    [
        "def task(x):\n    y = x + 2\n    return y",
        "def task(x):\n    y = x + 1.0\n    return y",
        "def task(x):\n    y = x + 1\n    return x",
        "def task(x, z=0):\n    y = x + 1\n    return y",
        "def task(x: int):\n    y = x + 1\n    return y",
        "async def task(x):\n    y = x + 1\n    return y",
        "def task(x):\n    y = x + 1\n    return y\ntask.__defaults__ = (1,)",
    ],
)
def test_a_change_of_the_code_counts(version: Project, other: str) -> None:
    assert version(BASE) != version(other)


REACHED = {
    "a constant": "RATE = {}\ndef task(x): return x * RATE",
    "a function": "def helper(x): return x + {}\ndef task(x): return helper(x)",
    "a function of a function": (
        "def deep(x): return x + {}\ndef helper(x): return deep(x)\ndef task(x): return helper(x)"
    ),
    "a function in a comprehension": (
        "def helper(x): return x + {}\ndef task(x): return [helper(i) for i in x]"
    ),
    "a function in a nested function": (
        "def helper(x): return x + {}\ndef task(x):\n  def inner(): return helper(x)\n"
        "  return inner()"
    ),
    "a method": "class K:\n  def run(self): return {}\ndef task(x): return K().run()",
    "a property": "class K:\n  @property\n  def run(self): return {}\ndef task(x): return K().run",
    "a class attribute": "class K:\n  rate = {}\ndef task(x): return K.rate",
    "a base class": (
        "class B:\n  def run(self): return {}\nclass K(B): pass\ndef task(x): return K().run()"
    ),
    "what a method uses": (
        "RATE = {}\nclass K:\n  def run(self): return RATE\ndef task(x): return K().run()"
    ),
    "the class of an annotation": (
        "from __future__ import annotations\nclass K:\n  def run(self): return {}\n"
        "def task(x: K): return x.run()"
    ),
    "the class of a quoted annotation": (
        "class K:\n  def run(self): return {}\ndef task(x: 'K'): return x.run()"
    ),
    "a class inside a quoted annotation": (
        "class K:\n  def run(self): return {}\n"
        "def task(x: 'dict[str, list[K] | None]'): return x['a'][0].run()"
    ),
    "a class in an alias": (
        "class K:\n  def run(self): return {}\nMany = list[K]\ndef task(x: Many): return x[0].run()"
    ),
    "the class of a field": (
        "import dataclasses\nclass K:\n  def run(self): return {}\n"
        "@dataclasses.dataclass\nclass P:\n  k: 'K'\ndef task(x: P): return x.k.run()"
    ),
    "the class of a global instance": (
        "class K:\n  def run(self): return {}\nk = K()\ndef task(x): return k.run()"
    ),
    "the attributes of a global instance": (
        "class K:\n  def __init__(self, n): self.n = n\nk = K({})\ndef task(x): return k.n"
    ),
    "the value of a member of an enum": (
        "import enum\nclass E(enum.Enum):\n  A = {}\nmember = E.A\ndef task(x): return member.value"
    ),
    "a member of an enum that was made by a call": (
        "import enum\nE = enum.Enum('E', dict(A={}))\ndef task(x): return E.A.value"
    ),
    "the code of an enum": (
        "import enum\nclass E(enum.Enum):\n  A = {}\ndef task(x): return E.A.value"
    ),
    "a function in a dict": (
        "def helper(x): return x + {}\nTABLE = dict(a=[helper])\ndef task(x): return TABLE[x]()"
    ),
    "a default": "RATE = {}\ndef task(x, rate=RATE): return x * rate",
    "a closure": "def make(n):\n  def task(x): return x + n\n  return task\ntask = make({})",
    "a decorator": (
        "def deco(f):\n  def inner(x): return f(x) + {}\n  return inner\n"
        "@deco\ndef task(x): return x"
    ),
    "what is decorated": (
        "import functools\ndef deco(f):\n  @functools.wraps(f)\n  def inner(x): return f(x)\n"
        "  return inner\n@deco\ndef task(x): return x + {}"
    ),
    "what the standard library wraps": (
        "import functools\n@functools.lru_cache\ndef helper(x): return x + {}\n"
        "def task(x): return helper(x)"
    ),
    "the code of an object that wraps": (
        "class Deco:\n  def __init__(self, f): self.__wrapped__ = f\n"
        "  def __call__(self, x): return self.__wrapped__(x) + {}\n"
        "@Deco\ndef helper(x): return x\ndef task(x): return helper(x)"
    ),
    "a function registered for a type": (
        "import functools\n@functools.singledispatch\ndef helper(x): return x\n"
        "@helper.register\ndef _(x: int): return helper(str(x)) + {}\n"
        "@helper.register\ndef _(x: str): return x\ndef task(x): return helper(x)"
    ),
    "a partial": (
        "import functools\ndef helper(a, x): return x\nbound = functools.partial(helper, {})\n"
        "def task(x): return bound(x)"
    ),
    "a lambda": "helper = lambda x: x + {}\ndef task(x): return helper(x)",
    "the second lambda of a line": "a, b = lambda x: x, lambda x: x + {}\ndef task(x): return b(x)",
    "a dataclass constant": (
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n  x: int\np = P({})\n"
        "def task(x): return p.x"
    ),
    "a literal getattr": (
        "class K:\n  def run(self): return {}\ndef task(x): return getattr(K, 'run')(x)"
    ),
    "a recursive pair": (
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != {} and even(n - 1)\n"
        "def task(x): return even(x)"
    ),
    "a table that holds the task": (
        "def task(x): return TABLE['rate']\nTABLE = dict(task=task, rate={})"
    ),
    "code made by exec": "exec('def helper(x): return x + {}')\ndef task(x): return helper(x)",
}


@pytest.mark.parametrize("what", REACHED)
def test_what_is_reached_counts(version: Project, what: str) -> None:
    text = REACHED[what]
    one, again, two = (version(text.replace("{}", n)) for n in ("1", "1", "2"))
    assert one == again
    assert one.digest != two.digest
    assert one.notes == ()


INSTANCES = {
    "a dataclass": "import dataclasses\n@dataclasses.dataclass\nclass K:\n  x: int = 0\n",
    "a named tuple": "import typing\nclass K(typing.NamedTuple):\n  x: int = 0\n",
    "a model": "import pydantic\nclass K(pydantic.BaseModel):\n  x: int = 0\n",
    "a plain object": "class K:\n",
    "an object that holds its class": "class K:\n  def __init__(self): self.kind = type(self)\n",
    "an object with slots": "class K:\n  __slots__ = ('x',)\n",
    "a list": "class K(list):\n",
    "a member of an enum": "import enum\nclass Kinds(enum.Enum):\n  A = object()\n",
}


@pytest.mark.parametrize("what", INSTANCES)
def test_the_code_of_its_class_counts_in_the_digest_of_a_value(version: Project, what: str) -> None:
    made = "Kinds.A" if "Kinds" in INSTANCES[what] else "K()"
    text = f"{INSTANCES[what]}  def run(self): return RATE + {{}}\nRATE = 1\nvalue = {made}\n"
    texts = [text.replace("{}", "1"), f"\n# comment\n{text.replace('{}', '1')}"]
    texts += [text.replace("{}", "2"), text.replace("{}", "1").replace("RATE = 1", "RATE = 2")]
    digests = []
    for changed in texts:
        version(changed + "def task(): pass")
        digests.append(digest(sys.modules["main_"].value))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


MODULES = {
    "an attribute": ("import helpers\ndef task(x): return helpers.add(x)", "helpers"),
    "an alias": ("import helpers as h\ndef task(x): return h.add(x)", "helpers"),
    "a name": ("from helpers import add\ndef task(x): return add(x)", "helpers"),
    "a package": ("import pkg.tools\ndef task(x): return pkg.tools.add(x)", "pkg__tools"),
    "a module of a package": (
        "from pkg import tools\ndef task(x): return tools.add(x)",
        "pkg__tools",
    ),
    "a local import": ("def task(x):\n  from helpers import add\n  return add(x)", "helpers"),
    "a local import of a module": (
        "def task(x):\n  import pkg.tools as t\n  return t.add(x)",
        "pkg__tools",
    ),
    "a local import from a package": (
        "def task(x):\n  from pkg import tools\n  return tools.add(x)",
        "pkg__tools",
    ),
    "a module as a value": ("import helpers\ndef task(x): return vars(helpers)[x]", "helpers"),
}


@pytest.mark.parametrize("what", MODULES)
def test_other_modules_of_the_project_count(version: Project, what: str) -> None:
    main, name = MODULES[what]
    texts = ["def add(x): return x + 1", "# comment\ndef add(x): return x + 1"]
    one, two = (version(main, **{name: text}) for text in texts)
    other = version(main, **{name: "def add(x): return x + 2"})
    assert one == two
    assert one != other


def test_a_local_import_is_never_imported_for_it(version: Project) -> None:
    main = "def task(x):\n  import costly\n  return costly.add(x)"
    version(main, costly="import helpers\nraise RuntimeError", helpers="def add(x): return 1")
    assert "costly" not in sys.modules
    one = version(main, costly="from helpers import add", helpers="def add(x): return 1")
    two = version(main, costly="from helpers import add", helpers="def add(x): return 2")
    assert one != two


def test_what_a_module_has_beside_does_not_count(version: Project) -> None:
    main = "import helpers\ndef task(x): return helpers.add(x)"
    text = "def add(x): return x\ndef other(): return {}"
    assert version(main, helpers=text.format(1)) == version(main, helpers=text.format(2))


def test_the_name_a_library_is_known_by_counts_and_its_code_does_not(version: Project) -> None:
    text = "from {} import dumps\nimport logging\nlog = logging.getLogger('a')\n"
    text += "def task(x):\n  log.info('x')\n  return dumps(x)"
    assert version(text.format("json")).notes == ()
    assert version(text.format("json")) != version(text.format("pickle"))


def test_swapped_names_count(version: Project) -> None:
    text = "def a(x): return 1\ndef b(x): return 2\np, q = {}\ndef task(x): return p(x) - q(x)"
    assert version(text.format("a, b")) != version(text.format("b, a"))


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("return getattr(x, x)", "calls getattr at main_.py:5"),
        ("return importlib.import_module(x)", "calls import_module at main_.py:5"),
        ("return __import__(x)", "calls __import__ at main_.py:5"),
        ("return helper(x)", "calls instantiate at main_.py:3"),
        ("return thing(x)", "uses thing in main_.py"),
    ],
)
def test_what_is_not_followed_is_named(version: Project, code: str, note: str) -> None:
    text = "import importlib, numpy\ndef helper(cfg):\n  return hydra.instantiate(cfg)\n"
    text += f"def task(x):\n  {code}"
    made = version(text + "\nclass Thing:\n  def __getstate__(self): return 1\nthing = Thing()")
    assert len(made.notes) == 1
    assert made.notes[0].startswith(note)
    assert made.notes[0].endswith("does not count")


def test_depends_adds_what_cannot_be_seen(version: Project) -> None:
    main = "def hidden(): return {}\ndef task(x): return x"
    plain = [version(main.format(n)) for n in (1, 2)]
    assert plain[0] == plain[1]
    named = [version(main.format(n), depends=lambda m: (m.hidden,)) for n in (1, 2)]
    assert named[0] != named[1]
    modules = [version(main, depends=("tools",), tools=f"X = {n}") for n in (1, 2)]
    assert modules[0] != modules[1]
    assert version(main, depends=(1,)) != version(main, depends=(2,))
    assert version(main, depends=("v1",)) != version(main, depends=("v2",))


def test_options_of_a_task_do_not_count(version: Project) -> None:
    text = "{}\ndef task(x): return x + 1"
    tasks = [
        version("from turnout.dsl import task as made\n" + text.format(line))
        for line in ("@made", "@made(retries=3)", "@made(cache=True, retries=2)")
    ]
    assert tasks[0] == tasks[1] == tasks[2]


def test_a_task_that_is_called_counts_by_its_function(version: Project) -> None:
    text = "from turnout.dsl import task as made\n@made\ndef inner(x): return {}\n"
    text += "def task(x): return inner(x)"
    assert version(text.format(1)) != version(text.format(2))
    assert version(text.format(1)) == version(text.format(1))


def test_a_name_that_was_given_another_value_counts_at_once(version: Project) -> None:
    version("RATE = 1\ndef task(x): return x * RATE")
    module = sys.modules["main_"]
    before = version_of(module.task)
    module.RATE = 2  # type: ignore[attr-defined]
    assert version_of(module.task) != before


def test_a_file_changed_after_its_import_does_not_pose_as_what_runs(
    version: Project, tmp_path: Path
) -> None:
    first = version("def task(x): return x + 1")
    module = sys.modules["main_"]
    (tmp_path / "main_.py").write_text("def task(x): return x + 2 # longer")
    changed = version_of(module.task)
    assert changed.digest != version("def task(x): return x + 2").digest
    assert first.digest


def test_code_without_source_counts_by_what_was_compiled() -> None:
    made = []
    for text in ("x + 1", "x + 1", "x + 2"):
        space: dict[str, Any] = {"__name__": "nowhere"}
        exec(f"def helper(x): return {text}\ndef task(x): return helper(x)", space)
        made.append(version_of(space["task"]).digest)
    assert made[0] == made[1] != made[2]


def cell(text: str, number: int, space: dict[str, Any]) -> None:
    """Runs a cell as IPython does: with source that only linecache knows."""
    text = textwrap.dedent(text)
    name = f"<ipython-input-{number}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), space)


def test_cells_of_a_notebook_count_by_their_source(version: Project) -> None:
    version(BASE)
    space = vars(sys.modules["main_"])
    helper = "import dataclasses\n@dataclasses.dataclass\nclass P:\n  x: int = {}\n"
    helper += "  def m(self): return 1"
    cell(helper.format(1), 1, space)
    cell("def task(x): return P().m()", 2, space)
    first = version_of(space["task"])
    cell("# a comment\n" + helper.format(1), 3, space)
    assert version_of(space["task"]) == first
    cell(helper.format(2), 4, space)
    assert version_of(space["task"]) != first


PROGRAM = """
    import enum
    class Base:
        names = {"a", "b", "c", "d"}
        def run(self): return {"x", "y", "z"}
    class Kind(Base, metaclass=type):
        def run(self): return helper(super().run())
    def helper(x): return {k: TABLE for k in x if k in {"p", "q", "r"}}
    TABLE = {"one": helper, "two": {"u", "v", "w"}, "three": Kind}
    exec("def made(x): return x in {'k', 'l', 'm'}")
    def task(x): return helper(x), Kind().run(), made(x)
    if __name__ == "__main__":
        from turnout.storage.version import version_of
        print(version_of(task).digest)
"""


def test_the_version_is_the_same_in_another_process_and_as_a_script(
    version: Project, tmp_path: Path
) -> None:
    imported = version(PROGRAM).digest
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, tmp_path / "main_.py"],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert run.stdout.strip() == imported


def test_a_large_project_is_walked_quickly(version: Project) -> None:
    lines = [f"def f{i}(x): return f{i + 1}(x) + {i}" for i in range(1500)]
    made = version("\n".join([*lines, "def f1500(x): return x", "def task(x): return f0(x)"]))
    assert made.notes == ()
