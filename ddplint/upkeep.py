"""What keeps a project's known findings in order: its baseline, its suppression comments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ddplint.baseline import hold_back
from ddplint.baseline.entries import Baseline, read_baseline, write_baseline
from ddplint.baseline.matching import Describer
from ddplint.config import ConfigError, Settings
from ddplint.engine import Core, Examined, Program, Progress, examine, silent
from ddplint.findings import Finding
from ddplint.rules.base import Rule
from ddplint.source import Sources

if TYPE_CHECKING:
    from ddplint.fixing.documents import Document

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Edited:
    """Comments that were changed, or would be: the files, what was done with, and what was left with the reason.

    `unwritten` are files that could not be written: (path, reason).
    """

    before: Mapping[str, Document] = field(default_factory=dict)
    after: Mapping[str, Document] = field(default_factory=dict)
    done: tuple[Finding, ...] = ()
    left: tuple[tuple[Finding, str], ...] = ()
    unwritten: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    shown: frozenset[str] | None = None
    errors: tuple[str, ...] = ()
    sources: Sources = field(default_factory=Sources, compare=False)


@dataclass(frozen=True, slots=True)
class Updated:
    """A baseline that was written: how many findings it knows, how many of them are new, and how many it had that
    are gone. With `errors` nothing was written."""

    file: Path
    count: int
    added: int
    dropped: int
    skipped: tuple[tuple[str, str], ...] = ()
    shown: frozenset[str] | None = None
    errors: tuple[str, ...] = ()


def update_baseline(
    paths: Sequence[str],
    settings: Settings,
    file: Path,
    prune: bool = False,
    progress: Progress = silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
) -> Updated:
    """Write what is found to the baseline; with `prune` only drop what is gone.

    Entries stay that this run cannot tell of: of other files and of rules that did not run. Raises as `examine` does.
    """
    before = read_baseline(file) if file.exists() else Baseline(file)
    examined = examine(paths, settings, progress, core, rules)
    held = hold_back(examined.sifted.kept, before, examined.sources, examined.read)
    new = [] if prune else [finding for finding in held.new if examined.is_wanted(finding)]
    done, others = examined.reach.judge(held.open, before)
    entries = Describer(before, examined.sources).entries([*held.known, *new])
    for entry, count in others:
        entries[entry] = entries.get(entry, 0) + count
    errors = examined.analysis.errors
    if not errors:
        write_baseline(file, entries)
    return Updated(
        file=file,
        count=sum(entries.values()),
        added=len(new),
        dropped=sum(count for _, count in done),
        skipped=examined.skipped,
        shown=examined.file_set.shown,
        errors=errors,
    )


def add_ignores(
    paths: Sequence[str],
    settings: Settings,
    reason: str | None = None,
    apply: bool = False,
    progress: Progress = silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
    baseline: Baseline | None = None,
) -> Edited:
    """Suppress by comments what `check` would report; writes only if `apply`. Raises as `examine` does."""
    from ddplint.fixing.ignores import ReasonError, added, check_reason

    try:
        why = "" if reason is None else check_reason(reason)
    except ReasonError as error:
        raise ConfigError(str(error)) from None
    examined = examine(paths, settings, progress, core, rules)
    kept = examined.sifted.kept
    held = hold_back(kept, baseline, examined.sources, examined.read)
    todo = {finding: finding for finding in held.new if examined.is_wanted(finding)}
    return _edited(examined, todo, {}, lambda document, own: added(document, own, why), apply)


def remove_ignores(
    paths: Sequence[str],
    settings: Settings,
    apply: bool = False,
    progress: Progress = silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
) -> Edited:
    """Take out comments, and codes in them, that suppress nothing; writes only if `apply`. Raises as `examine` does."""
    from ddplint.fixing.ignores import removed

    examined = examine(paths, settings, progress, core, rules)
    flaws = {flaw.finding(): flaw for flaw in examined.flaws()}
    todo = {finding: flaw for finding, flaw in flaws.items() if flaw.removable}
    left = {finding: finding.no_fix_reason for finding in flaws if finding not in todo}
    return _edited(examined, todo, left, removed, apply)


def _edited(
    examined: Examined,
    todo: Mapping[Finding, _Item],
    left: Mapping[Finding, str],
    edit: Callable[[Document, Sequence[_Item]], Document],
    apply: bool,
) -> Edited:
    """Edit each file for what is to be done in it; a file that cannot be edited is left as a whole."""
    from ddplint.fixing.write import refusal

    if examined.analysis.errors:
        return Edited(skipped=examined.skipped, shown=examined.file_set.shown, errors=examined.analysis.errors)
    program = Program(examined.file_set)
    root = str(examined.file_set.root)
    reasons = dict(left)
    before: dict[str, Document] = {}
    after: dict[str, Document] = {}
    for path in sorted({finding.span.path for finding in todo}):
        own = [finding for finding in todo if finding.span.path == path]
        why = refusal(program.path(path), root) if apply and program.path(path) else ""
        document = program.document(path)
        source = examined.sources.get(path)
        if isinstance(document, str):
            why = why or document
        elif source is None or source.text != document.text:
            why = why or f"{path} has changed meanwhile"
        else:
            try:
                after[path] = edit(document, [todo[finding] for finding in own])
                before[path] = document
            except ValueError as error:
                why = why or str(error)
        if why:
            after.pop(path, None)
            reasons.update(dict.fromkeys(own, why))
    return Edited(
        before=before,
        after=after,
        done=tuple(finding for finding in todo if finding.span.path in after),
        left=tuple(sorted(reasons.items(), key=lambda pair: pair[0].sort_key())),
        unwritten=tuple(_write(before, after)) if apply else (),
        skipped=examined.skipped,
        shown=examined.file_set.shown,
        sources=examined.sources,
    )


def _write(before: Mapping[str, Document], after: Mapping[str, Document]) -> list[tuple[str, str]]:
    """Write the files, each by itself; those left with the reason."""
    from ddplint.fixing.write import Write, clean, scratch_folder, write_all

    clean(os.path.dirname(os.path.realpath(document.path)) for document in after.values())
    writes = [Write(path, one.path, before[path].data, one.data) for path, one in after.items()]
    with scratch_folder() as scratch:
        return write_all(writes, staging=scratch).left
