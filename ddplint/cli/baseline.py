"""`ddplint baseline`."""

from __future__ import annotations

from pathlib import Path

import click

from ddplint.baseline import BASELINE, target_file
from ddplint.cli.options import Given, rule_options, run_options, settings_for
from ddplint.cli.output import EXIT_CLEAN, EXIT_TROUBLE, name_of, note, note_troubles, print_text, progress
from ddplint.files import absolute, common_folder
from ddplint.registry import Catalogue
from ddplint.report.known import render_updated
from ddplint.upkeep import update_baseline


@click.command("baseline", short_help="Take today's findings as known.")
@run_options
@rule_options
@click.option(
    "--baseline", metavar="FILE", type=click.Path(path_type=Path),
    help=f"The file to write; default: the one in use, else {BASELINE} in the project's root.",
)  # fmt: skip
@click.option("--prune", is_flag=True, help="Only drop entries that match nothing any more.")
def baseline_command(given: Given, catalogue: Catalogue, prune: bool) -> int:
    """Write what is found in PATHS today to the baseline, so that from now on only new findings are reported."""
    paths = given.paths or (".",)
    settings = settings_for(given, paths)
    file = target_file(common_folder([absolute(path) for path in paths]), settings)
    if catalogue.errors:
        note(f"{name_of(file)} is not written")
        return EXIT_TROUBLE
    with progress() as show:
        updated = update_baseline(paths, settings, file, prune, show, rules=catalogue.rules)
    note_troubles(updated.skipped, updated.shown, updated.errors, given.verbose)
    if updated.errors:
        note(f"{name_of(file)} is not written")
        return EXIT_TROUBLE
    print_text(render_updated(updated.count, updated.added, updated.dropped, name_of(file)))
    return EXIT_CLEAN
