"""The formats by name. What makes a report is imported when the format is asked for: some need slow libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from ddplint.report.model import Report


@dataclass(frozen=True, slots=True)
class Format:
    """`edits`: shows what each fix changes; `terminal`: for the eyes, in the terminal's own encoding and colours."""

    render: Callable[[Report], str]
    edits: bool = False
    terminal: bool = False


def _text(report: Report) -> str:
    from ddplint.report.text import render_text

    return render_text(report.result, report.style, report.verbose)


def _concise(report: Report) -> str:
    from ddplint.report.concise import render_concise

    return render_concise(report.result, report.style)


def _json(report: Report) -> str:
    from ddplint.report.json import render_json

    return render_json(report.result)


def _json_lines(report: Report) -> str:
    from ddplint.report.json import render_json_lines

    return render_json_lines(report.result)


def _later(name: str) -> Callable[[Report], str]:
    """`render_<name>` of the module of that name."""

    def render(report: Report) -> str:
        text: str = getattr(import_module(f"ddplint.report.{name}"), f"render_{name}")(report)
        return text

    return render


FORMATS: Mapping[str, Format] = {
    "text": Format(_text, terminal=True),
    "concise": Format(_concise, terminal=True),
    "json": Format(_json, edits=True),
    "json-lines": Format(_json_lines, edits=True),
    "sarif": Format(_later("sarif"), edits=True),
    "github": Format(_later("github")),
    "gitlab": Format(_later("gitlab")),
    "junit": Format(_later("junit")),
    "html": Format(_later("html"), edits=True),
}
