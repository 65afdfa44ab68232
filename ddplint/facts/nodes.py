"""Going through a function's facts: their nodes, names and places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ddplint.facts.lower import unpack

Node = list[Any]


def walk(part: Any) -> Iterator[Node]:
    """All statements and expressions in one or in a list of them, themselves included, in the order of the text."""
    pending = [part]
    while pending:
        one = pending.pop()
        if not isinstance(one, list):
            continue
        if len(one) > 1 and isinstance(one[0], str) and isinstance(one[1], int):
            yield one
        pending.extend(reversed(one))


def covers(outer: int, inner: int) -> bool:
    """Whether one position holds another."""
    row, column, end_row, end_column = unpack(outer)
    first_row, first_column, last_row, last_column = unpack(inner)
    return (row, column) <= (first_row, first_column) and (last_row, last_column) <= (end_row, end_column)


def text_of(node: Any) -> str:
    """A name or dotted name as it is written; empty for anything else."""
    if node[0] == "name":
        return str(node[2])
    if node[0] == "attr":
        base = text_of(node[2])
        return f"{base}.{node[3]}" if base else ""
    return ""


def last_of(node: Any) -> str:
    """The last part of a dotted name; empty for anything else."""
    return str(node[2]) if node and node[0] == "name" else str(node[3]) if node and node[0] == "attr" else ""
