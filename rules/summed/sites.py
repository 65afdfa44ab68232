"""Sums over the whole batch, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ddplint.facts.nodes import Node
from ddplint.flow.events import Scope
from ddplint.flow.values import Place, Value

Form = Literal["outer-sum", "full-sum", "dims", "reduction"]
# what is compared with what: expressions and their values
Sides = list[tuple[Node, Value | None]]


@dataclass(slots=True)
class Site:
    """A sum over the whole batch, how it is written, and what became of its value."""

    path: str
    node: Node
    receiver: Node | None
    form: Form
    steps: tuple[Place, ...]
    scope: Scope
    constructor_default: bool
    is_pose: bool = False
    # the name that says that it is of keypoints
    what: str = ""
    divided: bool = False
    divided_in: set[int] = field(default_factory=set)
    ends: list[tuple[Place, ...]] = field(default_factory=list)
    # of the residuals that are summed, as far as they stand in the same function
    sides: Sides = field(default_factory=list)

    @property
    def origin(self) -> tuple[str, int]:
        return self.path, self.node[1]

    def is_of(self, word: str) -> None:
        """Note the name that says that it is of keypoints, if any and the first."""
        if word and not self.is_pose:
            self.is_pose, self.what = True, word
