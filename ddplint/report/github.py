"""Workflow commands of GitHub Actions: each finding becomes an annotation in the pull request."""

from __future__ import annotations

from ddplint.findings import Finding, Severity
from ddplint.report.model import Report, told, unicode_text

_COMMANDS: dict[Severity, str] = {"note": "notice", "warning": "warning", "error": "error"}


def render_github(report: Report) -> str:
    """One command per finding, and one per file that was left out or error of the run."""
    lines = [_command(_COMMANDS[finding.severity], _place(report, finding), told(report, finding))
             for finding in report.result.findings]  # fmt: skip
    for path, reason in report.result.skipped:
        lines.append(_command("notice", {"file": report.path(path), "title": "ddplint: skipped"}, [reason]))
    for error in report.result.errors:
        lines.append(_command("error", {"title": "ddplint: internal error"}, [error]))
    return unicode_text("".join(lines))


def _place(report: Report, finding: Finding) -> dict[str, str]:
    span, title = finding.span, f"{finding.code} {finding.name}"
    properties = {"file": report.path(span.path)}
    cell = report.result.sources.cell_position(span.path, span.row)
    if cell is not None:
        # rows of a notebook's cells are no rows of its file
        return properties | {"title": f"{title} (cell {cell[0]}, line {cell[1]})"}
    properties |= {"line": str(span.row), "endLine": str(span.end_row)}
    if span.row == span.end_row:
        # columns of different rows are refused
        properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    return properties | {"title": title}


def _command(name: str, properties: dict[str, str], lines: list[str]) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{_data(chr(10).join(lines))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
