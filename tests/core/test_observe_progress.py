from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from turnout.backend.hooks import NodeEvent, RunEvent
from turnout.observe.plain import PlainProgress
from turnout.observe.progress import progress_for
from turnout.observe.tally import Tally


def run(status: str = "running", nodes: int = 3) -> RunEvent:
    return RunEvent(
        run_id="r1", workflow="pipeline", environment="here", status=status, nodes=nodes,
        time=time.time(),
    )  # fmt: skip


def node(name: str, task: str = "", attempt: int = 1, **said: object) -> NodeEvent:
    return NodeEvent(run_id="r1", node=name, task=task or name, attempt=attempt, **said)  # type: ignore[arg-type]


def written(stream: io.StringIO) -> list[str]:
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in stream.getvalue().splitlines()]


def test_plain_lines_and_a_summary() -> None:
    stream = io.StringIO()
    progress = progress_for(stream)
    progress.where = ".turnout"
    progress.run_started(run())
    progress.node_cached(node("load"))
    progress.node_started(node("train"))
    progress.node_failed(node("train", error=ValueError("no\nrows"), seconds=1.0, attempts=3))
    progress.node_retried(node("train", attempt=2, attempts=3))
    progress.node_finished(node("train", attempt=2, seconds=0.31))
    progress.run_finished(run("succeeded"))
    lines = written(stream)
    assert lines[:5] == [
        "load cached",
        "train started",
        "train failed (attempt 1 of 3): ValueError: no rows",
        "train tried again (attempt 2 of 3)",
        "train finished in 0.31 s",
    ]
    assert re.fullmatch(r"pipeline succeeded on here in .* \(2 nodes, 1 cached\)", lines[5])
    assert lines[6:] == [
        "  load   cached",
        "  train  done, 2 attempts  0.31 s",
        "run r1, recorded in .turnout",
    ]


def test_a_long_map_is_one_row_and_stands_for_its_map() -> None:
    tally = Tally()
    tally.run_started(run())
    tally.node_started(node("fit"))
    for number in range(200):
        tally.node_started(node(f"fit[{number}]", "fit"))
        tally.node_finished(node(f"fit[{number}]", "fit", seconds=0.5))
    (row,) = tally.rows()
    assert (row.name, row.status, row.seconds) == ("fit[0..199]", "200 done", 100.0)


def test_thousands_of_nodes_are_no_thousands_of_lines() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.run_started(run(nodes=5000))
    for number in range(5000):
        progress.node_started(node(f"step-{number}", "step"))
        if number % 100 == 7:
            progress.node_failed(node(f"step-{number}", "step", error=ValueError("bad")))
        else:
            progress.node_finished(node(f"step-{number}", "step"))
    progress.run_finished(run("failed"))
    lines = written(stream)
    assert len(lines) < 150
    assert sum("failed (attempt 1): ValueError: bad" in line for line in lines) >= 40
    assert any("4950 done, 50 failed" in line for line in lines)


def test_what_was_left_out_is_told_at_the_end() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.run_started(run(nodes=100))
    for number in range(100):
        progress.node_finished(node(f"step-{number}", "step"))
    progress.run_finished(run("succeeded"))
    *_, told, head, row, _ = written(stream)
    assert told == "100 done, 0 running (40 lines left out)"
    assert head.startswith("pipeline succeeded")
    assert row.startswith("  step (100 nodes)")


def test_nodes_that_never_ran_are_counted() -> None:
    for status, told in (("failed", "3 nodes, 1 failed, 1 not run"), ("succeeded", "2 nodes")):
        stream = io.StringIO()
        progress = PlainProgress(stream)
        progress.run_started(run(nodes=3))
        progress.node_finished(node("load"))
        progress.node_started(node("train"))
        if status == "failed":
            progress.node_failed(node("train", error=ValueError("bad")))
        else:
            progress.node_finished(node("train"))
        progress.run_finished(run(status, nodes=3))
        assert f"({told})" in stream.getvalue()


def test_many_different_nodes_fill_a_screen_at_most() -> None:
    tally = Tally()
    tally.run_started(run())
    for number in range(100):
        tally.node_started(node(f"n{number}"))
        if number == 63:
            tally.node_failed(node("n63", error=KeyError("x"), seconds=0.001))
        else:
            tally.node_finished(node(f"n{number}", seconds=number))
    rows = tally.rows()
    assert len(rows) == 41
    assert rows[-1].name == "60 further nodes"
    assert any(row.error is not None for row in rows[:-1])


def test_a_reader_that_went_away_does_not_fail_the_run() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.run_started(run())
    stream.close()
    progress.node_started(node("load"))
    progress.run_finished(run("succeeded"))


SCRIPT = """
    import builtins, logging, subprocess, sys, time
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="log %(message)s")
    from turnout.backend.hooks import NodeEvent, RunEvent
    from turnout.observe.progress import progress_for
    before = sys.stdout, sys.stderr, builtins.input
    progress = progress_for(sys.stderr)
    def run(status):
        return RunEvent(run_id="r1", workflow="w", environment="e", status=status, time=time.time())
    def node(name, **said):
        return NodeEvent(run_id="r1", node=name, task=name, time=time.time(), **said)
    progress.run_started(run("running"))
    progress.node_started(node("train"))
    {body}
    progress.node_finished(node("train", seconds=1.0))
    progress.run_finished(run("succeeded"))
    assert (sys.stdout, sys.stderr, builtins.input) == before
    assert logging.getLogger().handlers[0].stream is sys.stdout
    print("rich" in sys.modules)
"""


def typed(tmp_path: Path, body: str, keys: bytes = b"") -> str:
    """What a terminal is sent while the script runs in it."""
    pty = pytest.importorskip("pty")
    script = tmp_path / "script.py"
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ").strip()
    script.write_text(textwrap.dedent(SCRIPT.replace("{body}", lines)), encoding="utf-8")
    main, side = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdin=side, stdout=side, stderr=side, env=env
    )
    os.close(side)
    os.write(main, keys)
    sent = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        sent += piece
    os.close(main)
    text = sent.decode("utf-8").replace("\r\n", "\n")
    assert process.wait(timeout=30) == 0, text
    return text


def test_a_short_run_draws_nothing_and_loads_nothing(tmp_path: Path) -> None:
    text = typed(tmp_path, "print('hello')")
    assert "\x1b[J" not in text
    assert text.startswith("hello\n")
    assert text.endswith("False\n")
    assert "1.00 s" in text


def test_what_tasks_print_stays_whole(tmp_path: Path) -> None:
    body = """
        time.sleep(0.6)
        for number in range(5):
            print("task", number)
            logging.info("%d", number)
            time.sleep(0.15)
        subprocess.run("echo child", shell=True)
        time.sleep(0.3)
    """
    text = typed(tmp_path, body)
    assert "train" in text
    assert "\x1b[J" in text
    # Whatever is drawn is taken away again before anything is printed.
    for line in (*(f"task {n}" for n in range(5)), *(f"log {n}" for n in range(5))):
        assert re.search(rf"(\x1b\[J|\n|^){line}\n", text), line
    assert re.search(r"(\x1b\[\d+A|\x1b\[J|\n)child\n", text)
    assert text.endswith("True\n")


def test_a_line_begun_before_anything_is_drawn_is_not_drawn_over(tmp_path: Path) -> None:
    body = """
        sys.stdout.write("half a line")
        sys.stdout.flush()
        time.sleep(1.0)  # long enough for the view to open
        print(", whole")
    """
    assert "half a line, whole\n" in typed(tmp_path, body)


def test_nothing_is_drawn_over_a_question(tmp_path: Path) -> None:
    body = """
        time.sleep(0.5)
        answer = input("more? ")
        print("got", answer)
        sys.stdout.write("half a line")
        sys.stdout.flush()
        time.sleep(0.5)
        print(", whole")
    """
    text = typed(tmp_path, body, b"yes\n")
    assert "got yes\n" in text
    assert "half a line, whole\n" in text
