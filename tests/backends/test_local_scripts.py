"""Scripts on the local backend, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()


def script(text: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    Path("main.py").write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )


class TestScripts:
    def test_classes_of_the_script(self) -> None:
        done = script(
            """
            import dataclasses, os, turnout

            @dataclasses.dataclass
            class Box:
                size: int
                pid: int = 0

            @turnout.task
            def fill(box: Box) -> Box:
                assert type(box) is Box
                return Box(box.size + 1, os.getpid())

            @turnout.workflow
            def pipeline(box: Box) -> Box:
                return fill(fill(box))

            if __name__ == "__main__":
                for environment in ({}, {"workers": 1}):
                    box = turnout.run(
                        pipeline, box=Box(1), execution_environment=environment
                    ).outputs
                    print(type(box) is Box, box.size, box.pid == os.getpid())
            """
        )
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["True 3 True", "True 3 False"]

    def test_without_a_file_everything_goes_by_value(self) -> None:
        program = textwrap.dedent(
            """
            import dataclasses, os, turnout

            @dataclasses.dataclass
            class Box:
                size: int

            def more(box):
                return Box(box.size + 1)

            @turnout.task
            def fill(box: Box) -> Box:
                assert type(box) is Box
                return more(box)

            @turnout.workflow
            def pipeline(box: Box) -> Box:
                return fill(fill(box))

            box = turnout.run(pipeline, box=Box(1), execution_environment={"workers": 2}).outputs
            print(type(box) is Box, box.size)
            """
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr == ""
        assert done.stdout == "True 3\n"

    def test_an_unguarded_run_says_what_to_do(self) -> None:
        done = script(
            """
            import turnout

            @turnout.task
            def double(x: int) -> int:
                return 2 * x

            @turnout.workflow
            def pipeline(x: int) -> int:
                return double(x)

            print(turnout.run(pipeline, x=1, execution_environment={"workers": 1}).outputs)
            """
        )
        assert done.returncode != 0
        assert 'if __name__ == "__main__":' in done.stderr

    def test_a_package_started_with_m(self) -> None:
        Path("pkg").mkdir()
        Path("pkg/__init__.py").touch()
        Path("pkg/flow.py").write_text(
            textwrap.dedent(
                """
                import turnout
                from pkg.parts import Part

                class Own(Part): pass

                @turnout.task
                def wrap(part: Part) -> Own:
                    return Own()

                @turnout.workflow
                def pipeline() -> Own:
                    return wrap(Part())

                if __name__ == "__main__":
                    found = turnout.run(pipeline, execution_environment={"workers": 1}).outputs
                    print(type(found) is Own, isinstance(found, Part))
                """
            )
        )
        Path("pkg/parts.py").write_text("class Part: pass\n")
        done = subprocess.run(
            [sys.executable, "-m", "pkg.flow"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        assert done.stdout == "True True\n"
