"""Every fixture: exactly the findings that its comments expect, no other of any rule."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from fixture_files import Fixture, all_fixtures

from ddplint.config import Settings
from ddplint.engine import check
from ddplint.result import Result

FIXTURES = all_fixtures()


def run(fixture: Fixture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Check a copy of the fixture as a project of its own."""
    if fixture.place.is_file():
        shutil.copy(fixture.place, folder)
    else:
        shutil.copytree(fixture.place, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return check(["."], Settings(cache=False, jobs=1))


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_findings_are_those_expected(fixture: Fixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(fixture, tmp_path, monkeypatch)
    assert not result.errors
    assert not result.skipped
    found = Counter((one.span.path, one.span.row, one.code, one.severity) for one in result.findings)
    expected = Counter((one.path, one.row, one.code, one.severity) for one in fixture.expected())
    assert found == expected


@pytest.mark.parametrize("fixture", [one for one in FIXTURES if one.steps()], ids=lambda fixture: fixture.name)
def test_traces_pass_through_the_marked_lines(
    fixture: Fixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(fixture, tmp_path, monkeypatch)
    passed = {(step.span.path, step.span.row, one.code) for one in result.findings for step in one.trace}
    passed |= {(one.span.path, one.span.row, one.code) for one in result.findings}
    assert fixture.steps() <= passed


def test_each_rule_has_enough_fixtures() -> None:
    for code in sorted({fixture.code for fixture in FIXTURES}):
        own = [fixture for fixture in FIXTURES if fixture.code == code]
        for kind in (True, False):
            some = [fixture for fixture in own if fixture.is_bug is kind]
            assert len(some) >= 12, f"{code}: {len(some)} {'bug' if kind else 'near'} fixtures"
            assert sum(fixture.place.is_dir() for fixture in some) >= 4, code
    assert len({fixture.code for fixture in FIXTURES}) >= 6
    assert all(fixture.expected() for fixture in FIXTURES if fixture.is_bug)
    assert not any(fixture.expected() for fixture in FIXTURES if not fixture.is_bug)
