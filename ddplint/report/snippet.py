"""A source line with a span of it underlined."""

from __future__ import annotations

from ddplint.findings import Span
from ddplint.report.style import printable, width

_TAB = 4
_LIMIT = 140
_LEAD = 40


def snippet(line: str, span: Span) -> tuple[str, str]:
    """`(line, underline)` for the first row of `span`: tabs expanded, wide characters counted, indentation kept.

    A line that is too long is cut around the span.
    """
    cells = _cells(line)
    end = span.end_column if span.end_row == span.row else len(line.rstrip()) + 1
    start = min(max(span.column - 1, 0), len(cells))
    stop = max(min(end - 1, len(cells)), start)
    before = sum(columns for _, columns in cells[:start])
    first, last, prefix = 0, len(cells), ""
    if sum(columns for _, columns in cells) > _LIMIT:
        while before > _LEAD and first < start:
            before -= cells[first][1]
            first += 1
        prefix = "..." if first else ""
        last, total = first, 0
        while last < len(cells) and total + cells[last][1] <= _LIMIT:
            total += cells[last][1]
            last += 1
    shown = prefix + "".join(text for text, _ in cells[first:last]) + ("..." if last < len(cells) else "")
    marked = sum(columns for _, columns in cells[start : min(stop, last)])
    return shown.rstrip(), " " * (len(prefix) + before) + "^" * max(marked, 1)


def _cells(line: str) -> list[tuple[str, int]]:
    """Per character what is printed for it and the columns that takes."""
    cells: list[tuple[str, int]] = []
    column = 0
    for character in line:
        if character == "\t":
            text = " " * (_TAB - column % _TAB)
            columns = len(text)
        else:
            text = printable(character)
            columns = sum(map(width, text))
        cells.append((text, columns))
        column += columns
    return cells
