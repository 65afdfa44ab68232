"""The state of one function's interpretation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ddplint.flow.events import Guard
from ddplint.flow.values import NO_CONDITIONS, OPAQUE, ClassValue, Conditions, Place, Value, join
from ddplint.program.program import FunctionFacts, Module

Environment = dict[str, Value]


@dataclass(slots=True, eq=False)
class Frame:
    module: Module
    env: Environment
    closure: Frame | None
    function: FunctionFacts | None = None
    instance: Value | None = None
    owner: ClassValue | None = None
    conditions: Conditions = NO_CONDITIONS
    guards: tuple[Guard, ...] = ()
    no_grad: bool = False
    autocast: bool = False
    loops: int = 0
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    callers: tuple[Place, ...] = ()
    globals_: set[str] = field(default_factory=set)
    # origins of the batches that the loops around here go through
    iterating: frozenset[Any] = frozenset()
    # names bound by a loop, and what the loop goes through
    sources: dict[str, list[Any]] = field(default_factory=dict)
    # the call that this frame runs, told apart by its arguments
    context: int = 0
    # a collective ran here or in a callee
    collective: bool = False

    def place(self, node: list[Any], message: str) -> Place:
        return Place(self.module.path, node[1], message)


def join_environments(
    one: Environment,
    other: Environment,
    before: Environment,
    when: Conditions = NO_CONDITIONS,
    otherwise: Conditions = NO_CONDITIONS,
    fresh: Callable[[], int] | None = None,
) -> Environment:
    """The environment after a branch: what both sides agree on, else the join, each side under what held there."""
    merged: Environment = {}
    for name, value in one.items():
        rival = other.get(name)
        if rival is value:
            merged[name] = value
        elif rival is None:
            merged[name] = value.under_all(when)
        else:
            kept = before.get(name)
            left = _only_shape_under(value, when) if value is kept else value.under_all(when)
            right = _only_shape_under(rival, otherwise) if rival is kept else rival.under_all(otherwise)
            both = join(left, right)
            if fresh is not None and both.identity == 0 and isinstance(both.shape, OPAQUE):
                both = Value(both.shape, both.tags, both.conditions, fresh())
            merged[name] = both
    for name, value in other.items():
        if name not in one:
            merged[name] = value.under_all(otherwise)
    return merged


def _only_shape_under(value: Value, held: Conditions) -> Value:
    """A value that the branch left as it was: the branch says when it is this one, its tags came before."""
    return Value(value.shape, value.tags, value.conditions | held, value.identity) if held else value
