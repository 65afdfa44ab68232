"""Labelled places, findings, and what the one says of the other. Plain data, no input or output but the label files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

NEAR = 3  # lines between a finding and the place it is about
ON_TRACE = 1  # the same for a step of its trace, which names the line itself
VERDICTS = ("bug", "near-miss")
ORIGINS = ("search", "finding")
DIFFICULTIES = ("", "same-function", "same-file", "cross-file", "needs-types")
CAUSES = (
    "",
    "unresolved import",
    "registry or configuration",
    "container",
    "framework hook",
    "unknown wrapper",
    "guard form",
    "spelling",
    "value not followed",
    "no caller in view",
    "limit of the analysis",
    "Python 2",
)

Judgement = Literal["true", "false", "unjudged"]


class LabelError(Exception):
    """A label file that cannot be used; the text says which entry and why."""


@dataclass(frozen=True)
class Spot:
    """Lines `first` to `last` of a file; in a notebook those of one cell."""

    path: str
    first: int
    last: int
    cell: int | None = None

    def distance(self, path: str, line: int, cell: int | None = None) -> int | None:
        """Lines from here to that line, 0 within; None in another file or cell."""
        if self.path != path or (cell is not None and self.cell is not None and cell != self.cell):
            return None
        return max(self.first - line, line - self.last, 0)


@dataclass(frozen=True)
class Label:
    """One place that a person read and judged. `also` are further places of the same bug."""

    repository: str
    commit: str
    path: str
    line: int
    rule: str
    verdict: str
    origin: str
    reason: str
    difficulty: str = ""
    cause: str = ""
    cell: int | None = None
    also: tuple[str, ...] = ()
    source: str = ""  # the label file's name

    @property
    def is_bug(self) -> bool:
        return self.verdict == "bug"

    @property
    def is_independent(self) -> bool:
        return self.origin == "search"

    @property
    def program(self) -> tuple[str, str]:
        return self.repository, self.commit

    def lines(self) -> list[tuple[str, int]]:
        """The labelled line and, for a bug, the others at which it may be reported."""
        lines = [(self.path, self.line)]
        if self.is_bug:
            for place in self.also:
                path, _, line = place.rpartition(":")
                if line.isdigit():
                    lines.append((path, int(line)))
        return lines


@dataclass(frozen=True)
class Finding:
    """What the tool reported: its own span, then the steps of its trace."""

    repository: str
    commit: str
    rule: str
    spot: Spot
    message: str
    trace: tuple[Spot, ...] = ()
    judgement: Judgement = "unjudged"
    reason: str = ""

    @classmethod
    def read(cls, repository: str, commit: str, entry: Mapping[str, Any]) -> Finding:
        """From an entry of the tool's JSON."""
        trace = tuple(_spot(step) for step in entry.get("trace") or ())
        return cls(repository, commit, entry["code"], _spot(entry), str(entry.get("message", "")), trace)

    def hits(self, label: Label) -> bool:
        """Whether this is a report of the labelled place."""
        if (self.rule, self.repository, self.commit) != (label.rule, *label.program):
            return False
        return self._own_distance(label) is not None or self._on_trace(label)

    def _own_distance(self, label: Label) -> int | None:
        found = []
        for path, line in label.lines():
            distance = self.spot.distance(path, line, label.cell)
            if distance is not None and distance <= NEAR:
                found.append(distance)
        return min(found, default=None)

    def _on_trace(self, label: Label) -> bool:
        distances = (step.distance(label.path, label.line, label.cell) for step in self.trace)
        return label.is_bug and any(distance is not None and distance <= ON_TRACE for distance in distances)

    def judged(self, labels: Iterable[Label]) -> Finding:
        """With the verdict of the nearest label that it hits; a tie goes to the one read as a finding."""
        hit = [label for label in labels if self.hits(label)]
        if not hit:
            return self
        label = min(hit, key=self._rank)
        return replace(self, judgement="true" if label.is_bug else "false", reason=label.reason)

    def _rank(self, label: Label) -> tuple[int, bool]:
        distance = self._own_distance(label)
        return NEAR + 1 if distance is None else distance, label.is_independent


@dataclass(frozen=True)
class Place:
    """A label and whether the tool reports it."""

    label: Label
    reported: bool


@dataclass(frozen=True)
class Row:
    """The counts of one rule (or of all)."""

    bugs: int = 0
    found: int = 0
    near_misses: int = 0
    false_alarms: int = 0
    true: int = 0
    false: int = 0
    unjudged: int = 0
    known: int = 0  # bugs labelled because the tool reported them
    kept: int = 0  # those that it still reports

    def __add__(self, other: Row) -> Row:
        mine, others = asdict(self), asdict(other)
        return Row(**{name: mine[name] + others[name] for name in mine})


@dataclass
class Score:
    """All that a run says of the labels."""

    places: list[Place] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def rows(self) -> dict[str, Row]:
        rows: defaultdict[str, Row] = defaultdict(Row)
        for place in self.places:
            rows[place.label.rule] += _count(place)
        for finding in self.findings:
            rows[finding.rule] += Row(**{finding.judgement: 1})
        return dict(sorted(rows.items()))

    def difficulties(self) -> dict[str, tuple[int, int]]:
        """Bugs found and bugs, of the independent ones, by difficulty."""
        found: Counter[str] = Counter()
        bugs: Counter[str] = Counter()
        for place in self.places:
            if place.label.is_bug and place.label.is_independent:
                bugs[place.label.difficulty] += 1
                found[place.label.difficulty] += place.reported
        return {kind: (found[kind], bugs[kind]) for kind in DIFFICULTIES if bugs[kind]}


def score(labels: Iterable[Label], findings: Iterable[Finding]) -> Score:
    """Every label with its result, every finding with its verdict."""
    near: defaultdict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    by_place: defaultdict[tuple[str, str, str], list[Label]] = defaultdict(list)
    result = Score()
    labels = list(labels)
    for label in labels:
        by_place[label.rule, label.repository, label.commit].append(label)
    for finding in findings:
        key = finding.rule, finding.repository, finding.commit
        near[key].append(finding)
        result.findings.append(finding.judged(by_place[key]))
    for label in labels:
        candidates = near[label.rule, label.repository, label.commit]
        result.places.append(Place(label, any(finding.hits(label) for finding in candidates)))
    return result


def load(folder: Path) -> list[Label]:
    """The labels of all YAML files in `folder`. Raises LabelError."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise LabelError(f"no label files in {folder}")
    labels = []
    for path in files:
        try:
            entries = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LabelError(f"{path}: {' '.join(str(error).split())}") from error
        if not isinstance(entries, list):
            raise LabelError(f"{path}: not a list of labels")
        read = (_label(entry, f"{path}, entry {number}") for number, entry in enumerate(entries, 1))
        labels += [replace(label, source=path.stem) for label in read]
    return labels


def _label(entry: object, where: str) -> Label:
    if not isinstance(entry, dict):
        raise LabelError(f"{where}: not a mapping")
    values: dict[str, Any] = {**entry, "also": tuple(entry.get("also") or ())}
    try:
        label = Label(**values)
    except TypeError as error:
        raise LabelError(f"{where}: {str(error).replace('Label.__init__() ', '')}") from error
    for name, allowed in (
        ("verdict", VERDICTS),
        ("origin", ORIGINS),
        ("difficulty", DIFFICULTIES),
        ("cause", CAUSES),
    ):
        value = getattr(label, name)
        if value not in allowed:
            raise LabelError(f"{where}: {name} is {value!r}, not one of {', '.join(filter(None, allowed))}")
    if not isinstance(label.line, int) or not isinstance(label.commit, str):
        raise LabelError(f"{where}: line must be a number and commit a string")
    return label


def _spot(entry: Mapping[str, Any]) -> Spot:
    first = entry["location"]["row"]
    return Spot(entry["filename"], first, (entry.get("end_location") or {}).get("row", first), entry.get("cell"))


def _count(place: Place) -> Row:
    label, reported = place.label, int(place.reported)
    if not label.is_bug:
        return Row(near_misses=1, false_alarms=reported) if label.is_independent else Row()
    return Row(bugs=1, found=reported) if label.is_independent else Row(known=1, kept=reported)
