"""SARIF 2.1.0, the format of code scanning services and of viewers in editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddplint import __version__
from ddplint.documentation import page_url, render
from ddplint.findings import Finding, Fix, Severity, Span
from ddplint.report.fingerprint import fingerprints
from ddplint.report.model import Report, unicode_text
from ddplint.rules.base import Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_ROOT = "%SRCROOT%"
# the names that code scanning gives to levels
_PROBLEMS: dict[Severity, str] = {"note": "recommendation", "warning": "warning", "error": "error"}
_LINK = re.compile(r"\](?=\()")

Json = dict[str, Any]


def render_sarif(report: Report) -> str:
    """One run with its rules, results, and what was left out."""
    findings = report.result.findings
    numbers = {rule.code: number for number, rule in enumerate(report.rules)}
    marks = fingerprints(report)
    run = {
        "tool": {
            "driver": {
                "name": "ddplint",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in report.rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path(report.root).as_uri().rstrip('/')}/"}},
        "invocations": [_invocation(report)],
        "results": [_result(report, finding, numbers, mark) for finding, mark in zip(findings, marks)],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> Json:
    documentation = rule.documentation
    text = render(rule.code, rule.name, rule.severity, documentation)
    url = page_url(rule.code, rule.name)
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": documentation.summary},
        "fullDescription": {"text": documentation.sections["What it does"]},
        "help": {"text": text, "markdown": text},
        **({"helpUri": url} if url else {}),
        "defaultConfiguration": {"level": rule.severity},
        "properties": {"tags": ["correctness", "pytorch"], "problem.severity": _PROBLEMS[rule.severity]},
    }


def _result(report: Report, finding: Finding, numbers: dict[str, int], fingerprint: str) -> Json:
    trace = [(step.span, step.message) for step in finding.trace]
    if trace and finding.span not in {span for span, _ in trace}:
        trace.append((finding.span, finding.message))
    related = [*((step.span, step.message) for step in finding.trace), *((span, "") for span in finding.also)]
    result: Json = {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": _message(finding.message),
        "locations": [_location(report, finding.span)],
        "partialFingerprints": {"ddplintContext/v1": fingerprint},
    }
    if finding.code in numbers:
        result["ruleIndex"] = numbers[finding.code]
    if trace:
        steps = [{"location": _location(report, span, message)} for span, message in trace]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if related:
        result["relatedLocations"] = [
            {"id": number, **_location(report, span, message)} for number, (span, message) in enumerate(related, 1)
        ]
    edits = finding.fix.edits if finding.fix else ()
    # rows of a notebook's cells are no rows of its file
    if finding.fix is not None and edits and not any(_cell(report, edit.span) for edit in edits):
        result["fixes"] = [_fix(report, finding.fix)]
    if finding.no_fix_reason:
        result["properties"] = {"noFixReason": finding.no_fix_reason}
    return result


def _fix(report: Report, fix: Fix) -> Json:
    changes: dict[str, list[Json]] = {}
    for edit in fix.edits:
        replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.content}}
        changes.setdefault(edit.span.path, []).append(replacement)
    reason = {"reason": fix.reason} if fix.reason else {}
    return {
        "description": _message(fix.message),
        "artifactChanges": [
            {"artifactLocation": _artifact(report, path), "replacements": replacements}
            for path, replacements in changes.items()
        ],
        "properties": {"applicability": fix.applicability, **reason},
    }


def _location(report: Report, span: Span, message: str = "") -> Json:
    physical: Json = {"artifactLocation": _artifact(report, span.path)}
    location: Json = {"physicalLocation": physical}
    cell = _cell(report, span)
    if cell is None:
        physical["region"] = _region(span)
    else:
        name = f"cell {cell[0]}, line {cell[1]}, column {span.column}"
        location["logicalLocations"] = [{"name": name, "kind": "cell"}]
    if message:
        location["message"] = _message(message)
    return location


def _cell(report: Report, span: Span) -> tuple[int, int] | None:
    return report.result.sources.cell_position(span.path, span.row)


def _region(span: Span) -> Json:
    return {
        "startLine": span.row,
        "startColumn": span.column,
        "endLine": span.end_row,
        "endColumn": span.end_column,
    }


def _artifact(report: Report, path: str) -> Json:
    uri = report.uri(path)
    return {"uri": uri} if uri.startswith("file:") else {"uri": uri, "uriBaseId": _ROOT}


def _message(text: str) -> Json:
    # `[a](b)` would be read as a link
    return {"text": _LINK.sub("] ", unicode_text(text))}


def _invocation(report: Report) -> Json:
    notifications = list(_notifications(report))
    return {
        "executionSuccessful": not report.result.errors,
        "workingDirectory": {"uri": f"{Path(report.cwd).as_uri().rstrip('/')}/"},
        **({"toolExecutionNotifications": notifications} if notifications else {}),
    }


def _notifications(report: Report) -> Iterator[Json]:
    for path, reason in report.result.skipped:
        place = {"physicalLocation": {"artifactLocation": _artifact(report, path)}}
        yield {"level": "warning", "message": _message(f"skipped: {reason}"), "locations": [place]}
    for error in report.result.errors:
        yield {"level": "error", "message": _message(error)}
