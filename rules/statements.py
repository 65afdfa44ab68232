"""The tree of a function's facts: what its statements bind and read, and what stands around a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ddplint.facts.nodes import Node, covers, walk

_LONG_TEXT = 60


def with_parents(nodes: list[Node]) -> Iterator[tuple[Node, list[Node]]]:
    """Each node with the expressions around it, outermost first."""
    pending: list[tuple[Any, list[Node]]] = [(one, []) for one in reversed(nodes)]
    while pending:
        one, parents = pending.pop()
        if not isinstance(one, list):
            continue
        if len(one) > 1 and isinstance(one[0], str) and isinstance(one[1], int):
            yield one, parents
            parents = [*parents, one] if one[0] not in _STATEMENT_KINDS else []
        pending.extend((inner, parents) for inner in reversed(one))


_STATEMENT_KINDS = frozenset(
    ["expr", "assign", "aug", "ann", "if", "for", "while", "with", "try", "match", "return", "raise", "assert", "del"]
)


def blocks_of(statement: Node) -> list[list[Node]]:
    """The blocks of a statement."""
    kind = statement[0]
    if kind in ("if", "while"):
        return [statement[3], statement[4]]
    if kind == "for":
        return [statement[4], statement[5]]
    if kind == "with":
        return [statement[3]]
    if kind == "try":
        return [statement[2], *(handler[2] for handler in statement[3]), statement[4], statement[5]]
    if kind == "match":
        return [case[2] for case in statement[3]]
    return []


def statements_of(body: Sequence[Node], around: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """All statements of a body with those that they stand in; bodies of functions and classes are not entered."""
    for statement in body:
        yield statement, around
        for block in blocks_of(statement):
            yield from statements_of(block, (*around, statement))


def own_expressions(statement: Node) -> list[Any]:
    """The expressions of a statement that are not in a block of it."""
    kind = statement[0]
    if kind in ("if", "while"):
        return [statement[2]]
    if kind == "for":
        return [statement[2], statement[3]]
    if kind == "with":
        return [part for item in statement[2] for part in item]
    if kind == "try":
        return [one[0] for one in statement[3]]
    if kind == "match":
        return [statement[2], *(one[1] for one in statement[3])]
    return [statement[2:]]


def around(block: list[Node], position: int) -> list[tuple[list[Node], int, Node]]:
    """The statements that hold a place, outermost first, each with its block and its index there."""
    for index, statement in enumerate(block):
        if statement[0] not in ("def", "class") and covers(statement[1], position):
            for inner in blocks_of(statement):
                found = around(inner, position)
                if found:
                    return [(block, index, statement), *found]
            return [(block, index, statement)]
    return []


def names_of(node: Any) -> list[str]:
    """The names in an expression, in order."""
    if not isinstance(node, list) or not node:
        return []
    if node[0] == "name":
        return [node[2]]
    if node[0] == "attr":
        return [*names_of(node[2]), node[3]]
    if node[0] == "const":
        return [node[2]] if isinstance(node[2], str) else []
    names: list[str] = []
    for part in node[2:]:
        if isinstance(part, list):
            if part and isinstance(part[0], list):
                for inner in part:
                    names.extend(names_of(inner))
            else:
                names.extend(names_of(part))
    return names


def texts_of(node: Any) -> Iterator[str]:
    """Names, attributes and short strings in an expression, as they say what it is about."""
    if not isinstance(node, list) or not node:
        return
    kind = node[0]
    if kind == "name":
        yield node[2]
    elif kind == "attr":
        yield from texts_of(node[2])
        yield node[3]
    elif kind == "const":
        if isinstance(node[2], str) and len(node[2]) < _LONG_TEXT:
            yield node[2]
    else:
        for part in node if not isinstance(kind, str) else node[2:]:
            yield from texts_of(part)


def number_of(node: Node) -> int | None:
    """A whole number that is written out."""
    return node[2] if node[0] == "const" and type(node[2]) is int else None


def is_main(statement: Node) -> bool:
    """Whether a statement is `if __name__ == "__main__":`, or a branch that is always taken."""
    return statement[0] == "if" and (statement[2][0] == "const" or "__name__" in names_in(statement[2]))


def names_in(node: Node) -> set[str]:
    return {one[2] for one in walk([node]) if one[0] == "name"}


def target_names(target: Node) -> set[str]:
    """The names that an assignment to a target binds."""
    if target[0] == "name":
        return {target[2]}
    if target[0] in ("tuple", "list"):
        return set().union(*(target_names(one) for one in target[2]))
    return target_names(target[2]) if target[0] == "star" else set()


def stored_by(node: Node) -> set[str]:
    """The names that one statement or expression binds by itself, additions left aside."""
    kind = node[0]
    if kind == "assign":
        return set().union(*(target_names(one) for one in node[2]))
    if kind in ("ann", "for"):
        return target_names(node[2])
    if kind == "aug":
        return target_names(node[2]) if node[3] != "+" else set()
    if kind == "with":
        return set().union(*(target_names(target) for _, target in node[2] if target is not None))
    if kind == "walrus":
        return {node[2]}
    return set()


def addition(node: Node) -> tuple[Node | None, Node | None]:
    """Target and what is added, of `x += y` and `x = x + y`."""
    if node[0] == "aug" and node[3] == "+":
        return node[2], node[4]
    if node[0] == "assign" and len(node[2]) == 1 and node[3][0] == "bin" and node[3][2] == "+":
        target, left = node[2][0], node[3][3]
        if target[0] == left[0] == "name" and target[2] == left[2]:
            return target, node[3][4]
    return None, None


def first_reads(block: list[Node], stored: set[str]) -> set[str]:
    """The names that statements read before they bind them; `stored` grows by what is bound for sure."""
    reads: set[str] = set()

    def read(*nodes: Any) -> None:
        for node in walk(list(nodes)):
            if node[0] == "name" and node[2] not in stored:
                reads.add(node[2])

    for statement in block:
        kind = statement[0]
        if kind == "assign":
            read(statement[3], *(one for one in statement[2] if one[0] not in ("name", "tuple", "list")))
            stored |= stored_by(statement)
        elif kind == "if":
            read(statement[2])
            one, other = set(stored), set(stored)
            reads |= first_reads(statement[3], one) | first_reads(statement[4], other)
            stored |= one & other
        elif kind == "for":
            read(statement[3])
            reads |= first_reads(statement[4], stored | target_names(statement[2])) | first_reads(
                statement[5], set(stored)
            )
        elif kind == "while":
            read(statement[2])
            reads |= first_reads(statement[3], set(stored))
        elif kind == "with":
            read(*(part for item in statement[2] for part in item if part is not None))
            stored |= stored_by(statement)
            reads |= first_reads(statement[3], stored)
        elif kind == "try":
            for inner in blocks_of(statement):
                reads |= first_reads(inner, set(stored))
        else:
            read(statement)
    return reads


def source_of(node: Node) -> Node:
    """What a loop goes over, without `enumerate` or a progress bar around it."""
    while node[0] == "call" and node[3]:
        node = node[3][0]
    return node


def spelled(node: Any) -> Any:
    """An expression without its positions."""
    if not isinstance(node, list):
        return node
    if len(node) > 1 and isinstance(node[0], str) and isinstance(node[1], int):
        return [node[0], *(spelled(one) for one in node[2:])]
    return [spelled(one) for one in node]
