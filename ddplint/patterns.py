"""Patterns in the syntax of .gitignore, each counted from a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePath

from pathspec import GitIgnoreSpec


@dataclass(frozen=True, slots=True, order=True)
class Pattern:
    """One line as in .gitignore, and the folder that it counts from."""

    text: str
    folder: Path


class PathPatterns:
    """Several patterns; what a later folder's patterns say of a path wins."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        groups = groupby(patterns, key=lambda pattern: pattern.folder)
        self._specs = [(str(folder), gitignore_spec([one.text for one in group])) for folder, group in groups]
        self._specs.reverse()

    def match(self, path: str, is_folder: bool = False) -> bool:
        """Whether the absolute `path` matches."""
        answers = (match_below(folder, spec, path, is_folder) for folder, spec in self._specs)
        return next((answer for answer in answers if answer is not None), False)


def gitignore_spec(lines: Sequence[str]) -> GitIgnoreSpec:
    """The lines of an ignore file; lines that are no patterns count for nothing, as for git."""
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return GitIgnoreSpec.from_lines(line for line in lines if is_pattern(line))


def is_pattern(line: str) -> bool:
    """Whether a line has the syntax of .gitignore."""
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def match_below(folder: str, spec: GitIgnoreSpec, path: str, is_folder: bool) -> bool | None:
    """What `spec`, counted from `folder`, says of `path`: True, False for a negated pattern, None for nothing."""
    relative = relative_path(path, folder)
    if relative == path:
        return None
    return spec.check_file(f"{relative}/" if is_folder else relative).include


def relative_path(path: str | PurePath, folder: str) -> str:
    """Relative to `folder` when below it, else as it is; with forward slashes."""
    text = os.fspath(path)
    base = folder if folder.endswith(os.sep) else folder + os.sep
    if text.startswith(base):
        text = text[len(base) :]
    return text if os.sep == "/" else text.replace(os.sep, "/")
