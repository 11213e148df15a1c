"""``turnout backends``: where workflows can run, and what each place can do."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from typing import Any

import click

from turnout.backend.base import Backend, CompilerBackend, EnvironmentConfig
from turnout.backend.capability import BEHAVIOURS, PLACEMENTS
from turnout.backend.registry import Registry, registry


@click.command("backends", short_help="List the environments a workflow can run in.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the installed execution environments, what each honours, and broken plugins.

    With NAME, tell everything about one of them: its settings, and the reason for each
    capability.
    """
    found = registry()
    chosen = [found.backend(name)] if name else _in_order(found)
    if as_json:
        failed = [
            {"name": b.name, "distribution": b.distribution, "error": _reason(b.error)}
            for b in found.broken
        ]
        facts = [_facts(backend, found) for backend in chosen]
        click.echo(json.dumps({"backends": facts, "broken": failed}, indent=2))
        return
    if name:
        _one(chosen[0], found)
        return
    if not chosen:
        click.echo("no execution environment is installed")
    for backend in chosen:
        mark = " (default)" if backend.is_default else ""
        click.echo(f"{backend.name}{mark}  {_summary(backend)}".rstrip())
        for problem in _problems(backend):
            click.echo(f"  cannot be used: {problem}")
    if chosen:
        click.echo()
        _table(chosen)
        click.echo("\nturnout backends NAME tells the reasons and the settings of one of them.")
    for broken in found.broken:
        click.echo(f"\n{broken}")


def _in_order(found: Registry) -> list[Backend]:
    return sorted(found.backends.values(), key=lambda b: (not b.is_default, b.name))


def _summary(backend: Backend) -> str:
    return backend.summary or (type(backend).__doc__ or "").strip().partition("\n")[0]


def _kind(backend: Backend) -> str:
    return "compiler" if isinstance(backend, CompilerBackend) else "executor"


def _problems(backend: Backend) -> list[str]:
    try:
        return list(backend.check(backend.schema()))
    except Exception as error:  # a broken backend must not hide the others
        return [_reason(error)]


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _settings(backend: Backend) -> dict[str, str]:
    """The fields of the schema and their defaults, as text."""
    import dataclasses

    defaults = backend.schema()
    return {
        field.name: repr(getattr(defaults, field.name))
        for field in dataclasses.fields(defaults)
        if field.name != "backend"
    }


def _meanings(schema: type[EnvironmentConfig]) -> dict[str, str]:
    """What the fields mean, by the ``Attributes`` of the schema's docstring and of its bases.

    >>> _meanings(EnvironmentConfig)["strict"]
    'refuse settings that would have no effect.'
    """
    found: dict[str, str] = {}
    for kind in reversed(schema.__mro__):
        _, _, said = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
        for name, text in re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", said, re.MULTILINE):
            found[name] = " ".join(text.split())
    return found


def _facts(backend: Backend, found: Registry) -> dict[str, Any]:
    return {
        "name": backend.name,
        "kind": _kind(backend),
        "summary": _summary(backend),
        "default": backend.is_default,
        "plugin": found.origins.get(backend.name, ""),
        "problems": _problems(backend),
        "settings": _settings(backend),
        "capabilities": {
            name: {"level": str(capability.level), "reason": capability.reason}
            for name in (*BEHAVIOURS, *PLACEMENTS)
            for capability in [backend.capability(name)]
        },
    }


def _table(backends: list[Backend]) -> None:
    names = (*BEHAVIOURS, *PLACEMENTS)
    first = max(len(name) for name in names)
    widths = [max(len(backend.name), 11) for backend in backends]
    head = "  ".join(b.name.ljust(width) for b, width in zip(backends, widths, strict=True))
    click.echo(f"{'':<{first}}  {head}".rstrip())
    for name in names:
        levels = "  ".join(
            str(backend.capability(name).level).ljust(width)
            for backend, width in zip(backends, widths, strict=True)
        )
        click.echo(f"{name:<{first}}  {levels}".rstrip())


def _one(backend: Backend, found: Registry) -> None:
    click.echo(f"{backend.name}  {_summary(backend)}".rstrip())
    click.echo(
        f"{_kind(backend)} backend of {found.origins.get(backend.name, 'an unknown plugin')}"
    )
    for problem in _problems(backend):
        click.echo(f"cannot be used: {problem}")
    click.echo("\nsettings, as execution_environment.NAME=VALUE:")
    meanings = _meanings(backend.schema)
    for name, default in _settings(backend).items():
        click.echo(f"  {name} = {default}")
        for line in textwrap.wrap(meanings.get(name, ""), 76):
            click.echo(f"      {line}")
    for title, names in (("what a pipeline does", BEHAVIOURS), ("where and how big", PLACEMENTS)):
        click.echo(f"\n{title}:")
        first = max(len(name) for name in names)
        for name in names:
            capability = backend.capability(name)
            reason = f" ({capability.reason})" if capability.reason else ""
            click.echo(f"  {name:<{first}}  {capability.level}{reason}")
