"""What keeps a project's known findings in order: its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddplint.baseline import Baseline, Describer, hold_back, read_baseline, write_baseline
from ddplint.config import Settings
from ddplint.engine import Core, Progress, examine, silent
from ddplint.rules.base import Rule


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
        skipped=tuple(sorted({*examined.analysis.skipped, *examined.file_set.skipped})),
        shown=examined.file_set.shown,
        errors=errors,
    )
