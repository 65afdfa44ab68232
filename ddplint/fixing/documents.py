"""A file as it is rewritten: its characters with their own line ends, and the way back to bytes."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ddplint.source import parse_source

if TYPE_CHECKING:
    from ddplint.rewriting import Change, Layout

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Part:
    """What a diff shows as one file: its name, its characters, and the row of the document's `text` it begins with."""

    name: str
    raw: str
    first_row: int


@dataclass(frozen=True)
class Document:
    r"""One file: how output names it, where it is, and its characters as they stand there (`text` has only `\n`)."""

    display: str
    path: str
    raw: str
    encoding: str
    bom: bool

    @classmethod
    def decode(cls, display: str, path: str, data: bytes) -> Document:
        """Raises Unreadable, or ValueError if the characters cannot be turned back into just these bytes."""
        source = parse_source(path, data)
        body = data[len(codecs.BOM_UTF8) :] if source.bom else data
        document = cls(display, path, body.decode(source.encoding), source.encoding, source.bom)
        if document.data != data:
            raise ValueError(f"its encoding ({source.encoding}) does not lead back to the same bytes")
        return document

    @property
    def data(self) -> bytes:
        return (codecs.BOM_UTF8 if self.bom else b"") + self.raw.encode(self.encoding)

    @cached_property
    def text(self) -> str:
        return _LINE_END.sub("\n", self.raw)

    @property
    def layout(self) -> Layout | None:
        """What edits of the text must respect, if it has parts."""
        return None

    @property
    def parts(self) -> tuple[Part, ...]:
        """What a diff compares."""
        return (Part(self.display, self.raw, 1),)

    def place(self, row: int) -> str:
        """How output names a row of the text."""
        return f"{self.display}:{row}"

    def changed(self, changes: Iterable[Change]) -> Document:
        """The file with changes of `text` put in; inserted rows end as their neighbours do."""
        from ddplint.rewriting import apply_changes, ordered

        changes = ordered(changes)
        made = replace(self, raw=apply_changes(self.raw, Rows(self.raw).own(changes)))
        if made.text != apply_changes(self.text, changes):
            raise ValueError(f"{self.display}: line ends do not fit the edits")
        return made


class Rows:
    """The rows of a text with its own line ends."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        # offsets in the text that has only `\n`, offsets in `raw`, line ends
        self.plain = [0]
        self.starts = [0]
        self.ends: list[str] = []
        for match in _LINE_END.finditer(raw):
            self.plain.append(self.plain[-1] + match.start() - self.starts[-1] + 1)
            self.starts.append(match.end())
            self.ends.append(match[0])
        self.ends.append("")

    def newline(self, row: int) -> str:
        """How what is inserted in a row (from 0) ends: as that row, or as the one above."""
        return self.ends[row] or (self.ends[row - 1] if row else "\n")

    def end(self, row: int) -> int:
        """Where in `raw` a row (from 0) ends, its line end left aside."""
        return self.starts[row + 1] - len(self.ends[row]) if row + 1 < len(self.starts) else len(self.raw)

    def own(self, changes: Iterable[Change]) -> list[Change]:
        """Changes of the text that has only `\n` as changes of `raw`."""
        from ddplint.rewriting import Change

        made = []
        for change in changes:
            first, last = (bisect_right(self.plain, place) - 1 for place in (change.start, change.end))
            start = self.starts[first] + change.start - self.plain[first]
            end = self.starts[last] + change.end - self.plain[last]
            made.append(Change(start, end, change.content.replace("\n", self.newline(first))))
        return made
