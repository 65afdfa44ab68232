"""The closing lines of a run."""

from __future__ import annotations

from collections import Counter

from ddplint.findings import SEVERITIES
from ddplint.report.known import known_parts
from ddplint.report.style import plural
from ddplint.result import Result


def render_summary(result: Result) -> str:
    """What was found, what was read, what was not."""
    by_severity = Counter(finding.severity for finding in result.findings)
    present = [severity for severity in reversed(SEVERITIES) if by_severity[severity]]
    counts = ", ".join(plural(by_severity[severity], severity) for severity in present)
    found = f"{plural(len(result.findings), 'finding')} ({counts})" if counts else "no findings"
    parts = [f"{plural(result.files_read, 'file')} read ({plural(result.lines_read, 'line')})"]
    if result.skipped:
        parts.append(f"{plural(len(result.skipped), 'path')} skipped{_reasons(result)}")
    parts += known_parts(result.suppressed, result.held)
    if result.errors:
        parts.append(plural(len(result.errors), "internal error"))
    return f"{found[0].upper()}{found[1:]}; {', '.join(parts)}.\n"


def _reasons(result: Result) -> str:
    counts = Counter(_kind(reason) for _, reason in result.skipped)
    listed = [f"{count} {kind}" for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return f" ({'; '.join(listed)})"


def _kind(reason: str) -> str:
    """The reason without what differs from file to file."""
    return reason.partition(" (")[0].partition(":")[0].strip()
