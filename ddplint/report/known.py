"""What is said of findings that are known: suppressed by comments, held back by a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddplint.report.style import plural, printable

if TYPE_CHECKING:
    from ddplint.baseline.entries import Known

_MOST = 10


def known_parts(suppressed: int, held: int) -> list[str]:
    """The counts as parts of a sentence; what is none is left out."""
    parts = [f"{suppressed:,} suppressed by comments"] if suppressed else []
    return [*parts, f"{held:,} held back by the baseline"] if held else parts


def render_stale(stale: Sequence[Known], file: str, verbose: bool) -> list[str]:
    """The entries of a baseline that match nothing any more, one line each."""
    if not stale:
        return []
    entries, them = ("entry matches", "it") if len(stale) == 1 else ("entries match", "them")
    shown = stale if verbose else stale[:_MOST]
    lines = [f"{len(stale)} {entries} nothing any more in {file} (`ddplint baseline --prune` drops {them}):"]
    for entry, count in shown:
        times = f" ({count} times)" if count > 1 else ""
        scope = f" in {entry.scope}" if entry.scope else ""
        lines.append(f"  {entry.rule} {printable(entry.path)}{scope}: {printable(entry.code)}{times}")
    if len(shown) < len(stale):
        lines.append(f"  and {plural(len(stale) - len(shown), 'other')}; -v names them")
    return lines


def render_updated(count: int, added: int, dropped: int, file: str) -> str:
    """What a baseline that was written holds, and how it differs from the one before."""
    changes = [text for number, text in ((added, f"{added:,} new"), (dropped, f"{dropped:,} gone")) if number]
    detail = f" ({', '.join(changes)})" if changes else ""
    return f"{file} knows {plural(count, 'finding')}{detail}.\n"
