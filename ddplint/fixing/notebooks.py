"""A notebook as it is rewritten: edits of the program that its cells make, put back into the sources of those cells."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ddplint.fixing.documents import Document, Part, Rows
from ddplint.notebook import NOTEBOOK_SUFFIX, Cell, list_items, locate_sources, read_notebook

if TYPE_CHECKING:
    from ddplint.rewriting import Change, Layout

# one character within a JSON string
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)


def decode(display: str, path: str, data: bytes) -> Document:
    """The bytes of a Python file or notebook; raises Unreadable, or ValueError if it cannot be rewritten."""
    kind = NotebookDocument if display.endswith(NOTEBOOK_SUFFIX) else Document
    document = kind.decode(display, path, data)
    if isinstance(document, NotebookDocument):
        document.check()
    return document


@dataclass(frozen=True)
class NotebookDocument(Document):
    """A notebook: `raw` is its JSON text, `text` the program that its code cells make."""

    @cached_property
    def _joined(self) -> tuple[str, tuple[Cell, ...]]:
        return read_notebook(self.raw)

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self._joined[1]

    @cached_property
    def text(self) -> str:
        return self._joined[0]

    @cached_property
    def _sources(self) -> list[_Source | None]:
        places = locate_sources(self.raw)
        return [_Source(self.raw, *place) if place else None for place in places]

    @cached_property
    def _starts(self) -> list[int]:
        return Rows(self.text).plain

    def check(self) -> None:
        """Raise ValueError if a cell's source has a form that cannot be written back."""
        if len(self._sources) != len(self.cells):
            raise ValueError("its cells cannot be told apart")

    @cached_property
    def layout(self) -> Layout:
        from ddplint.rewriting import Kept, Layout, words_of

        kept: list[Kept] = []
        words: list[str] = []
        for cell, source in zip(self.cells, self._sources):
            rows = source.rows if source else Rows("")
            for first, last in cell.magics:
                words += words_of(rows.raw[rows.starts[first - cell.first_row] : rows.end(last - cell.first_row)])
                headed = first == cell.magics[0][0] and rows.raw.lstrip().startswith("%%")
                start = self._starts[(cell.first_row if headed else first) - 1]
                kept.append(Kept(start, self._starts[last] - 1, headed, headed and last == cell.last_row))
        borders = tuple(self._starts[cell.last_row] for cell in self.cells)
        return Layout(borders, tuple(kept), frozenset(words))

    @property
    def parts(self) -> tuple[Part, ...]:
        texts = [source.rows.raw if source else "" for source in self._sources]
        return tuple(
            Part(f"{self.display}:cell {cell.number}", text if text.endswith("\n") else f"{text}\n", cell.first_row)
            for cell, text in zip(self.cells, texts)
        )

    def place(self, row: int) -> str:
        for cell in self.cells:
            if cell.first_row <= row <= cell.last_row:
                return f"{self.display}:cell {cell.number}:{row - cell.first_row + 1}"
        return super().place(row)

    def changed(self, changes: Iterable[Change]) -> Document:
        """The notebook with changes of `text` put into the sources of the cells that they touch."""
        from ddplint.rewriting import Change, apply_changes, ordered

        changes = ordered(changes)
        by_cell: dict[int, list[Change]] = {}
        firsts = [self._starts[cell.first_row - 1] for cell in self.cells]
        for change in changes:
            by_cell.setdefault(bisect_right(firsts, change.start) - 1, []).append(change)
        made: list[Change] = []
        for number, own in by_cell.items():
            source = self._sources[number] if number >= 0 else None
            if source is None:
                raise ValueError(f"{self.display}: an edit outside the cells")
            translated = [self._own(self.cells[number], source, change) for change in own]
            made.append(Change(source.start, source.end, source.changed(translated, self._written)))
        document = replace(self, raw=apply_changes(self.raw, made))
        if document.text != apply_changes(self.text, changes):
            raise ValueError(f"{self.display}: the cells would not read as the edits say")
        return document

    def _own(self, cell: Cell, source: _Source, change: Change) -> Change:
        """A change of the text as a change of the cell's source."""
        from ddplint.rewriting import Change

        start, end = (self._offset(cell, source, place) for place in (change.start, change.end))
        row = bisect_right(source.rows.starts, start) - 1
        return Change(start, end, change.content.replace("\n", source.rows.newline(row)))

    def _offset(self, cell: Cell, source: _Source, place: int) -> int:
        row = bisect_right(self._starts, place)
        column = place - self._starts[row - 1]
        start = source.rows.starts[row - cell.first_row]
        magic = next((one for one in cell.magics if one[0] <= row <= one[1]), None)
        if magic is None or (column == 0 and row == magic[0]):
            return start + column
        if place != self._starts[row] - 1 or row != magic[1]:
            raise ValueError(f"{self.display}: an edit of a line that only IPython reads")
        return source.rows.end(row - cell.first_row)

    @cached_property
    def _written(self) -> _Writing:
        """How this file writes characters."""
        known: dict[str, str] = {}
        for source in self._sources:
            for character, form in source.characters if source else ():
                known.setdefault(character, form)
        escaped = [form.startswith("\\u") for character, form in known.items() if not character.isascii()]
        if escaped:
            return _Writing(known, all(escaped))
        return _Writing(known, self.raw.isascii() and re.search(r"\\u(?!00[0-7])[0-9a-fA-F]{4}", self.raw) is not None)


@dataclass(frozen=True, slots=True)
class _Writing:
    """How characters stand in JSON strings: those that are known, and whether others beyond ASCII are escaped."""

    known: dict[str, str]
    ascii: bool

    def form(self, character: str) -> str:
        return self.known.get(character) or json.dumps(character, ensure_ascii=self.ascii)[1:-1]


class _Source:
    """The source of one cell as the JSON text from `start` to `end` has it: one string, or a list of strings."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.start, self.end = start, end
        self._text = text
        self._items = list(list_items(text, start)) if text[start] == "[" else [(start, end)]
        self._is_list = text[start] == "["
        # characters with how each is written
        self.characters: list[tuple[str, str]] = []
        # the indices of characters with which an item begins
        self._begins: set[int] = set()
        strings: list[str] = []
        for first, last in self._items:
            value = json.loads(text[first:last])
            forms = _CHARACTER.findall(text[first + 1 : last - 1])
            if not isinstance(value, str) or len(forms) != len(value):
                raise ValueError("a cell's source is no list of plain strings")
            self._begins.add(len(self.characters))
            self.characters += zip(value, forms)
            strings.append(value)
        self.rows = Rows("".join(strings))
        # as Jupyter writes it: each row an item of its own
        self._by_rows = all(value.endswith("\n") for value in strings[:-1]) and not any(
            "\n" in value[:-1] or not value for value in strings
        )

    def changed(self, changes: Sequence[Change], writing: _Writing) -> str:
        """The JSON value with changes of the joined source put in; what they do not touch is written as it was."""
        made: list[tuple[str, str, bool]] = []
        position = 0
        carried = False
        for change in changes:
            made += self._slice(position, change.start, carried)
            gone = any(index in self._begins for index in range(change.start, change.end))
            begins = change.start in self._begins
            made += [(one, writing.form(one), begins and not at) for at, one in enumerate(change.content)]
            carried = gone and not (begins and change.content)
            position = change.end
        made += self._slice(position, len(self.characters), carried)
        if not self._is_list:
            return f'"{"".join(form for _, form, _ in made)}"'
        items: list[str] = []
        after_row = True
        for character, form, begins in made:
            if not items or (after_row if self._by_rows else begins):
                items.append("")
            items[-1] += form
            after_row = character == "\n"
        return self._list(items)

    def _slice(self, start: int, end: int, begins: bool) -> list[tuple[str, str, bool]]:
        first = start if begins else -1
        return [(*self.characters[at], at in self._begins or at == first) for at in range(start, end)]

    def _list(self, items: Sequence[str]) -> str:
        """A list laid out as this one is."""
        if not self._items:
            return f"[{', '.join(_quoted(items))}]"
        (first, first_end), last_end = self._items[0], self._items[-1][1]
        head, tail = self._text[self.start : first], self._text[last_end : self.end]
        if not items:
            return "[]"
        several = len(self._items) > 1
        between = self._text[first_end : self._items[1][0]] if several else self._between(head[1:])
        return f"{head}{between.join(_quoted(items))}{tail}"

    def _between(self, space: str) -> str:
        """What stands between items as far as the rest of the file tells; `space` is what stands before the first."""
        if "\n" in space:
            # strings hold no bare row ends, so this comma stands between values
            comma = re.search(r",[ \t]*(?=\r?\n)", self._text)
            return f"{comma[0] if comma else ','}{space}"
        return ", " if space or re.search(r'[\]}"\d], ["{\[]', self._text) else ","


def _quoted(forms: Iterable[str]) -> list[str]:
    return [f'"{form}"' for form in forms]
