"""What every report is made from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ddplint.files import display_path
from ddplint.findings import SEVERITIES, Finding, Severity, Span
from ddplint.report.style import Style, printable
from ddplint.result import Result
from ddplint.rules.base import Rule


@dataclass(frozen=True, slots=True)
class Report:
    """A run's result and how it is to be shown.

    `rules` are those whose documentation goes with the findings, `fail_on` the lowest severity that fails the run,
    `verbose` asks the text report for the picture of the ranks. Paths of findings count from `cwd`; reports for a
    server name them from `base`, the root of the checkout, if `cwd` lies in it.
    """

    result: Result
    rules: Sequence[Rule] = ()
    style: Style = field(default_factory=Style)
    fail_on: Severity = "warning"
    verbose: bool = False
    cwd: str = field(default_factory=os.getcwd)
    base: str = ""

    def fails(self, finding: Finding) -> bool:
        """Whether this finding alone would fail the run."""
        return SEVERITIES.index(finding.severity) >= SEVERITIES.index(self.fail_on)

    @property
    def root(self) -> str:
        """The folder from which reports for a server name files."""
        below = os.path.join(self.cwd, "").startswith(os.path.join(self.base, "")) if self.base else False
        return self.base if below else self.cwd

    def path(self, path: str) -> str:
        """A finding's path counted from the root of the checkout; absolute if it lies elsewhere."""
        return display_path(os.path.normpath(os.path.join(self.cwd, path)), self.root)

    def uri(self, path: str) -> str:
        """The same as a URI: relative to the root, or `file:///...`."""
        path = self.path(path)
        return Path(path).as_uri() if os.path.isabs(path) else quote(os.fsencode(path))

    def place(self, span: Span) -> str:
        """`file:line:column` for sentences; for a notebook `file:cell N:line:column`."""
        cell = self.result.sources.cell_position(span.path, span.row)
        rows = f"cell {cell[0]}:{cell[1]}" if cell else str(span.row)
        return f"{printable(self.path(span.path))}:{rows}:{span.column}"


def checkout_root(environment: Mapping[str, str] = os.environ) -> str:
    """Where GitHub Actions or GitLab CI has put the repository; empty elsewhere."""
    named = environment.get("GITHUB_WORKSPACE") or environment.get("CI_PROJECT_DIR") or ""
    return os.path.abspath(named) if named else ""


def told(report: Report, finding: Finding) -> list[str]:
    """A finding in sentences, one line each: its message, its trace, and what can be done."""
    lines = [printable(finding.message)]
    for number, step in enumerate(finding.trace, 1):
        lines.append(f"{number}. {report.place(step.span)}: {printable(step.message)}")
    if finding.fix is not None:
        reason = f" ({printable(finding.fix.reason)})" if finding.fix.reason else ""
        lines.append(f"fix ({finding.fix.applicability}): {printable(finding.fix.message)}{reason}")
    elif finding.no_fix_reason:
        lines.append(f"no fix: {printable(finding.no_fix_reason)}")
    return lines


def unicode_text(text: str) -> str:
    """The text with bytes that stand for no character (as in odd file names) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
