"""Suppression comments put into files and taken out of them. Nothing but comments changes."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Sequence

from ddplint.findings import Finding
from ddplint.fixing.documents import Document
from ddplint.ignores import Flaw
from ddplint.layout import Layout
from ddplint.rewriting import Change, line_starts
from ddplint.source import Unreadable, parse_source
from ddplint.suppression import Selector, Suppression, suppressions


class ReasonError(ValueError):
    """A reason that cannot stand in a comment; the message is one line."""


def check_reason(reason: str) -> str:
    """The reason in one row; raises ReasonError if it would say more than a reason."""
    reason = " ".join(reason.split())
    found = suppressions(f"x  # ddplint: ignore[X] -- {reason}\n")
    if not reason or len(found) != 1 or found[0].reason != reason:
        raise ReasonError("a reason must be some words, and no comment of its own (`#` only before a number)")
    return reason


def added(document: Document, findings: Iterable[Finding], reason: str = "") -> Document:
    """The file with a comment for each finding, all findings of one row in one; raises ValueError if that cannot be."""
    text = document.text
    findings = list(findings)
    layout = Layout(text)
    wanted: dict[int, set[str]] = {}
    for finding in findings:
        if layout.line(finding.span.row) is None:
            raise ValueError(f"no statement begins at {document.place(finding.span.row)}")
        # within a string and after a backslash there is no place for a comment
        wanted.setdefault(layout.joined(finding.span.row)[1], set()).add(finding.code)
    present: dict[int, list[Suppression]] = {}
    for one in suppressions(text, layout):
        present.setdefault(one.row, []).append(one)
    rows, starts = text.split("\n"), line_starts(text)
    changes = []
    for row, codes in sorted(wanted.items()):
        start, end, content = _addition(rows[row - 1], sorted(codes), reason, present.get(row, ()))
        changes.append(Change(starts[row - 1] + start, starts[row - 1] + end, content))
    after = _checked(document, document.changed(changes))
    comments = suppressions(after.text)
    for finding in findings:
        if not any(comment.covers(finding) for comment in comments):
            raise ValueError(f"{document.place(finding.span.row)} cannot be silenced by a comment")
    return after


def removed(document: Document, flaws: Iterable[Flaw]) -> Document:
    """The file without what its removable flaws name; raises ValueError if that cannot be."""
    text = document.text
    layout = Layout(text)
    present = {(one.row, one.start): one for one in suppressions(text, layout)}
    columns = {comment.row: comment.column for comment in layout.comments}
    # per row, the stretches that go, whole or only the selectors in them
    going: dict[int, dict[tuple[int, int], set[Selector]]] = {}
    for flaw in flaws:
        one = next((two for two in present.values() if two.row == flaw.row and two.start <= flaw.start < two.end), None)
        stretch = (one.start, one.end) if one else (flaw.start, flaw.end)
        drop = going.setdefault(flaw.row, {}).setdefault(stretch, set())
        drop.update(one.selectors if one and flaw.dead else flaw.drop)
    rows, starts = text.split("\n"), line_starts(text)
    borders = document.layout.borders if document.layout else ()
    changes = []
    for row, stretches in sorted(going.items()):
        line = rows[row - 1]
        for (start, end), drop in sorted(stretches.items(), reverse=True):
            one = present.get((row, start))
            kept = [two for two in one.selectors if two not in drop] if one else []
            if one and kept:
                line = _without_selectors(line, one.selectors, drop)
            else:
                line = _without(line, columns[row], start, end)
        changes.append(_row_change(text, starts, row, line, borders))
    return _checked(document, document.changed(changes))


def _addition(line: str, codes: Sequence[str], reason: str, present: Sequence[Suppression]) -> tuple[int, int, str]:
    """What to put into a row, and in the place of which columns."""
    for one in reversed(present):
        if one.kind == "ignore" and one.selectors and reason in ("", one.reason):
            end = one.selectors[-1].end
            return end, end, "".join(f", {code}" for code in codes)
    why = f" -- {reason}" if reason else ""
    return len(line.rstrip()), len(line), f"  # ddplint: ignore[{', '.join(codes)}]{why}"


def _without_selectors(line: str, selectors: Sequence[Selector], drop: set[Selector]) -> str:
    """The row without some of a comment's selectors, each with one of the separators beside it."""
    first_kept = next(index for index, one in enumerate(selectors) if one not in drop)
    for index in reversed(range(len(selectors))):
        if selectors[index] in drop:
            start = selectors[index].start if index < first_kept else selectors[index - 1].end
            end = selectors[index + 1].start if index < first_kept else selectors[index].end
            line = line[:start] + line[end:]
    return line


def _without(line: str, column: int, start: int, end: int) -> str:
    """The row without a stretch of the comment that begins at `column`; what else the comment says stays."""
    before, after = line[:start], line[end:]
    if not after.strip():
        return before.rstrip()
    if after.lstrip().startswith("#"):
        return before + after.lstrip()
    return f"{before}#{after}"


def _row_change(text: str, starts: Sequence[int], row: int, line: str, borders: Sequence[int]) -> Change:
    start = starts[row - 1]
    following = starts[row] if row < len(starts) else len(text)
    end = following - 1 if row < len(starts) else following
    if line.strip():
        return Change(start, end, line)
    if following not in borders:
        return Change(start, following, "")
    # an edit must not reach from one cell of a notebook into the next
    return Change(start, end, "")


def _checked(before: Document, after: Document) -> Document:
    """The changed file, if it reads as the same program."""
    try:
        source = parse_source(after.path, after.data)
    except UnicodeEncodeError:
        raise ValueError(f"{before.display}: its encoding ({before.encoding}) cannot hold the comment") from None
    except Unreadable as trouble:
        raise ValueError(f"{before.display}: it would not be readable: {trouble.reason}") from None
    if (source.text, source.encoding) != (after.text, before.encoding) or _code(before.text) != _code(after.text):
        raise ValueError(f"{before.display}: the comment would change more than comments")
    return after


def _code(text: str) -> list[tuple[int, str]]:
    """The tokens of a text but its comments and blank rows."""
    between = (tokenize.COMMENT, tokenize.NL)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(one.type, one.string.rstrip("\n")) for one in tokens if one.type not in between]
