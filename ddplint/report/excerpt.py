"""Source lines around a span as runs of text with a class each: what the HTML page shows of a place."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ddplint.findings import Span
from ddplint.report.changes import Hunk, Sign
from ddplint.report.style import printable
from ddplint.source import Sources

_AROUND = 2
_MOST_ROWS = 12
_TAB = 4
_LIMIT = 300
_LEAD = 80

_TOKEN = re.compile(
    r"(?P<comment>#.*)"
    r"|(?P<string>\b[rbfuRBFU]{0,2}(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?)|(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?))"
    r"|(?P<number>\b\d[\w.]*)"
    r"|(?P<word>[^\W\d]\w*)"
)


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one look: `kind` is empty, `keyword`, `string`, `number` or `comment`."""

    text: str
    kind: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line; `number` counts within the cell in notebooks. A row without runs stands for lines left out."""

    number: int
    runs: tuple[Run, ...]
    left_out: bool = False


def excerpt(span: Span, sources: Sources) -> tuple[Row, ...]:
    """The rows of a span and a few around it, without the indentation that they share; empty if the file has gone."""
    lines = _lines(span, sources)
    indents = [line[: len(line) - len(line.lstrip())] for _, line in lines if line and not line.isspace()]
    least = min(indents, key=len, default="")
    shared = len(least) if all(indent.startswith(least) for indent in indents) else 0
    cell = sources.cell_position(span.path, span.row)
    shift = span.row - cell[1] if cell else 0
    strings = sources.long_strings(span.path)
    rows: list[Row] = []
    for row, line in lines:
        if line is None:
            rows.append(Row(row - shift, (), True))
        else:
            rows.append(Row(row - shift, tuple(_runs(line, *_marked(line, row, span), shared, strings.get(row, ())))))
    while rows and not _counts(rows[-1]):
        rows.pop()
    while rows and not _counts(rows[0]):
        rows.pop(0)
    return tuple(rows)


def _lines(span: Span, sources: Sources) -> list[tuple[int, str | None]]:
    """The rows around a span within its cell; None where some of a long span are left out."""
    # an end in column 1 leaves the last row out
    last = max(span.row, span.end_row - (span.end_column <= 1))
    shown = min(last, span.row + _MOST_ROWS - 1)
    cell = sources.cell_position(span.path, span.row)
    if sources.line(span.path, span.row) is None:
        return []
    found: list[tuple[int, str | None]] = []
    for row in [*range(max(span.row - _AROUND, 1), shown + 1), *range(last + 1, last + _AROUND + 1)]:
        if row == last + 1 and shown < last:
            found.append((shown + 1, None))
        line = sources.line(span.path, row)
        here = sources.cell_position(span.path, row)
        if line is not None and (here[0] if here else 0) == (cell[0] if cell else 0):
            found.append((row, line))
    return found


def _counts(row: Row) -> bool:
    """Whether a row at the edge is worth showing."""
    return row.left_out or any(run.marked or run.text.strip() for run in row.runs)


def _marked(line: str, row: int, span: Span) -> tuple[int, int]:
    """The part of a row that belongs to a span, as offsets; its indentation does not."""
    if not span.row <= row <= span.end_row:
        return 0, 0
    indent = len(line) - len(line.lstrip())
    start = span.column - 1 if row == span.row else indent
    end = span.end_column - 1 if row == span.end_row else len(line.rstrip())
    if row == span.row and end <= start:
        end = start + 1
    return start, end


def hunk_runs(hunk: Hunk, sources: Sources) -> Iterator[tuple[Sign, tuple[Run, ...]]]:
    """The lines of a hunk, nothing marked."""
    strings, row = sources.long_strings(hunk.path), hunk.row
    for sign, line in hunk.lines:
        # where a new line stands there is something else in the file
        yield sign, tuple(_runs(line, 0, 0, 0, () if sign == "+" else strings.get(row, ())))
        row += sign != "+"


def _runs(line: str, start: int, end: int, drop: int, strings: Sequence[tuple[int, int]]) -> Iterator[Run]:
    cut = len(line) > drop + _LIMIT and start > drop + _LEAD
    first = start - _LEAD if cut else min(drop, len(line))
    last = min(len(line), first + _LIMIT)
    kinds = _kinds(line[:last], strings)
    if cut:
        yield Run("...")
    column = 0
    for (kind, marked), group in groupby(range(first, last), lambda at: (kinds[at], start <= at < end)):
        offsets = list(group)
        text = _shown(line[offsets[0] : offsets[-1] + 1], column)
        column += len(text)
        yield Run(text, kind, marked)
    if last < len(line):
        yield Run("...")


def _shown(text: str, column: int) -> str:
    """What is shown of characters that begin in a column: tabs go to the next stop."""
    shown = ""
    for number, piece in enumerate(text.split("\t")):
        if number:
            shown += " " * (_TAB - (column + len(shown)) % _TAB)
        shown += printable(piece)
    return shown


def _kinds(line: str, strings: Sequence[tuple[int, int]]) -> list[str]:
    """Of each character what it belongs to, as far as one line tells; `strings` are parts of strings of several."""
    kinds = [""] * len(line)
    for start, end in strings:
        end = min(end, len(line))
        kinds[start:end] = ["string"] * (end - start)
        line = line[:start] + " " * (end - start) + line[end:]
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or ""
        if kind == "word":
            kind = "keyword" if keyword.iskeyword(match[0]) else ""
        if kind:
            kinds[match.start() : match.end()] = [kind] * (match.end() - match.start())
    return kinds
