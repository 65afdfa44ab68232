"""One line per finding, as editors and grep like it."""

from __future__ import annotations

from ddplint.report.style import Style, location, printable
from ddplint.result import Result


def render_concise(result: Result, style: Style) -> str:
    """`file:line:column: severity code name: message`."""
    return "".join(
        f"{style.bold(location(finding.span, result.sources))}: {style.severity(finding.severity, finding.severity)} "
        f"{style.bold(finding.code)} {finding.name}: {printable(finding.message)}\n"
        for finding in result.findings
    )
