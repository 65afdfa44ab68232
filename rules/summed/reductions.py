"""What reductions and losses reduce, and how."""

from __future__ import annotations

from typing import NamedTuple

from ddplint.facts.nodes import Node
from ddplint.flow.events import CallEvent
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import Const, Items, Made, Partial, Place, Value
from ddplint.program.program import FunctionFacts
from ddplint.rules.summed.sites import Sides

# what the values of a loss's parameters mean; another value is the mean
_REDUCTIONS: tuple[tuple[str, dict[str | bool, str]], ...] = (
    ("reduction", {"sum": "sum", "none": "none"}),
    ("size_average", {False: "sum"}),
    ("reduce", {False: "none"}),
)


class Reduction(NamedTuple):
    """`sum`, `none`, `mean` or `unknown`, the places that say so, and whether a constructor's default does."""

    kind: str
    places: tuple[Place, ...] = ()
    is_default: bool = False


class _Written(NamedTuple):
    value: Value
    place: Place
    is_default: bool


class Reductions:
    """Tells how losses reduce, for which it has to see where reductions are written."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        # by identity of the value, which is kept, so that no identity is used twice
        self._written: dict[int, _Written] = {}

    def of(self, event: CallEvent) -> Reduction:
        """How a call of a loss reduces."""
        made = event.callee.shape if isinstance(event.callee.shape, Made) else None
        effect = event.effect if made is None else self.knowledge.call(made.name)
        if effect is None:
            return Reduction("mean")
        places = (made.place,) if made is not None else ()
        for name, meanings in _REDUCTIONS:
            index = effect.argument_index(name)
            given = made.argument(index, name) if made is not None else event.argument(index, name)
            if given is None:
                continue
            found = {option.constant for option in given.options()}
            if len(found) != 1:
                return Reduction("unknown")
            constant = found.pop()
            meaning = meanings.get(constant) if isinstance(constant, (str, bool)) else None
            if meaning is None:
                continue
            written = self._written.get(id(given))
            if written is None:
                return Reduction(meaning, places)
            return Reduction(meaning, (written.place, *places), written.is_default)
        return Reduction("mean")

    def remember(self, event: CallEvent) -> None:
        """Note where a reduction is written that a later call is made with."""
        shape, scope = event.result.shape, event.scope
        if not isinstance(shape, (Partial, Made)):
            return
        for name, node in event.node[4]:
            value = shape.keywords.get(name)
            if value is None or all(name != known for known, _ in _REDUCTIONS):
                continue
            if isinstance(shape, Partial):
                place = Place(scope.module.path, event.node[1], "sums by its reduction")
                self._written[id(value)] = _Written(value, place, False)
            elif node[0] == "name" and scope.function is not None:
                default = _default_of(scope.function, node[2])
                if default is not None and default[0] == "const" and default[2] == value.constant:
                    message = f"`{node[2]}` is {default[2]!r} by default"
                    self._written[id(value)] = _Written(value, Place(scope.module.path, default[1], message), True)


def _default_of(function: FunctionFacts, parameter: str) -> Node | None:
    """The default of a parameter, if it has one."""
    return next((row[2] for row in function.parameters if row[0] == parameter and row[2] is not None), None)


def reduced_value(event: CallEvent) -> Value | None:
    """What a reduction reduces: the receiver of the method or the function's first argument."""
    return event.receiver if event.receiver is not None else event.argument(0, "input")


def given_axes(event: CallEvent) -> Value | None:
    """The axes that a reduction is told to go over, if any."""
    index = 0 if event.receiver is not None else 1
    for name in ("dim", "axis"):
        given = event.argument(index, name)
        if given is not None:
            return None if given.is_none() else given
    return None


def covers_batch(event: CallEvent) -> bool:
    """Whether a reduction goes over the first dimension, as far as its arguments say."""
    given = given_axes(event)
    if given is None:
        return True
    if isinstance(given.shape, Items):
        return given.shape.rest is None and any(item.constant == 0 for item in given.shape.items)
    return isinstance(given.shape, Const) and given.constant == 0 and not isinstance(given.constant, bool)


def compared(event: CallEvent) -> Sides:
    """What a loss or a distance compares."""
    rows = (
        (event.argument_node(0, "input"), event.argument(0, "input")),
        (event.argument_node(1, "target"), event.argument(1, "target")),
    )
    return [(node, value) for node, value in rows if node is not None]


def is_sum(node: Node) -> bool:
    """Whether an expression is a call of a method `sum`."""
    return bool(node[0] == "call" and node[2][0] == "attr" and node[2][3] == "sum")
