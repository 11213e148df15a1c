"""``turnout doctor``: whether runs will work here, and what to do where they will not."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import click

from turnout.backend.checks import OK, PROBLEM, WARNING, Check
from turnout.backend.registry import Registry, registry
from turnout.cli.checks import core_checks
from turnout.errors import ConfigError

_COLOURS: Final = {OK: "green", WARNING: "yellow", PROBLEM: "red"}
_WORTH_TELLING: Final = 0.05


class _Group(NamedTuple):
    name: str
    checks: Iterable[Check]


class _Found(NamedTuple):
    check: Check
    seconds: float


@click.command("doctor", short_help="Look whether runs will work here, and say what to do.")
@click.argument("environment", required=False)
@click.argument("settings", nargs=-1, metavar="[SETTING=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(environment: str | None, settings: Sequence[str], as_json: bool) -> int:
    """Look whether runs will work here: turnout itself, and every installed environment.

    With ENVIRONMENT, only turnout and that one, with these settings of it, such as
    `address=auto`. An environment is tried out: what a run would start is started, and stopped
    again. Ends with status 1 if there is a problem.
    """
    found = registry()
    told: dict[str, list[_Found]] = {}
    for group in _groups(found, environment, settings):
        if not as_json:
            click.secho(f"{group.name}", bold=True)
        told[group.name] = []
        for one in _timed(group.checks):
            told[group.name].append(one)
            if not as_json:
                _show(one)
    every = [one.check for ones in told.values() for one in ones]
    if as_json:
        click.echo(json.dumps(_facts(told), indent=2))
    else:
        click.echo(f"\n{_verdict(every)}")
    return 1 if any(check.status == PROBLEM for check in every) else 0


def _groups(found: Registry, environment: str | None, settings: Sequence[str]) -> Iterator[_Group]:
    from turnout.config import environments

    if environment is None:
        chosen = {name: backend.schema(backend=name) for name, backend in found.backends.items()}
    else:
        given = {"backend": found.backend(environment).name, **_settings(settings)}
        chosen = {environment: environments.resolve(given)[1]}
    yield _Group("turnout", core_checks(found))
    if environment is None:
        for implementation in found.manager.hook.turnout_checks.get_hookimpls():
            yield _Group(
                f"plugin {implementation.plugin_name}", _guarded(implementation.function, ())
            )
    for name in sorted(chosen):
        yield _Group(name, _guarded(_doctor, (found, name, chosen[name])))


def _settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings as on the command line of a program, with or without the group's name."""
    from omegaconf import OmegaConf

    from turnout.config.environments import GROUP

    for text in given:
        if "=" not in text:
            raise ConfigError(f"a setting is NAME=VALUE, not {text!r}")
    plain = [text.removeprefix(f"{GROUP}.") for text in given]
    read: Any = OmegaConf.to_container(OmegaConf.from_dotlist(plain))
    return dict(read)


def _doctor(found: Registry, name: str, config: Any) -> Iterable[Check]:
    from turnout.config.project import find

    try:
        project = find()
    except ConfigError:
        return [Check.problem("project", "its settings are wrong; nothing was tried", "see above")]
    return found.backends[name].doctor(config, project)


def _guarded(function: Any, given: tuple[Any, ...]) -> Iterator[Check]:
    """Checks of a plugin, which may be broken."""
    try:
        for check in function(*given):
            if not isinstance(check, Check):
                raise TypeError(f"{check!r} is no Check")
            yield check
    except Exception as error:
        yield Check.problem(
            "checks", f"{type(error).__name__}: {error}", "tell the author of the plugin"
        )


def _timed(checks: Iterable[Check]) -> Iterator[_Found]:
    began = time.perf_counter()
    for check in checks:
        now = time.perf_counter()
        yield _Found(check, now - began)
        began = time.perf_counter()


def _show(one: _Found) -> None:
    check = one.check
    took = f"  ({one.seconds:.2f} s)" if one.seconds >= _WORTH_TELLING else ""
    first, *rest = _wrapped(f"{check.detail or check.status}{took}")
    status = click.style(f"{check.status:<8}", fg=_COLOURS[check.status])
    click.echo(f"  {status} {check.name:<14} {first}")
    for line in rest:
        click.echo(f"{'':<26}{line}")
    for line in _wrapped(check.remedy):
        click.echo(f"{'':<26}> {line}")


def _wrapped(text: str) -> list[str]:
    """The lines of a text, cut to the width of a terminal where it is shown on one."""
    lines = text.splitlines()
    if not sys.stdout.isatty():
        return lines
    room = max(shutil.get_terminal_size().columns - 29, 40)
    return [part for line in lines for part in textwrap.wrap(line, room)]


def _verdict(checks: Sequence[Check]) -> str:
    counts = {status: sum(c.status == status for c in checks) for status in (PROBLEM, WARNING)}
    told = [f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count]
    return ", ".join(told) or "no problem found"


def _facts(told: dict[str, list[_Found]]) -> dict[str, Any]:
    return {
        "problems": sum(o.check.status == PROBLEM for ones in told.values() for o in ones),
        "checks": [
            {
                "of": group,
                "name": one.check.name,
                "status": one.check.status,
                "detail": one.check.detail,
                "remedy": one.check.remedy,
                "seconds": round(one.seconds, 3),
            }
            for group, ones in told.items()
            for one in ones
        ],
    }
