"""Whether a second centring can simply go."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ddplint.findings import Action, Fix
from ddplint.flow.events import BinaryEvent, ReturnEvent, Scope
from ddplint.flow.run import Run
from ddplint.flow.values import Elements, Entries, Instance, Items, Made, Union, Value
from ddplint.program.program import FunctionFacts
from ddplint.rules.base import span_of
from ddplint.rules.centering.again import OTHER, Again, Site, sites_of
from ddplint.rules.scopes import home_of

DROP = "drop-centring"
_TITLE = "Drop the second centring"


@dataclass(slots=True)
class Seen:
    """What the flow saw of a program that a repair asks for."""

    # subtractions, and calls of the functions that hold them, that also get joints which nothing centred before
    uncentred: set[Site] = field(default_factory=set)
    # centred values that are written in place later on, with the functions that do it
    written: defaultdict[Site, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))
    # objects that run a centring, and whether the items that an object gives are centred
    centring: defaultdict[Site, set[int]] = field(default_factory=lambda: defaultdict(set))
    given: dict[int, bool] = field(default_factory=dict)

    def write(self, value: Value, scope: Scope) -> None:
        """Note that a value is changed in place."""
        tag = value.tags.get("rooted")
        for site in sites_of(tag) if tag is not None else ():
            self.written[site].add(home_of(scope))

    def give(self, event: ReturnEvent) -> None:
        """Note whether what an object gives as an item is centred."""
        function, instance = event.scope.function, event.scope.instance
        if function is not None and instance is not None and function.name in ("__getitem__", "__iter__"):
            key = id(instance.shape)
            self.given[key] = self.given.get(key, True) and _holds_centred(event.value)

    def refusal(self, found: Again, run: Run) -> str:
        """Why the second centring cannot simply go, or nothing."""
        if found.harm == "slot":
            return (
                "the root's own joint is still absolute after the first centring, and what else reads it there is not"
                " visible"
            )
        if found.harm == "sides" or found.relation == OTHER:
            return "which of the two roots was meant is not visible, and the earlier centring has other readers"
        here = (found.path, found.node[1])
        if here in self.uncentred:
            return "joints that nothing has centred before come here too, and those need it"
        if found.refusal:
            return found.refusal
        if not self._all_centred(found, run):
            return "other data sets are mixed into the same batches, and those do not centre their joints"
        ours = any(found.where in self.written[site] for site in found.earlier)
        if not found.in_place and not found.harm and (ours or self.written[here]):
            return "the centred joints are changed in place, which must not reach the joints that they were made from"
        return ""

    def _all_centred(self, found: Again, run: Run) -> bool:
        """Whether every data set of the loaders that give these joints centres them."""
        centring = {one for site in found.earlier for one in self.centring[site]}
        for identity, loader in run.interpreter.loaders.items():
            if found.loaders is not None and identity not in found.loaders:
                continue
            sources: set[int] = set()
            for value in (*loader.arguments[:1], *loader.keywords.values()):
                _gather(value, sources, 0)
            sources &= set(self.given)
            if len(sources) > 1 and sources & centring and not all(self.given[one] for one in sources):
                return False
        return True


def fix_of(found: Again) -> Fix:
    arguments = () if found.argument is None else (("index", str(found.argument[0])), ("name", found.argument[1]))
    actions = (Action(DROP, span_of(found.path, found.node[1]), arguments),)
    if found.harm == "stale":
        reason = "the joints move by the root that is no longer subtracted twice, so what was trained on them changes"
        return Fix("unsafe", _TITLE, actions, reason)
    if found.harm == "marker":
        reason = "where the root is invisible, the other joints keep their values, so what was trained on them changes"
        return Fix("unsafe", _TITLE, actions, reason)
    return Fix("unsafe" if found.caution else "safe", _TITLE, actions, found.caution)


def _holds_centred(value: Value, depth: int = 0) -> bool:
    if "rooted" in value.tags:
        return True
    shape = value.shape
    parts = list(shape.entries.values()) if isinstance(shape, Entries) else []
    if isinstance(shape, Items):
        parts = shape.items
    return depth < 4 and any(_holds_centred(part, depth + 1) for part in parts)


def _gather(value: Value, found: set[int], depth: int) -> None:
    """The objects that a data set is, holds or views."""
    shape = value.shape
    if depth > 6:
        return
    parts: list[Value] = []
    if isinstance(shape, Union):
        parts = list(shape.options)
    elif isinstance(shape, Items):
        parts = shape.items if shape.rest is None else [*shape.items, shape.rest]
    elif isinstance(shape, Elements):
        parts = [shape.element]
    elif isinstance(shape, Entries):
        parts = list(shape.entries.values())
    elif isinstance(shape, Made):
        parts = shape.arguments
    elif isinstance(shape, Instance) and id(shape) not in found:
        found.add(id(shape))
        parts = list(shape.attributes.values())
    for part in parts:
        _gather(part, found, depth + 1)


def centred_argument(event: BinaryEvent) -> tuple[int, str] | None:
    """Position and name of the parameter that a function gives back centred, if that is all that it does."""
    function = event.scope.function
    left = event.node[3] if event.node[0] == "bin" else event.node[2]
    if function is None or left[0] != "name":
        return None
    names = [row[0] for row in function.parameters]
    if left[2] not in names or not _only_centres(function, event.node, left[2]):
        return None
    is_method = function.owner is not None and names[0] in ("self", "cls")
    return names.index(left[2]) - is_method, left[2]


def _only_centres(function: FunctionFacts, node: list[Any], name: str) -> bool:
    """Whether a function's body is `return x - root`, with names for the root and the result at most."""
    body = [one for one in function.body if not (one[0] == "expr" and one[2][0] == "const")]
    result = ""
    for statement in body[:-1]:
        if statement[0] == "aug" and statement[1] == node[1] and statement[2][0] == "name":
            result = name
        elif statement[0] == "assign" and len(statement[2]) == 1 and statement[2][0][0] == "name":
            if statement[3][1] == node[1]:
                result = statement[2][0][2]
            elif statement[2][0][2] == name or result:
                return False
        else:
            return False
    if not body or body[-1][0] != "return" or body[-1][2] is None:
        return False
    value = body[-1][2]
    return bool(value[1] == node[1] or (result and value[0] == "name" and value[2] == result))
