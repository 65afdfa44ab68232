"""Variables that hold a sigmoid's output."""

from __future__ import annotations

from typing import Any

from ddplint.facts.nodes import Node, walk
from ddplint.rules.sigmoid.change import Change
from ddplint.rules.sigmoid.places import Stand, bound_nodes, targets_of
from ddplint.rules.sigmoid.walk import Walk
from ddplint.rules.statements import own_expressions, statements_of


class Variables:
    """Finds the variables that keep the probabilities, for other uses, while the loss gets the logits."""

    def __init__(self, change: Change, walk: Walk) -> None:
        self.change = change
        self.walk = walk

    def keep(self, sources: set[Any], logits: set[int]) -> set[int]:
        """The nodes that stay probabilities: of `p = sigmoid(x)` that has other uses; the loss gets `x`."""
        kept: set[int] = set()
        for path, position, made in sorted(sources, key=str):
            if made in self.change.seen.layers or self.walk.ids.get(("at", path, position, "call")) not in logits:
                continue
            stand = self.change.places.stand((path, position))
            statement = stand.statement
            plain = statement[0] == "assign" and len(statement[2]) == 1 and statement[2][0][0] == "name"
            if not plain or statement[3][1] != position:
                continue
            id_ = self.walk.ids.get(("name", path, statement[2][0][1], statement[2][0][2]))
            if id_ is None:
                continue
            after = [one for one, before in enumerate(self.walk.before) if id_ in before]
            read = [one for one in after if one in logits]
            others = [one for one in after if one not in logits and one not in self.walk.same]
            inner = inner_of(stand.call)
            name = inner[2] if inner is not None and inner[0] == "name" and self._bound_once(stand, inner[2]) else ""
            alone = not others and id_ not in self.walk.blocks
            if alone and not name:
                continue
            if any(self.walk.keys[one][0] != "at" or self.walk.before[one] != {id_} for one in read):
                continue
            if any(self.walk.keys[one][0] != "at" for one in self._following(read)):
                continue
            if self._following([id_]) & self.walk.changed:
                continue
            if alone and self._bound_once(stand, statement[2][0][2]):
                self.change.act("remove-statement", (path, statement[1]))
            if not name:
                name = self._free_name(path)
                self.change.act("name-logits", (path, position), name=name)
            for one in read:
                _, where, place, _ = self.walk.keys[one]
                self.change.act("replace-text", (where, place), text=name)
            kept |= {self.walk.ids["at", path, position, "call"], id_}
        return kept

    def _following(self, ids: list[int]) -> set[int]:
        found = set(ids)
        while True:
            more = {one for one, before in enumerate(self.walk.before) if before & found and one not in found}
            if not more:
                return found
            found |= more

    def _bound_once(self, stand: Stand, name: str) -> bool:
        body = self.change.places.module(stand.path).statements() if stand.function is None else stand.function.body
        count = sum(row[0] == name for row in stand.function.parameters) if stand.function is not None else 0
        for statement, _ in statements_of(body):
            count += sum(node[2] == name for target in targets_of(statement) for node in bound_nodes(target))
        return count == 1

    def _free_name(self, path: str) -> str:
        module = self.change.places.module(path)
        taken = module.names()
        for facts in [None, *module.functions]:
            body = module.statements() if facts is None else facts.body
            taken |= {row[0] for row in facts.parameters} if facts is not None else set()
            for statement, _ in statements_of(body):
                taken |= {node[2] for node in walk(own_expressions(statement)) if node[0] == "name"}
        names = ("logits", *(f"logits_{number}" for number in range(2, 99)))
        return next(name for name in names if name not in taken)


def inner_of(call: Node) -> Node | None:
    """What a sigmoid is applied to."""
    if call[3]:
        return list(call[3][0])
    if call[4]:
        return list(call[4][0][1])
    return list(call[2][2]) if call[2][0] == "attr" else None
