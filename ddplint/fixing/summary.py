"""What `fix` says about what it did and what it left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ddplint.findings import Finding
from ddplint.fixing.session import Applied, Repair
from ddplint.report.style import location, plural, printable
from ddplint.source import Sources


def render_written(repair: Repair, written: Sequence[str], unwritten: Sequence[tuple[str, str]]) -> str:
    """The fixes by file, at the rows where they are now, and the files that were left."""
    return "".join([*_fixed(repair, set(written)), *_refused(unwritten)])


def render_left(remaining: Iterable[tuple[Finding, str]], sources: Sources) -> str:
    """The findings that remain, each with the reason."""
    return "".join(
        f"left {location(finding.span, sources)}: {finding.code} {finding.name}: {printable(reason)}\n"
        for finding, reason in remaining
    )


def render_outcome(
    repair: Repair,
    written: Sequence[str],
    unwritten: Sequence[tuple[str, str]],
    remaining: Sequence[tuple[Finding, str]],
    applied: bool,
    known: Sequence[str] = (),
) -> str:
    """The closing line; `known` says how many findings are suppressed or held back."""
    undone = {path for path, _ in unwritten}
    done = [one for one in repair.applied if not undone & set(one.touched)]
    counts = _levels(done)
    rest = len(remaining) + len(repair.applied) - len(done)
    left = "".join(f"; {part}" for part in ([f"{plural(rest, 'finding')} left"] if rest else []) + list(known))
    if not applied:
        if not repair.changed:
            return f"Nothing to repair{left}.\n"
        unsafe = any(one.finding.fix and one.finding.fix.applicability == "unsafe" for one in done)
        how = "--apply writes the safe ones, --apply --unsafe-fixes all" if unsafe else "--apply does it"
        return f"{plural(len(done), 'finding')} would be fixed ({counts}) in {_files(repair.changed)}: {how}{left}.\n"
    if not done:
        return f"Nothing written{left}.\n"
    return f"{plural(len(done), 'finding')} fixed ({counts}) in {_files(written)}{left}.\n"


def _fixed(repair: Repair, written: set[str]) -> Iterator[str]:
    for one in sorted(repair.applied, key=lambda one: one.finding.sort_key()):
        path = one.finding.span.path
        if not set(one.touched) <= written:
            continue
        document = repair.after.get(path)
        rows = one.rows(path, document.text) if document else []
        row = min((first for first, _ in rows), default=one.finding.span.row)
        place = document.place(row) if document else f"{path}:{row}"
        fix = one.finding.fix
        if fix is None:
            continue
        others = sorted(set(one.touched) - {path})
        also = f" (also in {', '.join(map(printable, others))})" if others else ""
        name = f"{one.finding.code} {one.finding.name} ({fix.applicability})"
        yield f"fixed {printable(place)}: {name}: {printable(fix.message)}{also}\n"


def _refused(unwritten: Iterable[tuple[str, str]]) -> Iterator[str]:
    for path, reason in unwritten:
        yield f"left {printable(path)}: {printable(reason)}\n"


def _levels(applied: Iterable[Applied]) -> str:
    levels = [one.finding.fix.applicability for one in applied if one.finding.fix]
    parts = [f"{levels.count(level)} {level}" for level in ("safe", "unsafe") if level in levels]
    return ", ".join(parts)


def _files(paths: Sequence[str]) -> str:
    return plural(len(paths), "file")
