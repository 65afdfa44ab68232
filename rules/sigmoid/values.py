"""What is known of a value that comes of some sigmoids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Flow:
    """Outputs of the sigmoids concerned, by the nodes they come from; `mixed` with others, or `picked` by a product."""

    ids: frozenset[int]
    mixed: bool = False
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A tuple or list."""

    items: tuple[Val, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A dict with known keys."""

    entries: tuple[tuple[Any, Val], ...]

    def get(self, key: Any) -> Val:
        return dict(self.entries).get(key)


@dataclass(frozen=True, slots=True)
class Each:
    """Something to iterate over."""

    value: Flow


Val: TypeAlias = "Flow | Group | Table | Each | None"
Env = dict[str, Val]


def flows(value: Val) -> Iterator[Flow]:
    if isinstance(value, Flow):
        yield value
    elif isinstance(value, Group):
        for item in value.items:
            yield from flows(item)
    elif isinstance(value, Table):
        for _, item in value.entries:
            yield from flows(item)
    elif isinstance(value, Each):
        yield value.value


def join(one: Val, other: Val) -> Val:
    """What is known of a value that is either; None is something that comes of none of the sigmoids."""
    if one == other:
        return one
    if isinstance(one, Group) and isinstance(other, Group) and len(one.items) == len(other.items):
        return Group(tuple(join(left, right) for left, right in zip(one.items, other.items)))
    if isinstance(one, Table) and isinstance(other, Table):
        keys = list(dict([*one.entries, *other.entries]))
        return Table(tuple((key, join(one.get(key), other.get(key))) for key in keys))
    if isinstance(one, (Group, Table)) and other is None:
        return _mixed(one)
    if isinstance(other, (Group, Table)) and one is None:
        return _mixed(other)
    both = [*flows(one), *flows(other)]
    plain = isinstance(one, Flow) and isinstance(other, Flow)
    lists = isinstance(one, Each) and isinstance(other, Each)
    flow = Flow(
        frozenset(id_ for flow in both for id_ in flow.ids),
        not (plain or lists) or any(flow.mixed for flow in both),
        any(flow.picked for flow in both),
    )
    return Each(flow) if isinstance(one, Each) or isinstance(other, Each) else flow


def _mixed(value: Val) -> Val:
    if isinstance(value, Flow):
        return Flow(value.ids, True, value.picked)
    if isinstance(value, Each):
        return Each(Flow(value.value.ids, True))
    if isinstance(value, Group):
        return Group(tuple(_mixed(item) for item in value.items))
    if isinstance(value, Table):
        return Table(tuple((key, _mixed(item)) for key, item in value.entries))
    return None


def join_environments(one: Env, other: Env) -> Env:
    """A name that only one side binds has that value: reading it otherwise would be an error."""
    both = {**one, **other}
    return {name: join(one[name], other[name]) if name in one and name in other else both[name] for name in both}


def element_of(value: Val) -> Val:
    """What iterating gives."""
    if isinstance(value, Each):
        return value.value
    if isinstance(value, Group):
        found = list(value.items)
        result = found[0] if found else None
        for item in found[1:]:
            result = join(result, item)
        return result
    return value if isinstance(value, Flow) else None
