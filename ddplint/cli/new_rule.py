"""`ddplint new-rule`."""

from __future__ import annotations

from pathlib import Path

import click

from ddplint.cli.output import EXIT_CLEAN, EXIT_FINDINGS, print_text, say
from ddplint.config import ConfigError
from ddplint.report.style import printable
from ddplint.scaffold import FOLDER, is_checkout, new_rule, unfinished


@click.command("new-rule", short_help="Write the files of a new rule.")
@click.argument("name", required=False)
@click.option("--code", metavar="CODE", help="The rule's code; default: the next after those in the folder.")
@click.option(
    "--into", metavar="FOLDER", type=click.Path(path_type=Path),
    help=f"The folder of rules to write to; default: {FOLDER}, in a checkout of ddplint that itself.",
)
@click.option(
    "--check", "checked", metavar="PATH", type=click.Path(path_type=Path),
    help="Write nothing, and list what the rules of this folder or file lack; with NAME, that one. Their code runs.",
)  # fmt: skip
def new_rule_command(name: str | None, code: str | None, into: Path | None, checked: Path | None) -> int:
    """Write the files of a new rule called NAME: module, fixtures, test. NAME reads well after "allow"."""
    if checked is not None:
        if code or into:
            raise ConfigError("--check does not go with --code or --into")
        return _list_unfinished(checked, name)
    if name is None:
        raise ConfigError("new-rule needs a NAME, or --check PATH")
    for path in new_rule(name, code, into):
        print_text(f"{printable(str(path))}\n")
    place = into or (Path() if is_checkout(Path()) else Path(FOLDER))
    say(f"`ddplint new-rule --check {printable(str(place))}` lists what is to be written.\n")
    return EXIT_CLEAN


def _list_unfinished(place: Path, name: str | None) -> int:
    owed = unfinished(place, name)
    for rule, problems in owed.items():
        print_text("".join(f"{rule.code} {rule.name}: {problem}\n" for problem in problems or ["lacks nothing"]))
    return EXIT_FINDINGS if any(owed.values()) else EXIT_CLEAN
