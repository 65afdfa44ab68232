"""JUnit XML, as CI servers show test results: a failure per finding that fails the run."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

from ddplint.findings import Finding
from ddplint.report.model import Report, told, unicode_text

# what XML 1.0 cannot hold, not even as a character reference
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: Report) -> str:
    """One suite: a case per finding, per error of the run and per file left out; a passed one if there are none."""
    suite = ElementTree.Element("testsuite", name="ddplint")
    seen: Counter[tuple[str, str]] = Counter()
    for finding in report.result.findings:
        key = (finding.span.path, finding.code)
        seen[key] += 1
        _finding(suite, report, finding, seen[key])
    for number, error in enumerate(report.result.errors, 1):
        case = _case(suite, "ddplint", f"internal error {number}")
        _child(case, "error", error, message=error, type="internal error")
    for path, reason in report.result.skipped:
        _child(_case(suite, report.path(path), "read"), "skipped", message=reason)
    if not len(suite):
        _case(suite, "ddplint", "no findings")
    counts = {name: str(len(suite.findall(f"*/{name}"))) for name in ("failure", "error", "skipped")}
    totals = {"tests": str(len(suite)), "failures": counts["failure"], "errors": counts["error"]}
    for name, value in {**totals, "skipped": counts["skipped"], "time": "0"}.items():
        suite.set(name, value)
    root = ElementTree.Element("testsuites", {"name": "ddplint", **totals, "time": "0"})
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _finding(suite: ElementTree.Element, report: Report, finding: Finding, number: int) -> None:
    title = f"{finding.code} {finding.name}"
    path = report.path(finding.span.path)
    # servers tell new failures from old ones by the name: it must not change with the line
    case = _case(suite, path, title if number == 1 else f"{title} ({number})")
    case.set("file", _clean(path))
    if report.result.sources.cell_position(finding.span.path, finding.span.row) is None:
        case.set("line", str(finding.span.row))
    text = "\n".join([f"{report.place(finding.span)}: {title}", *told(report, finding)])
    if report.fails(finding):
        _child(case, "failure", text, message=finding.message, type=finding.severity)
    else:
        _child(case, "system-out", text)


def _case(suite: ElementTree.Element, classname: str, name: str) -> ElementTree.Element:
    return _child(suite, "testcase", classname=classname, name=name, time="0")


def _child(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag, {key: _clean(value) for key, value in attributes.items()})
    child.text = _clean(text) or None
    return child


def _clean(text: str) -> str:
    return _FORBIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), unicode_text(text))
