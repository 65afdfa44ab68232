"""`ddplint config`."""

from __future__ import annotations

import os

import click

from ddplint.baseline import find_baseline
from ddplint.cli.options import Given, rule_options, run_options, settings_for
from ddplint.cli.output import EXIT_CLEAN, print_text, print_utf8, stdout_style
from ddplint.files import absolute, common_folder
from ddplint.registry import Catalogue
from ddplint.report.configuration import render_settings, render_settings_json, schema_text, view
from ddplint.selection import chosen_rules


@click.command("config", short_help="Print the settings and where they come from.")
@run_options
@rule_options
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="TOML with comments, or JSON."
)
@click.option("--schema", type=click.Choice(["settings", "knowledge"]), help="Print a JSON schema instead.")
def config_command(given: Given, catalogue: Catalogue, output_format: str, schema: str | None) -> int:
    """Print the settings for PATHS and where they come from; for a file, also what holds there."""
    if schema is not None:
        print_utf8(schema_text(schema))
        return EXIT_CLEAN
    paths = given.paths or (".",)
    settings = settings_for(given, paths)
    rules, cwd = catalogue.rules, os.getcwd()
    # unknown rules are said here as `check` would
    chosen_rules(rules, settings)
    places = [absolute(path) for path in paths]
    views = [view(settings, rules, path, cwd) for path in places if not path.is_dir()]
    found = None if given.isolated else find_baseline(common_folder(places), settings)
    if output_format == "json":
        print_utf8(render_settings_json(settings, views, found))
    else:
        print_text(render_settings(settings, views, cwd, stdout_style(), found))
    return EXIT_CLEAN
