"""`ddplint fix`: repairs, and suppression comments that are written or removed in bulk."""

from __future__ import annotations

from functools import partial

import click

from ddplint.cli.options import Given, Subject, fails, finding_options, rule_options, run_options, subject_of
from ddplint.cli.output import (
    EXIT_CLEAN,
    EXIT_FINDINGS,
    EXIT_TROUBLE,
    note,
    note_troubles,
    print_text,
    progress,
    say,
)
from ddplint.config import ConfigError
from ddplint.engine import FixResult, fix
from ddplint.fixing.diff import render_diff
from ddplint.fixing.session import Repair
from ddplint.fixing.summary import render_left, render_outcome, render_written
from ddplint.registry import Catalogue
from ddplint.report.edited import Edits
from ddplint.report.known import known_parts
from ddplint.upkeep import Edited, add_ignores, remove_ignores


@click.command("fix", short_help="Show repairs as a diff, or write them.")
@run_options
@rule_options
@click.option("--apply", is_flag=True, help="Write the safe repairs instead of showing all as a diff.")
@click.option("--unsafe-fixes", is_flag=True, help="With --apply: write the unsafe repairs too.")
@finding_options
@click.option(
    "--add-ignore",
    is_flag=True,
    help="Instead of repairing, suppress what is found by comments (`# ddplint: ignore[CODE]`).",
)
@click.option("--reason", metavar="TEXT", default=None, help="With --add-ignore: a reason to write into the comments.")
@click.option(
    "--remove-unused-ignores", is_flag=True, help="Instead of repairing, take out suppression comments without effect."
)  # fmt: skip
def fix_command(
    given: Given,
    catalogue: Catalogue,
    apply: bool,
    unsafe_fixes: bool,
    add_ignore: bool,
    reason: str | None,
    remove_unused_ignores: bool,
) -> int:
    """Show the repairs of what `check` reports in PATHS as one diff, or write them with --apply."""
    _refuse(apply, unsafe_fixes, add_ignore, reason, remove_unused_ignores)
    subject = subject_of(given)
    if not add_ignore and not remove_unused_ignores:
        code = _repair(subject, catalogue, apply, unsafe_fixes, given.verbose)
    elif subject.buffer:
        raise click.UsageError("--add-ignore and --remove-unused-ignores work on files, not on standard input")
    else:
        code = _edit_comments(subject, catalogue, apply, add_ignore, reason, given.verbose)
    return EXIT_CLEAN if code == EXIT_FINDINGS and given.exit_zero else code


def _refuse(apply: bool, unsafe: bool, add: bool, reason: str | None, remove: bool) -> None:
    """Raise ConfigError for options that do not go together."""
    if reason is not None and not add:
        raise ConfigError("--reason only goes with --add-ignore")
    if add and remove:
        raise ConfigError("--add-ignore and --remove-unused-ignores exclude each other")
    if unsafe and (add or remove):
        raise ConfigError("--unsafe-fixes does not go with --add-ignore or --remove-unused-ignores")
    if unsafe and not apply:
        note("--unsafe-fixes only matters with --apply: the diff shows all repairs")


def _repair(subject: Subject, catalogue: Catalogue, apply: bool, unsafe: bool, verbose: bool) -> int:
    settings, rules = subject.settings, catalogue.rules
    with progress() as show:
        fixed = fix(
            subject.paths, settings, apply, unsafe, show, rules=rules, baseline=subject.known, buffer=subject.buffer
        )
    note_troubles(fixed.skipped, fixed.shown, fixed.errors, verbose)
    _tell_repair(fixed, subject, apply)
    if fixed.errors:
        return EXIT_TROUBLE
    pending = bool(fixed.unwritten if apply else fixed.repair.changed)
    return EXIT_FINDINGS if pending or fails((finding for finding, _ in fixed.open), settings) else EXIT_CLEAN


def _tell_repair(fixed: FixResult, subject: Subject, apply: bool) -> None:
    parts = known_parts(fixed.suppressed, fixed.held)
    outcome = render_outcome(fixed.repair, fixed.written, fixed.unwritten, fixed.open, apply, parts)
    left = render_left(fixed.open, fixed.sources)
    if apply and not subject.buffer:
        print_text(render_written(fixed.repair, fixed.written, fixed.unwritten))
        print_text(left)
        print_text(outcome)
        return
    # stdout is for the diff, or for the repaired text of what came from standard input
    print_text(fixed.content(subject.buffer) if apply and subject.buffer else render_diff(fixed.repair))
    say(left)
    say(outcome)


def _edit_comments(
    subject: Subject, catalogue: Catalogue, apply: bool, add: bool, reason: str | None, verbose: bool
) -> int:
    settings, rules = subject.settings, catalogue.rules
    edit = (
        partial(add_ignores, subject.paths, settings, reason, apply, baseline=subject.known, rules=rules)
        if add
        else partial(remove_ignores, subject.paths, settings, apply, rules=rules)
    )
    with progress() as show:
        edited = edit(progress=show)
    note_troubles(edited.skipped, edited.shown, edited.errors, verbose)
    _tell_edited(edited, add, apply)
    if edited.errors:
        return EXIT_TROUBLE
    pending = bool(edited.unwritten if apply else edited.done)
    return EXIT_FINDINGS if pending or fails((finding for finding, _ in edited.left), settings) else EXIT_CLEAN


def _tell_edited(edited: Edited, add: bool, apply: bool) -> None:
    noun, verb = ("finding", "ignored") if add else ("unused ignore", "removed")
    edits = Edits(noun, verb, not add, edited.done, edited.left, edited.unwritten, edited.sources)
    if apply:
        print_text(edits.render_done() + edits.render_left() + edits.render_outcome(apply))
        return
    print_text(render_diff(Repair(dict(edited.before), dict(edited.after))))
    say(edits.render_left() + edits.render_outcome(apply))
