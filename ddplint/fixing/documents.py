"""A file as it is rewritten: its characters with their own line ends, and the way back to bytes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ddplint.source import parse_source

if TYPE_CHECKING:
    from ddplint.rewriting import Change

_LINE_END = re.compile(r"\r\n|\r|\n")


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

    @cached_property
    def _rows(self) -> list[tuple[int, int, str]]:
        """Of each row its offset in `text`, its offset in `raw`, and its line end."""
        rows: list[tuple[int, int, str]] = []
        plain = start = 0
        for match in _LINE_END.finditer(self.raw):
            rows.append((plain, start, match[0]))
            plain += match.start() - start + 1
            start = match.end()
        return [*rows, (plain, start, "")]

    def changed(self, changes: Iterable[Change]) -> Document:
        """The file with changes of `text` put in; inserted rows end as their neighbours do."""
        from bisect import bisect_right

        from ddplint.rewriting import apply_changes, ordered

        changes = ordered(changes)
        starts = [row[0] for row in self._rows]
        pieces: list[str] = []
        position = 0
        for change in changes:
            first, last = (bisect_right(starts, place) - 1 for place in (change.start, change.end))
            start = self._rows[first][1] + change.start - starts[first]
            end = self._rows[last][1] + change.end - starts[last]
            newline = self._rows[first][2] or (self._rows[first - 1][2] if first else "\n")
            pieces += [self.raw[position:start], change.content.replace("\n", newline)]
            position = end
        made = replace(self, raw="".join([*pieces, self.raw[position:]]))
        if made.text != apply_changes(self.text, changes):
            raise ValueError(f"{self.display}: line ends do not fit the edits")
        return made
