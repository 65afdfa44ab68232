"""GitLab's code quality report: one list; the fingerprint tells old findings from new ones across commits."""

from __future__ import annotations

import json
from typing import Any

from ddplint.findings import Finding, Severity
from ddplint.report.fingerprint import fingerprints
from ddplint.report.model import Report, unicode_text
from ddplint.report.style import printable

_SEVERITIES: dict[Severity, str] = {"note": "info", "warning": "major", "error": "critical"}


def render_gitlab(report: Report) -> str:
    """The findings as GitLab reads them."""
    findings = report.result.findings
    marks = fingerprints(report)
    entries = [_entry(report, finding, mark) for finding, mark in zip(findings, marks)]
    return json.dumps(entries, indent=2) + "\n"


def _entry(report: Report, finding: Finding, fingerprint: str) -> dict[str, Any]:
    cell = report.result.sources.cell_position(finding.span.path, finding.span.row)
    place = f" (cell {cell[0]}, line {cell[1]})" if cell else ""
    # rows of a notebook's cells are no rows of its file
    rows = (1, 1) if cell else (finding.span.row, finding.span.end_row)
    return {
        "description": f"{finding.code} {finding.name}{place}: {printable(finding.message)}",
        "check_name": finding.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {
            "path": unicode_text(report.path(finding.span.path)),
            "lines": {"begin": rows[0], "end": rows[1]},
        },
    }
