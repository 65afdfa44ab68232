"""What the flow saw of the calls of a program: which apply a sigmoid, which are losses, what each calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ddplint.flow.events import CallEvent
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import Elements, Entries, FunctionValue, Instance, Items, Made, Value
from ddplint.program.program import FunctionFacts

# file and packed position of an expression
Spot = tuple[str, int]
# where a sigmoid is applied, and where its object was made if it is one
Origin = tuple[str, int, "Spot | None"]

SIGMOID = "sigmoid"


@dataclass(slots=True)
class Loss:
    """A call of a loss on probabilities: its name, where its object was made, and which sigmoids' outputs it gets."""

    name: str
    made: Spot | None
    bare: bool
    origins: frozenset[Any]


@dataclass(slots=True)
class Seen:
    """What the flow saw of the calls of a program, by place."""

    knowledge: Knowledge
    # call -> the functions of the program that it calls, and whether the first parameter is the object
    functions: dict[Spot, dict[int, tuple[FunctionFacts, bool]]] = field(default_factory=dict)
    callers: dict[int, set[Spot]] = field(default_factory=lambda: defaultdict(set))
    losses: dict[Spot, list[Loss]] = field(default_factory=lambda: defaultdict(list))
    # other calls that get a sigmoid's output: names of what is called
    others: dict[Spot, set[str]] = field(default_factory=lambda: defaultdict(set))
    # calls of objects of other losses
    rivals: set[Spot] = field(default_factory=set)
    carried: set[Spot] = field(default_factory=set)
    picked: set[Spot] = field(default_factory=set)
    origins: dict[Spot, frozenset[Any]] = field(default_factory=dict)
    applied: dict[Spot, set[Spot | None]] = field(default_factory=lambda: defaultdict(set))
    # an object of `Sigmoid` -> the containers that hold it
    layers: dict[Spot, set[Spot]] = field(default_factory=lambda: defaultdict(set))
    exports: list[tuple[str, Spot, Value | None]] = field(default_factory=list)

    def note(self, event: CallEvent) -> None:
        """Remember what a fix may want to know of a call."""
        shape = event.callee.shape
        spot = (event.scope.module.path, event.node[1])
        given = [*event.arguments, *event.keywords.values()]
        if isinstance(shape, FunctionValue):
            bound = shape.bound is not None and shape.kind != "static"
            self.functions.setdefault(spot, {})[id(shape.facts)] = (shape.facts, bound)
            self.callers[id(shape.facts)].add(spot)
        if isinstance(shape, Made) and self.knowledge.matches("loss_class", shape.name):
            self.rivals.add(spot)
        if self._exports(event):
            self.exports.append((event.name, spot, event.receiver or (event.arguments[0] if event.arguments else None)))
        if isinstance(event.result.shape, Made) and self._holds(event.result.shape, "chain"):
            self._layers(event.result.shape)
        if event.receiver is not None:
            given.append(event.receiver)
        tags = [tag for value in given if value.tags or isinstance(value.shape, _HOLDERS) for tag in _sigmoids(value)]
        effect = event.effect
        if effect is not None and effect.adds == SIGMOID:
            made = shape.place if isinstance(shape, Made) else None
            self.applied[spot].add((made.path, made.position) if made is not None else None)
        elif tags:
            origins = frozenset(origin for tag in tags for origin in tag.origins)
            self.origins[spot] = self.origins.get(spot, frozenset()) | origins
            result = event.result.tags.get(SIGMOID)
            if result is not None and result.detail != "padding":
                self.carried.add(spot)
            if not isinstance(shape, (FunctionValue, Instance)):
                self.others[spot].add(event.name)

    def _exports(self, event: CallEvent) -> bool:
        callee, matches = event.node[2], self.knowledge.matches
        if event.name and matches("exports_model", event.name):
            return True
        return bool(callee[0] == "attr" and matches("exports_model", callee[3]))

    def _holds(self, made: Made, kind: str) -> bool:
        effect = self.knowledge.object_(made.name)
        return effect is not None and kind in effect.kinds

    def _applies_sigmoid(self, made: Made) -> bool:
        effect = self.knowledge.object_(made.name)
        return effect is not None and effect.adds == SIGMOID

    def _layers(self, container: Made) -> None:
        children = list(container.arguments)
        for child in children[:256]:
            shape = child.shape
            if isinstance(shape, Items):
                children += shape.items
            elif isinstance(shape, Entries):
                children += shape.entries.values()
            elif isinstance(shape, Made) and self.knowledge.matches("ordered_dict", shape.name):
                children += shape.arguments
            elif isinstance(shape, Made) and self._applies_sigmoid(shape):
                self.layers[shape.place[:2]].add(container.place[:2])


_HOLDERS = (Items, Entries, Elements)


def _sigmoids(value: Value, depth: int = 0) -> Iterator[Any]:
    tag = value.tags.get(SIGMOID)
    if tag is not None:
        yield tag
    shape = value.shape
    if depth < 3 and isinstance(shape, Items):
        for item in shape.items[:16]:
            yield from _sigmoids(item, depth + 1)
    elif depth < 3 and isinstance(shape, Entries):
        for item in list(shape.entries.values())[:16]:
            yield from _sigmoids(item, depth + 1)
    elif depth < 3 and isinstance(shape, Elements):
        yield from _sigmoids(shape.element, depth + 1)
