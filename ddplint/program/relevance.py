"""Which functions can matter to any rule: those from which, name by name, one is reached that mentions a rule's words.

Only names are compared, so more may be kept than needed, never less than a call by name reaches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ddplint.program.program import FunctionFacts, Node, Program

# called without their name standing anywhere
_IMPLICIT = frozenset({"forward", "<lambda>"})


def relevant_functions(program: Program, words: Iterable[str]) -> set[int]:
    """`id()` of the functions from which a mention of one of the words is in reach. Methods of one class stand or
    fall together.
    """
    wanted = tuple(words)
    units = _units(program)
    mentions: dict[str, list[int]] = defaultdict(list)
    for number, unit in enumerate(units):
        for name in unit.references:
            mentions[name].append(number)
    kept: set[int] = set()
    seen: set[str] = set()
    waiting = [name for name in mentions if any(word in name for word in wanted)]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for number in mentions[name]:
            if number not in kept:
                kept.add(number)
                waiting.extend(units[number].names)
    return {id(facts) for number in kept for facts in units[number].functions}


class _Unit:
    """A class's methods, or one function outside classes: what calls them by, what they mention."""

    __slots__ = ("functions", "names", "references")

    def __init__(self) -> None:
        self.functions: list[FunctionFacts] = []
        self.names: set[str] = set()
        self.references: set[str] = set()


def _units(program: Program) -> list[_Unit]:
    units: list[_Unit] = []
    for module in program.modules:
        by_class: dict[int, _Unit] = {}
        for facts in module.functions:
            unit = _Unit() if facts.owner is None else by_class.setdefault(facts.owner, _Unit())
            if not unit.functions:
                units.append(unit)
            unit.functions.append(facts)
            unit.references.update(facts.references.split())
            if facts.owner is not None:
                owner = module.classes[facts.owner]
                unit.names.add(owner.name)
                unit.references.update(_names_in(owner.bases))
            if facts.name not in _IMPLICIT and not facts.name.startswith("__"):
                unit.names.add(facts.name)
    return units


def _names_in(bases: list[Node]) -> set[str]:
    """The names in a class's bases: what it inherits is called without being mentioned."""
    names: set[str] = set()
    stack = list(bases)
    while stack:
        node = stack.pop()
        if node[0] == "attr":
            names.add(node[3])
            stack.append(node[2])
        elif node[0] == "name":
            names.add(node[2])
    return names
