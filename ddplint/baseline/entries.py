"""Entries of a baseline, and the file that holds them."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ddplint.config import ConfigError
from ddplint.source import Unreadable, read_bytes

_VERSION = 1
_SIZE_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A known finding. `path` counts from the baseline's folder; `scope` is the enclosing function or class.

    `code` is the statement for people to read, `hash` stands for all of it, `before` and `after` for its neighbours.
    """

    path: str
    rule: str
    scope: str
    code: str
    hash: str
    before: str
    after: str


# an entry, and for how many findings
Known = tuple[Entry, int]

_FIELDS = tuple(one.name for one in fields(Entry))


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline as it stands in a file: entries and how many findings each holds back."""

    file: Path
    entries: dict[Entry, int] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """A path, absolute or from the current folder, as entries name it."""
        absolute = os.path.abspath(path)
        try:
            relative = os.path.relpath(absolute, self.file.parent)
        except ValueError:
            # on another drive
            relative = absolute
        return relative.replace(os.sep, "/")

    def lies_in(self, path: str, folders: Iterable[str]) -> bool:
        """Whether a file that an entry names lies in one of the folders."""
        absolute = os.path.normpath(os.path.join(self.file.parent, path))
        return any(absolute.startswith(os.path.join(os.path.abspath(folder), "")) for folder in folders)

    def exists(self, path: str) -> bool:
        """Whether the file that an entry names is there."""
        return os.path.isfile(os.path.join(self.file.parent, path))


def read_baseline(file: Path) -> Baseline:
    """Raises ConfigError with one line that says what is wrong with the file."""
    try:
        content = json.loads(read_bytes(str(file), _SIZE_LIMIT).decode("utf-8-sig"))
    except Unreadable as trouble:
        hint = "; `ddplint baseline` writes it" if trouble.reason == "not found" else ""
        raise ConfigError(f"baseline {file}: {trouble.reason}{hint}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"baseline {file}: broken JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("findings"), list):
        raise ConfigError(f"baseline {file}: expected a table with a list `findings`")
    if content.get("version") != _VERSION:
        raise ConfigError(f"baseline {file}: expected version {_VERSION}, found {str(content.get('version'))[:20]}")
    entries: dict[Entry, int] = {}
    for number, row in enumerate(content["findings"], 1):
        # the list ends with null, so that every entry's line ends alike
        if row is not None:
            entry, count = _entry(row, f"baseline {file}: entry {number}")
            # a merge may leave an entry twice
            entries[entry] = max(count, entries.get(entry, 0))
    return Baseline(file, entries)


def render_baseline(entries: dict[Entry, int]) -> str:
    """The content of the file: sorted, one line for each entry, so that merges are easy."""
    rows = [
        json.dumps(asdict(entry) | ({"count": count} if count > 1 else {})) for entry, count in sorted(entries.items())
    ]
    return "\n".join(
        ["{", f'"version": {_VERSION},', '"findings": [', *(f"{row}," for row in rows), "null", "]", "}", ""]
    )


def write_baseline(file: Path, entries: dict[Entry, int]) -> None:
    """Put the file in its place in one step; raises OSError."""
    target = os.path.realpath(file)
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".ddplint-", suffix=".tmp")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(render_baseline(entries))
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _entry(row: Any, where: str) -> Known:
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: expected a table")
    for key in _FIELDS:
        if not isinstance(row.get(key), str):
            raise ConfigError(f"{where}: `{key}` must be a string")
    count = row.get("count", 1)
    if type(count) is not int or count < 1:
        raise ConfigError(f"{where}: `count` must be a whole number from 1")
    return Entry(**{key: row[key] for key in _FIELDS}), count


def _mode(target: str) -> int:
    """The mode of the file that is there, else that of a new one."""
    try:
        return stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
