"""What a run ends with: plain data between the engine and the reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddplint.findings import Finding
from ddplint.source import Sources
from ddplint.suppression import Suppression

if TYPE_CHECKING:
    from ddplint.baseline.entries import Known


@dataclass(frozen=True, slots=True)
class Result:
    """Findings in order of place, without those that a comment suppresses or that the baseline knows.

    `silenced` are those findings, once with each comment that covers them, `suppressed` is their number. `held` counts
    what the baseline knows, `stale` are its entries that match nothing any more. `skipped` are the files named on
    stderr: (path, reason).
    """

    findings: tuple[Finding, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()
    files_read: int = 0
    lines_read: int = 0
    suppressed: int = 0
    silenced: tuple[tuple[Finding, Suppression], ...] = ()
    held: int = 0
    stale: tuple[Known, ...] = ()
    shown: frozenset[str] | None = None
    from_cache: bool = False
    sources: Sources = field(default_factory=Sources, compare=False)
