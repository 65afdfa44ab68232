"""What a fix changes, as hunks of lines: made from its edits, without comparing whole files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ddplint.findings import Edit, Fix
from ddplint.source import Sources

_CONTEXT = 3

Sign = Literal[" ", "-", "+"]


@dataclass(frozen=True, slots=True)
class Hunk:
    """A stretch of a file from `row` on: lines that stay, go and come."""

    path: str
    row: int
    lines: tuple[tuple[Sign, str], ...]


def hunks_of(fix: Fix, sources: Sources) -> tuple[Hunk, ...]:
    """The hunks of a fix in order of its files and rows; none where a file is no longer what it was."""
    by_path: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.span.path, []).append(edit)
    made: list[Hunk] = []
    for path, edits in by_path.items():
        source = sources.get(path)
        if source is None or source.cells:
            return ()
        lines = source.text.split("\n")
        for group in _groups(sorted(edits, key=_start)):
            hunk = _hunk(path, lines, group)
            if hunk is None:
                return ()
            made.append(hunk)
    return tuple(made)


def _start(edit: Edit) -> tuple[int, int]:
    return edit.span.row, edit.span.column


def _groups(edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Edits so close to each other that their contexts touch."""
    group: list[Edit] = []
    reach = 0
    for edit in edits:
        if group and edit.span.row > reach + 2 * _CONTEXT:
            yield group
            group = []
        group.append(edit)
        reach = max(reach, edit.span.end_row)
    if group:
        yield group


def _hunk(path: str, lines: Sequence[str], edits: Sequence[Edit]) -> Hunk | None:
    first = max(edits[0].span.row - _CONTEXT, 1)
    last = min(max(edit.span.end_row for edit in edits) + _CONTEXT, len(lines))
    old = list(lines[first - 1 : last])
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line) + 1)
    text, pieces, position = "\n".join(old), [], 0
    for edit in edits:
        span = edit.span
        if not (first <= span.row <= span.end_row <= last):
            return None
        begin, end = starts[span.row - first] + span.column - 1, starts[span.end_row - first] + span.end_column - 1
        if not position <= begin <= end <= len(text):
            return None
        pieces += [text[position:begin], edit.content]
        position = end
    new = "".join([*pieces, text[position:]]).split("\n")
    compared = list(_compare(old, new))
    changed = [number for number, (sign, _) in enumerate(compared) if sign != " "]
    if not changed:
        return None
    low, high = max(changed[0] - _CONTEXT, 0), min(changed[-1] + _CONTEXT + 1, len(compared))
    while low < changed[0] and not compared[low][1].strip():
        low += 1
    while high > changed[-1] + 1 and not compared[high - 1][1].strip():
        high -= 1
    return Hunk(path, first + low, tuple(compared[low:high]))


def _compare(old: list[str], new: list[str]) -> Iterator[tuple[Sign, str]]:
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from ((" ", line) for line in old[i1:i2])
        else:
            yield from (("-", line) for line in old[i1:i2])
            yield from (("+", line) for line in new[j1:j2])
