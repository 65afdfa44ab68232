"""Rounds of fixes until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ddplint.documentation import RESERVED
from ddplint.findings import Finding
from ddplint.fixing.documents import Document
from ddplint.fixing.plan import Open, Planned, Planner, Round
from ddplint.fixing.verify import Checked, Problem, Stretch, file_problems, finding_problems, place_of, rows_of
from ddplint.rules.base import Rule

ROUNDS = 25

# the program with some documents in the place of the files on disk
Check = Callable[[Mapping[str, Document]], Checked]


@dataclass(slots=True)
class Applied:
    """A fix that was carried out: its finding and what it touched, by file, in the final text."""

    finding: Finding
    touched: dict[str, list[Stretch]]

    def rows(self, path: str, text: str) -> list[tuple[int, int]]:
        return [rows_of(stretch, text) for stretch in self.touched.get(path, ())]


@dataclass(slots=True)
class Repair:
    """What came of the fixes. `left` holds findings that have a fix which was not carried out, with the reason."""

    before: dict[str, Document] = field(default_factory=dict)
    after: dict[str, Document] = field(default_factory=dict)
    applied: list[Applied] = field(default_factory=list)
    left: list[tuple[Finding, str]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    checked: Checked = field(default_factory=lambda: Checked((), ()))

    @property
    def changed(self) -> list[str]:
        return sorted(path for path in self.after if self.after[path].raw != self.before[path].raw)


@dataclass(frozen=True, slots=True)
class _Dropped:
    """A fix that proved wrong; it is not tried again."""

    code: str
    path: str
    place: Stretch
    reason: str


class Session:
    """One run of `fix` over a program."""

    def __init__(self, rules: Sequence[Rule], opener: Open, check: Check, wanted: Callable[[Finding], str]) -> None:
        self._rules = rules
        self._opener = opener
        self._check = check
        self._wanted = wanted
        self._dropped: list[_Dropped] = []
        self.repair = Repair()

    def run(self) -> Repair:
        """Carry out what can be."""
        repair = self.repair
        repair.checked = self._check({})
        for _ in range(ROUNDS):
            made, after, checked = self._round()
            if not made.planned:
                break
            self._accept(made, after, checked)
        else:
            made = Round()
            repair.defects.append(f"fixes did not settle within {ROUNDS} rounds")
        repair.left += made.left
        repair.defects += [self._defect(finding, reason) for finding, reason in made.defects]
        return repair

    def _open(self, path: str) -> Document | str:
        if path in self.repair.after:
            return self.repair.after[path]
        document = self._opener(path)
        if isinstance(document, Document):
            self.repair.before[path] = self.repair.after[path] = document
        return document

    def _round(self) -> tuple[Round, dict[str, Document], Checked]:
        """The next fixes that stand the test, with the program that they lead to."""
        planner = Planner(self._rules, self._open)
        self.repair.left.clear()
        todo: list[Finding] = []
        for finding in self.repair.checked.open:
            if finding.fix is None:
                continue
            refused = self._wanted(finding) or self._reason_dropped(finding)
            if refused:
                self.repair.left.append((finding, refused))
            else:
                todo.append(finding)
        while True:
            made = planner.plan(todo)
            if not made.planned:
                return made, {}, self.repair.checked
            after, checked, problems = self._try(made)
            if not problems:
                return made, after, checked
            culprits = {finding for problem in problems for finding in problem.culprits}
            if not culprits:
                culprits = {self._culprit(planner, [one.finding for one in made.planned])}
            for finding in sorted(culprits, key=Finding.sort_key):
                own = next((one for one in problems if finding in one.culprits), problems[0])
                self._drop(finding, own.message)
                todo.remove(finding)

    def _try(self, made: Round) -> tuple[dict[str, Document], Checked, list[Problem]]:
        before = self.repair.after
        after: dict[str, Document] = {}
        for path, changes in made.changes().items():
            try:
                after[path] = before[path].changed(changes)
                after[path].raw.encode(after[path].encoding)
            except ValueError as problem:
                authors = tuple(one.finding for one in made.planned if path in one.changes)
                return {}, self.repair.checked, [Problem(str(problem), authors[:1])]
        problems = file_problems(made, before, after)
        if problems:
            return after, self.repair.checked, problems
        checked = self._check({**self._changed(), **after})
        return after, checked, finding_problems(made, self.repair.checked, checked, before, after)

    def _changed(self) -> dict[str, Document]:
        return {path: self.repair.after[path] for path in self.repair.changed}

    def _culprit(self, planner: Planner, findings: list[Finding]) -> Finding:
        """The first finding whose fix makes the ones before it fail."""
        good, bad = 0, len(findings)
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._try(planner.plan(findings[:middle]))[2]:
                bad = middle
            else:
                good = middle
        return findings[bad - 1]

    def _drop(self, finding: Finding, reason: str) -> None:
        document = self._open(finding.span.path)
        place = place_of(finding, document.text) if isinstance(document, Document) else Stretch(0, 0)
        self._dropped.append(_Dropped(finding.code, finding.span.path, place, reason))
        self.repair.left.append((finding, f"its fix proved wrong: {reason}"))
        self.repair.defects.append(self._defect(finding, reason))

    def _defect(self, finding: Finding, reason: str) -> str:
        document = self._open(finding.span.path)
        place = f"{finding.span.path}:{finding.span.row}"
        if isinstance(document, Document):
            place = document.place(finding.span.row)
        whose = "ddplint" if finding.code.startswith(RESERVED) else f"rule {finding.code}"
        return f"defect of {whose}: the fix of {finding.code} at {place}:{finding.span.column} was dropped: {reason}"

    def _reason_dropped(self, finding: Finding) -> str:
        for one in self._dropped:
            if (one.code, one.path) == (finding.code, finding.span.path):
                document = self._open(one.path)
                if isinstance(document, Document):
                    first, last = rows_of(one.place, document.text)
                    if first <= finding.span.row <= last:
                        return f"its fix proved wrong: {one.reason}"
        return ""

    def _accept(self, made: Round, after: Mapping[str, Document], checked: Checked) -> None:
        changes = made.changes()
        for applied in self.repair.applied:
            for path, stretches in applied.touched.items():
                if path in changes:
                    applied.touched[path] = [stretch.moved(changes[path]) for stretch in stretches]
        self._dropped = [
            _Dropped(one.code, one.path, one.place.moved(changes.get(one.path, ())), one.reason)
            for one in self._dropped
        ]
        self.repair.applied += [Applied(one.finding, _touched(one, changes)) for one in made.planned]
        self.repair.after.update(after)
        self.repair.checked = checked


def _touched(planned: Planned, changes: Mapping[str, Sequence[object]]) -> dict[str, list[Stretch]]:
    """Where the changes of one fix ended up among all changes of its round."""
    from ddplint.rewriting import Change, ordered

    touched: dict[str, list[Stretch]] = {}
    for path, own in planned.changes.items():
        shift = 0
        wanted = {id(change) for change in own}
        for change in ordered(one for one in changes[path] if isinstance(one, Change)):
            if id(change) in wanted:
                start = change.start + shift
                touched.setdefault(path, []).append(Stretch(start, start + len(change.content.rstrip("\n"))))
            shift += len(change.content) - (change.end - change.start)
    return touched
