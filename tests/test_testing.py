"""`ddplint.testing`: what authors of rules rely on sees what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from local_rules import rule_text, write

from ddplint.rules.base import Rule
from ddplint.testing import (
    Expected,
    Fixture,
    documentation_problems,
    finding_problems,
    fixtures,
    lacks,
    load_rules,
    repair_problems,
)

EXAMPLE = "```python\nlegacy(1)\n"
INSTEAD = "```python\nmodern(1)\n"
CALL = "legacy(1)  # expect: ACME101 warning safe\n"


@pytest.fixture
def rules(tmp_path: Path) -> Sequence[Rule]:
    return load_rules(write(tmp_path / "rules/legacy_call.py", rule_text()))


def changed(folder: Path, old: str, new: str) -> tuple[Rule, Sequence[Rule]]:
    assert old in rule_text()
    rules = load_rules(write(folder / "rules/legacy_call.py", rule_text().replace(old, new)))
    return next(rule for rule in rules if rule.code == "ACME101"), rules


def fixture(folder: Path, text: str, name: str = "bug_x.py") -> Fixture:
    write(folder / "fixtures/ACME101" / name, text)
    (found,) = fixtures(folder / "fixtures")
    return found


class TestFixture:
    def test_files_and_folders(self, tmp_path: Path) -> None:
        for name in ("ACME102/near_b/x.py", "ACME101/bug_a.py", "ACME101/near_c.py", "ACME101/other.py", "notes.txt"):
            write(tmp_path / name, "")
        found = fixtures(tmp_path)
        assert [one.name for one in found] == ["ACME101/bug_a", "ACME101/near_c", "ACME102/near_b"]
        assert [one.is_bug for one in found] == [True, False, False]
        assert fixtures(tmp_path / "nowhere") == []

    def test_expectations(self, tmp_path: Path) -> None:
        found = fixture(tmp_path, f"x = 1  # step: ACME101\n{CALL}", "bug_y/sub/a.py")
        assert list(found.expected()) == [Expected("sub/a.py", 2, "ACME101", "warning", "safe")]
        assert found.steps() == {("sub/a.py", 1, "ACME101")}


class TestFindings:
    def test_as_expected(self, tmp_path: Path, rules: Sequence[Rule]) -> None:
        assert finding_problems(fixture(tmp_path, CALL), rules) == []

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            ("legacy(1)\n", ["not expected: bug_x.py:1: ACME101 warning safe"]),
            ("x = 1  # expect: ACME101 note none\n", ["not reported: bug_x.py:1: ACME101 note none"]),
            (
                "legacy(1)  # expect: ACME101 warning unsafe\n",
                ["not reported: bug_x.py:1: ACME101 warning unsafe", "not expected: bug_x.py:1: ACME101 warning safe"],
            ),
            (f"x = 1  # step: ACME101\n{CALL}", ["bug_x.py:1: no trace of ACME101 passes here"]),
            (CALL.replace("\n", "  # step: ACME101\n"), []),
        ],
    )
    def test_otherwise(self, tmp_path: Path, rules: Sequence[Rule], text: str, problems: list[str]) -> None:
        assert finding_problems(fixture(tmp_path, text), rules) == problems

    def test_a_file_that_cannot_be_read(self, tmp_path: Path, rules: Sequence[Rule]) -> None:
        (problem,) = finding_problems(fixture(tmp_path, "def f(:\n"), rules)
        assert "is not read: " in problem

    def test_a_rule_that_crashes(self, tmp_path: Path) -> None:
        _, rules = changed(tmp_path, "        if event.node[2]", "        1 / 0\n        if event.node[2]")
        problems = finding_problems(fixture(tmp_path, CALL), rules)
        assert problems[0].startswith("rule ACME101 crashed")


class TestRepairs:
    def test_a_good_fix(self, tmp_path: Path, rules: Sequence[Rule]) -> None:
        assert repair_problems(fixture(tmp_path, CALL), rules) == []
        assert (tmp_path / "fixtures/ACME101/bug_x.py").read_text() == CALL

    def test_what_has_no_fix_stays(self, tmp_path: Path) -> None:
        _, rules = changed(tmp_path, "fix=fix)", 'no_fix_reason="nobody knows how")')
        assert repair_problems(fixture(tmp_path, CALL.replace("safe", "none")), rules) == []
        assert repair_problems(fixture(tmp_path, CALL), rules) == [
            "after the fixes there must be {}; found: bug_x.py:1: ACME101 warning none"
        ]

    def test_a_fix_that_does_not_help(self, tmp_path: Path) -> None:
        _, rules = changed(tmp_path, '(("text", "modern"),)', '(("text", "old.legacy"),)')
        problems = repair_problems(fixture(tmp_path, CALL), rules)
        assert problems[0].startswith("defect of rule ACME101: the fix of ACME101 at ")
        assert "still there after its fix: bug_x.py:1: ACME101 warning safe" in problems


class TestDocumentation:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("It is gone.", "TODO", "section 'Why it is a bug' is still to be written"),
            ("A call of legacy", "TODO: a call", "the summary is still to be written"),
            ("- https://example.org/legacy", "None.", "section 'References' has no link"),
            (EXAMPLE, "```python\nlegacy(\n", "section 'Example': its program does not parse"),
            (INSTEAD, f"```python\n{'m' * 121}\n", "section 'Instead': lines of its program are longer"),
            (EXAMPLE, "```python\nx = 1\n", "section 'Example': its program must be reported by ACME101"),
            (INSTEAD, EXAMPLE, "section 'Instead': its program is reported: program.py:1"),
            (INSTEAD, "```python\nmodern(2)\n", "section 'Instead': its program is not what the fix makes"),
        ],
    )  # fmt: skip
    def test_what_is_wrong(self, tmp_path: Path, old: str, new: str, said: str) -> None:
        rule, rules = changed(tmp_path, old, new)
        assert documentation_problems(rule, rules)[0].startswith(said)

    def test_nothing_is_wrong(self, tmp_path: Path, rules: Sequence[Rule]) -> None:
        rule = next(rule for rule in rules if rule.code == "ACME101")
        assert documentation_problems(rule, rules) == []


def test_what_fixtures_lack(tmp_path: Path, rules: Sequence[Rule]) -> None:
    rule = next(rule for rule in rules if rule.code == "ACME101")
    folder = tmp_path / "fixtures"
    write(folder / "ACME101/bug_a.py", CALL)
    write(folder / "ACME101/bug_b.py", "x = 1\n")
    write(folder / "ACME101/near_c.py", CALL)
    changelog = write(tmp_path / "CHANGELOG.md", "- DDP203\n")
    assert lacks(rule, folder, rules, 2, changelog) == [
        "1 fixtures fixtures/ACME101/near_*, at least 2 are needed",
        "2 bugs and only 1 near-misses: each bug needs one",
        "fixture ACME101/bug_b expects no finding of ACME101",
        "fixture ACME101/near_c is a near-miss and expects a finding",
        "CHANGELOG.md does not name ACME101",
    ]


def test_rules_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be loaded: ZeroDivisionError"):
        load_rules(write(tmp_path / "broken_rule.py", "1 / 0\n"))
