"""Commands, options and exit codes: 0 nothing to report, 1 findings, 2 usage, configuration or internal error."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from ddplint import __version__
from ddplint.baseline import BASELINE, Baseline, find_baseline, open_baseline, target_file
from ddplint.config import OUTPUT_FORMATS, ConfigError, Settings, load_settings, override
from ddplint.config.user import UserSettings, load_user_settings
from ddplint.documentation import page_url, render
from ddplint.engine import check, fill_edits, fix
from ddplint.files import Buffer, PathError, absolute, common_folder, display_path, without_excluded
from ddplint.findings import SEVERITIES, Finding
from ddplint.ignores import EXPLANATIONS
from ddplint.patterns import Pattern
from ddplint.registry import BUILT_IN, Catalogue, discover, gather
from ddplint.report import FORMATS, Report, render_statistics, render_summary
from ddplint.report.edited import Edits
from ddplint.report.known import known_parts, render_stale, render_updated
from ddplint.report.model import checkout_root
from ddplint.report.output import STDOUT, unwritable, write_report
from ddplint.report.style import Style, printable, wants_colour
from ddplint.result import Result
from ddplint.scaffold import FOLDER, is_checkout, new_rule, unfinished
from ddplint.selection import chosen_rules, find_rule
from ddplint.stdin import read_buffer
from ddplint.upkeep import Edited, add_ignores, remove_ignores, update_baseline

EXIT_CLEAN, EXIT_FINDINGS, EXIT_TROUBLE, EXIT_INTERRUPTED = 0, 1, 2, 130

_PROGRESS_AFTER_SECONDS = 1.0
_PROGRESS_EVERY_SECONDS = 0.1

_Command = TypeVar("_Command", bound=Callable[..., object])


def _codes(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Rule codes, prefixes or names, separated by commas."""
    return tuple(part for text in value for part in (piece.strip() for piece in text.split(",")) if part)


def _run_options(command: _Command) -> _Command:
    """The options that `check` and `fix` share."""
    options = [
        click.argument("paths", nargs=-1, type=click.Path()),
        click.option(
            "--select", metavar="RULES", multiple=True, callback=_codes,
            help="Only these rules: codes, prefixes or names, separated by commas.",
        ),
        click.option("--ignore", metavar="RULES", multiple=True, callback=_codes, help="Leave these rules out."),
        click.option(
            "--extend-select", metavar="RULES", multiple=True, callback=_codes,
            help="These rules too, beside those that the configuration selects.",
        ),
        click.option(
            "--exclude", multiple=True, metavar="PATTERN",
            help="Leave out what matches, in the syntax of .gitignore. Repeatable.",
        ),
        click.option("--config", type=click.Path(path_type=Path), help="Take the settings from this file."),
        click.option(
            "--isolated", is_flag=True, help="Ignore configuration files, yours too, and rules of installed packages."
        ),
        click.option(
            "-j", "--jobs", type=click.IntRange(min=0), default=None,
            help="Processes to read files with; 0: one per core.",
        ),
        click.option("--no-cache", is_flag=True, help="Neither read nor write the cache."),
        click.option(
            "-v", "--verbose", is_flag=True,
            help="Say on stderr what is used and how long it takes; the text report shows what each rank does.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _given_options(command: _Command) -> _Command:
    """The options about what the paths stand for."""
    options = [
        click.option(
            "--stdin-filename", metavar="PATH",
            help="Read one file from standard input, as `-` does, under this name: its project is the context.",
        ),
        click.option(
            "--force-exclude", is_flag=True,
            help="Leave out given files as well that are excluded or ignored; for pre-commit.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _rule_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say which rules there are: the command gets a `catalogue`. A broken rule makes it end with 2."""

    @wraps(command)
    def run(*arguments: Any, rule_path: tuple[Path, ...], no_plugins: bool, **given: Any) -> int:
        user = UserSettings(plugins=False) if given.get("isolated") else load_user_settings()
        catalogue = gather(discover(), (*user.rule_paths, *rule_path), user.plugins and not no_plugins)
        for error in catalogue.errors:
            _note(error)
        code = command(*arguments, catalogue=catalogue, **given)
        return EXIT_TROUBLE if catalogue.errors else code

    options = [
        click.option(
            "--rule-path", metavar="PATH", multiple=True, type=click.Path(path_type=Path),
            help="Use the rules of this folder or file too: their code runs. Repeatable.",
        ),
        click.option("--no-plugins", is_flag=True, help="Leave out the rules of installed packages."),
    ]  # fmt: skip
    made: Callable[..., int] = run
    for option in reversed(options):
        made = option(made)
    return made


def _baseline_options(command: _Command) -> _Command:
    """The options of those commands that leave out what is known."""
    options = [
        click.option(
            "--baseline", metavar="FILE", type=click.Path(path_type=Path),
            help="Leave out the findings that this file knows; `ddplint baseline` writes it.",
        ),
        click.option("--no-baseline", is_flag=True, help="Use no baseline."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ddplint", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> int:
    """Find bugs in PyTorch training programs: hangs, runs that learn nothing, wrong numbers."""
    if context.invoked_subcommand is None:
        _say(f"{context.get_help()}\n")
    return EXIT_TROUBLE


@cli.command("check", short_help="Report what is wrong.")
@_run_options
@_rule_options
@click.option("--output-format", type=click.Choice(OUTPUT_FORMATS), default=None, help="How findings are printed.")
@click.option(
    "--output-file",
    metavar="FILE",
    default=None,
    help="Write the report to this file; - prints it, whatever the configuration says.",
)
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default=None, help="Lowest severity that makes the exit code 1."
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@_given_options
@_baseline_options
@click.option(
    "--report-unused-ignores",
    is_flag=True,
    help="Report suppression comments that silence nothing, are misspelt or name no rule.",
)
@click.option("--statistics", is_flag=True, help="Print counts per rule instead of the findings.")
def check_command(
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extend_select: tuple[str, ...],
    exclude: tuple[str, ...],
    config: Path | None,
    isolated: bool,
    jobs: int | None,
    no_cache: bool,
    verbose: bool,
    catalogue: Catalogue,
    output_format: str | None,
    output_file: str | None,
    fail_on: str | None,
    exit_zero: bool,
    baseline: Path | None,
    no_baseline: bool,
    report_unused_ignores: bool,
    statistics: bool,
    stdin_filename: str | None,
    force_exclude: bool,
) -> int:
    """Report what is wrong in PATHS (files or folders; default: the current folder)."""
    started = time.monotonic()
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="ddplint: %(message)s", stream=sys.stderr)
    buffer = read_buffer(paths, stdin_filename, sys.stdin)
    paths = (str(buffer.path),) if buffer else paths or (".",)
    settings = override(
        _load(paths, config, isolated, buffer),
        select=select,
        ignore=ignore,
        extend_select=extend_select,
        jobs=jobs,
        cache=False if no_cache else None,
        output_format=output_format,
        output_file=None if output_file is None else Path(output_file),
        fail_on=fail_on,
        report_unused_ignores=report_unused_ignores or None,
        baseline=None if baseline is None else absolute(baseline),
    )
    if exclude:
        settings = override(settings, exclude=tuple(Pattern(text, Path.cwd()) for text in exclude))
    if verbose:
        _note(f"configuration: {settings.source or 'defaults'}")
    if output_file == STDOUT:
        settings = replace(settings, output_file=None)
    if settings.output_file is not None and (trouble := unwritable(settings.output_file)):
        raise PathError(trouble)
    known = _open_baseline(paths, settings, no_baseline, isolated, verbose)
    if force_exclude:
        paths = without_excluded(paths, settings.excluded)
    line = _ProgressLine(sys.stderr, sys.stdout)
    try:
        result = check(paths, settings, line.show, rules=catalogue.rules, baseline=known, buffer=buffer)
        if FORMATS[settings.output_format].edits:
            result = fill_edits(result, paths, settings, catalogue.rules, buffer=buffer)
    finally:
        line.clear()
    _report(result, settings, catalogue, statistics, verbose)
    if known:
        for text in render_stale(result.stale, _name(known.file), verbose):
            _note(text)
    if verbose:
        _note(", ".join(known_parts(result.suppressed, result.held)) or "no finding is suppressed or held back")
        _note(f"{time.monotonic() - started:.2f} s{', from the cache' if result.from_cache else ''}")
    if result.errors:
        return EXIT_TROUBLE
    failing = _fails(result.findings, settings)
    return EXIT_FINDINGS if failing and not exit_zero else EXIT_CLEAN


@cli.command("fix", short_help="Show repairs as a diff, or write them.")
@_run_options
@_rule_options
@click.option("--apply", is_flag=True, help="Write the safe repairs instead of showing all as a diff.")
@click.option("--unsafe-fixes", is_flag=True, help="With --apply: write the unsafe repairs too.")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default=None, help="Lowest severity that makes the exit code 1."
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@_given_options
@_baseline_options
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
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extend_select: tuple[str, ...],
    exclude: tuple[str, ...],
    config: Path | None,
    isolated: bool,
    jobs: int | None,
    no_cache: bool,
    verbose: bool,
    catalogue: Catalogue,
    apply: bool,
    unsafe_fixes: bool,
    fail_on: str | None,
    exit_zero: bool,
    baseline: Path | None,
    no_baseline: bool,
    add_ignore: bool,
    reason: str | None,
    remove_unused_ignores: bool,
    stdin_filename: str | None,
    force_exclude: bool,
) -> int:
    """Show the repairs of what `check` reports in PATHS as one diff, or write them with --apply."""
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="ddplint: %(message)s", stream=sys.stderr)
    buffer = read_buffer(paths, stdin_filename, sys.stdin)
    paths = (str(buffer.path),) if buffer else paths or (".",)
    settings = override(
        _load(paths, config, isolated, buffer),
        select=select,
        ignore=ignore,
        extend_select=extend_select,
        jobs=jobs,
        cache=False if no_cache else None,
        fail_on=fail_on,
        baseline=None if baseline is None else absolute(baseline),
    )
    if exclude:
        settings = override(settings, exclude=tuple(Pattern(text, Path.cwd()) for text in exclude))
    if reason is not None and not add_ignore:
        raise ConfigError("--reason only goes with --add-ignore")
    if add_ignore and remove_unused_ignores:
        raise ConfigError("--add-ignore and --remove-unused-ignores exclude each other")
    if unsafe_fixes and (add_ignore or remove_unused_ignores):
        raise ConfigError("--unsafe-fixes does not go with --add-ignore or --remove-unused-ignores")
    if unsafe_fixes and not apply:
        _note("--unsafe-fixes only matters with --apply: the diff shows all repairs")
    known = _open_baseline(paths, settings, no_baseline, isolated, verbose)
    if force_exclude:
        paths = without_excluded(paths, settings.excluded)
    if add_ignore or remove_unused_ignores:
        if buffer:
            raise click.UsageError("--add-ignore and --remove-unused-ignores work on files, not on standard input")
        edit = (
            partial(add_ignores, paths, settings, reason, apply, baseline=known, rules=catalogue.rules)
            if add_ignore
            else partial(remove_ignores, paths, settings, apply, rules=catalogue.rules)
        )
        edited, pending = _edit_ignores(edit, add_ignore, apply, verbose)
        if edited.errors:
            return EXIT_TROUBLE
        pending |= _fails((finding for finding, _ in edited.left), settings)
        return EXIT_FINDINGS if pending and not exit_zero else EXIT_CLEAN
    line = _ProgressLine(sys.stderr, sys.stdout)
    try:
        fixed = fix(
            paths, settings, apply, unsafe_fixes, line.show, rules=catalogue.rules, baseline=known, buffer=buffer
        )
    finally:
        line.clear()
    _say_skipped(fixed.skipped, fixed.shown, verbose)
    for error in fixed.errors:
        _note(error)
    # fixing brings in libcst, which `check` does without
    from ddplint.fixing.diff import render_diff
    from ddplint.fixing.summary import render_left, render_outcome, render_written

    parts = known_parts(fixed.suppressed, fixed.held)
    outcome = render_outcome(fixed.repair, fixed.written, fixed.unwritten, fixed.open, apply, parts)
    if apply and not buffer:
        _print(render_written(fixed.repair, fixed.written, fixed.unwritten))
        _print(render_left(fixed.open, fixed.sources))
        _print(outcome)
    else:
        # stdout is for the diff, or for the repaired text of what came from standard input
        _print(fixed.content(buffer) if apply and buffer else render_diff(fixed.repair))
        _say(render_left(fixed.open, fixed.sources))
        _say(outcome)
    if fixed.errors:
        return EXIT_TROUBLE
    failing = _fails((finding for finding, _ in fixed.open), settings)
    pending = bool(fixed.unwritten if apply else fixed.repair.changed)
    return EXIT_FINDINGS if (failing or pending) and not exit_zero else EXIT_CLEAN


@cli.command("baseline", short_help="Take today's findings as known.")
@_run_options
@_rule_options
@click.option(
    "--baseline", metavar="FILE", type=click.Path(path_type=Path),
    help=f"The file to write; default: the one in use, else {BASELINE} in the project's root.",
)  # fmt: skip
@click.option("--prune", is_flag=True, help="Only drop entries that match nothing any more.")
def baseline_command(
    paths: tuple[str, ...], baseline: Path | None, prune: bool, catalogue: Catalogue, **common: Any
) -> int:
    """Write what is found in PATHS today to the baseline, so that from now on only new findings are reported."""
    paths = paths or (".",)
    settings = override(_common_settings(paths, **common), baseline=None if baseline is None else absolute(baseline))
    file = target_file(common_folder([absolute(path) for path in paths]), settings)
    if catalogue.errors:
        _note(f"{_name(file)} is not written")
        return EXIT_TROUBLE
    line = _ProgressLine(sys.stderr, sys.stdout)
    try:
        updated = update_baseline(paths, settings, file, prune, line.show, rules=catalogue.rules)
    finally:
        line.clear()
    _say_skipped(updated.skipped, updated.shown, common["verbose"])
    for error in updated.errors:
        _note(error)
    if updated.errors:
        _note(f"{_name(file)} is not written")
        return EXIT_TROUBLE
    _print(render_updated(updated.count, updated.added, updated.dropped, _name(file)))
    return EXIT_CLEAN


@cli.command("rules", short_help="List the rules.")
@_rule_options
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="A table, or a JSON list.")
def rules_command(output_format: str, catalogue: Catalogue) -> int:
    """List the rules, and where those come from that are not ddplint's own."""
    rules = catalogue.rules
    if output_format == "json":
        rows = [
            {
                "code": rule.code,
                "name": rule.name,
                "severity": rule.severity,
                "summary": rule.summary,
                "url": page_url(rule.code, rule.name),
                "origin": catalogue.origin(rule),
            }
            for rule in rules
        ]
        _print(json.dumps(rows, indent=2) + "\n")
        return EXIT_CLEAN
    style = _style()
    width = max((len(rule.code) for rule in rules), default=0)
    longest = max((len(rule.name) for rule in rules), default=0)
    for rule in rules:
        severity = style.severity(f"{rule.severity:<7}", rule.severity)
        origin = "" if catalogue.origin(rule) == BUILT_IN else f"  ({printable(catalogue.origin(rule))})"
        _print(f"{style.bold(f'{rule.code:<{width}}')}  {rule.name:<{longest}}  {severity}  {rule.summary}{origin}\n")
    return EXIT_CLEAN


@cli.command("explain", short_help="Explain a rule, with an example.")
@_rule_options
@click.argument("rule")
def explain_command(rule: str, catalogue: Catalogue) -> int:
    """Explain one RULE, given by code or name: what, why, an example, what to write instead."""
    for (code, name), text in EXPLANATIONS.items():
        if rule.upper() == code or rule.lower() == name:
            _print(f"# {code} {name} (warning)\n\n{text}\n")
            return EXIT_CLEAN
    found = find_rule(catalogue.rules, rule)
    _print(render(found.code, found.name, found.severity, found.documentation))
    return EXIT_CLEAN


@cli.command("config", short_help="Print the settings and where they come from.")
@_run_options
@_rule_options
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="TOML with comments, or JSON."
)
@click.option("--schema", type=click.Choice(["settings", "knowledge"]), help="Print a JSON schema instead.")
def config_command(
    paths: tuple[str, ...], output_format: str, schema: str | None, catalogue: Catalogue, **common: Any
) -> int:
    """Print the settings for PATHS and where they come from; for a file, also what holds there."""
    # only this command needs it
    from ddplint.report.configuration import render_settings, render_settings_json, schema_text, view

    if schema is not None:
        _print_utf8(schema_text(schema))
        return EXIT_CLEAN
    paths = paths or (".",)
    settings = _common_settings(paths, **common)
    rules, cwd = catalogue.rules, os.getcwd()
    # unknown rules are said here as `check` would
    chosen_rules(rules, settings)
    given = [absolute(path) for path in paths]
    views = [view(settings, rules, path, cwd) for path in given if not path.is_dir()]
    found = None if common["isolated"] else find_baseline(common_folder(given), settings)
    if output_format == "json":
        _print_utf8(render_settings_json(settings, views, found))
    else:
        _print(render_settings(settings, views, cwd, _style(), found))
    return EXIT_CLEAN


@cli.command("new-rule", short_help="Write the files of a new rule.")
@click.argument("name", required=False)
@click.option("--code", metavar="CODE", help="The rule's code; default: the next after those in the folder.")
@click.option(
    "--into",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
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
        owed = unfinished(checked, name)
        for rule, problems in owed.items():
            _print("".join(f"{rule.code} {rule.name}: {problem}\n" for problem in problems or ["lacks nothing"]))
        return EXIT_FINDINGS if any(owed.values()) else EXIT_CLEAN
    if name is None:
        raise ConfigError("new-rule needs a NAME, or --check PATH")
    for path in new_rule(name, code, into):
        _print(f"{printable(str(path))}\n")
    place = into or (Path() if is_checkout(Path()) else Path(FOLDER))
    _say(f"`ddplint new-rule --check {printable(str(place))}` lists what is to be written.\n")
    return EXIT_CLEAN


def _edit_ignores(edit: Callable[..., Edited], add: bool, apply: bool, verbose: bool) -> tuple[Edited, bool]:
    """Show or write what `edit` does to comments; with it, whether something is still to be written."""
    line = _ProgressLine(sys.stderr, sys.stdout)
    try:
        edited = edit(progress=line.show)
    finally:
        line.clear()
    _say_skipped(edited.skipped, edited.shown, verbose)
    for error in edited.errors:
        _note(error)
    noun, verb = ("finding", "ignored") if add else ("unused ignore", "removed")
    edits = Edits(noun, verb, not add, edited.done, edited.left, edited.unwritten, edited.sources)
    if apply:
        _print(edits.render_done() + edits.render_left() + edits.render_outcome(apply))
        return edited, bool(edited.unwritten)
    # fixing brings in libcst, which `check` does without
    from ddplint.fixing.diff import render_diff
    from ddplint.fixing.session import Repair

    _print(render_diff(Repair(dict(edited.before), dict(edited.after))))
    _say(edits.render_left() + edits.render_outcome(apply))
    return edited, bool(edited.done)


def _common_settings(
    paths: Sequence[str], config: Path | None, isolated: bool, verbose: bool, **given: Any
) -> Settings:
    """The settings under the options that all runs share."""
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="ddplint: %(message)s", stream=sys.stderr)
    exclude = tuple(Pattern(text, Path.cwd()) for text in given.pop("exclude"))
    cache = False if given.pop("no_cache") else None
    settings = override(_load(paths, config, isolated), **given, exclude=exclude, cache=cache)
    if verbose:
        _note(f"configuration: {settings.source or 'defaults'}")
    return settings


def _fails(findings: Iterable[Finding], settings: Settings) -> bool:
    """Whether findings make the exit code 1."""
    lowest = SEVERITIES.index(settings.fail_on)
    return any(SEVERITIES.index(finding.severity) >= lowest for finding in findings)


def _open_baseline(
    paths: Sequence[str], settings: Settings, no_baseline: bool, isolated: bool, verbose: bool
) -> Baseline | None:
    if no_baseline:
        if any(layer.source is None and "baseline" in layer.values for layer in settings.layers):
            raise ConfigError("--baseline and --no-baseline exclude each other")
        return None
    known = open_baseline(common_folder([absolute(path) for path in paths]), settings, named_only=isolated)
    if verbose:
        _note(f"baseline: {f'{_name(known.file)} ({sum(known.entries.values())})' if known else 'none'}")
    return known


def _name(file: Path) -> str:
    """A file as messages name it."""
    return printable(display_path(file, os.getcwd()))


def _load(paths: Sequence[str], config: Path | None, isolated: bool, buffer: Buffer | None = None) -> Settings:
    if config is not None and isolated:
        raise ConfigError("--config and --isolated exclude each other")
    for path in paths:
        if not buffer and not os.path.lexists(path):
            raise PathError(f"no such file or folder: {path}")
    return load_settings(common_folder([absolute(path) for path in paths]), config, isolated)


def _report(result: Result, settings: Settings, catalogue: Catalogue, statistics: bool, verbose: bool) -> None:
    _say_skipped(result.skipped, result.shown, verbose)
    for error in result.errors:
        _note(error)
    if not result.files_read and not result.skipped and not result.errors:
        _note("no Python files found")
    chosen, target = FORMATS[settings.output_format], settings.output_file
    style = Style() if target else _style()
    told = replace(result, errors=(*catalogue.errors, *result.errors))
    report = Report(told, catalogue.rules, style, settings.fail_on, verbose, base=checkout_root())
    counts = render_statistics(result) if statistics else ""
    text = counts if statistics and chosen.terminal else chosen.render(report)
    if target:
        write_report(target, text)
    elif chosen.terminal:
        _print(text)
    else:
        _print_utf8(text)
    if not chosen.terminal:
        _say(counts)
    if target:
        _say(render_summary(result))
    elif settings.output_format == "text":
        _print(render_summary(result))


def _say_skipped(skipped: Sequence[tuple[str, str]], shown: frozenset[str] | None, verbose: bool) -> None:
    others = 0
    for path, reason in skipped:
        if verbose or shown is None or path in shown:
            _note(f"skipped {path}: {reason}")
        else:
            others += 1
    if others:
        _note(f"skipped {others} other file{'' if others == 1 else 's'} of the project; -v names them")


def _style() -> Style:
    return Style(wants_colour(sys.stdout))


def _note(message: str) -> None:
    _say(f"ddplint: {printable(message)}\n")


def _say(text: str) -> None:
    """Write to stderr; nobody is told if stderr itself is gone."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            return


def _print_utf8(text: str) -> None:
    """Write for programs: UTF-8 and plain line ends, whatever the terminal would have."""
    _print(text.encode("utf-8", "backslashreplace"))


def _print(text: str | bytes) -> None:
    """Write to stdout. A reader who has gone (`| head`) ends the output, not the run."""
    if sys.stdout is None or not text:
        return
    try:
        if isinstance(text, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(text)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # what is still buffered must not fail again when the interpreter exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _ProgressLine:
    """One line on the terminal, only there and only for runs that take a while."""

    def __init__(self, stream: IO[str] | None, output: IO[str] | None) -> None:
        self._stream = stream if stream and output and stream.isatty() and output.isatty() else None
        self._next = time.monotonic() + _PROGRESS_AFTER_SECONDS
        self._shown = False

    def show(self, what: str, done: int, total: int) -> None:
        if self._stream is None or total <= 0 or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PROGRESS_EVERY_SECONDS
        self._shown = True
        filled = 30 * min(done, total) // total
        self._stream.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done:,}/{total:,} {what}\x1b[K")
        self._stream.flush()

    def clear(self) -> None:
        if self._stream is not None and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


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
    except (ConfigError, PathError) as error:
        return _trouble(str(error))
    except OSError as error:
        return _trouble(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    return code if isinstance(code, int) else EXIT_CLEAN


def _trouble(message: str) -> int:
    _note(f"error: {' '.join(message.split())}")
    return EXIT_TROUBLE


def run() -> None:
    """The console script."""
    sys.exit(main())
