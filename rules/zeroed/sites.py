"""Products of zero and parameters, and what they were made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddplint.facts.nodes import Node
from ddplint.flow.events import CallEvent, Scope
from ddplint.flow.knowledge import Effect
from ddplint.flow.values import Part, Place, Tag, Value

PARAMETER = "parameter"
SUMS = ("sum-reduction", "mean-reduction")
# a sum of selections, as other sums say which call makes them
SELECTIONS = "selections"

# file and packed position
Key = tuple[str, int]


@dataclass(slots=True)
class Site:
    """One product: where, the steps by which the parameters got there, who calls it, and whether it is a whole loss.

    `operand` is the factor beside the zero, `summed` what summed it, `parts` how often it is a selection of a
    parameter, `sums` the calls that sum the product, with what each sums.
    """

    path: str
    node: Node
    scope: Scope
    operand: Node
    tag: Tag
    summed: str
    parts: int
    complete: bool
    whole_loss: bool = False
    backward: Place | None = None
    callers: dict[Place, None] = field(default_factory=dict)
    sums: dict[int, tuple[Node, Node]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """What a library call works on: whole parameters or sums of them, how often selected, a list of them or one."""

    effect: Effect
    node: Node
    whole: bool
    parts: int
    many: bool


@dataclass(slots=True)
class Seen:
    """What a repair needs to know of a program, by place."""

    sites: dict[Key, Site] = field(default_factory=dict)
    # library calls on parameters; None where several ways of getting there disagree
    sources: dict[Key, Source | None] = field(default_factory=dict)
    # operations with the selections of each side that is made of parameters, and assignments of such
    operations: dict[Key, tuple[int | None, int | None]] = field(default_factory=dict)
    assigned: dict[Key, bool] = field(default_factory=dict)


def parts_of(value: Value) -> int | None:
    """How often a value is a selection of a parameter; None if it is none of parameters."""
    if PARAMETER not in value.tags:
        return None
    return min(1 + len(one.shape.above) if isinstance(one.shape, Part) else 0 for one in value.options())


def sum_of_selections(total: Value, *terms: Value) -> Value | None:
    """The sum of some terms, marked where it is one of selections of parameters."""
    tag = total.tags.get(PARAMETER)
    if tag is None or tag.detail or isinstance(total.shape, Part) or not any(map(parts_of, terms)):
        return None
    return total.with_tags({**total.tags, PARAMETER: tag._replace(detail=SELECTIONS)})


def source_of(event: CallEvent) -> Node:
    """The facts of the receiver or else the first argument."""
    if event.receiver is not None:
        receiver: Node = event.node[2][2] if event.node[2][0] == "attr" else event.node[2]
        return receiver
    return event.argument_node(0, "input") or event.node
