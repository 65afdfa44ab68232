"""What a run ends with: plain data between the engine and the reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddplint.findings import Finding
from ddplint.source import Sources, Suppression


@dataclass(frozen=True, slots=True)
class Result:
    """Findings in order of place, without those that a comment suppresses.

    `used` are the suppressions that silenced something. `skipped` are the files named on stderr: (path, reason).
    """

    findings: tuple[Finding, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()
    files_read: int = 0
    lines_read: int = 0
    suppressed: int = 0
    used: tuple[tuple[str, Suppression], ...] = ()
    shown: frozenset[str] | None = None
    from_cache: bool = False
    sources: Sources = field(default_factory=Sources, compare=False)
