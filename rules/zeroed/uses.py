"""Whether a variable is used while it holds sums of parameters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ddplint.facts.nodes import Node
from ddplint.program.program import Module
from ddplint.rules.base import span_of
from ddplint.rules.repairs import Refused
from ddplint.rules.statements import statements_of
from ddplint.rules.zeroed.sites import Key


class Uses:
    """A walk over a function that refuses any use of a variable while it holds sums that no zero has met yet."""

    def __init__(self, module: Module, sites: Collection[Key], name: str, gathering: set[int]) -> None:
        self.module = module
        self.name = name
        # the products with zero, and the statements that put sums into the variable
        self.sites = sites
        self.gathering = gathering

    def block(self, body: Sequence[Node], held: bool) -> bool:
        """Whether the variable may hold sums after the statements, given whether it does before them."""
        for statement in body:
            held = self.statement(statement, held)
        return held

    def statement(self, node: Node, held: bool) -> bool:
        kind = node[0]
        if kind in ("assign", "ann", "aug") or node[1] in self.gathering:
            return self.binding(node, held)
        if kind == "if":
            self.read(node[2], held)
            one = self.block(node[3], held)
            return self.block(node[4], held) or one
        if kind in ("for", "while"):
            head, body, other = (node[2:4], node[4], node[5]) if kind == "for" else (node[2:3], node[3], node[4])
            again = self.block(body, held) or held
            self.read(head, again)
            again = self.block(body, again) or again
            return self.block(other, again)
        if kind == "with":
            self.read(node[2], held)
            return self.block(node[3], held)
        if kind == "try":
            after = self.block(node[2], held)
            failed = held or after or any(one[1] in self.gathering for one, _ in statements_of(node[2]))
            ends = [self.block(handler[2], failed) for handler in node[3]]
            ends.append(self.block(node[4], after))
            return self.block(node[5], any(ends) or failed) if node[5] else any(ends)
        if kind == "match":
            self.read(node[2], held)
            return any([held, *(self.block(case[2], held) for case in node[3])])
        if kind == "def":
            self.nested(node[2])
            return held
        self.read(node, held)
        return held and kind not in ("return", "raise")

    def binding(self, node: Node, held: bool) -> bool:
        if node[1] in self.gathering:
            return True
        value = node[4] if node[0] in ("ann", "aug") else node[3]
        targets = node[2] if node[0] == "assign" else [node[2]]
        zeroes = (self.module.path, node[1]) in self.sites
        own = any(is_name(one, self.name) for one in targets)
        if value is not None:
            self.read(value, held)
        if not own:
            self.read(targets, held)
            return held
        if node[0] == "aug" and held and not zeroes:
            self.refuse(node)
        return held if node[0] == "ann" and value is None else False

    def read(self, node: Any, held: bool) -> None:
        """Refuse if an expression reads the variable elsewhere than in a product with zero."""
        if not isinstance(node, list):
            return
        if len(node) > 1 and isinstance(node[0], str) and type(node[1]) is int:
            if node[0] in ("bin", "call") and (self.module.path, node[1]) in self.sites:
                return
            if node[0] == "lambda":
                self.nested(node[2])
            if held and is_name(node, self.name):
                self.refuse(node)
        for child in node:
            self.read(child, held)

    def nested(self, index: int) -> None:
        if self.name in self.module.functions[index].names():
            raise Refused(f"a nested function reads `{self.name}` too")

    def refuse(self, node: Node) -> None:
        row = span_of("", node[1]).row
        raise Refused(f"the sums in `{self.name}` are used in line {row} too, where they are not multiplied by zero")


def is_name(node: Node, name: str) -> bool:
    return bool(node[0] == "name" and node[2] == name)
