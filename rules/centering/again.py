"""Second centrings, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddplint.flow.values import Place, Tag
from ddplint.rules.centering.roots import spoken

Site = tuple[str, int]

# how a second centring relates to the first
SAME = "same"
OTHER = "other"


@dataclass(slots=True)
class Again:
    """A second centring: of what, at which roots, what makes it more than redundant, and what a fix needs to know.

    `argument` is the position of what a centring helper is called with, where that call is what is dropped.
    """

    path: str
    node: list[Any]
    trace: tuple[Place, ...]
    first: str
    second: str
    relation: str
    harm: str = ""
    earlier: frozenset[Site] = frozenset()
    in_place: bool = False
    where: tuple[str, int] = ("", 0)
    argument: tuple[int, str] | None = None
    refusal: str = ""
    caution: str = ""
    loaders: frozenset[int] | None = None


def message_of(found: Again) -> str:
    first, second = spoken(found.first), spoken(found.second)
    if found.harm == "stale":
        return (
            f"joints that are relative to joint {first} already have that root subtracted once more:"
            " every joint is off by the root"
        )
    if found.harm == "slot":
        return (
            f"joints were made relative to joint {first} except for that joint itself, which is still absolute;"
            " subtracting it again moves all the others by the absolute root"
        )
    if found.harm == "marker":
        return (
            f"joints centred at joint {first} got a marker value for invisible ones and are centred again at joint"
            f" {second}: where the root is invisible, the marker is subtracted from all joints; centre once, before the"
            " marker is written"
        )
    if found.harm == "sides":
        return (
            f"the centring at joint {first} is replaced by one at joint {second}, while the other side of the"
            " comparison is centred at another joint: the two differ by an offset per sample"
        )
    if found.relation == SAME:
        return f"joints that are relative to joint {first} already are centred at the same joint again: no effect"
    return (
        f"the centring at joint {first} is replaced by one at joint {second}: harmless as long as prediction and truth"
        " are treated alike, but the first has no effect here"
    )


def sites_of(tag: Tag) -> list[Site]:
    return [(origin[1], origin[2]) for origin in tag.origins if origin[0] == "at"]


def roots_of(tag: Tag) -> set[str]:
    return {origin[3] for origin in tag.origins if origin[0] == "at"}
