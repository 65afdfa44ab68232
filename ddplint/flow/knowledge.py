"""Knowledge of libraries: what calls do to tags and what they are, read from YAML.

A team's file holds what `vocabulary.py` says. A shipped file holds any of these sections:

    aliases:    prefix -> the prefix that the other sections use
    tags:       name -> {through: [kinds of calls that carry the tag]}; kinds: shape, compute, objects, any
    calls:      qualified name -> effect of calling it
    objects:    qualified name of a class -> effect of calling an object of it; making the object is `calls`
    methods:    method name -> effect, for values that are no objects of the program
    names:      name of a variable, attribute or dict key -> tag that an unknown value read by it has
    libraries:  packages that are what the sections say even where the program holds their source
    frameworks: class -> hooks that the framework calls, with what it hands them

An effect may have
    is          what the call is, a word or a list of words that rules and engine ask for (loss, loader, seed, gather,
    ...)
    adds        a tag the result gets
    carries     how arguments' tags reach the result: all, shape, compute, none (default by the tag's `through`)
    returns     `first` (the argument itself), `arguments` (one or a tuple), `function`, `pairs`, `elements`, `receiver`
    parameters  names of the positional parameters
    detail      any further plain data for whoever asks by `is`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any


class KnowledgeError(ValueError):
    """A knowledge file that cannot be read or does not have the form; the text says file and line."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one call does; see the module's text."""

    kinds: frozenset[str] = frozenset()
    adds: str = ""
    message: str = ""
    carries: str = ""
    returns: str = ""
    parameters: tuple[str, ...] = ()
    drops: frozenset[str] = frozenset()
    detail: Mapping[str, Any] = field(default_factory=dict)

    def argument_index(self, name: str) -> int:
        """Position of a parameter, or -1."""
        return self.parameters.index(name) if name in self.parameters else -1


_EFFECT_KEYS = {"is", "adds", "message", "carries", "returns", "parameters", "drops", "detail", "reference"}
_SECTIONS = {
    "aliases",
    "tags",
    "calls",
    "objects",
    "methods",
    "names",
    "frameworks",
    "patterns",
    "reference",
    "libraries",
}


@dataclass(slots=True)
class Knowledge:
    aliases: dict[str, str] = field(default_factory=dict)
    tags: dict[str, frozenset[str]] = field(default_factory=dict)
    calls: dict[str, Effect] = field(default_factory=dict)
    objects: dict[str, Effect] = field(default_factory=dict)
    methods: dict[str, Effect] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    frameworks: dict[str, dict[str, Any]] = field(default_factory=dict)
    patterns: dict[str, re.Pattern[str]] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    # what teams say of code that the program may hold, by the last part of its full name
    own: dict[str, list[str]] = field(default_factory=dict)
    # all names that teams gave a meaning, without what leads to them
    own_words: set[str] = field(default_factory=set)
    _canonical: dict[str, str] = field(default_factory=dict)
    _matches: dict[tuple[str, str], bool] = field(default_factory=dict)

    def canonical(self, name: str) -> str:
        """A qualified name with its longest known prefix replaced by the alias' target."""
        known = self._canonical.get(name)
        if known is not None:
            return known
        result, changed = name, True
        for _ in range(4):
            changed = False
            prefix = result
            while prefix:
                if prefix in self.aliases:
                    result, changed = self.aliases[prefix] + result[len(prefix) :], True
                    break
                prefix = prefix.rpartition(".")[0]
            if not changed:
                break
        self._canonical[name] = result
        return result

    def call(self, name: str) -> Effect | None:
        return self.calls.get(self.canonical(name))

    def describes(self, name: str) -> bool:
        """Whether a name of a library is to be taken as knowledge says, whatever source the program holds."""
        return name.partition(".")[0] in self.libraries and self.call(name) is not None

    def own_name(self, path: str, qualname: str) -> str | None:
        """The full name by which a team describes what the file at `path` defines; leading folders may be left out."""
        for name in self.own.get(qualname.rpartition(".")[2], ()):
            module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            if f".{module}.{qualname}".endswith(f".{name}"):
                return name
        return None

    def is_call(self, name: str) -> bool:
        """Whether calling what has a name is described, or it works like something else."""
        return name in self.calls or name in self.aliases

    def object_(self, name: str) -> Effect | None:
        return self.objects.get(self.canonical(name))

    def method(self, owner: str, name: str) -> Effect | None:
        """Effect of a method of an object that the call `owner` made."""
        return self.calls.get(f"{self.canonical(owner)}.{name}")

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the named pattern is found in a text."""
        key = (pattern, text)
        known = self._matches.get(key)
        if known is None:
            found = self.patterns.get(pattern)
            known = self._matches[key] = bool(found and found.search(text))
        return known


def _effect(row: Any, where: str) -> Effect:
    if not isinstance(row, dict):
        raise KnowledgeError(f"{where}: an effect is a mapping")
    surplus = set(row) - _EFFECT_KEYS
    if surplus:
        raise KnowledgeError(f"{where}: unknown key {sorted(surplus)[0]!r}")
    kinds = row.get("is", [])
    return Effect(
        kinds=frozenset([kinds] if isinstance(kinds, str) else kinds),
        adds=row.get("adds", ""),
        message=row.get("message", ""),
        carries=row.get("carries", ""),
        returns=row.get("returns", ""),
        parameters=tuple(row.get("parameters", ())),
        drops=frozenset(row.get("drops", ())),
        detail=row.get("detail", {}),
    )


def _add(knowledge: Knowledge, data: Any, where: str) -> None:
    if data is None:
        return
    if not isinstance(data, dict):
        raise KnowledgeError(f"{where}: expected a mapping of sections")
    surplus = set(data) - _SECTIONS
    if surplus:
        raise KnowledgeError(f"{where}: unknown section {sorted(map(str, surplus))[0]!r}")
    for section in ("calls", "objects", "methods"):
        table: dict[str, Effect] = getattr(knowledge, section)
        for names, row in (data.get(section) or {}).items():
            effect = _effect(row, f"{where}: {section}: {names}")
            for name in str(names).split():
                table[name.rstrip(",")] = effect
    knowledge.libraries.update(data.get("libraries") or ())
    knowledge.aliases.update(data.get("aliases") or {})
    knowledge.names.update({name: tag for tag, names in (data.get("names") or {}).items() for name in names})
    for name, hooks in (data.get("frameworks") or {}).items():
        knowledge.frameworks.setdefault(name, {}).update(hooks)
    for name, row in (data.get("tags") or {}).items():
        knowledge.tags[name] = frozenset((row or {}).get("through", ()))
    for name, pattern in (data.get("patterns") or {}).items():
        try:
            knowledge.patterns[name] = re.compile(pattern, re.IGNORECASE | re.VERBOSE)
        except re.error as problem:
            raise KnowledgeError(f"{where}: patterns: {name}: {problem}") from problem


def _names(knowledge: Knowledge) -> set[str]:
    """All names that the sections have, and what these begin with."""
    tables = (knowledge.calls, knowledge.objects, knowledge.frameworks, knowledge.aliases)
    names: set[str] = set()
    for name in (name for table in tables for name in table):
        while name and name not in names:
            names.add(name)
            name = name.rpartition(".")[0]
    return names


def _add_team(knowledge: Knowledge, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Add what a team's file says; its entries replace those that are there."""
    for section in ("calls", "objects", "methods"):
        table: dict[str, Effect] = getattr(knowledge, section)
        table.update({name: _effect(row, name) for name, row in sections[section].items()})
    for name in sections["objects"]:
        knowledge.calls.setdefault(name, Effect(returns="object"))
    knowledge.aliases.update(sections.get("aliases", {}))
    for tag, names in sections.get("names", {}).items():
        knowledge.names.update(dict.fromkeys(names, tag))
        knowledge.own_words.update(names)
    knowledge.own_words.update(sections["methods"])
    for name in dict.fromkeys([*sections["calls"], *sections["objects"], *sections.get("aliases", ())]):
        known = knowledge.own.setdefault(name.rpartition(".")[2], [])
        if name not in known:
            known.append(name)
    knowledge.own_words.update(knowledge.own)


def load_knowledge(further: Iterable[Path] = ()) -> Knowledge:
    """The shipped knowledge and then each team's file, whose entries replace shipped ones.

    Raises KnowledgeError for a file that cannot be read, is no YAML or has another form.
    """
    from ddplint.flow.team import read_team_file

    knowledge = Knowledge()
    for name, data in _shipped():
        _add(knowledge, data, name)
    for path in further:
        _add_team(knowledge, read_team_file(path, _names(knowledge)))
    return knowledge


@cache
def _shipped() -> tuple[tuple[str, Any], ...]:
    """Path and content of the shipped files: for a process they are always the same. Raises KnowledgeError."""
    # an answer from the cache does without
    import yaml

    # in C, as the shipped files need it to be fast
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted((Path(__file__).parent.parent / "knowledge").glob("*.yaml")):
        try:
            found.append((str(path), yaml.load(path.read_text(encoding="utf-8"), Loader=loader)))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
            raise KnowledgeError(f"{path}: {problem}") from problem
    return tuple(found)
