"""`ddplint check`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from ddplint.cli.options import Given, Subject, fails, finding_options, rule_options, run_options, subject_of
from ddplint.cli.output import (
    EXIT_CLEAN,
    EXIT_FINDINGS,
    EXIT_TROUBLE,
    name_of,
    note,
    note_troubles,
    print_text,
    print_utf8,
    progress,
    say,
    stdout_style,
)
from ddplint.config import OUTPUT_FORMATS
from ddplint.engine import check, fill_edits
from ddplint.files import PathError
from ddplint.registry import Catalogue
from ddplint.report.formats import FORMATS
from ddplint.report.known import known_parts, render_stale
from ddplint.report.model import Report, checkout_root
from ddplint.report.output import STDOUT, unwritable, write_report
from ddplint.report.style import Style
from ddplint.report.summary import render_summary
from ddplint.result import Result


@click.command("check", short_help="Report what is wrong.")
@run_options
@rule_options
@click.option("--output-format", type=click.Choice(OUTPUT_FORMATS), default=None, help="How findings are printed.")
@click.option(
    "--output-file",
    metavar="FILE",
    default=None,
    help="Write the report to this file; - prints it, whatever the configuration says.",
)
@finding_options
@click.option(
    "--report-unused-ignores",
    is_flag=True,
    help="Report suppression comments that silence nothing, are misspelt or name no rule.",
)
@click.option("--statistics", is_flag=True, help="Print counts per rule instead of the findings.")
def check_command(
    given: Given,
    catalogue: Catalogue,
    output_format: str | None,
    output_file: str | None,
    report_unused_ignores: bool,
    statistics: bool,
) -> int:
    """Report what is wrong in PATHS (files or folders; default: the current folder)."""
    started = time.monotonic()
    subject = subject_of(
        given,
        output_format=output_format,
        output_file=None if output_file is None else Path(output_file),
        report_unused_ignores=report_unused_ignores or None,
    )
    if output_file == STDOUT:
        subject = replace(subject, settings=replace(subject.settings, output_file=None))
    target = subject.settings.output_file
    if target is not None and (trouble := unwritable(target)):
        raise PathError(trouble)
    result = _checked(subject, catalogue)
    note_troubles(result.skipped, result.shown, result.errors, given.verbose)
    if not result.files_read and not result.skipped and not result.errors:
        note("no Python files found")
    _report(result, subject, catalogue, statistics, given.verbose)
    _tell_known(result, subject, given.verbose)
    if given.verbose:
        note(f"{time.monotonic() - started:.2f} s{', from the cache' if result.from_cache else ''}")
    if result.errors:
        return EXIT_TROUBLE
    return EXIT_FINDINGS if fails(result.findings, subject.settings) and not given.exit_zero else EXIT_CLEAN


def _checked(subject: Subject, catalogue: Catalogue) -> Result:
    settings, rules = subject.settings, catalogue.rules
    with progress() as show:
        result = check(
            subject.paths, settings, show, rules=rules, baseline=subject.known, buffer=subject.buffer
        )
        if FORMATS[settings.output_format].edits:
            result = fill_edits(result, subject.paths, settings, rules, buffer=subject.buffer)
    return result


def _report(result: Result, subject: Subject, catalogue: Catalogue, statistics: bool, verbose: bool) -> None:
    settings = subject.settings
    chosen, target = FORMATS[settings.output_format], settings.output_file
    counts = _statistics(result) if statistics else ""
    if statistics and chosen.terminal:
        text = counts
    else:
        told = replace(result, errors=(*catalogue.errors, *result.errors))
        style = Style() if target else stdout_style()
        text = chosen.render(Report(told, catalogue.rules, style, settings.fail_on, verbose, base=checkout_root()))
    if target:
        write_report(target, text)
    elif chosen.terminal:
        print_text(text)
    else:
        print_utf8(text)
    if not chosen.terminal:
        say(counts)
    if target:
        say(render_summary(result))
    elif settings.output_format == "text":
        print_text(render_summary(result))


def _statistics(result: Result) -> str:
    from ddplint.report.statistics import render_statistics

    return render_statistics(result)


def _tell_known(result: Result, subject: Subject, verbose: bool) -> None:
    if subject.known:
        for text in render_stale(result.stale, name_of(subject.known.file), verbose):
            note(text)
    if verbose:
        note(", ".join(known_parts(result.suppressed, result.held)) or "no finding is suppressed or held back")
