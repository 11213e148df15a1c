"""The table of commands. Each is imported when it is called, so that starting stays cheap."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from turnout.version import __version__

if TYPE_CHECKING:
    from turnout.backend.registry import Registry

__all__ = ["invoke"]

# Name to the module that holds it, and to its line in the help.
COMMANDS: Final = {
    "run": ("turnout.cli.run", "Run a workflow."),
    "plan": ("turnout.cli.plan", "Show what would run, with which inputs and options."),
    "graph": ("turnout.cli.graph", "Draw a workflow as text, Mermaid, SVG, HTML or JSON."),
    "backends": ("turnout.cli.backends", "List the environments a workflow can run in."),
    "doctor": ("turnout.cli.doctor", "Look whether runs will work here, and say what to do."),
}


class _Commands(click.Group):
    """Our commands and the plugins'; a plugin may not take the name of one of ours."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._plugins: tuple[object, dict[str, click.Command]] = (None, {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(self._of_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return importlib.import_module(COMMANDS[cmd_name][0]).command  # type: ignore[no-any-return]
        return self._of_plugins().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            from turnout.backend.registry import choices

            ctx.fail(f"there is no command {name!r}; {choices(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = [(name, summary) for name, (_, summary) in COMMANDS.items()]
        lines += [
            (name, command.get_short_help_str(70))
            for name, command in sorted(self._of_plugins().items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def _of_plugins(self) -> dict[str, click.Command]:
        from turnout.backend.registry import registry

        current = registry()
        if self._plugins[0] is not current:
            self._plugins = (current, _plugin_commands(current))
        return self._plugins[1]


def _plugin_commands(registry: Registry) -> dict[str, click.Command]:
    """The commands of plugins; one that fails is reported and leaves the others as they are."""
    found: dict[str, click.Command] = {}
    for implementation in registry.manager.hook.turnout_commands.get_hookimpls():
        try:
            commands: Sequence[click.Command] = implementation.function()  # type: ignore[assignment]
            for command in commands:
                name = command.name or ""
                taken = name in COMMANDS or name in found
                if not name or taken:
                    why = "is taken" if taken else "has no name"
                    raise ValueError(f"the command {name!r} {why}")
                found[name] = command
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            click.echo(
                f"warning: commands of plugin {implementation.plugin_name!r}: {reason}", err=True
            )
    return found


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"turnout {__version__}")
        ctx.exit()


group: Final = _Commands(
    name="turnout",
    help="One typed workflow, one Hydra config, and a key that says where it runs.",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        )
    ],
)


def invoke(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status; every error ends as one message."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A name the terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    args = None if argv is None else list(argv)
    if "_TURNOUT_COMPLETE" in os.environ:
        from turnout.cli.bash import install

        install()
    try:
        status = group.main(args, prog_name="turnout", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        return failed(error)
    return status if isinstance(status, int) else 0


def failed(error: BaseException) -> int:
    """Show an error and give the exit status it ends with."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    from turnout.config.exits import exit_status
    from turnout.observe.failure import show_error

    shown = KeyboardInterrupt() if isinstance(error, click.Abort) else error
    click.echo(show_error(shown), err=True)
    return exit_status(shown)
