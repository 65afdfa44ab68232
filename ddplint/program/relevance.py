"""Which functions can matter to any rule: those from which, name by name, one is reached that mentions a rule's words.

Only names are compared, so more may be kept than needed. A function is reached by its own name or as a member of a
module, a class likewise; a variable of a file leads to what its values mention. What a class's methods keep on their
object is seen by its other methods, so that all of them matter where one does. A method's name leads nowhere: whoever
calls it has the object from somebody who mentions the class, and that is where the flow begins.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from ddplint.facts.nodes import walk
from ddplint.program.program import FunctionFacts, Module, Node, Program

# keys of mentions: a name by itself, a member of what a module imports, and what leads nowhere: other attributes,
# variables, keywords and texts, the names of a function and its class
_NAME, _ATTRIBUTE, _MEMBER, _VARIABLE, _OWN = "name ", "attribute ", "member ", "variable ", "own "


Matches = Callable[[str, str], bool]
Words = Sequence[frozenset[str]]
_PATTERN = "pattern:"


class _Unit:
    """A class or a function: the keys that reach it, the keys that it mentions, and the unit of its class."""

    __slots__ = ("functions", "keys", "mentions", "owner")

    def __init__(self, owner: int | None = None) -> None:
        self.functions: list[FunctionFacts] = []
        self.keys: list[str] = []
        self.mentions: set[str] = set()
        self.owner = owner


class Relevance:
    """Finds what words are in reach of. `matches` says whether a pattern of the knowledge is found in a name.

    `own` are names that a team has described: each may be what a rule looks for.
    """

    def __init__(self, program: Program, matches: Matches, own: Collection[str] = ()) -> None:
        self._matches = matches
        self._own = frozenset(f"{name}$" for name in own)
        self._units = _units(program)
        self._mentioned: dict[str, list[int]] = defaultdict(list)
        for number, unit in enumerate(self._units):
            for key in unit.mentions:
                self._mentioned[key].append(number)
        self._keys: dict[str, list[str]] = defaultdict(list)
        for key in self._mentioned:
            self._keys[key.rpartition(" ")[2]].append(key)

    def of(self, words: Words) -> set[int] | None:
        """`id()` of the functions that have a word of each group in reach; None where the whole program mentions none
        of some group.

        A word is found where a part of a name begins with it, `x$` is found as a whole name; `pattern:x` stands for
        what the knowledge's pattern `x` is found in, be it only the function's own name.
        """
        groups = [self._mentions(group | self._own) for group in words]
        if not all(groups):
            return None
        return set.intersection(*(self._closure(mentions) for mentions in groups))

    def _mentions(self, group: frozenset[str]) -> list[str]:
        """The keys in whose names a word of the group is found."""
        words = [word for word in sorted(group) if not word.startswith(_PATTERN)]
        texts = [_word_pattern(word) for word in words]
        found = re.compile("|".join(texts) or "$^")
        patterns = [word[len(_PATTERN) :] for word in sorted(group) if word.startswith(_PATTERN)]
        kept = []
        for name, keys in self._keys.items():
            if any(self._matches(pattern, name) for pattern in patterns):
                kept += keys
            elif texts and found.search(name):
                kept += [key for key in keys if not key.startswith(_OWN)]
        return kept

    def _closure(self, mentions: list[str]) -> set[int]:
        """Whatever reaches one of the mentions."""
        units = self._units
        kept: set[int] = set()
        seen: set[str] = set()
        waiting = mentions
        while waiting:
            key = waiting.pop()
            if key in seen:
                continue
            seen.add(key)
            for number in self._mentioned.get(key, ()):
                for one in (number, units[number].owner):
                    if one is not None and one not in kept:
                        kept.add(one)
                        waiting.extend(units[one].keys)
        return {
            id(facts)
            for number, unit in enumerate(units)
            if number in kept or unit.owner in kept
            for facts in unit.functions
        }


def _word_pattern(word: str) -> str:
    if word.endswith("$"):
        return f"^{re.escape(word[:-1])}$"
    return f"(?<![a-z]){re.escape(word)}" if word[0].islower() else re.escape(word)


def _units(program: Program) -> list[_Unit]:
    units: list[_Unit] = []
    for module in program.modules:
        aliases, own = _aliases(module.references), {name: f"{module.path} {name}" for name in _defined(module)}
        variables = _variables(module.references)
        classes = _class_units(module, units)
        body = _Unit()
        body.mentions = _keys_of(module.references, aliases, own)
        units.append(body)
        for name, references in variables.items():
            unit = _Unit()
            unit.keys = [f"{_VARIABLE}{module.path} {name}"]
            unit.mentions = _keys_of(references, aliases, own) | _reads(module, variables, references)
            units.append(unit)
        for facts in module.functions:
            unit = _Unit(classes.get(facts.owner) if facts.owner is not None else None)
            unit.functions.append(facts)
            unit.mentions = _keys_of(facts.references, aliases, own) | _reads(module, variables, facts.references)
            unit.mentions.update(_OWN + name for name in facts.qualname.split("."))
            if facts.qualname == facts.name:
                unit.keys = _top_level_keys(module, facts.name)
            units.append(unit)
    return units


def _class_units(module: Module, units: list[_Unit]) -> dict[int, int]:
    """Numbers of the units of a module's classes, which are added to `units`, by the class's index."""
    numbers: dict[int, int] = {}
    for index, facts in enumerate(module.classes):
        unit = _Unit()
        unit.keys = [*_top_level_keys(module, facts.name), _ATTRIBUTE + facts.name]
        unit.mentions = {_NAME + name for name in _names_in(facts.bases)}
        numbers[index] = len(units)
        units.append(unit)
    return numbers


def _aliases(references: str) -> dict[str, str]:
    """What a module imports under another name: that name to its own."""
    pairs = (reference.partition(">") for reference in references.split() if ">" in reference)
    return {alias: name for alias, _, name in pairs}


def _variables(references: str) -> dict[str, str]:
    """The variables of a file, with what their values mention."""
    pairs = (reference.partition("<") for reference in references.split() if "<" in reference)
    return {name: mentioned.replace(",", " ") for name, _, mentioned in pairs}


def _reads(module: Module, variables: Mapping[str, str], references: str) -> set[str]:
    """The keys of the file's variables that are read."""
    return {f"{_VARIABLE}{module.path} {name}" for name in variables.keys() & set(references.split())}


def _defined(module: Module) -> set[str]:
    """The names of the functions and classes at the top of a file."""
    names = {one.name for one in module.functions if one.name == one.qualname}
    return names | {one.name for one in module.classes if one.name == one.qualname}


def _top_level_keys(module: Module, name: str) -> list[str]:
    return [_NAME + name, _MEMBER + name, f"{_NAME}{module.path} {name}"]


def _keys_of(references: str, aliases: dict[str, str], own: dict[str, str]) -> set[str]:
    keys: set[str] = set()
    for reference in references.split():
        base, dot, attribute = reference.partition(".")
        if "<" in reference:
            continue
        if dot:
            keys.add(_ATTRIBUTE + attribute)
            if base:
                keys.add(_MEMBER + attribute)
        elif ">" in reference:
            keys.add(_NAME + reference.partition(">")[2])
        elif reference[0] in "='":
            keys.add(_VARIABLE + reference[1:])
        else:
            keys.add(_NAME + (aliases.get(reference) or own.get(reference, reference)))
    return keys


def _names_in(bases: list[Node]) -> set[str]:
    """The names in a class's bases: what it inherits is called without being mentioned."""
    found = (node for base in bases for node in walk(base))
    return {node[3] if node[0] == "attr" else node[2] for node in found if node[0] in ("attr", "name")}
