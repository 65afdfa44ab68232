"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from ddplint.report.concise import render_concise
from ddplint.report.json import render_json, render_json_lines
from ddplint.report.model import Report
from ddplint.report.text import render_text


@dataclass(frozen=True, slots=True)
class Format:
    """`edits`: shows what each fix changes; `terminal`: for the eyes, in the terminal's own encoding and colours."""

    render: Callable[[Report], str]
    edits: bool = False
    terminal: bool = False


def _later(name: str) -> Callable[[Report], str]:
    """`render_<name>` of the module of that name, which is imported when first needed: some need slow libraries."""

    def render(report: Report) -> str:
        text: str = getattr(import_module(f"ddplint.report.{name}"), f"render_{name}")(report)
        return text

    return render


FORMATS: Mapping[str, Format] = {
    "text": Format(lambda report: render_text(report.result, report.style, report.verbose), terminal=True),
    "concise": Format(lambda report: render_concise(report.result, report.style), terminal=True),
    "json": Format(lambda report: render_json(report.result), edits=True),
    "json-lines": Format(lambda report: render_json_lines(report.result), edits=True),
    "sarif": Format(_later("sarif"), edits=True),
    "github": Format(_later("github")),
    "gitlab": Format(_later("gitlab")),
    "junit": Format(_later("junit")),
    "html": Format(_later("html"), edits=True),
}
