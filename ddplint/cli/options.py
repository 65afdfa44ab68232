"""Options that commands share, and what they come to."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddplint.baseline import open_baseline
from ddplint.cli.output import EXIT_TROUBLE, name_of, note
from ddplint.config import ConfigError, Settings, load_settings, override
from ddplint.config.user import UserSettings, load_user_settings
from ddplint.files import Buffer, PathError, absolute, common_folder, without_excluded
from ddplint.findings import SEVERITIES, Finding
from ddplint.patterns import Pattern
from ddplint.registry import discover, gather
from ddplint.stdin import read_buffer

if TYPE_CHECKING:
    from ddplint.baseline.entries import Baseline

Command = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says, as far as several commands have the option."""

    paths: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    config: Path | None = None
    isolated: bool = False
    jobs: int | None = None
    no_cache: bool = False
    verbose: bool = False
    fail_on: str | None = None
    exit_zero: bool = False
    stdin_filename: str | None = None
    force_exclude: bool = False
    baseline: Path | None = None
    no_baseline: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What a run is about: files, the settings for them, the findings that are known already."""

    paths: tuple[str, ...]
    settings: Settings
    buffer: Buffer | None
    known: Baseline | None


def run_options(command: Command) -> Command:
    """The options of every command that reads a program: it gets them, and those of `finding_options`, as `given`."""
    names = {field.name for field in fields(Given)}

    @wraps(command)
    def run(**options: Any) -> int:
        given = Given(**{name: options.pop(name) for name in names & options.keys()})
        return command(given=given, **options)

    return _with(
        run,
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
    )  # fmt: skip


def rule_options(command: Command) -> Command:
    """The options that say which rules there are: the command gets a `catalogue`. A broken rule makes it end with 2."""

    @wraps(command)
    def run(rule_path: tuple[Path, ...], no_plugins: bool, given: Given | None = None, **options: Any) -> int:
        if given is not None:
            options["given"] = given
        user = UserSettings(plugins=False) if given and given.isolated else load_user_settings()
        catalogue = gather(discover(), (*user.rule_paths, *rule_path), user.plugins and not no_plugins)
        for error in catalogue.errors:
            note(error)
        code = command(catalogue=catalogue, **options)
        return EXIT_TROUBLE if catalogue.errors else code

    return _with(
        run,
        click.option(
            "--rule-path", metavar="PATH", multiple=True, type=click.Path(path_type=Path),
            help="Use the rules of this folder or file too: their code runs. Repeatable.",
        ),
        click.option("--no-plugins", is_flag=True, help="Leave out the rules of installed packages."),
    )  # fmt: skip


def finding_options(command: Command) -> Command:
    """The options of the commands that judge findings: which fail, what is read, what is known."""
    return _with(
        command,
        click.option(
            "--fail-on", type=click.Choice(SEVERITIES), default=None, help="Lowest severity that makes the exit code 1."
        ),
        click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings."),
        click.option(
            "--stdin-filename", metavar="PATH",
            help="Read one file from standard input, as `-` does, under this name: its project is the context.",
        ),
        click.option(
            "--force-exclude", is_flag=True,
            help="Leave out given files as well that are excluded or ignored; for pre-commit.",
        ),
        click.option(
            "--baseline", metavar="FILE", type=click.Path(path_type=Path),
            help="Leave out the findings that this file knows; `ddplint baseline` writes it.",
        ),
        click.option("--no-baseline", is_flag=True, help="Use no baseline."),
    )  # fmt: skip


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _codes(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Rule codes, prefixes or names, separated by commas."""
    return tuple(part for text in value for part in (piece.strip() for piece in text.split(",")) if part)


def settings_for(given: Given, paths: Sequence[str], buffer: Buffer | None = None, **further: Any) -> Settings:
    """The settings for the paths under the options, `further` ones included. Raises ConfigError and PathError."""
    if given.verbose:
        logging.basicConfig(level=logging.DEBUG, format="ddplint: %(message)s", stream=sys.stderr)
    if given.config is not None and given.isolated:
        raise ConfigError("--config and --isolated exclude each other")
    for path in paths:
        if not buffer and not os.path.lexists(path):
            raise PathError(f"no such file or folder: {path}")
    settings = override(
        load_settings(common_folder([absolute(path) for path in paths]), given.config, given.isolated),
        select=given.select,
        ignore=given.ignore,
        extend_select=given.extend_select,
        exclude=tuple(Pattern(text, Path.cwd()) for text in given.exclude),
        jobs=given.jobs,
        cache=False if given.no_cache else None,
        fail_on=given.fail_on,
        baseline=None if given.baseline is None else absolute(given.baseline),
        **further,
    )
    if given.verbose:
        note(f"configuration: {settings.source or 'defaults'}")
    return settings


def subject_of(given: Given, **further: Any) -> Subject:
    """What the options of a run that judges findings come to. Raises ConfigError and PathError."""
    buffer = read_buffer(given.paths, given.stdin_filename, sys.stdin)
    paths = (str(buffer.path),) if buffer else given.paths or (".",)
    settings = settings_for(given, paths, buffer, **further)
    known = _known(given, paths, settings)
    if given.force_exclude:
        paths = without_excluded(paths, settings.excluded)
    return Subject(paths, settings, buffer, known)


def _known(given: Given, paths: Sequence[str], settings: Settings) -> Baseline | None:
    if given.no_baseline:
        if given.baseline is not None:
            raise ConfigError("--baseline and --no-baseline exclude each other")
        return None
    known = open_baseline(common_folder([absolute(path) for path in paths]), settings, named_only=given.isolated)
    if given.verbose:
        note(f"baseline: {f'{name_of(known.file)} ({sum(known.entries.values())})' if known else 'none'}")
    return known


def fails(findings: Iterable[Finding], settings: Settings) -> bool:
    """Whether findings make the exit code 1."""
    lowest = SEVERITIES.index(settings.fail_on)
    return any(SEVERITIES.index(finding.severity) >= lowest for finding in findings)
