"""The program: its commands by name, and what becomes of errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from ddplint import __version__
from ddplint.cli.output import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_TROUBLE, note, say
from ddplint.problems import UserError

# in which module of this package a command stands
_MODULES = {
    "check": "check",
    "fix": "fix",
    "baseline": "baseline",
    "rules": "rules",
    "explain": "rules",
    "config": "config",
    "new-rule": "new_rule",
}


class _Commands(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return _command(name) if name in _MODULES else None


def _command(name: str) -> click.Command:
    module = import_module(f"ddplint.cli.{_MODULES[name]}")
    found: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
    return found


def commands() -> dict[str, click.Command]:
    """All commands by name."""
    return {name: _command(name) for name in _MODULES}


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ddplint", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> int:
    """Find bugs in PyTorch training programs: hangs, runs that learn nothing, wrong numbers."""
    if context.invoked_subcommand is None:
        say(f"{context.get_help()}\n")
    return EXIT_TROUBLE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(args=None if arguments is None else list(arguments), prog_name="ddplint", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        return _trouble(error.format_message())
    except UserError as error:
        return _trouble(str(error))
    except OSError as error:
        return _trouble(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    return code if isinstance(code, int) else EXIT_CLEAN


def _trouble(message: str) -> int:
    note(f"error: {' '.join(message.split())}")
    return EXIT_TROUBLE


def run() -> None:
    """The console script."""
    sys.exit(main())
