"""Selections of joints and the roots that they stand for, as texts."""

from __future__ import annotations

import re

from ddplint.flow.values import Part


def _components(index: str) -> list[str]:
    """What an index says of the joints: its parts that are neither whole nor new axes."""
    parts = index.split(",")
    named = [part for part in parts if part not in (":", "...", "None", "")]
    if parts[0] == "..." and named and parts[-1] == named[-1]:
        # the last axis holds coordinates
        named = named[:-1]
    return named


def joint_axis(index: str) -> str:
    """The part of an index that selects joints, or nothing."""
    named = _components(index)
    if not named:
        return ""
    if len(named) == 1 and is_slice(named[0]) and index.count(",") >= 2 and index.endswith(named[0]):
        return ""
    return named[0]


def is_slice(part: str) -> bool:
    return ":" in part


def root_of(shape: Part) -> str:
    """The joint or joints that a selection stands for, the same for each spelling of them; empty if it is no root."""
    index, _, averaged = shape.index.partition("~")
    tokens = index.split("+")
    joints: list[str] = []
    for token in tokens:
        part = joint_axis(token)
        if not part:
            return ""
        joints += part.split("+")
    if averaged or len(joints) == 1:
        if not averaged and is_slice(joints[0]):
            return ""
        return "+".join(sorted(set(joints)))
    # the sum of several selections, halved
    return "+".join(sorted(set(joints))) if len(tokens) > 1 and all("," in one for one in tokens) else ""


def picks_one(index: str) -> bool:
    """Whether a selection is a single joint."""
    part = joint_axis(index.partition("~")[0])
    return part.lstrip("-").isdigit() and "," in index


def joints_in(text: str) -> list[int]:
    """The joints of a subset that is written out, else none."""
    part = joint_axis(text)
    items = part.split("+")
    return [int(item) for item in items] if len(items) > 1 and all(item.lstrip("-").isdigit() for item in items) else []


def in_whole(root: str, subset: str) -> str:
    """A root of a subset by its place in the whole; empty where that is not known."""
    if not subset:
        return root
    part = joint_axis(subset)
    if not part or part.startswith("@"):
        return root
    numbers = joints_in(subset)
    if not numbers:
        if is_slice(part):
            return root if part.startswith((":", "0:")) else ""
        return "" if "," in subset else root
    found: list[str] = []
    for item in root.split("+"):
        if not item.isdigit() or int(item) >= len(numbers):
            return ""
        found.append(str(numbers[int(item)]))
    return "+".join(sorted(found))


def share_none(one: str, other: str) -> bool:
    """Whether two selections are slices, written out, that have no joint in common: `x[:21]` and `x[21:]`."""
    first, second = _range_of(one), _range_of(other)
    return first is not None and second is not None and (first[1] <= second[0] or second[1] <= first[0])


def _range_of(index: str) -> tuple[float, float] | None:
    bounds = re.fullmatch(r"(\d*):(\d*)", joint_axis(index))
    return (float(bounds[1] or 0), float(bounds[2] or "inf")) if bounds else None


def leaves_out(index: str, root: str) -> bool:
    """Whether a selection is all but the root: `x[:, 1:]` and joint 0."""
    part = joint_axis(index)
    return root == "0" and part.startswith("1:")


def is_known(root: str) -> bool:
    return bool(root) and all(item.lstrip("-").isdigit() for item in root.split("+"))


def spoken(root: str) -> str:
    items = [item for item in root.split("+") if item]
    if not items or any(item.startswith("@") for item in items):
        return "of its own"
    return items[0] if len(items) == 1 else "mean(" + ", ".join(items) + ")"
