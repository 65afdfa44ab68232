"""The repairs as one unified diff."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from ddplint.fixing.documents import Part
from ddplint.fixing.session import Applied, Repair

_CONTEXT = 3
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def render_diff(repair: Repair) -> str:
    """All changes. Each hunk's head names its fixes (rule, level, why unsafe) where `patch` and Git ignore it.

    Of a notebook the changed cells are shown, each under a name of its own.
    """
    return "".join(line for path in repair.changed for line in _file(path, repair))


def _file(path: str, repair: Repair) -> Iterator[str]:
    text = repair.after[path].text
    for before, after in zip(repair.before[path].parts, repair.after[path].parts):
        if before.raw != after.raw:
            yield from _part(path, text, before, after, repair.applied)


def _part(path: str, text: str, before: Part, after: Part, applied: Sequence[Applied]) -> Iterator[str]:
    old, new = (_LINE.findall(part.raw) for part in (before, after))
    named = "" if path.startswith("/") else "a/", "" if path.startswith("/") else "b/"
    yield f"--- {named[0]}{_name(before.name)}\n"
    yield f"+++ {named[1]}{_name(after.name)}\n"
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        heading = _heading(path, text, applied, group, after.first_row)
        ranges = f"-{_range(first[1], last[2])} +{_range(first[3], last[4])}"
        yield f"@@ {ranges} @@{f' {heading}' if heading else ''}\n"
        for kind, i1, i2, j1, j2 in group:
            if kind == "equal":
                yield from _lines(" ", old[i1:i2])
                continue
            yield from _lines("-", old[i1:i2])
            yield from _lines("+", new[j1:j2])


def _lines(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        whole = line.endswith(("\n", "\r"))
        yield f"{mark}{line}" if whole else f"{mark}{line}\n\\ No newline at end of file\n"


def _heading(
    path: str,
    text: str,
    applied: Sequence[Applied],
    group: Sequence[tuple[str, int, int, int, int]],
    first_row: int,
) -> str:
    # a deletion stands between two rows, at the row that follows
    shift = first_row - 1
    changed = [(shift + j1 + 1, shift + max(j1 + 1, j2)) for kind, _, _, j1, j2 in group if kind != "equal"]
    names: dict[str, None] = {}
    for one in applied:
        if any(a <= last and first <= b for a, b in one.rows(path, text) for first, last in changed):
            fix = one.finding.fix
            level = fix.applicability if fix else ""
            reason = f": {' '.join(fix.reason.split())}" if fix and fix.reason else ""
            names[f"{one.finding.code} {one.finding.name} ({level}{reason})"] = None
    return "; ".join(names)


def _range(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _name(path: str) -> str:
    """The path in one line, quoted as Git does if it holds odd characters."""
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")
