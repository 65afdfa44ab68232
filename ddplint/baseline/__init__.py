"""The baseline: findings that are known, so that only new ones are reported.

An entry says what a finding is about, never its row: rule, file, enclosing function, the statement, its neighbours.
Most runs have no baseline: what reads and compares entries is imported when there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddplint.config import Settings
from ddplint.files import project_root
from ddplint.findings import Finding
from ddplint.source import Sources

if TYPE_CHECKING:
    from ddplint.baseline.entries import Baseline, Known

BASELINE = ".ddplint-baseline.json"


@dataclass(frozen=True, slots=True)
class Held:
    """`new` are the findings that the baseline does not know, `known` the others; `open` are entries, with how many
    findings each still could hold back."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...] = ()
    open: tuple[Known, ...] = ()


def find_baseline(start: Path, settings: Settings) -> Path | None:
    """The file that the settings name, else the nearest one at or above the folder `start`."""
    if settings.baseline is not None:
        return settings.baseline
    return next((folder / BASELINE for folder in (start, *start.parents) if (folder / BASELINE).is_file()), None)


def open_baseline(start: Path, settings: Settings, named_only: bool = False) -> Baseline | None:
    """The baseline in use for the folder `start`; with `named_only` none that the settings do not name.

    Raises ConfigError.
    """
    from ddplint.baseline.entries import read_baseline

    file = settings.baseline if named_only else find_baseline(start, settings)
    return None if file is None else read_baseline(file)


def target_file(start: Path, settings: Settings) -> Path:
    """The file to write: the one that is in use, else one in the root of the project that holds the folder `start`."""
    return find_baseline(start, settings) or (project_root(start) or start) / BASELINE


def hold_back(findings: Sequence[Finding], baseline: Baseline | None, sources: Sources, read: Iterable[str]) -> Held:
    """Part the findings of the files that were read by a baseline; without one all are new."""
    if baseline is None:
        return Held(tuple(findings))
    from ddplint.baseline.matching import matched

    return matched(findings, baseline, sources, read)
