"""Edits of a text, and what such edits must respect."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass


class CannotRewrite(Exception):
    """A rewrite that is not possible here; the message is one short phrase."""


class Conflict(CannotRewrite):
    """Two edits of the same text."""


@dataclass(frozen=True, slots=True)
class Change:
    """Replace the characters `start` to `end` of a file's text."""

    start: int
    end: int
    content: str

    def overlaps(self, other: Change) -> bool:
        if self.start == self.end or other.start == other.end:
            point, wide = (self, other) if self.start == self.end else (other, self)
            return wide.start < point.start < wide.end
        return max(self.start, other.start) < min(self.end, other.end)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stretch of rows that must stay; `first`: nothing may come before it in its part, `whole`: nothing after it."""

    start: int
    end: int
    first: bool = False
    whole: bool = False

    def hinders(self, change: Change) -> bool:
        if change.start != change.end:
            return max(self.start, change.start) < min(self.end, change.end)
        if change.start == self.start:
            return self.first or not change.content.endswith("\n")
        if change.start == self.end:
            return self.whole or not change.content.startswith("\n")
        return self.start < change.start < self.end


@dataclass(frozen=True, slots=True)
class Layout:
    """What edits of a text must respect where it is made of parts, such as the cells of a notebook.

    `borders` are the offsets right after the last row of each part; `words` are the names that stand in what is kept.
    """

    borders: tuple[int, ...] = ()
    kept: tuple[Kept, ...] = ()
    words: frozenset[str] = frozenset()

    def refusal(self, change: Change) -> str:
        """Why an edit is not possible, or an empty string."""
        if any(change.start < border <= change.end or change.start >= self.borders[-1] for border in self.borders):
            return "the edit would reach from one cell into another"
        if any(kept.hinders(change) for kept in self.kept):
            return "the edit would touch a line of the notebook that only IPython reads"
        return ""


def ordered(changes: Iterable[Change]) -> list[Change]:
    """In the order in which they apply; what is inserted at one place keeps its order."""
    return sorted(changes, key=lambda change: (change.start, change.start != change.end))


def apply_changes(text: str, changes: Iterable[Change]) -> str:
    """The text with the changes put in."""
    pieces: list[str] = []
    position = 0
    for change in ordered(changes):
        if change.start < position:
            raise Conflict("edits overlap")
        pieces += [text[position : change.start], change.content]
        position = change.end
    return "".join([*pieces, text[position:]])


def line_starts(text: str) -> list[int]:
    """Offsets at which the rows begin."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def words_of(text: str) -> list[str]:
    """Whatever in a text could be a name."""
    return re.findall(r"[^\W\d]\w*", text)


def comments_of(code: str) -> list[tuple[int, str]]:
    """Offset and text of each comment; of code that does not tokenize those up to that point."""
    starts = line_starts(code)
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                found.append((starts[token.start[0] - 1] + token.start[1], token.string))
    except (tokenize.TokenError, SyntaxError):
        return found
    return found
