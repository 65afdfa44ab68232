"""What the author of a rule tests it with; docs/writing-a-rule.md shows how. Each function gives a list of problems.

A fixture is a program: a file or a folder whose name begins with `bug_` or `near_`, in a folder named by the rule's
code. Comments say what is expected: `# expect: ACME101 warning safe` (code, severity, level of the fix or `none`) at
the end of the line where a finding begins, `# step: ACME101` where its trace must pass. Nothing else may be found.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from ddplint.config import Settings
from ddplint.engine import FixResult, check, fix
from ddplint.findings import Finding
from ddplint.registry import discover, gather
from ddplint.rewriting import comments_of
from ddplint.rules.base import Rule
from ddplint.source import read_source

__all__ = [
    "Expected",
    "Fixture",
    "documentation_problems",
    "finding_problems",
    "fixtures",
    "lacks",
    "load_rules",
    "repair_problems",
]

_SETTINGS = Settings(cache=False, jobs=1)
_EXPECT = re.compile(r"#\s*expect:\s*([A-Z]+\d+)\s+(note|warning|error)\s+(safe|unsafe|none)\b")
_STEP = re.compile(r"#\s*step:\s*([A-Z]+\d+)")
_WIDTH = 120


@dataclass(frozen=True, slots=True, order=True)
class Expected:
    """One expected finding: file below the fixture, row, code, severity, level of the fix."""

    path: str
    row: int
    code: str
    severity: str
    level: str

    def __str__(self) -> str:
        return f"{self.path}:{self.row}: {self.code} {self.severity} {self.level}"


@dataclass(frozen=True, slots=True)
class Fixture:
    """A program with or without the bug of the rule with this code."""

    code: str
    place: Path

    @property
    def name(self) -> str:
        """For test ids: the code and the name without the ending of a file."""
        return f"{self.code}/{self.place.stem if self.place.is_file() else self.place.name}"

    @property
    def is_bug(self) -> bool:
        return self.place.name.startswith("bug_")

    @property
    def files(self) -> list[Path]:
        """Its Python files and notebooks."""
        return [self.place] if self.place.is_file() else _programs(self.place)

    def expected(self) -> Counter[Expected]:
        """What its comments expect."""
        found = ((path, row, match) for path, row, line in self._lines() for match in _EXPECT.findall(line))
        return Counter(Expected(path, row, *match) for path, row, match in found)

    def steps(self) -> set[tuple[str, int, str]]:
        """File, row and code of the lines that traces must pass through."""
        return {(path, row, code) for path, row, line in self._lines() for code in _STEP.findall(line)}

    def copy(self, folder: Path) -> None:
        """Copy it into a folder, as a project of its own."""
        if self.place.is_file():
            shutil.copy(self.place, folder)
        else:
            shutil.copytree(self.place, folder, dirs_exist_ok=True)

    def _lines(self) -> Iterator[tuple[str, int, str]]:
        base = self.place.parent if self.place.is_file() else self.place
        for path in self.files:
            for row, line in enumerate(read_source(str(path)).text.splitlines(), 1):
                yield path.relative_to(base).as_posix(), row, line


def fixtures(folder: Path) -> list[Fixture]:
    """The fixtures in a folder that has one folder per code, in order of their names."""
    return [
        Fixture(own.name, place)
        for own in sorted(folder.iterdir() if folder.is_dir() else ())
        if own.is_dir()
        for place in sorted(own.iterdir())
        if place.name.startswith(("bug_", "near_"))
    ]


def load_rules(*paths: Path) -> tuple[Rule, ...]:
    """All rules of ddplint and those of files and folders. Raises ValueError with what is wrong with one."""
    catalogue = gather(discover(), paths, plugins=False)
    if catalogue.errors:
        raise ValueError("; ".join(catalogue.errors))
    return catalogue.rules


def finding_problems(fixture: Fixture, rules: Sequence[Rule]) -> list[str]:
    """Where the findings of the rules in a fixture are not those that its comments expect."""
    with _project(fixture) as folder:
        result = check([str(folder)], _SETTINGS, rules=rules)
        problems = [*result.errors, *(f"{path} is not read: {reason}" for path, reason in result.skipped)]
        found = Counter(_as_expected(one, folder) for one in result.findings)
        passed = {
            (_below(span.path, folder), span.row, one.code)
            for one in result.findings
            for span in (one.span, *(step.span for step in one.trace))
        }
    expected = fixture.expected()
    problems += [f"not reported: {one}" for one in sorted((expected - found).elements())]
    problems += [f"not expected: {one}" for one in sorted((found - expected).elements())]
    missed = sorted(fixture.steps() - passed)
    return problems + [f"{path}:{row}: no trace of {code} passes here" for path, row, code in missed]


def repair_problems(fixture: Fixture, rules: Sequence[Rule]) -> list[str]:
    """What is wrong with what `fix --apply --unsafe-fixes` makes of a fixture.

    The result must parse, keep each comment and all text that no fix touches, lack what was found and is not expected
    to stay, and have no other finding; a second run must change nothing.
    """
    with _project(fixture) as folder:
        before, around = _texts(folder), _outside_sources(folder)
        result = _repair(folder, rules)
        after = _texts(folder)
        problems = [*result.errors, *(f"{path} is not written: {reason}" for path, reason in result.unwritten)]
        for path in sorted(after):
            problems += _damage(path, before[path], after[path])
        if _outside_sources(folder) != around:
            problems.append("a notebook changed outside of its cells' sources")
        problems += _strays(result, folder, before, after)
        remaining = [_as_expected(one, folder) for one in check([str(folder)], _SETTINGS, rules=rules).findings]
        stays = Counter(one.code for one in fixture.expected().elements() if one.level == "none")
        problems += [f"still there after its fix: {one}" for one in remaining if one.level != "none"]
        if Counter(one.code for one in remaining) != stays:
            found = ", ".join(map(str, remaining)) or "nothing"
            problems.append(f"after the fixes there must be {dict(stays)}; found: {found}")
        _repair(folder, rules)
        problems += [f"{path}: a second run changes it" for path, text in _texts(folder).items() if text != after[path]]
    return problems


def documentation_problems(rule: Rule, rules: Sequence[Rule]) -> list[str]:
    """What a rule's documentation lacks: a section still to be written, an example that does not do what it shows."""
    documentation = rule.documentation
    problems = [
        f"section {title!r} is still to be written" for title, text in documentation.sections.items() if "TODO" in text
    ]
    if "TODO" in documentation.summary:
        problems.append("the summary is still to be written")
    if "https://" not in documentation.sections["References"]:
        problems.append("section 'References' has no link")
    for title, code in (("Example", documentation.example), ("Instead", documentation.instead)):
        problems += _code_problems(title, code)
    return problems or _example_problems(rule, rules)


def lacks(
    rule: Rule, folder: Path, rules: Sequence[Rule], minimum: int = 1, changelog: Path | None = None
) -> list[str]:
    """What a rule still owes, documentation and fixtures; `folder` has a folder of fixtures per code.

    At least `minimum` fixtures with the bug and as many without, and a near-miss for every bug. `changelog` must name
    the rule's code.
    """
    problems = documentation_problems(rule, rules)
    own = [fixture for fixture in fixtures(folder) if fixture.code == rule.code]
    bugs = [fixture for fixture in own if fixture.is_bug]
    for kind, count in (("bug_", len(bugs)), ("near_", len(own) - len(bugs))):
        if count < minimum:
            problems.append(f"{count} fixtures {folder.name}/{rule.code}/{kind}*, at least {minimum} are needed")
    if len(own) < 2 * len(bugs):
        problems.append(f"{len(bugs)} bugs and only {len(own) - len(bugs)} near-misses: each bug needs one")
    for fixture in own:
        codes = {one.code for one in fixture.expected()}
        if fixture.is_bug and rule.code not in codes:
            problems.append(f"fixture {fixture.name} expects no finding of {rule.code}")
        if not fixture.is_bug and codes:
            problems.append(f"fixture {fixture.name} is a near-miss and expects a finding")
    if changelog is not None and rule.code not in changelog.read_text(encoding="utf-8"):
        problems.append(f"{changelog.name} does not name {rule.code}")
    return problems


def _programs(folder: Path) -> list[Path]:
    return sorted([*folder.rglob("*.py"), *folder.rglob("*.ipynb")])


@contextmanager
def _project(fixture: Fixture) -> Iterator[Path]:
    with _scratch() as folder:
        fixture.copy(folder)
        yield folder


@contextmanager
def _scratch() -> Iterator[Path]:
    # not below a folder called tests: some rules are silent there
    with tempfile.TemporaryDirectory(prefix="fixture_") as folder:
        yield Path(folder)


def _below(path: str, folder: Path) -> str:
    return Path(os.path.relpath(os.path.abspath(path), folder)).as_posix()


def _as_expected(finding: Finding, folder: Path) -> Expected:
    level = finding.fix.applicability if finding.fix else "none"
    return Expected(_below(finding.span.path, folder), finding.span.row, finding.code, finding.severity, level)


def _repair(folder: Path, rules: Sequence[Rule]) -> FixResult:
    return fix([str(folder)], _SETTINGS, apply=True, unsafe=True, rules=rules)


def _texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): read_source(str(path)).text for path in _programs(folder)}


def _outside_sources(folder: Path) -> dict[str, object]:
    """The notebooks without the sources of their code cells."""
    found: dict[str, object] = {}
    for path in folder.rglob("*.ipynb"):
        content = json.loads(path.read_text("utf-8"))
        kinds = [cell.pop("source", None) if cell["cell_type"] == "code" else None for cell in content["cells"]]
        found[path.name] = (content, [type(kind) for kind in kinds])
    return found


def _damage(path: str, before: str, after: str) -> list[str]:
    """What no fix may do to a text."""
    try:
        ast.parse(after)
    except SyntaxError as error:
        return [f"{path}:{error.lineno}: does not parse after the fixes: {error.msg}"]
    lost = Counter(_comments(before)) - Counter(_comments(after))
    return [f"{path}: the comment {comment!r} is lost" for comment in lost.elements()]


def _comments(text: str) -> list[str]:
    return [comment for _, comment in comments_of(text)]


def _strays(result: FixResult, folder: Path, before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Where a comparison row by row finds changed what the fixes do not say that they touched."""
    told: dict[str, set[int]] = {}
    for one in result.repair.applied:
        for path in one.touched:
            rows = told.setdefault(_below(path, folder), set())
            for first, last in one.rows(path, after[_below(path, folder)]):
                rows.update(range(first - 1, last + 2))
    problems = []
    for path, text in after.items():
        matcher = SequenceMatcher(None, before[path].split("\n"), text.split("\n"), autojunk=False)
        for kind, _, _, first, last in matcher.get_opcodes():
            if kind != "equal" and not told.get(path, set()) & set(range(first, last + 2)):
                problems.append(f"{path}:{first + 1}: changed by no fix")
    return problems + [f"{path}: said to be touched, and is not" for path in told if before[path] == after[path]]


def _code_problems(title: str, code: str) -> Iterable[str]:
    try:
        compile(code, title, "exec", dont_inherit=True)
    except SyntaxError as error:
        yield f"section {title!r}: its program does not parse: {error.msg} in line {error.lineno}"
    if max(map(len, code.splitlines()), default=0) > _WIDTH:
        yield f"section {title!r}: lines of its program are longer than {_WIDTH} characters"


def _example_problems(rule: Rule, rules: Sequence[Rule]) -> list[str]:
    """The example must be reported by the rule and by no other, the other program by none; a fix leads to it."""
    with _scratch() as folder:
        program = folder / "program.py"
        program.write_text(rule.documentation.instead, encoding="utf-8")
        problems = [
            f"section 'Instead': its program is reported: {_as_expected(one, folder)}"
            for one in check([str(folder)], _SETTINGS, rules=rules).findings
        ]
        program.write_text(rule.documentation.example, encoding="utf-8")
        result = check([str(folder)], _SETTINGS, rules=rules)
        findings = result.findings
        codes = {one.code for one in findings}
        problems += [f"section 'Example': {error}" for error in result.errors]
        if codes != {rule.code}:
            told = ", ".join(sorted(codes)) or "nothing"
            problems.append(f"section 'Example': its program must be reported by {rule.code}; reported: {told}")
        elif any(one.fix for one in findings):
            _repair(folder, rules)
            if program.read_text(encoding="utf-8") != rule.documentation.instead:
                problems.append("section 'Instead': its program is not what the fix makes of that of 'Example'")
    return problems
