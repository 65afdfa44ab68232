"""The report a person reads: each finding with its line, its trace and what can be done."""

from __future__ import annotations

from collections.abc import Iterator

from ddplint.findings import Finding, Span
from ddplint.report.snippet import snippet
from ddplint.report.style import Style, location, printable
from ddplint.result import Result
from ddplint.source import Sources


def render_text(result: Result, style: Style, verbose: bool = False) -> str:
    """All findings; an empty line after each. `verbose` adds the picture of what each rank does."""
    blocks = ["\n".join(_block(finding, result.sources, style, verbose)) for finding in result.findings]
    return "".join(f"{block}\n\n" for block in blocks)


def _block(finding: Finding, sources: Sources, style: Style, verbose: bool) -> Iterator[str]:
    yield (
        f"{style.bold(location(finding.span, sources))}: {style.severity(finding.severity, finding.severity)} "
        f"{style.bold(finding.code)} {finding.name}: {printable(finding.message)}"
    )
    gutter = len(str(_row(finding.span, sources)))
    yield from _source(finding.span, sources, style, gutter, underline=True)
    for number, step in enumerate(finding.trace, 1):
        yield f"  {number}. {location(step.span, sources)}: {printable(step.message)}"
        yield from _source(step.span, sources, style, gutter + 3, underline=False)
    if verbose:
        yield from _ranks(finding, sources, style)
    if finding.fix is not None:
        reason = f" ({printable(finding.fix.reason)})" if finding.fix.reason else ""
        yield f"  {style.good(f'fix ({finding.fix.applicability})')}: {printable(finding.fix.message)}{reason}"
    elif finding.no_fix_reason:
        yield f"  {style.dim('no fix')}: {printable(finding.no_fix_reason)}"


def _ranks(finding: Finding, sources: Sources, style: Style) -> Iterator[str]:
    # without -v nothing is drawn
    from ddplint.report.lanes import picture_of
    from ddplint.report.lanes_text import lanes_text

    picture = picture_of(finding)
    if picture is not None:
        yield from (f"  {line}" for line in lanes_text(picture, sources, style))


def _row(span: Span, sources: Sources) -> int:
    cell = sources.cell_position(span.path, span.row)
    return cell[1] if cell else span.row


def _source(span: Span, sources: Sources, style: Style, gutter: int, underline: bool) -> Iterator[str]:
    line = sources.line(span.path, span.row)
    if line is None:
        return
    text, marks = snippet(line, span)
    if not underline:
        yield f"  {' ' * gutter} {style.dim('|')} {text.lstrip()}"
        return
    yield f"  {style.dim(f'{_row(span, sources):>{gutter}} |')} {text}"
    yield f"  {' ' * gutter} {style.dim('|')} {style.bold(marks)}"
