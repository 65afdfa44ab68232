"""The table of all settings: a field of `Settings` is a key of the configuration.

From it come how a file is read and checked, what is said of unknown keys, the JSON schema, the reference in
`docs/configuration.md` and the listing of `ddplint config`. To add a key, add a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from pathlib import Path
from typing import Any

from ddplint.config.kinds import Choice, File, Flag, Glob, Kind, List, Record, Table, Text, Whole
from ddplint.findings import SEVERITIES, Severity
from ddplint.patterns import Pattern

OUTPUT_FORMATS = ("text", "concise", "json", "json-lines", "sarif", "github", "gitlab", "junit", "html")

_RULES = List(Text())
_SELECTOR = Text("a rule's code, prefix or name")
_PATTERNS = List(Glob(), "a list of patterns as in .gitignore")
_KNOWLEDGE = List(File("knowledge file"))


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name in a file, what it may hold, its default, one sentence of help, and an example value."""

    name: str
    kind: Kind
    default: Any
    help: str
    example: Any
    option: str = ""

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    def combine(self, below: Any, above: Any) -> Any:
        """The value where a configuration says `above` over one that says `below`."""
        if isinstance(self.kind, Table):
            return {**below, **above}
        return (*below, *above) if self.name.startswith("extend-") else above


@dataclass(frozen=True, slots=True)
class Layer:
    """What one configuration says: a file, or the command line (`source` None). `values` are by name of the key."""

    source: Path | None
    values: Mapping[str, Any]


def _key(kind: Kind, default: Any, help: str, example: Any, option: str = "") -> Any:
    """A field of `Settings`; `option` is what sets it on the command line."""
    about = {"kind": kind, "help": help, "example": example, "option": option}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=about)
    return field(default=default, metadata=about)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked for. `layers` are the configurations it comes from, `source` the file of the nearest one."""

    select: tuple[str, ...] = _key(
        _RULES, (), "Only these rules: codes, prefixes or names. Without it, all rules.", ["DDP1", "DDP203"], "--select"
    )
    ignore: tuple[str, ...] = _key(
        _RULES, (), "Leave these rules out. The more specific of two selectors wins, `ignore` a draw.",
        ["duplicate-root-centering"], "--ignore",
    )  # fmt: skip
    extend_select: tuple[str, ...] = _key(
        _RULES, (), "These rules too, beside those that `select` names.", ["DDP302"], "--extend-select"
    )
    extend_ignore: tuple[str, ...] = _key(
        _RULES, (), "Leave these rules out too, beside those that `ignore` names.", ["DDP301"]
    )
    severity: Mapping[str, Severity] = _key(
        Table(_SELECTOR, Choice(SEVERITIES), "a table of rules and severities"), {},
        "Report what these rules find at this severity; the most specific selector counts.",
        {"DDP302": "note", "zero-times-parameters": "error"},
    )  # fmt: skip
    per_file_ignores: Mapping[Pattern, tuple[str, ...]] = _key(
        Table(Glob(), _RULES, "a table of patterns and lists of rules"), {},
        "Leave out what these rules find in files that match, in the syntax of .gitignore.",
        {"experiments/": ["DDP302"], "legacy_*.py": ["ALL"]},
    )  # fmt: skip
    exclude: tuple[Pattern, ...] = _key(
        _PATTERNS, (),
        "Leave out what matches, in the syntax of .gitignore. What is named on the command line is read all the same.",
        ["third_party/"], "--exclude",
    )  # fmt: skip
    extend_exclude: tuple[Pattern, ...] = _key(
        _PATTERNS, (), "Leave this out too, beside what `exclude` names.", ["vendored/"]
    )
    knowledge: tuple[Path, ...] = _key(
        _KNOWLEDGE, (),
        "Files that say what your own evaluators, losses, guards, gather helpers, loaders and seeding functions do.",
        ["lint/team.yaml"],
    )  # fmt: skip
    extend_knowledge: tuple[Path, ...] = _key(
        _KNOWLEDGE, (), "These files too, beside those that `knowledge` names.", ["lint/more.yaml"]
    )
    fail_on: Severity = _key(
        Choice(SEVERITIES), "warning", "Lowest severity that makes the exit code 1.", "error", "--fail-on"
    )
    output_format: str = _key(Choice(OUTPUT_FORMATS), "text", "How findings are printed.", "concise", "--output-format")
    output_file: Path | None = _key(
        File(within=True), None,
        "Write the report to this file instead of stdout; it must lie in the folder of the configuration.",
        "report.txt", "--output-file",
    )  # fmt: skip
    baseline: Path | None = _key(
        File(within=True), None,
        "File of the findings that are known. "
        "Without it, the nearest `.ddplint-baseline.json` at or above what is checked.",
        "lint/baseline.json", "--baseline",
    )  # fmt: skip
    report_unused_ignores: bool = _key(
        Flag(), False, "Report suppression comments that silence nothing, are misspelt or name no rule.", True,
        "--report-unused-ignores",
    )  # fmt: skip
    jobs: int = _key(
        Whole(0, "0 for one process per core"), 0, "Processes to read files with; 0: one per core.", 4, "--jobs"
    )
    cache: bool = _key(Flag(), True, "Keep facts and results between runs.", False, "--no-cache")

    source: Path | None = None
    layers: tuple[Layer, ...] = field(default=(), compare=False)

    @property
    def ignored(self) -> tuple[str, ...]:
        return (*self.ignore, *self.extend_ignore)

    @property
    def excluded(self) -> tuple[Pattern, ...]:
        return (*self.exclude, *self.extend_exclude)

    @property
    def knowledge_files(self) -> tuple[Path, ...]:
        return (*self.knowledge, *self.extend_knowledge)


KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key(name=one.name.replace("_", "-"), default=getattr(Settings(), one.name), **one.metadata)
        for one in fields(Settings)
        if one.metadata
    )
}

# the one key that is no setting: it says where values come from that a file does not have itself
EXTEND = "extend"
EXTEND_EXAMPLE = "../lint/base.toml"
EXTEND_HELP = (
    "Another configuration file, relative to this one. This file's values win; lists in `extend-*` add to its."
)

# a configuration file
FILE = Record(
    {**{key.name: key.kind for key in KEYS.values()}, EXTEND: File("configuration file")},
    help={**{key.name: key.help for key in KEYS.values()}, EXTEND: EXTEND_HELP},
    empty=True,
)


def combine(layers: tuple[Layer, ...], source: Path | None = None) -> Settings:
    """Settings from several configurations, each over those before it."""
    return replace(reduce(_over, layers, Settings()), source=source)


def override(settings: Settings, **given: Any) -> Settings:
    """`settings` with those of the command line's values that were given (not None, not empty), by field."""
    values = {name.replace("_", "-"): value for name, value in given.items() if value is not None and value != ()}
    unknown = set(values) - set(KEYS)
    if unknown:
        raise TypeError(f"no such setting: {sorted(unknown)[0]}")
    return _over(settings, Layer(None, values)) if values else settings


def _over(settings: Settings, layer: Layer) -> Settings:
    values = {}
    for name, value in layer.values.items():
        key = KEYS[name]
        values[key.field] = key.combine(getattr(settings, key.field), value)
    return replace(settings, **values, layers=(*settings.layers, layer))
