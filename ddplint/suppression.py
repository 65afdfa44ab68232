"""Suppression comments: what they say, which rows they cover, which findings they silence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ddplint.findings import Finding, Span
from ddplint.layout import Comment, Layout, Rows
from ddplint.source import Sources

Kind = Literal["noqa", "ignore", "ignore-file"]

_CODE = r"[A-Z][A-Z0-9]*[0-9]+"
# a reason ends where the next comment begins; `#12` is the number of an issue
_REASON = r"\s*--(?P<reason>(?:[^#]|#(?=\d))*)"
_DIRECTIVE = re.compile(
    rf"#\s*(?:noqa(?!\w)(?:\s*:\s*(?P<codes>{_CODE}(?:[\s,]+{_CODE})*))?"
    rf"|ddplint\s*:\s*(?P<ignore>ignore(?:-file)?)(?:\s*\[(?P<rules>[^\]#]*)\]|(?=\s*(?:--|#|$))))(?:{_REASON})?",
    re.IGNORECASE | re.MULTILINE,
)
_SELECTOR = re.compile(r"[^\s,]+")

_NOTHING: Rows = (0, 0)
_WHOLE_FILE: Rows = (1, sys.maxsize)


@dataclass(frozen=True, slots=True, order=True)
class Selector:
    """A code, a prefix of codes or a name in a comment, with its columns from 0."""

    text: str
    start: int
    end: int

    def covers(self, code: str, name: str) -> bool:
        return code.startswith(self.text.upper()) or self.text.lower() == name


@dataclass(frozen=True, slots=True, order=True)
class Suppression:
    """One `noqa`, `ddplint: ignore` or `ddplint: ignore-file` in a comment.

    `blanket`: it names no rules because it means all. It silences what begins in `rows`, or ends there within `line`.
    `start` and `end` are its columns from 0, with its reason.
    """

    row: int
    start: int
    end: int
    kind: Kind
    blanket: bool
    selectors: tuple[Selector, ...]
    reason: str
    rows: Rows
    line: Rows

    @property
    def covers_rows(self) -> bool:
        """Whether there is anything that it could silence a finding in."""
        return self.rows != _NOTHING

    def covers(self, finding: Finding) -> bool:
        """Whether it silences a finding of its file."""
        return self._reaches(finding.span) and (self.blanket or bool(self.selectors_of(finding)))

    def selectors_of(self, finding: Finding) -> list[Selector]:
        """The selectors that mean a finding's rule."""
        return [one for one in self.selectors if one.covers(finding.code, finding.name)]

    def _reaches(self, span: Span) -> bool:
        if self.rows[0] <= span.row <= self.rows[1]:
            return True
        return self.line[0] <= span.row and self.rows[0] <= span.end_row <= min(self.rows[1], self.line[1])


@dataclass(frozen=True, slots=True)
class Sifted:
    """Findings parted by the comments of their files; a finding may be silenced by several."""

    kept: tuple[Finding, ...]
    silenced: tuple[tuple[Finding, Suppression], ...] = ()


def suppressions(text: str, layout: Layout | None = None) -> tuple[Suppression, ...]:
    """The suppressions of a text, in order of place."""
    if layout is None:
        if not _DIRECTIVE.search(text):
            return ()
        layout = Layout(text)
    return tuple(one for comment in layout.comments for one in _suppressions_of(comment, layout))


def sift(findings: Iterable[Finding], sources: Sources) -> Sifted:
    """Part the findings that comments silence from the others; both keep their order."""
    by_path: dict[str, tuple[Suppression, ...]] = {}
    kept: list[Finding] = []
    silenced: list[tuple[Finding, Suppression]] = []
    for finding in findings:
        path = finding.span.path
        if path not in by_path:
            source = sources.get(path)
            by_path[path] = suppressions(source.text) if source else ()
        covering = [(finding, one) for one in by_path[path] if one.covers(finding)]
        silenced += covering
        if not covering:
            kept.append(finding)
    return Sifted(tuple(kept), tuple(silenced))


def _suppressions_of(comment: Comment, layout: Layout) -> Iterable[Suppression]:
    for match in _DIRECTIVE.finditer(comment.text):
        kind: Kind = "noqa"
        group = "codes"
        if match["ignore"]:
            kind = "ignore" if match["ignore"].lower() == "ignore" else "ignore-file"
            group = "rules"
        listed = match[group]
        offset = comment.column + match.start(group)
        selectors = _SELECTOR.finditer(listed or "")
        rows = _covered(kind, comment, layout)
        yield Suppression(
            row=comment.row,
            start=comment.column + match.start(),
            end=comment.column + len(comment.text[: match.end()].rstrip()),
            kind=kind,
            blanket=listed is None,
            selectors=tuple(Selector(one[0], offset + one.start(), offset + one.end()) for one in selectors),
            reason=(match["reason"] or "").strip(),
            rows=rows,
            line=layout.line(comment.row) or rows,
        )


def _covered(kind: Kind, comment: Comment, layout: Layout) -> Rows:
    if kind == "ignore-file":
        return _WHOLE_FILE if comment.alone else _NOTHING
    if comment.alone:
        return _NOTHING if kind == "noqa" else layout.below(comment.row) or _NOTHING
    rows = layout.joined(comment.row)
    line, statement = layout.line(comment.row), layout.statement(comment.row)
    if line and statement and (rows[0] <= line[0] or rows[1] >= line[1]):
        return statement
    return rows
