"""The values of some sigmoids as a graph: from which of them a loss is reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ddplint.facts.nodes import Node
from ddplint.program.program import FunctionFacts
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.places import place_text
from ddplint.rules.sigmoid.seen import Spot
from ddplint.rules.sigmoid.values import Flow, Val, flows


class Graph:
    """Places that read values as nodes, with what each gets its value from; losses that are reached."""

    def __init__(self) -> None:
        self.keys: list[tuple[Any, ...]] = []
        self.ids: dict[tuple[Any, ...], int] = {}
        self.before: list[set[int]] = []
        self.mixed: set[int] = set()
        self.blocks: dict[int, str] = {}
        self.same: set[int] = set()
        # values that are changed in place
        self.changed: set[int] = set()
        self.hits: dict[Spot, set[int]] = defaultdict(set)
        self.facts: dict[int, FunctionFacts] = {}
        # the file at hand
        self.path = ""

    def node(self, *key: Any) -> int:
        found = self.ids.get(key)
        if found is None:
            found = self.ids[key] = len(self.keys)
            self.keys.append(key)
            self.before.append(set())
        return found

    def fed(self, flow: Flow, *key: Any) -> Flow:
        """A node of the graph that gets a flow."""
        id_ = self.node(*key)
        self.before[id_] |= flow.ids
        if flow.mixed:
            self.mixed.add(id_)
        return Flow(frozenset([id_]), False, flow.picked)

    def occurs(self, node: Node, flow: Flow) -> Flow:
        """An expression that has the flow as its value: a place where a sigmoid can go."""
        return self.fed(flow, "at", self.path, node[1], node[0])

    def block(self, value: Val, node: Node, what: str) -> None:
        """Something happens to the value that cannot be put right by a sigmoid."""
        for flow in flows(value):
            for id_ in flow.ids:
                self.blocks.setdefault(id_, f"{place_text(self.path, node[1])}: {what}")

    def change(self, value: Val, node: Node, what: str) -> None:
        """The value itself becomes another one."""
        self.changed |= {id_ for flow in flows(value) for id_ in flow.ids}
        self.block(value, node, what)

    def logits(self) -> set[int]:
        """The nodes from which a loss is reached."""
        found: set[int] = set()
        after: dict[int, set[int]] = defaultdict(set)
        for id_, before in enumerate(self.before):
            for one in before:
                after[one].add(id_)
        stack = [id_ for ids in self.hits.values() for id_ in ids]
        while stack:
            id_ = stack.pop()
            if id_ in found:
                continue
            found.add(id_)
            stack.extend(self.before[id_])
            for one in after[id_]:
                if self.keys[one][0] != "at":
                    stack.append(one)
                else:
                    # where one of several values becomes logits all of them do
                    stack.extend(self.before[one])
        return found

    def probabilities(self, logits: set[int]) -> list[int]:
        """The expressions that need a sigmoid of their own."""
        return [
            id_
            for id_, key in enumerate(self.keys)
            if key[0] == "at" and id_ not in logits and id_ not in self.same and self.before[id_] & logits
        ]

    def check(self, logits: set[int], wrapped: Iterable[int]) -> None:
        """Raise `Refusal` where the values meet others or something is done to them."""
        for id_ in sorted(logits):
            if id_ in self.blocks:
                raise Refused(f"{self.blocks[id_]}, so the probabilities have to stay there")
        for id_ in sorted({*logits, *wrapped}):
            if id_ in self.mixed:
                raise Refused(f"at {self._text(id_)} it may also be something that is no sigmoid's output")

    def _text(self, id_: int) -> str:
        key = self.keys[id_]
        if key[0] in ("at", "name"):
            return place_text(key[1], key[2])
        if key[0] in ("parameter", "result"):
            facts = self.facts[key[1]]
            part = f"the parameter `{key[2]}` of" if key[0] == "parameter" else "the result of"
            return f"{part} `{facts.qualname}`"
        return "the layer"
