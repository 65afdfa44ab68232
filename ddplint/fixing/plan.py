"""Findings to edits: which fixes of a round go together, which must wait, which cannot be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ddplint.findings import Action, Edit, Finding
from ddplint.fixing.documents import Document
from ddplint.problems import described
from ddplint.rewriting import CannotRewrite, Change, Conflict, FileRewriter
from ddplint.rules.base import Rule

# the document behind a display path, or why that file cannot be rewritten
Open = Callable[[str], "Document | str"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One fix: its finding and the changes that it makes, by file."""

    finding: Finding
    changes: Mapping[str, tuple[Change, ...]]


@dataclass(slots=True)
class Round:
    """`planned` go together; `waiting` collide with those; `left` and `defects` come with the reason."""

    planned: list[Planned] = field(default_factory=list)
    waiting: list[Finding] = field(default_factory=list)
    left: list[tuple[Finding, str]] = field(default_factory=list)
    defects: list[tuple[Finding, str]] = field(default_factory=list)

    def changes(self) -> dict[str, list[Change]]:
        """All changes by file."""
        merged: dict[str, list[Change]] = {}
        for one in self.planned:
            for path, changes in one.changes.items():
                merged.setdefault(path, []).extend(changes)
        return merged


class Planner:
    """Plans fixes for one state of the program; each file is parsed once."""

    def __init__(self, rules: Sequence[Rule], opener: Open) -> None:
        self._rules = {rule.code: rule for rule in rules}
        self._open = opener
        self._files: dict[str, FileRewriter | str] = {}
        self._untouched: dict[str, object] = {}

    def plan(self, findings: Iterable[Finding]) -> Round:
        """The fixes of the findings, in order of place; each is carried out whole or not at all."""
        for path, checkpoint in self._untouched.items():
            self._rewriter(path).rollback(checkpoint)
        made = Round()
        done: set[Action] = set()
        ranges: list[dict[str, tuple[int, int]]] = []
        for finding in sorted(findings, key=Finding.sort_key):
            self._one(finding, made, done, ranges)
        made.planned = [
            Planned(one.finding, {path: tuple(self._rewriter(path).changes[a:b]) for path, (a, b) in own.items()})
            for one, own in zip(made.planned, ranges)
        ]
        return made

    def with_edits(self, finding: Finding) -> Finding:
        """The finding with the edits of its fix alone; without the fix, but the reason, if that cannot be done here."""
        if finding.fix is None:
            return finding
        made = self.plan([finding])
        if made.left:
            return finding.with_fix(None, made.left[0][1])
        edits: list[Edit] = []
        for one in made.planned:
            for path in sorted(one.changes):
                edits += [self._rewriter(path).edit(change) for change in sorted_(one.changes[path])]
        return finding.with_fix(replace(finding.fix, edits=tuple(edits)))

    def _rewriter(self, path: str) -> FileRewriter:
        if path not in self._files:
            document = self._open(path)
            try:
                made = (
                    FileRewriter(path, document.text, document.layout) if isinstance(document, Document) else document
                )
            except CannotRewrite as reason:
                made = f"{path}: {reason}"
            self._files[path] = made
            if isinstance(made, FileRewriter):
                self._untouched[path] = made.checkpoint()
        file = self._files[path]
        if isinstance(file, str):
            raise CannotRewrite(file)
        return file

    def _one(self, finding: Finding, made: Round, done: set[Action], ranges: list[dict[str, tuple[int, int]]]) -> None:
        fix = finding.fix
        if fix is None:
            return
        if not fix.actions:
            made.left.append((finding, "this rule does not rewrite code yet"))
            return
        paths = sorted({action.span.path for action in fix.actions})
        before: dict[str, object] = {}
        try:
            files = {path: self._rewriter(path) for path in paths}
            before = {path: file.checkpoint() for path, file in files.items()}
            for action in fix.actions:
                if action not in done:
                    self._rules[finding.code].rewrite(action, files[action.span.path])
            for file in files.values():
                file.finish()
        except Conflict as reason:
            if any(path in one.changes for path in paths for one in made.planned):
                made.waiting.append(finding)
            else:
                made.defects.append((finding, f"its own edits collide: {reason}"))
        except CannotRewrite as reason:
            made.left.append((finding, str(reason)))
        except Exception as problem:  # noqa: BLE001 - one broken codemod must not end the run; it is reported and exits 2
            made.defects.append((finding, f"its codemod crashed: {described(problem)}"))
        else:
            changes = {path: tuple(file.changes_since(before[path])) for path, file in files.items()}
            if any(changes.values()) or done.issuperset(fix.actions):
                done.update(fix.actions)
                made.planned.append(Planned(finding, {path: some for path, some in changes.items() if some}))
                counts = {path: len(files[path].changes) for path, some in changes.items() if some}
                ranges.append({path: (count - len(changes[path]), count) for path, count in counts.items()})
                return
            made.defects.append((finding, "its codemod changes nothing"))
        for path, checkpoint in before.items():
            self._rewriter(path).rollback(checkpoint)


def sorted_(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (change.start, change.end))


def with_edits(findings: Iterable[Finding], rules: Sequence[Rule], opener: Open) -> tuple[Finding, ...]:
    """The findings with the edits of each fix filled in."""
    planner = Planner(rules, opener)
    return tuple(planner.with_edits(finding) for finding in findings)
