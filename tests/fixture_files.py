"""The fixtures: where they are and what they expect."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ddplint.source import read_source

FIXTURES = Path(__file__).parent / "fixtures"
_EXPECT = re.compile(r"#\s*expect:\s*(DDP\d+)\s+(note|warning|error)\s+(safe|unsafe|none)\b")
_STEP = re.compile(r"#\s*step:\s*(DDP\d+)")


def programs(folder: Path) -> list[Path]:
    """The Python files and notebooks below a folder."""
    return sorted([*folder.rglob("*.py"), *folder.rglob("*.ipynb")])


@dataclass(frozen=True)
class Expected:
    """One expected finding: file below the fixture, row, code, severity, fix level."""

    path: str
    row: int
    code: str
    severity: str
    level: str


@dataclass(frozen=True)
class Fixture:
    """A file or folder under `tests/fixtures/<code>/`."""

    code: str
    place: Path

    @property
    def name(self) -> str:
        return f"{self.code}/{self.place.stem if self.place.is_file() else self.place.name}"

    @property
    def is_bug(self) -> bool:
        return self.place.name.startswith("bug_")

    @property
    def files(self) -> list[Path]:
        return [self.place] if self.place.is_file() else programs(self.place)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.place.parent if self.place.is_file() else self.place).as_posix()

    def expected(self) -> Counter[Expected]:
        found: Counter[Expected] = Counter()
        for path in self.files:
            for row, line in enumerate(read_source(str(path)).text.splitlines(), 1):
                for code, severity, level in _EXPECT.findall(line):
                    found[Expected(self.relative(path), row, code, severity, level)] += 1
        return found

    def steps(self) -> set[tuple[str, int, str]]:
        return {
            (self.relative(path), row, code)
            for path in self.files
            for row, line in enumerate(read_source(str(path)).text.splitlines(), 1)
            for code in _STEP.findall(line)
        }


def all_fixtures() -> list[Fixture]:
    return [
        Fixture(folder.name, place)
        for folder in sorted(FIXTURES.glob("DDP*"))
        for place in sorted(folder.iterdir())
        if place.name.startswith(("bug_", "near_"))
    ]
