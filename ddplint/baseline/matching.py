"""Which findings entries stand for: entries that are made of findings, and findings that are given an entry."""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddplint.baseline import Held
from ddplint.baseline.entries import Baseline, Entry, Known
from ddplint.findings import Finding
from ddplint.layout import Layout
from ddplint.source import Sources

_CODE_LENGTH = 120
# what a formatter may change without changing the code
_FORM = re.compile(r"[\s()\\]|,(?=\s*[)\]}])")


@dataclass(frozen=True, slots=True)
class Reach:
    """What one run can tell of entries: the rules that ran, the files read (display paths), the folders given."""

    rules: Collection[str]
    files: Collection[str]
    folders: Sequence[str]

    def judge(self, entries: Iterable[Known], baseline: Baseline) -> tuple[list[Known], list[Known]]:
        """Part entries that nothing matched: those that are done with, and those that this run cannot tell of."""
        places = {baseline.place(path) for path in self.files}
        done: list[Known] = []
        open_: list[Known] = []
        for entry, count in entries:
            gone = baseline.lies_in(entry.path, self.folders) and not baseline.exists(entry.path)
            told = entry.rule in self.rules and (entry.path in places or gone)
            (done if told else open_).append((entry, count))
        return done, open_


class Describer:
    """Turns findings into entries of one baseline."""

    def __init__(self, baseline: Baseline, sources: Sources) -> None:
        self._baseline = baseline
        self._sources = sources
        self._texts: dict[str, _Text] = {}

    def entry(self, finding: Finding) -> Entry:
        """What a baseline says of a finding."""
        path = finding.span.path
        return self._text(path).entry(self._baseline.place(path), finding.code, finding.span.row)

    def entries(self, findings: Iterable[Finding]) -> dict[Entry, int]:
        """The entries that hold back just these findings."""
        return dict(Counter(map(self.entry, findings)))

    def scopes(self, path: str) -> Collection[str]:
        """The functions and classes of a file."""
        return {name for _, _, name in self._text(path).scopes}

    def _text(self, path: str) -> _Text:
        if path not in self._texts:
            source = self._sources.get(path)
            self._texts[path] = _Text(source.text if source else "")
        return self._texts[path]


class _Text:
    """A file as far as entries tell of it."""

    def __init__(self, text: str) -> None:
        self._rows = text.split("\n")
        layout = Layout(text)
        self._lines = layout.lines
        self._comments = {comment.row: comment.column for comment in layout.comments}
        self.scopes = _scopes(text)

    def entry(self, path: str, rule: str, row: int) -> Entry:
        index = bisect_right(self._lines, row, key=lambda line: line[0]) - 1
        code = self._code(index)
        return Entry(
            path=path,
            rule=rule,
            scope=max((scope for scope in self.scopes if scope[0] <= row <= scope[1]), default=(0, 0, ""))[2],
            code=code if len(code) <= _CODE_LENGTH else f"{code[: _CODE_LENGTH - 3]}...",
            hash=_hash(code, 8),
            before=_hash(self._code(index - 1), 4),
            after=_hash(self._code(index + 1), 4),
        )

    def _code(self, index: int) -> str:
        """A logical line in one row, without comments; empty past the ends of the file."""
        if not 0 <= index < len(self._lines):
            return ""
        first, last = self._lines[index]
        pieces = (self._rows[row - 1][: self._comments.get(row)].strip() for row in range(first, last + 1))
        return " ".join(filter(None, pieces))


class _Matching:
    """Findings that wait for an entry, and entries that are left; each round of `match` takes some away."""

    def __init__(self, waiting: Sequence[tuple[Finding, Entry]], entries: Mapping[Entry, int]) -> None:
        self.waiting = list(waiting)
        self.known: list[Finding] = []
        self.left = dict(entries)

    def match(self, same: Callable[[Entry], Hashable], usable: Callable[[Entry], bool] = lambda entry: True) -> None:
        """Give each finding an entry for which `same` is equal, as long as there are any."""
        pool: dict[Hashable, list[Entry]] = {}
        for entry, count in self.left.items():
            if count and usable(entry):
                pool.setdefault(same(entry), []).extend([entry] * count)
        still = []
        for finding, described in self.waiting:
            fitting = pool.get(same(described))
            if fitting:
                self.left[fitting.pop()] -= 1
                self.known.append(finding)
            else:
                still.append((finding, described))
        self.waiting = still


def matched(findings: Sequence[Finding], baseline: Baseline, sources: Sources, read: Iterable[str]) -> Held:
    """Part the findings of the files that were read by a baseline. Each entry holds back as many as it counts."""
    describer = Describer(baseline, sources)
    places = {baseline.place(path): path for path in read}
    gone = {path for path in {entry.path for entry in baseline.entries} if not baseline.exists(path)}

    def renamed(entry: Entry) -> bool:
        return entry.path in places and entry.scope not in describer.scopes(places[entry.path])

    def moved(entry: Entry) -> bool:
        # what stands in a file that was not read may still be there
        return entry.path in places or entry.path in gone

    matching = _Matching([(finding, describer.entry(finding)) for finding in findings], baseline.entries)
    matching.match(lambda one: one)
    matching.match(lambda one: (one.path, one.rule, one.hash, one.scope, one.before))
    matching.match(lambda one: (one.path, one.rule, one.hash, one.scope, one.after))
    matching.match(lambda one: (one.path, one.rule, one.hash, one.scope))
    matching.match(lambda one: (one.path, one.rule, one.hash, one.before, one.after))
    matching.match(lambda one: (one.path, one.rule, one.hash), renamed)
    matching.match(lambda one: (one.rule, one.hash, one.scope, one.before, one.after), moved)
    matching.match(lambda one: (one.rule, one.hash, one.scope), lambda entry: entry.path in gone)
    new = {finding for finding, _ in matching.waiting}
    return Held(
        new=tuple(finding for finding in findings if finding in new),
        known=tuple(finding for finding in findings if finding not in new),
        open=tuple((entry, count) for entry, count in sorted(matching.left.items()) if count),
    )


def _scopes(text: str) -> list[tuple[int, int, str]]:
    """First and last row and full name of each function and class."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[tuple[int, int, str]] = []
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    while pending:
        parent, prefix = pending.pop()
        for node in ast.iter_child_nodes(parent):
            name = prefix
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}.{node.name}" if prefix else node.name
                first = min((one.lineno for one in node.decorator_list), default=node.lineno)
                found.append((first, node.end_lineno or node.lineno, name))
            if not isinstance(node, ast.expr):
                pending.append((node, name))
    return found


def _hash(code: str, size: int) -> str:
    plain = _FORM.sub("", code).replace('"', "'")
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
