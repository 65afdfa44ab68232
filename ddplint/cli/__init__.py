"""Commands, options and exit codes: 0 nothing to report, 1 findings, 2 usage, configuration or internal error.

Each command's module is imported when the command is asked for, and does without what it does not need.
"""

from ddplint.cli.app import cli, commands, main, run

__all__ = ["cli", "commands", "main", "run"]
