"""``turnout graph``: a workflow as text, Mermaid, SVG, HTML or JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from turnout.cli.completion import complete_overrides, complete_target
from turnout.errors import ConfigError

if TYPE_CHECKING:
    from turnout.graph import Graph

_FORMATS: Final = ("text", "mermaid", "svg", "html", "json")
_SUFFIXES: Final = {
    ".txt": "text", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid", ".svg": "svg",
    ".html": "html", ".htm": "html", ".json": "json",
}  # fmt: skip


@click.command("graph", short_help="Draw a workflow as text, Mermaid, SVG, HTML or JSON.")
@click.argument("target", metavar="FILE_OR_MODULE:WORKFLOW", shell_complete=complete_target)
@click.argument("overrides", nargs=-1, metavar="[OVERRIDES]...", shell_complete=complete_overrides)
@click.option("-f", "--format", "form", type=click.Choice(_FORMATS), help="What to draw it as.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file.")
@click.option("--open", "show", is_flag=True, help="Show it in a browser.")
def command(
    target: str, overrides: Sequence[str], form: str | None, output: Path | None, show: bool
) -> None:
    """Draw a workflow.

    The format follows the name of the output file: .txt, .mmd, .md, .svg, .html or .json. OVERRIDES
    are Hydra's, such as `model.C=1`, because the config decides what the graph is.
    """
    from turnout.cli.target import load_workflow
    from turnout.config.args import compose_args

    form = form or _form_of(output, show)
    if show and form not in ("svg", "html"):
        raise click.UsageError("--open goes with --format svg or html")
    workflow = load_workflow(target)
    graph = workflow.trace(compose_args(workflow, overrides).inputs).graph
    text = _draw(graph, form, fenced=output is not None and output.suffix == ".md")
    if show and output is None:
        output = _temporary(form)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {output}", err=True)
    if show:
        click.launch(str(output))


def _form_of(output: Path | None, show: bool) -> str:
    if output is None:
        return "html" if show else "text"
    form = _SUFFIXES.get(output.suffix.lower())
    if form is None:
        known = ", ".join(_SUFFIXES)
        raise click.UsageError(f"say --format; the name {output.name!r} ends in none of {known}")
    return form


def _draw(graph: Graph, form: str, *, fenced: bool) -> str:
    if form == "text":
        from turnout.observe.render_text import render_text

        encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
        return render_text(graph, ascii_only=not encoding.startswith("utf"))
    if form == "mermaid":
        from turnout.observe.render_mermaid import render_mermaid

        text = render_mermaid(graph).rstrip("\n")
        return f"```mermaid\n{text}\n```" if fenced else text
    if form == "svg":
        from turnout.observe.render_svg import render_svg

        return render_svg(graph).rstrip("\n")
    if form == "html":
        from turnout.observe.render_html import render_html

        return render_html(graph).rstrip("\n")
    from turnout.graph.serial import dumps

    return dumps(graph)


def _temporary(form: str) -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="turnout-")) / f"graph.{form}"
