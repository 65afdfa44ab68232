"""What the check of DDP101 sees and hands to the repairs, and what a repair is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ddplint.facts.nodes import Node
from ddplint.findings import Action, Fix
from ddplint.flow.events import Guard, Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import Elements, Entries, Items, Method, Place, Tag, Union, Value
from ddplint.program.program import FunctionFacts


@dataclass(slots=True)
class Use:
    """A place where an evaluation's number is used, kept until all loaders' roles are known.

    `act` says what rank 0 does there, `acts` what is certain of the other ranks if they get there.
    """

    scope: Scope
    node: Node
    tag: Tag
    what: str
    guard: Guard | None
    monitored: str = ""
    # a call of `self.log`; an object that synchronises itself is logged or updated
    logs: bool = False
    metric: bool = False
    # a number that is printed, or handed to a logger
    reports: bool = False
    # the framework lets rank 0 alone do it
    main_only: bool = False
    act: str = "reports its number"
    acts: str = "have other numbers"

    @property
    def at(self) -> tuple[str, int]:
        return (self.scope.module.path, self.node[1])


@dataclass(slots=True)
class Loop:
    """A `for` loop as the flow saw it, over all visits."""

    node: Node
    scope: Scope
    origins: set[Any] = field(default_factory=set)
    guarded: bool = False
    recorded: bool = False
    whole: bool = False
    differs: bool = False
    # the loop goes over a loader itself; over an object of the program that holds one
    direct: bool = False
    wrapped: bool = False


@dataclass(slots=True)
class Seen:
    """What the flow saw of a program that the repairs ask for."""

    knowledge: Knowledge
    # origins of what a loss was computed from
    trained: set[Any] = field(default_factory=set)
    # calls under a guard that gave a value of one shard: place -> (the call's scope, its node)
    guarded_calls: dict[tuple[str, int], tuple[Scope, Node]] = field(default_factory=dict)
    loops: dict[tuple[str, int], Loop] = field(default_factory=dict)
    # call -> the functions that it may mean
    targets: dict[tuple[str, int], dict[int, FunctionFacts]] = field(default_factory=lambda: defaultdict(dict))
    # names by function that differ between ranks
    varying: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    # calls that start a process group, or need one: name -> root and the places on the way there
    groups: dict[str, list[tuple[int, tuple[Place, ...]]]] = field(default_factory=lambda: defaultdict(list))
    accelerators: dict[tuple[str, int], str] = field(default_factory=dict)
    # calls in loops that rank 0 alone makes
    guarded: set[tuple[str, int]] = field(default_factory=set)
    # backends of the process groups; empty for one that is not written out
    backends: set[str] = field(default_factory=set)
    uneven: bool = False
    device_set: bool = False


@dataclass(slots=True)
class Plan:
    """A repair in the making."""

    actions: list[Action]
    message: str
    reasons: list[str] = field(default_factory=list)

    def fix(self) -> Fix:
        reason = "; ".join(dict.fromkeys(self.reasons))
        return Fix("unsafe" if reason else "safe", self.message, tuple(self.actions), reason)


_HOLDERS = (Items, Entries, Elements, Union, Method)


def find(value: Value, name: str, depth: int = 0) -> Tag | None:
    """A tag of a value or of what it holds."""
    tag = value.tags.get(name)
    if tag is not None or depth > 3 or not isinstance(value.shape, _HOLDERS):
        return tag
    for part in _parts(value):
        tag = find(part, name, depth + 1)
        if tag is not None:
            return tag
    return None


def find_all(value: Value, name: str, depth: int = 0) -> Iterator[Tag]:
    """The tags of that name of a value and of what it holds."""
    tag = value.tags.get(name)
    if tag is not None:
        yield tag
    elif depth <= 3:
        for part in _parts(value):
            yield from find_all(part, name, depth + 1)


def _parts(value: Value) -> Iterator[Value]:
    shape = value.shape
    if isinstance(shape, Items):
        yield from shape.items[:32]
        if shape.rest is not None:
            yield shape.rest
    elif isinstance(shape, Entries):
        yield from list(shape.entries.values())[:32]
        if shape.rest is not None:
            yield shape.rest
    elif isinstance(shape, Elements):
        yield shape.element
    elif isinstance(shape, Union):
        yield from shape.options
    elif isinstance(shape, Method) and shape.name in ("items", "values"):
        yield shape.owner


def outer_call(use: Use) -> Place | None:
    """The call, in the function where the guard stands, inside which the use is."""
    guard = use.guard
    if guard is None:
        return None
    inside = use.scope.depth - guard.depth
    return use.scope.callers[-inside] if 0 < inside <= len(use.scope.callers) else None
