"""``make bench``: measure all rows, print the table and write it into ``benchmarks/README.md``.

``python -m benchmarks cpu frame`` measures those rows only, and writes nothing; ``ray`` stands for
the tables about Ray.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks import cluster_rows, rows
from benchmarks.rows import Row

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
ROWS = ("building", "startup", "imported", "frame", "cpu")
COLUMNS = ("plain", "turnout", *rows.PEERS)


def main() -> None:
    wanted = sys.argv[1:]
    if wanted == ["ray"]:
        print(cluster_rows.render(cluster_rows.lines()))
        return
    measured = list(_told(_chosen(wanted) if wanted else rows.rows()))
    table = render(measured)
    if not wanted:
        table += "\n\n" + cluster_rows.render(cluster_rows.lines())
    print(table)
    if not wanted:
        text = README.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
    for row in measured:
        if not row.met:
            print(f"bound missed: {row.what.strip()}", file=sys.stderr)


def render(measured: Iterable[Row]) -> str:
    """The table and what it was measured on, as Markdown."""
    lines = ["| what | plain Python | turnout | flytekit | pipefunc | bound for turnout |"]
    lines.append("|---|---|---|---|---|---|")
    for row in measured:
        cells = [row.cells.get(column, "") for column in COLUMNS]
        bound = row.bound + ("" if row.met or not row.bound else " **missed**")
        lines.append("| " + " | ".join([row.what.strip(), *cells, bound]) + " |")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    packages = ("turnout", "hydra-core", "pandas", *rows.installed())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    lines += ["", f"{machine}; Python {platform.python_version()}, {versions}."]
    return "\n".join(lines)


def _chosen(names: list[str]) -> Iterable[Row]:
    for name in names:
        if name in ("chained", "independent"):
            yield from rows.trivial(name, f"{name} trivial tasks, µs a task")
        elif name in ROWS:
            found = getattr(rows, name)()
            yield from [found] if isinstance(found, Row) else found
        else:
            choices = ", ".join(("chained", "independent", *ROWS, "ray"))
            sys.exit(f"there is no row {name!r}; there are: {choices}")


def _told(measured: Iterable[Row]) -> Iterable[Row]:
    for row in measured:
        cells = ", ".join(f"{name} {cell}" for name, cell in row.cells.items())
        print(f"{row.what.strip()}: {cells}", file=sys.stderr)
        yield row


if __name__ == "__main__":
    main()
