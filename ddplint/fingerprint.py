"""What a finding is recognised by after edits elsewhere: its rule and the code it stands in, never its line number."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from ddplint.findings import Finding, Span
from ddplint.source import Sources

_HEADER = re.compile(r"(?:async\s+)?(?:def|class)\s+(?P<name>\w+)")
_MOST_ROWS = 20


class Contexts:
    """The code around spans; each file is gone through once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._headers: dict[str, list[str]] = {}

    def of(self, span: Span) -> tuple[str, ...]:
        """The functions and classes that enclose a span, and its own lines without their white space."""
        last = min(span.end_row, span.row + _MOST_ROWS)
        lines = [self._sources.line(span.path, row) or "" for row in range(span.row, last + 1)]
        return (self._enclosing(span), *("".join(line.split()) for line in lines))

    def _enclosing(self, span: Span) -> str:
        if span.path not in self._headers:
            source = self._sources.get(span.path)
            self._headers[span.path] = _enclosing_names(source.text if source else "")
        names = self._headers[span.path]
        return names[span.row - 1] if 0 < span.row <= len(names) else ""


def _enclosing_names(text: str) -> list[str]:
    """Per row the dotted name of the functions and classes around it, told by the indentation."""
    names: list[str] = []
    open_: list[tuple[int, str]] = []
    for line in text.split("\n"):
        code = line.lstrip()
        if code and not code.startswith("#"):
            indent = len(line) - len(code)
            while open_ and indent <= open_[-1][0]:
                open_.pop()
        names.append(".".join(name for _, name in open_))
        header = _HEADER.match(code)
        if header:
            open_.append((len(line) - len(code), header["name"]))
    return names


def context_hash(finding: Finding, contexts: Contexts) -> str:
    """A hash of the rule and the code of a finding; the same in a renamed file."""
    return _hash((finding.code, *contexts.of(finding.span)))


def fingerprints(findings: Iterable[Finding], sources: Sources) -> list[str]:
    """One fingerprint per finding, of rule, path and code; equal code of one file is told apart by its order."""
    contexts = Contexts(sources)
    seen: Counter[tuple[str, str]] = Counter()
    made: list[str] = []
    for finding in findings:
        key = (finding.span.path, context_hash(finding, contexts))
        made.append(_hash((*key, str(seen[key]))))
        seen[key] += 1
    return made


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:40]
