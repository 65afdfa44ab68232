"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ddplint.report.concise import render_concise
from ddplint.report.github import render_github
from ddplint.report.gitlab import render_gitlab
from ddplint.report.json import render_json, render_json_lines
from ddplint.report.model import Report
from ddplint.report.sarif import render_sarif
from ddplint.report.text import render_text


@dataclass(frozen=True, slots=True)
class Format:
    """`edits`: shows what each fix changes; `terminal`: for the eyes, in the terminal's own encoding and colours."""

    render: Callable[[Report], str]
    edits: bool = False
    terminal: bool = False


def _html(report: Report) -> str:
    # what reads Markdown is slow to import and only needed here
    from ddplint.report.html import render_html

    return render_html(report)


def _junit(report: Report) -> str:
    # the XML library is slow to import and only needed here
    from ddplint.report.junit import render_junit

    return render_junit(report)


FORMATS: Mapping[str, Format] = {
    "text": Format(lambda report: render_text(report.result, report.style, report.verbose), terminal=True),
    "concise": Format(lambda report: render_concise(report.result, report.style), terminal=True),
    "json": Format(lambda report: render_json(report.result), edits=True),
    "json-lines": Format(lambda report: render_json_lines(report.result), edits=True),
    "sarif": Format(render_sarif, edits=True),
    "github": Format(render_github),
    "gitlab": Format(render_gitlab),
    "junit": Format(_junit),
    "html": Format(_html, edits=True),
}
