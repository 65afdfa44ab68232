"""The rows of a text: which of them make up one statement, and where comments stand."""

from __future__ import annotations

import contextlib
import io
import tokenize
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

Rows = tuple[int, int]

_STRING_STARTS = {getattr(tokenize, name, None) for name in ("FSTRING_START", "TSTRING_START")}
_STRING_ENDS = {getattr(tokenize, name, None) for name in ("FSTRING_END", "TSTRING_END")}
_BETWEEN = {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from its `#` on. The column counts from 0; `alone`: nothing else stands in its row."""

    row: int
    column: int
    text: str
    alone: bool


class Layout:
    """Rows are given as (first, last), from 1.

    `lines` are the logical lines: simple statements and the headers of compound ones. What cannot be tokenized ends
    the layout early: nothing is known of the rows below.
    """

    def __init__(self, text: str) -> None:
        self.comments: list[Comment] = []
        self.lines: list[Rows] = []
        self._groups: list[Rows] = []
        self._joins: list[Rows] = []
        self._code_rows: list[int] = []
        # a file that does not parse has no findings
        with contextlib.suppress(tokenize.TokenError, SyntaxError):
            self._read(text)
        self._joins = _merged(self._joins)
        self._code_rows = sorted(set(self._code_rows))

    def joined(self, row: int) -> Rows:
        """The rows that strings and backslashes join with this one: only the last of them can end in a comment."""
        return _holding(self._joins, row) or (row, row)

    def line(self, row: int) -> Rows | None:
        """The logical line that a row belongs to."""
        return _holding(self.lines, row)

    def statement(self, row: int) -> Rows | None:
        """The logical line that a row belongs to, with its decorators or with what it decorates."""
        return _holding(self._groups, row)

    def below(self, row: int) -> Rows | None:
        """What follows a comment in a row of its own: a statement, or within one the next rows that belong together."""
        line = self.line(row)
        index = bisect_right(self._code_rows, row)
        if index == len(self._code_rows):
            return None
        following = self._code_rows[index]
        return self.joined(following) if line else self.statement(following)

    def _read(self, text: str) -> None:
        first = group = 0
        decorator = False
        previous = 0
        strings: list[int] = []
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            row, end = token.start[0], token.end[0]
            if token.type in _BETWEEN:
                continue
            if token.type == tokenize.NL:
                previous = 0
                continue
            if previous and previous < row:
                # without a line end between two tokens, a backslash joins their rows
                self._joins.append((previous, row))
            if token.type == tokenize.COMMENT:
                self.comments.append(Comment(row, token.start[1], token.string, alone=not previous))
                previous = row
                continue
            if token.type == tokenize.NEWLINE:
                if first:
                    self.lines.append((first, row))
                if first and not decorator:
                    self._groups.append((group, row))
                    group = 0
                first = previous = 0
                continue
            if not first:
                first, decorator = row, token.string == "@"
                group = group or row
            if end > row:
                self._joins.append((row, end))
            if token.type in _STRING_STARTS:
                strings.append(row)
            elif token.type in _STRING_ENDS:
                self._joins.append((strings.pop(), end))
            self._code_rows += (row, end)
            previous = end


def _merged(intervals: Iterable[Rows]) -> list[Rows]:
    merged: list[Rows] = []
    for first, last in sorted(one for one in intervals if one[0] < one[1]):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _holding(intervals: list[Rows], row: int) -> Rows | None:
    index = bisect_left(intervals, (row + 1,)) - 1
    return intervals[index] if index >= 0 and intervals[index][1] >= row else None
