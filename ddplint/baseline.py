"""The baseline: findings that are known, so that only new ones are reported.

An entry says what a finding is about, never its row: rule, file, enclosing function, the statement, its neighbours.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import stat
import tempfile
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ddplint.config import ConfigError, Settings
from ddplint.files import project_root
from ddplint.findings import Finding
from ddplint.layout import Layout
from ddplint.source import Sources, Unreadable, read_bytes

BASELINE = ".ddplint-baseline.json"

_VERSION = 1
_SIZE_LIMIT = 100_000_000
_CODE_LENGTH = 120
# what a formatter may change without changing the code
_FORM = re.compile(r"[\s()\\]|,(?=\s*[)\]}])")


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
class Held:
    """`new` are the findings that the baseline does not know, `known` the others; `open` are entries, with how many
    findings each still could hold back."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...] = ()
    open: tuple[Known, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Reach:
    """What one run can tell of entries: the rules that ran, the files read (display paths), the folders given."""

    rules: Collection[str]
    files: Collection[str]
    folders: Sequence[str]

    def judge(self, entries: Iterable[Known], baseline: Baseline) -> tuple[list[Known], list[Known]]:
        """Part entries that nothing matched: those that are done with, and those that this run cannot tell of."""
        places = {baseline.place(path) for path in self.files}
        done: list[Known] = []
        open_: list[Known] = []
        for entry, count in entries:
            gone = baseline.lies_in(entry.path, self.folders) and not baseline.exists(entry.path)
            told = entry.rule in self.rules and (entry.path in places or gone)
            (done if told else open_).append((entry, count))
        return done, open_


def find_baseline(start: Path, settings: Settings) -> Path | None:
    """The file that the settings name, else the nearest one at or above the folder `start`."""
    if settings.baseline is not None:
        return settings.baseline
    return next((folder / BASELINE for folder in (start, *start.parents) if (folder / BASELINE).is_file()), None)


def open_baseline(start: Path, settings: Settings, named_only: bool = False) -> Baseline | None:
    """The baseline in use for the folder `start`; with `named_only` none that the settings do not name.

    Raises ConfigError.
    """
    file = settings.baseline if named_only else find_baseline(start, settings)
    return None if file is None else read_baseline(file)


def target_file(start: Path, settings: Settings) -> Path:
    """The file to write: the one that is in use, else one in the root of the project that holds the folder `start`."""
    return find_baseline(start, settings) or (project_root(start) or start) / BASELINE


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


class Describer:
    """Turns findings into entries of one baseline."""

    def __init__(self, baseline: Baseline, sources: Sources) -> None:
        self._baseline = baseline
        self._sources = sources
        self._texts: dict[str, _Text] = {}

    def entry(self, finding: Finding) -> Entry:
        """What a baseline says of a finding."""
        path = finding.span.path
        return self._text(path).entry(self._baseline.place(path), finding.code, finding.span.row)

    def entries(self, findings: Iterable[Finding]) -> dict[Entry, int]:
        """The entries that hold back just these findings."""
        return dict(Counter(map(self.entry, findings)))

    def scopes(self, path: str) -> Collection[str]:
        """The functions and classes of a file."""
        return {name for _, _, name in self._text(path).scopes}

    def _text(self, path: str) -> _Text:
        if path not in self._texts:
            source = self._sources.get(path)
            self._texts[path] = _Text(source.text if source else "")
        return self._texts[path]


class _Text:
    """A file as far as entries tell of it."""

    def __init__(self, text: str) -> None:
        self._rows = text.split("\n")
        layout = Layout(text)
        self._lines = layout.lines
        self._comments = {comment.row: comment.column for comment in layout.comments}
        self.scopes = _scopes(text)

    def entry(self, path: str, rule: str, row: int) -> Entry:
        index = bisect_right(self._lines, row, key=lambda line: line[0]) - 1
        code = self._code(index)
        return Entry(
            path=path,
            rule=rule,
            scope=max((scope for scope in self.scopes if scope[0] <= row <= scope[1]), default=(0, 0, ""))[2],
            code=code if len(code) <= _CODE_LENGTH else f"{code[: _CODE_LENGTH - 3]}...",
            hash=_hash(code, 8),
            before=_hash(self._code(index - 1), 4),
            after=_hash(self._code(index + 1), 4),
        )

    def _code(self, index: int) -> str:
        """A logical line in one row, without comments; empty past the ends of the file."""
        if not 0 <= index < len(self._lines):
            return ""
        first, last = self._lines[index]
        pieces = (self._rows[row - 1][: self._comments.get(row)].strip() for row in range(first, last + 1))
        return " ".join(filter(None, pieces))


class _Matching:
    """Findings that wait for an entry, and entries that are left; each round of `match` takes some away."""

    def __init__(self, waiting: Sequence[tuple[Finding, Entry]], entries: Mapping[Entry, int]) -> None:
        self.waiting = list(waiting)
        self.known: list[Finding] = []
        self.left = dict(entries)

    def match(self, same: Callable[[Entry], Hashable], usable: Callable[[Entry], bool] = lambda entry: True) -> None:
        """Give each finding an entry for which `same` is equal, as long as there are any."""
        pool: dict[Hashable, list[Entry]] = {}
        for entry, count in self.left.items():
            if count and usable(entry):
                pool.setdefault(same(entry), []).extend([entry] * count)
        still = []
        for finding, described in self.waiting:
            fitting = pool.get(same(described))
            if fitting:
                self.left[fitting.pop()] -= 1
                self.known.append(finding)
            else:
                still.append((finding, described))
        self.waiting = still


def hold_back(findings: Sequence[Finding], baseline: Baseline, sources: Sources, read: Iterable[str]) -> Held:
    """Part the findings of the files that were read by a baseline. Each entry holds back as many as it counts."""
    describer = Describer(baseline, sources)
    places = {baseline.place(path): path for path in read}
    gone = {path for path in {entry.path for entry in baseline.entries} if not baseline.exists(path)}

    def renamed(entry: Entry) -> bool:
        return entry.path in places and entry.scope not in describer.scopes(places[entry.path])

    def moved(entry: Entry) -> bool:
        # what stands in a file that was not read may still be there
        return entry.path in places or entry.path in gone

    matching = _Matching([(finding, describer.entry(finding)) for finding in findings], baseline.entries)
    matching.match(lambda one: one)
    matching.match(lambda one: (one.path, one.rule, one.hash, one.scope, one.before))
    matching.match(lambda one: (one.path, one.rule, one.hash, one.scope, one.after))
    matching.match(lambda one: (one.path, one.rule, one.hash, one.scope))
    matching.match(lambda one: (one.path, one.rule, one.hash, one.before, one.after))
    matching.match(lambda one: (one.path, one.rule, one.hash), renamed)
    matching.match(lambda one: (one.rule, one.hash, one.scope, one.before, one.after), moved)
    matching.match(lambda one: (one.rule, one.hash, one.scope), lambda entry: entry.path in gone)
    new = {finding for finding, _ in matching.waiting}
    return Held(
        new=tuple(finding for finding in findings if finding in new),
        known=tuple(finding for finding in findings if finding not in new),
        open=tuple((entry, count) for entry, count in sorted(matching.left.items()) if count),
    )


def _scopes(text: str) -> list[tuple[int, int, str]]:
    """First and last row and full name of each function and class."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[tuple[int, int, str]] = []
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    while pending:
        parent, prefix = pending.pop()
        for node in ast.iter_child_nodes(parent):
            name = prefix
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}.{node.name}" if prefix else node.name
                first = min((one.lineno for one in node.decorator_list), default=node.lineno)
                found.append((first, node.end_lineno or node.lineno, name))
            if not isinstance(node, ast.expr):
                pending.append((node, name))
    return found


def _hash(code: str, size: int) -> str:
    plain = _FORM.sub("", code).replace('"', "'")
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


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
