"""One page that needs nothing else: findings by rule, their traces in the source, and what each rank does."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from markdown_it import MarkdownIt

from ddplint import __version__
from ddplint.findings import SEVERITIES, Finding, Span
from ddplint.report.changes import hunks_of
from ddplint.report.excerpt import Row, Run, excerpt, hunk_runs
from ddplint.report.lanes import Picture, caption, picture_of
from ddplint.report.lanes_svg import lanes_svg
from ddplint.report.model import Report
from ddplint.report.style import location, plural, printable
from ddplint.report.summary import render_summary
from ddplint.rules.base import Rule

# traces of longer reports are folded
_OPEN = 25

_CODE = re.compile(r"`([^`]+)`")
_KINDS = {"keyword": "k", "string": "s", "number": "n", "comment": "c"}


def render_html(report: Report) -> str:
    """The page, with a policy under which a browser runs no other script and loads nothing."""
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    result = report.result
    title = f"ddplint: {plural(len(result.findings), 'finding')}"
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f'<meta name="generator" content="ddplint {__version__}">\n<meta name="referrer" content="no-referrer">\n',
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n",
        '<a class="skip" href="#findings">To the findings</a>\n<div class="wrap">\n',
        *_head(report),
        '<main id="findings">\n',
        *_sections(report),
        *_left_out(report),
        f"</main>\n<footer>ddplint {__version__}</footer>\n</div>\n<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _resource(name: str) -> str:
    return files("ddplint.report").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


# the top of the page


def _head(report: Report) -> Iterator[str]:
    result = report.result
    yield f'<header class="top">\n<h1>ddplint report</h1>\n<p class="lead">{escape(render_summary(result).strip())}</p>'
    counts = Counter(finding.severity for finding in result.findings)
    fixable = sum(finding.fix is not None for finding in result.findings)
    cards = [(str(severity), counts[severity], f"{severity}s") for severity in reversed(SEVERITIES)]
    cards += [("", fixable, "with a fix"), ("", result.files_read, "files read")]
    items = "".join(f'<li class="{kind}"><b>{count:,}</b> <span>{label}</span></li>' for kind, count, label in cards)
    yield f'<ul class="cards">{items}</ul>\n'
    if result.findings:
        yield from _rules(report)
        yield _tools()
    yield "</header>\n"


def _rules(report: Report) -> Iterator[str]:
    """The table of the rules that found something."""
    groups = _groups(report.result.findings)
    summaries = {rule.code: rule.summary for rule in report.rules}
    most = max(len(findings) for findings in groups.values())
    yield '<nav class="panel" aria-label="Rules"><table class="rules">\n<thead><tr><th scope="col">rule</th>'
    yield '<th scope="col" class="about">what is wrong</th><th scope="col">findings</th>'
    yield '<th scope="col" class="bar"><span hidden>share</span></th></tr></thead>\n<tbody>\n'
    for code, findings in groups.items():
        worst = max(findings, key=lambda finding: SEVERITIES.index(finding.severity)).severity
        share = max(100 * len(findings) / most, 2)
        yield (
            f'<tr><td><a href="#{escape(code)}">{escape(code)}</a> {escape(findings[0].name)}</td>'
            f'<td class="about">{_prose(summaries.get(code, ""))}</td><td class="count">{len(findings):,}</td>'
            f'<td class="bar"><i class="{worst}" style="width:{share:.0f}%"></i></td></tr>\n'
        )
    yield "</tbody></table></nav>\n"


def _tools() -> str:
    boxes = "".join(
        f'<label><input type="checkbox" value="{severity}" checked> {severity}s</label> '
        for severity in reversed(SEVERITIES)
    )
    return (
        '<div class="tools" id="tools" role="search" hidden>'
        '<input type="search" id="filter" placeholder="Filter by file, message, code" aria-label="Filter"> '
        f'{boxes}<button type="button" id="open">Unfold all</button> '
        '<button type="button" id="close">Fold all</button> '
        '<output id="shown" for="filter"></output></div>\n'
    )


def _groups(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.code):
        groups.setdefault(finding.code, []).append(finding)
    return groups


# findings


def _sections(report: Report) -> Iterator[str]:
    rules = {rule.code: rule for rule in report.rules}
    folded = len(report.result.findings) > _OPEN
    number = 0
    for code, findings in _groups(report.result.findings).items():
        yield f'<section class="rule" id="{escape(code)}" aria-labelledby="{escape(code)}-name">\n'
        yield (
            f'<h2 id="{escape(code)}-name">{escape(code)} {escape(findings[0].name)} '
            f'<span class="count">{plural(len(findings), "finding")}</span></h2>\n'
        )
        if code in rules:
            yield from _documentation(rules[code])
        for finding in findings:
            number += 1
            yield from _finding(report, finding, f"f{number}", folded)
        yield "</section>\n"
    if not number:
        yield "<p>Nothing was found.</p>\n"


def _documentation(rule: Rule) -> Iterator[str]:
    # raw HTML of a rule's text is shown, not used
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    yield f'<p class="summary">{_prose(rule.summary)}</p>\n'
    yield '<details class="doc"><summary>About this rule</summary><div>\n'
    for title, body in rule.documentation.sections.items():
        yield f"<h3>{escape(title)}</h3>\n{markdown.render(body)}"
    yield "</div></details>\n"


def _finding(report: Report, finding: Finding, name: str, folded: bool) -> Iterator[str]:
    sources = report.result.sources
    place = escape(location(finding.span, sources))
    severity = finding.severity
    yield f'<article class="{severity}" id="{name}" data-severity="{severity}" aria-labelledby="{name}-at">\n'
    yield f'<h3 id="{name}-at"><a href="#{name}">{place}</a> <span class="badge {severity}">{severity}</span></h3>\n'
    yield f'<p class="message">{_prose(finding.message)}</p>\n'
    yield _source(report, finding.span)
    yield from _body(report, finding, name, folded)
    yield "</article>\n"


def _body(report: Report, finding: Finding, name: str, folded: bool) -> Iterator[str]:
    """Trace, picture and fix."""
    sources = report.result.sources
    picture = picture_of(finding)
    if finding.trace:
        steps = plural(len(finding.trace), "step")
        yield f"<details{'' if folded else ' open'}><summary>How it comes about ({steps})</summary>\n"
        yield f'<div class="body{" pictured" if picture else ""}">\n<ol class="trace">\n'
        for number, step in enumerate(finding.trace, 1):
            place = escape(location(step.span, sources))
            yield f'<li id="{name}-{number}"><p>{_prose(step.message)} <span class="place">{place}</span></p>'
            yield f"{_source(report, step.span)}</li>\n"
        yield "</ol>\n"
        if picture is not None:
            yield _picture(finding, picture, name)
        yield "</div></details>\n"
    elif picture is not None:
        yield _picture(finding, picture, name)
    yield from _fix(report, finding, folded)


def _picture(finding: Finding, picture: Picture, name: str) -> str:
    """The picture, whose events lead to the steps of the trace that stand on the same line."""
    rows = {(finding.span.path, finding.span.row): f"#{name}"}
    for number, step in enumerate(finding.trace, 1):
        rows.setdefault((step.span.path, step.span.row), f"#{name}-{number}")

    def link(span: Span) -> str:
        return rows.get((span.path, span.row), "")

    return (
        f'<figure class="ranks"><figcaption>{escape(caption(picture))}</figcaption>'
        f"{lanes_svg(picture, name, link)}</figure>\n"
    )


def _source(report: Report, span: Span) -> str:
    rows = excerpt(span, report.result.sources)
    return f'<pre class="source" tabindex="0">{"".join(map(_row, rows))}</pre>' if rows else ""


def _row(row: Row) -> str:
    if row.left_out:
        return "<span><i></i>...</span>"
    hit = ' class="hit"' if any(run.marked for run in row.runs) else ""
    return f"<span{hit}><i>{row.number}</i>{''.join(map(_run, row.runs))}</span>"


def _run(run: Run) -> str:
    text = escape(run.text)
    if run.kind:
        text = f'<span class="{_KINDS[run.kind]}">{text}</span>'
    return f"<mark>{text}</mark>" if run.marked else text


def _fix(report: Report, finding: Finding, folded: bool) -> Iterator[str]:
    fix = finding.fix
    if fix is None:
        if finding.no_fix_reason:
            yield f'<div class="fix"><h4>No fix</h4><p>{_prose(finding.no_fix_reason)}</p></div>\n'
        return
    yield f'<div class="fix"><h4>Fix <span class="badge {fix.applicability}">{fix.applicability}</span></h4>'
    reason = f" ({_prose(fix.reason)})" if fix.reason else ""
    yield f"<p>{_prose(fix.message)}{reason}</p>"
    hunks = hunks_of(fix, report.result.sources)
    if hunks:
        yield f"<details{'' if folded else ' open'}><summary>What it changes</summary>"
        yield '<pre class="diff" tabindex="0">'
        for hunk in hunks:
            yield f'<span class="at">@@ {escape(printable(hunk.path))}:{hunk.row} @@</span>'
            for sign, runs in hunk_runs(hunk, report.result.sources):
                kind = {" ": "", "-": ' class="del"', "+": ' class="add"'}[sign]
                yield f"<span{kind}>{sign} {''.join(map(_run, runs))}</span>"
        yield "</pre></details>"
    yield "</div>\n"


def _left_out(report: Report) -> Iterator[str]:
    result = report.result
    if result.errors:
        items = "".join(f"<li>{escape(printable(error))}</li>" for error in result.errors)
        yield f'<section><h2>Errors of this run</h2><ul class="left">{items}</ul></section>\n'
    if result.skipped:
        items = "".join(
            f"<li><code>{escape(printable(path))}</code>: {escape(printable(reason))}</li>"
            for path, reason in result.skipped
        )
        yield f'<section><h2>Not read</h2><ul class="left">{items}</ul></section>\n'


def _prose(text: str) -> str:
    """A sentence with its `code`."""
    return _CODE.sub(r"<code>\1</code>", escape(printable(text)))
