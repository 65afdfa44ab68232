"""What happens in the program, as the flow offers it to the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddplint.flow.knowledge import Effect
from ddplint.flow.values import Conditions, Place, Tag, Value, contradict
from ddplint.program.program import FunctionFacts, Module


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition that only some ranks satisfy: `main` (rank 0) or `other` (all but rank 0)."""

    side: str
    place: Place
    depth: int = 0


@dataclass(slots=True, eq=False)
class Scope:
    """Where an event happens: file, function, the branch decisions and guards that hold there."""

    module: Module
    function: FunctionFacts | None
    conditions: Conditions
    guards: tuple[Guard, ...]
    no_grad: bool
    autocast: bool
    callers: tuple[Place, ...]
    instance: Value | None
    root: int
    in_loop: bool
    depth: int = 0
    iterating: frozenset[Any] = frozenset()

    @property
    def records_gradients(self) -> bool:
        """Whether gradients are recorded here; a branch for training runs without an evaluation that calls it."""
        training = any(one.subject == "training" and one.operator == "true" and one.holds for one in self.conditions)
        return training or not self.no_grad

    @property
    def on_main_rank_only(self) -> Guard | None:
        """The innermost guard that lets rank 0 alone pass, or None."""
        return next((guard for guard in reversed(self.guards) if guard.side == "main"), None)


@dataclass(slots=True, eq=False)
class CallEvent:
    """A call: the callee's qualified library name (empty if none), its effect, its arguments and its result."""

    node: list[Any]
    scope: Scope
    name: str
    effect: Effect | None
    callee: Value
    arguments: list[Value]
    keywords: dict[str, Value]
    result: Value
    receiver: Value | None = None

    @property
    def receiver_node(self) -> list[Any] | None:
        """The facts of the expression whose method is called, or None."""
        callee = self.node[2]
        return list(callee[2]) if self.receiver is not None and callee[0] == "attr" else None

    def argument(self, index: int, keyword: str) -> Value | None:
        """The argument given by position or keyword, or None."""
        if keyword and keyword in self.keywords:
            return self.keywords[keyword]
        return self.arguments[index] if 0 <= index < len(self.arguments) else None

    def argument_node(self, index: int, keyword: str) -> list[Any] | None:
        """The facts of that argument's expression, or None."""
        for name, node in self.node[4]:
            if name == keyword and name is not None:
                return list(node)
        return self.node[3][index] if 0 <= index < len(self.node[3]) else None


@dataclass(slots=True, eq=False)
class BinaryEvent:
    """A binary operation or augmented assignment (`in_place`)."""

    node: list[Any]
    scope: Scope
    operator: str
    left: Value
    right: Value
    result: Value
    in_place: bool


@dataclass(slots=True, eq=False)
class AssignEvent:
    """A value bound to a name, attribute or key; `name` is the last part of the target, `owner` what an item is
    stored in.
    """

    node: list[Any]
    scope: Scope
    name: str
    target: list[Any]
    value: Value
    owner: Value | None = None


@dataclass(slots=True, eq=False)
class LoopEvent:
    """A loop or `next()` over `iterable`, with the element it gives; `body` are the loop's statements."""

    node: list[Any]
    scope: Scope
    iterable: Value
    element: Value
    body: list[Any]


@dataclass(slots=True, eq=False)
class ReturnEvent:
    """A function returns a value."""

    node: list[Any]
    scope: Scope
    value: Value


@dataclass(slots=True, eq=False)
class CompareEvent:
    """A comparison of two values."""

    node: list[Any]
    scope: Scope
    operator: str
    left: Value
    right: Value


def reachable(tag: Tag, scope: Scope, *others: Conditions) -> bool:
    """Whether a tag can be there, given the branch decisions at the place and of the other values concerned."""
    known = (tag.conditions, scope.conditions, *others)
    return not any(contradict(tag.conditions, conditions) for conditions in known)
