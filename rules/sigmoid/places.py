"""Where calls stand in a program, and which names are bound there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ddplint.facts.lower import unpack
from ddplint.facts.nodes import Node, walk
from ddplint.program.program import FunctionFacts, Module, Program
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.seen import Spot
from ddplint.rules.statements import own_expressions, statements_of


@dataclass(slots=True)
class Stand:
    """Where a call stands: the function (None: the module's body), the statement, and the statements around it."""

    path: str
    call: Node
    function: FunctionFacts | None
    statement: Node
    around: tuple[Node, ...]


class Places:
    """Finds the facts of a call by its place."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._modules = {module.path: module for module in program.modules}
        self._stands: dict[str, dict[int, Stand]] = {}

    def module(self, path: str) -> Module:
        return self._modules[path]

    def stand(self, spot: Spot) -> Stand:
        path, position = spot
        if path not in self._stands:
            self._stands[path] = self._index(self._modules[path]) if path in self._modules else {}
        found = self._stands[path].get(position)
        if found is None:
            raise Refused("the call that applies the sigmoid or makes the loss is not found in the source")
        return found

    def _index(self, module: Module) -> dict[int, Stand]:
        index: dict[int, Stand] = {}
        for facts in [None, *module.functions]:
            body = module.statements() if facts is None else facts.body
            for statement, around in statements_of(body):
                for part in own_expressions(statement):
                    for node in walk(part):
                        if node[0] == "call":
                            index.setdefault(node[1], Stand(module.path, node, facts, statement, around))
        return index


def place_text(path: str, position: int) -> str:
    return f"{path}:{unpack(position)[0]}"


def binds(facts: FunctionFacts, name: str) -> bool:
    """Whether a name is the function's own."""
    if any(row[0] == name for row in facts.parameters):
        return True
    for statement, _ in statements_of(facts.body):
        if statement[0] == "global" and name in statement[2]:
            return False
        if any(
            node[0] == "name" and node[2] == name for target in targets_of(statement) for node in bound_nodes(target)
        ):
            return True
    return False


def targets_of(statement: Node) -> list[Node]:
    """What a statement binds or changes."""
    kind = statement[0]
    if kind == "assign":
        return list(statement[2])
    if kind in ("aug", "ann", "for"):
        return [statement[2]]
    if kind == "with":
        return [item[1] for item in statement[2] if item[1] is not None]
    return []


def bound_nodes(target: Node) -> Iterator[Node]:
    """The names that a target binds; those in `x[...] = ...` are only read."""
    if target[0] == "name":
        yield target
    elif target[0] in ("tuple", "list"):
        for one in target[2]:
            yield from bound_nodes(one)
    elif target[0] == "star":
        yield from bound_nodes(target[2])
