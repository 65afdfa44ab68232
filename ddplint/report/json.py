"""The JSON reports: one list, or one object per line. Rows and columns count from 1, columns in characters."""

from __future__ import annotations

import json
from typing import Any

from ddplint.documentation import page_url
from ddplint.findings import Finding, Fix, Span
from ddplint.result import Result
from ddplint.source import Sources

_NOWHERE = {"cell": None, "location": None, "end_location": None}


def render_json(result: Result) -> str:
    """The findings as a JSON list, one object each."""
    return json.dumps([_finding(finding, result.sources) for finding in result.findings], indent=2) + "\n"


def render_json_lines(result: Result) -> str:
    """The same objects, one per line."""
    return "".join(
        json.dumps(_finding(finding, result.sources), separators=(",", ":")) + "\n" for finding in result.findings
    )


def _finding(finding: Finding, sources: Sources) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "message": finding.message,
        "filename": finding.span.path,
        **_place(finding.span, sources),
        "url": page_url(finding.code, finding.name),
        "fix": _fix(finding.fix, sources) if finding.fix else None,
        "no_fix_reason": finding.no_fix_reason or None,
        "ranks": [
            {
                "moment": event.moment,
                "lane": event.lane,
                "kind": event.kind,
                "label": event.label,
                "share": event.share or None,
                "filename": event.span.path if event.span else None,
                **(_place(event.span, sources) if event.span else _NOWHERE),
            }
            for event in finding.ranks
        ],
        "trace": [
            {"filename": step.span.path, **_place(step.span, sources), "message": step.message}
            for step in finding.trace
        ],
    }


def _fix(fix: Fix, sources: Sources) -> dict[str, Any]:
    return {
        "applicability": fix.applicability,
        "message": fix.message,
        "reason": fix.reason or None,
        "edits": [
            {"filename": edit.span.path, "content": edit.content, **_place(edit.span, sources)} for edit in fix.edits
        ],
    }


def _place(span: Span, sources: Sources) -> dict[str, Any]:
    cell = sources.cell_position(span.path, span.row)
    shift = span.row - cell[1] if cell else 0
    return {
        "cell": cell[0] if cell else None,
        "location": {"row": span.row - shift, "column": span.column},
        "end_location": {"row": span.end_row - shift, "column": span.end_column},
    }
