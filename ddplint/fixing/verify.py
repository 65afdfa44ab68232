"""Whether a round of fixes did what it should: files parse, comments are kept, findings are gone, none came."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddplint.findings import Finding
from ddplint.fixing.documents import Document
from ddplint.fixing.plan import Planned, Round
from ddplint.rewriting import Change, comments_of, line_starts, ordered


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of all rules on one state of the program; `open` are those to be repaired."""

    findings: tuple[Finding, ...]
    open: tuple[Finding, ...]
    errors: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong after a round, and the fixes that did it as far as that is plain."""

    message: str
    culprits: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a file's text, by offsets."""

    start: int
    end: int

    def moved(self, changes: Iterable[Change]) -> Stretch:
        """Where the stretch is once the changes are made; it grows where they touch it."""
        shift = 0
        low: int | None = None
        high = 0
        for change in ordered(changes):
            grown = len(change.content) - (change.end - change.start)
            if change.start > self.end or (change.start == self.end > self.start and change.end > change.start):
                break
            if change.end > self.start or change.start == self.start:
                low = min(self.start, change.start) + shift if low is None else low
                high = max(self.end, change.end) + shift + grown
            shift += grown
        if low is None:
            return Stretch(self.start + shift, self.end + shift)
        return Stretch(low, max(low, high, self.end + shift))


def rows_of(stretch: Stretch, text: str) -> tuple[int, int]:
    """First and last row of a stretch."""
    starts = line_starts(text)
    return bisect_right(starts, stretch.start), bisect_right(starts, max(stretch.start, stretch.end))


def place_of(finding: Finding, text: str) -> Stretch:
    """The stretch in which a finding is reported: the place at which it begins."""
    starts = line_starts(text)
    row = min(finding.span.row, len(starts))
    offset = min(starts[row - 1] + finding.span.column - 1, len(text))
    return Stretch(offset, offset)


def file_problems(made: Round, before: Mapping[str, Document], after: Mapping[str, Document]) -> list[Problem]:
    """Changed files that do not parse or lack a comment."""
    problems: list[Problem] = []
    for path, document in sorted(after.items()):
        authors = tuple(one.finding for one in made.planned if path in one.changes)
        culprits = authors if len(authors) == 1 else ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(document.text)
        except (SyntaxError, ValueError, RecursionError) as error:
            problems.append(Problem(f"{path} would not parse ({error})", culprits))
            continue
        had, has = (Counter(comment for _, comment in comments_of(one.text)) for one in (before[path], document))
        lost = list((had - has).elements())
        if lost:
            problems.append(Problem(f"{path} would lose the comment `{lost[0]}`", culprits))
    return problems


def finding_problems(
    made: Round, before: Checked, after: Checked, old: Mapping[str, Document], new: Mapping[str, Document]
) -> list[Problem]:
    """Findings that a round did not remove or that it caused."""
    problems = [Problem(error) for error in sorted({*after.errors} - {*before.errors})]
    known = {path for path, _ in before.skipped}
    problems += [Problem(f"{path} would be skipped: {why}") for path, why in after.skipped if path not in known]
    changes = made.changes()
    fixed = {one.finding for one in made.planned}
    expected: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for finding in before.findings:
        if finding not in fixed:
            key = (finding.code, finding.span.path)
            expected.setdefault(key, []).append(_rows_after(finding, changes, old, new))
    for finding in sorted(after.findings, key=Finding.sort_key):
        rows = expected.get((finding.code, finding.span.path), [])
        fitting = [one for one in rows if one[0] <= finding.span.row <= one[1]]
        if fitting:
            rows.remove(min(fitting, key=lambda one: one[1]))
            continue
        place = f"{finding.code} at {_place(finding, new)}"
        same = [one for one in made.planned if _is_still(finding, one, changes, old, new)]
        if same:
            problems.append(Problem(f"{place} would still be there", (same[0].finding,)))
        else:
            alone = (made.planned[0].finding,) if len(made.planned) == 1 else ()
            problems.append(Problem(f"{place} would be new: {finding.message}", alone))
    return problems


def _place(finding: Finding, documents: Mapping[str, Document]) -> str:
    document = documents.get(finding.span.path)
    return document.place(finding.span.row) if document else f"{finding.span.path}:{finding.span.row}"


def _is_still(
    finding: Finding,
    fixed: Planned,
    changes: Mapping[str, Sequence[Change]],
    old: Mapping[str, Document],
    new: Mapping[str, Document],
) -> bool:
    if (finding.code, finding.span.path) != (fixed.finding.code, fixed.finding.span.path):
        return False
    first, last = _rows_after(fixed.finding, changes, old, new)
    return first <= finding.span.row <= last


def _rows_after(
    finding: Finding,
    changes: Mapping[str, Sequence[Change]],
    old: Mapping[str, Document],
    new: Mapping[str, Document],
) -> tuple[int, int]:
    path = finding.span.path
    if path not in changes:
        return finding.span.row, finding.span.row
    return rows_of(place_of(finding, old[path].text).moved(changes[path]), new[path].text)
