"""Which values of a function have the samples as their first axis, read from its facts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from ddplint.facts.lower import unpack
from ddplint.facts.nodes import Node, walk
from ddplint.flow.events import Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.rules.scopes import body_of
from ddplint.rules.statements import blocks_of, names_in, number_of


class Binding(NamedTuple):
    """What a target is bound to, where the statement stands, and the blocks around it."""

    target: Node
    value: Node
    position: int
    blocks: tuple[int, ...]


class Body:
    """What the statements of a function say of the values in it, read from its facts."""

    def __init__(self, scope: Scope, knowledge: Knowledge) -> None:
        self.statements = body_of(scope)
        self.knowledge = knowledge

    @cached_property
    def bindings(self) -> list[Binding]:
        return list(_bindings(self.statements, ()))

    @cached_property
    def _indices(self) -> int:
        """The largest number of axes that an index in the function names; many where tensors may have several ranks."""
        count = 0
        for node in walk(self.statements):
            if node[0] == "sub" and node[3][0] == "tuple":
                if any(one[0] == "opaque" for one in node[3][2]):
                    return 99
                count = max(count, len(node[3][2]))
            elif node[0] == "attr" and node[3] in ("dim", "ndim", "ndimension"):
                return 99
        return count

    @cached_property
    def _comprehended(self) -> set[str]:
        """Names that comprehensions bind."""
        comprehensions = [node for node in walk(self.statements) if node[0] == "comp"]
        return {name for node in comprehensions for part in node[4] for name in _bound_names(part[0])}

    def bound_to(self, name: str, before: int) -> list[Binding]:
        """The bindings of a name ahead of a position."""
        return [row for row in self.bindings if row.position < before and name in _bound_names(row.target)]

    def _blocks_at(self, position: int) -> tuple[int, ...]:
        return _blocks_around(self.statements, position)

    def batch_size(self, position: int, sides: list[Node]) -> str | None:
        """A name that the function gave the number of samples before."""
        around = self._blocks_at(position)
        own = {name for side in sides for name in names_in(side)}
        for target, value, where, blocks in reversed(self.bindings):
            if where >= position or blocks != around[: len(blocks)]:
                continue
            first = target[2][0] if target[0] in ("tuple", "list") and target[2] else target
            tensor = _first_length(value, target[0] in ("tuple", "list"))
            if first[0] != "name" or tensor is None or len(self.bound_to(first[2], position)) != 1:
                continue
            is_named = self.knowledge.matches("batch_size_name", first[2])
            if is_named and (self.leads(tensor, where) or own & names_in(tensor)):
                return str(first[2])
        return None

    def samples_of(self, node: Node, position: int) -> Node | None:
        """A name, attribute or entry in an expression whose first axis is that of the samples."""
        if not self.leads(node, position):
            return None
        while True:
            kind = node[0]
            if kind == "name":
                return node
            if kind == "sub":
                if node[3][0] == "const" and isinstance(node[3][2], str) and node[2][0] in ("name", "attr"):
                    return node
                node = node[2]
            elif kind == "call" and node[2][0] == "attr":
                if node[2][3] == "forward" or self._reshapes(node) or not _is_tensor_method(node):
                    return None
                node = node[2][2]
            elif kind == "bin" and node[3][0] != "const":
                node = node[3]
            else:
                return None

    def leads(self, node: Node, position: int, depth: int = 0) -> bool:
        """Whether, as far as the function shows, the first axis of a value is that of the samples."""
        kind = node[0]
        if depth > 12:
            return False
        if kind == "name":
            name, rows = node[2], self.bound_to(node[2], position)
            return name not in self._comprehended and all(self._binds_samples(row, name, depth + 1) for row in rows)
        if kind == "attr":
            return not self.knowledge.matches("moves_samples", node[3]) and self.leads(node[2], position, depth + 1)
        if kind == "sub":
            index = node[3]
            if index[0] == "const" and isinstance(index[2], str):
                return self.leads(node[2], position, depth + 1)
            first = index[2][0] if index[0] == "tuple" and index[2] else index
            return _is_whole(first) and self.leads(node[2], position, depth + 1)
        if kind == "bin":
            sides = [side for side in node[3:5] if side[0] not in ("const", "unary")]
            return bool(sides) and all(self.leads(side, position, depth + 1) for side in sides)
        if kind == "unary":
            return self.leads(node[3], position, depth + 1)
        return kind == "call" and self._call_leads(node, position, depth)

    def _call_leads(self, node: Node, position: int, depth: int) -> bool:
        callee = node[2]
        if callee[0] != "attr":
            return callee[0] == "name" and not self.knowledge.matches("moves_samples", callee[2])
        owner, name = callee[2], callee[3]
        arguments = node[3]
        numbers = [number_of(one) for one in arguments]
        if self.knowledge.matches("moves_samples", name):
            return False
        if self._reshapes(node):
            if arguments and _first_length(arguments[0], False) is not None:
                return True
            if arguments and arguments[0][0] == "name" and self.knowledge.matches("batch_size_name", arguments[0][2]):
                return True
            return len(arguments) > 2 and numbers[0] == -1 and self.leads(owner, position, depth + 1)
        if self.knowledge.matches("changes_axes", name):
            given = [one for one in [*numbers, *(number_of(value) for _, value in node[4])] if one is not None]
            if not given or 0 in given:
                return False
        if name == "permute" and (not numbers or numbers[0] != 0):
            return False
        return self.leads(owner, position, depth + 1)

    def _reshapes(self, call: Node) -> bool:
        return self.knowledge.matches("reshapes", call[2][3])

    def _binds_samples(self, row: Binding, name: str, depth: int) -> bool:
        target, value, where, _ = row
        if value[0] == "for":
            # the batches of a loader; a loop over something else may give single samples
            return any(self.knowledge.matches("gives_batches", word) for word in _words(value[2]))
        if target[0] == "sub":
            return True
        if target[0] in ("tuple", "list") and value[0] in ("tuple", "list") and len(target[2]) == len(value[2]):
            return all(
                self.leads(one, where, depth + 1)
                for side, one in zip(target[2], value[2])
                if name in _bound_names(side)
            )
        return self.leads(value, where, depth + 1)

    def is_per_sample(self, node: Node, position: int) -> bool:
        """Whether all axes but that of the samples were reduced before."""
        reduced: list[list[int]] = []
        for _ in range(8):
            if node[0] == "name":
                rows = self.bound_to(node[2], position)
                blocks = self._blocks_at(position)
                if not rows or rows[-1].target[0] != "name" or rows[-1].blocks != blocks[: len(rows[-1].blocks)]:
                    break
                position, node = rows[-1].position, rows[-1].value
                continue
            if node[0] != "call" or node[2][0] != "attr" or not self.knowledge.matches("reduces_axes", node[2][3]):
                break
            if any(name in ("keepdim", "keepdims") for name, _ in node[4]):
                return False
            method = node[2][2][0] != "name" or len(node[3]) < 2
            given = dims_of(node, node[2][2] if method else None)
            if node[2][3] == "norm":
                given = next((value for name, value in node[4] if name == "dim"), None)
            numbers = numbers_in(given) if given is not None else []
            if not numbers:
                return False
            reduced.append(numbers)
            node = node[2][2] if node[2][3] != "norm" and method else next(iter(node[3]), node[2][2])
        if len(reduced) == 1:
            dims = sorted(reduced[0])
            return len(dims) > 1 and dims == list(range(1, len(dims) + 1)) and self._indices <= len(dims) + 1
        if len(reduced) == 2 and self._indices <= 3:
            last, first = reduced
            return last == [1] and first in ([-1], [1], [2])
        return False


def _first_length(node: Node, unpacked: bool) -> Node | None:
    """The tensor of `x.shape[0]` or `x.size(0)`; of `x.shape` and `x.size()` where those are unpacked."""
    if unpacked:
        if node[0] == "attr" and node[3] == "shape":
            return list(node[2])
        is_size = node[0] == "call" and node[2][0] == "attr" and node[2][3] == "size" and not node[3]
        return list(node[2][2]) if is_size else None
    if node[0] == "sub" and number_of(node[3]) == 0:
        return _first_length(node[2], True)
    if node[0] == "call" and node[2][0] == "attr" and node[2][3] == "size" and len(node[3]) == 1:
        return list(node[2][2]) if number_of(node[3][0]) == 0 else None
    return None


def _is_whole(index: Node) -> bool:
    """Whether an index leaves all of its axis: `:` or `...`."""
    if index[0] == "slice":
        return all(part is None for part in index[2:5])
    return bool(index[0] == "opaque")


def _is_tensor_method(node: Node) -> bool:
    """Whether a call may be one of a tensor's methods rather than of a model: it gets no tensor of its own."""
    return all(number_of(one) is not None or one[0] in ("const", "attr", "name") for one in node[3])


def _bound_names(target: Node) -> set[str]:
    """The names that a target binds or, for an item, changes."""
    if target[0] == "name":
        return {target[2]}
    if target[0] in ("tuple", "list"):
        return {name for one in target[2] for name in _bound_names(one)}
    return _bound_names(target[2]) if target[0] in ("star", "sub") else set()


def _bindings(block: list[Node], around: tuple[int, ...]) -> Iterator[Binding]:
    inside = (*around, block[0][1] if block else 0)
    for statement in block:
        kind, where = statement[0], statement[1]
        if kind == "assign":
            yield from (Binding(target, statement[3], where, inside) for target in statement[2])
        elif kind == "ann" and statement[4] is not None:
            yield Binding(statement[2], statement[4], where, inside)
        elif kind == "aug":
            added = ["bin", where, statement[3], statement[2], statement[4]]
            yield Binding(statement[2], added, where, inside)
        elif kind == "for":
            yield Binding(statement[2], ["for", where, statement[3]], where, (*inside, where))
        for inner in blocks_of(statement):
            yield from _bindings(inner, inside)


def _blocks_around(block: list[Node], position: int) -> tuple[int, ...]:
    """The blocks around the statement in which a position lies."""
    before = [statement for statement in block if statement[1] <= position]
    if not before:
        return ()
    inside: tuple[int, ...] = (block[0][1],)
    for inner in blocks_of(before[-1]):
        if inner and inner[0][1] <= position and unpack(inner[-1][1])[2:] >= unpack(position)[2:]:
            below = _blocks_around(inner, position)
            return (*inside, *below)
    return inside


def numbers_in(node: Node) -> list[int]:
    """A literal number or tuple of them; empty for anything else."""
    parts = [number_of(one) for one in (node[2] if node[0] in ("tuple", "list") else [node])]
    return [one for one in parts if one is not None] if None not in parts else []


def dims_of(node: Node, receiver: Node | None) -> Node | None:
    """The argument of a reduction that says over which axes it goes."""
    named = next((value for name, value in node[4] if name in ("dim", "axis")), None)
    index = 0 if receiver is not None else 1
    return named if named is not None else (node[3][index] if len(node[3]) > index else None)


def _words(node: Node) -> Iterator[str]:
    """Names and attributes in an expression."""
    return (one[2] if one[0] == "name" else one[3] for one in walk(node) if one[0] in ("name", "attr"))
