"""Where ddplint's own fixtures are."""

from __future__ import annotations

from pathlib import Path

from ddplint.testing import Fixture, fixtures

FIXTURES = Path(__file__).parent / "fixtures"


def all_fixtures() -> list[Fixture]:
    return fixtures(FIXTURES)
