"""Every fixture: exactly the findings that its comments expect, no other of any rule."""

from __future__ import annotations

import pytest
from fixture_files import all_fixtures

from ddplint.registry import discover
from ddplint.testing import Fixture, finding_problems

RULES = discover()
FIXTURES = all_fixtures()


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_findings_and_traces_are_those_expected(fixture: Fixture) -> None:
    assert finding_problems(fixture, RULES) == []


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
