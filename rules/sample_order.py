"""What another order of the samples changes: other samples are scored, or batches made of other samples count.

An order that nothing is seen to depend on has no consequence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ddplint.facts.nodes import Node, text_of, walk
from ddplint.findings import RankEvent, Severity
from ddplint.flow.batches import AVERAGED, POSITION, SCORED, STATE, Use
from ddplint.flow.events import Scope
from ddplint.flow.roles import Loader, Roles, Source
from ddplint.flow.values import Const, Place
from ddplint.rules.ranks import Does, in_order

_RESULTS = {
    AVERAGED: "so the result differs from run to run where the last batch is smaller",
    SCORED: "so the result differs with the samples that share a batch",
    STATE: "so batch normalisation works with other batches in each run",
    POSITION: "so each run gives it to another sample",
}
_SEVERITIES: dict[str, Severity] = {POSITION: "error"}


@dataclass(frozen=True, slots=True)
class Consequence:
    """What the order changes (`text`, as a half-sentence), the place where it is seen, and how two runs show it."""

    text: str
    place: Place
    severity: Severity
    works: tuple[str, str]
    results: tuple[str, str] = ("a number", "another number, same model")

    def runs(self, shuffled: Place) -> tuple[RankEvent, ...]:
        """What two runs of the same program do."""
        one, next_ = "one run", "the next run"
        return in_order(
            {one: Does("read", "draws an order", shuffled), next_: Does("read", "draws another order", shuffled)},
            {one: Does("work", self.works[0], self.place), next_: Does("work", self.works[1], self.place)},
            {one: Does("result", self.results[0]), next_: Does("result", self.results[1])},
        )


def part_is_scored(why: str, place: Place) -> Consequence:
    works = ("scores some of the samples", "scores others")
    return Consequence(f"{why}, so each run scores another subset", place._replace(message=why), "error", works)


def of_loaders(roles: Roles, tokens: Iterable[Any]) -> Consequence | None:
    """What the order of loaders, or of the data that they read, changes as far as it is seen."""
    single = None
    for token in tokens:
        use = roles.batches.uses.get(token)
        if use is None:
            continue
        if use.kind in (AVERAGED, SCORED) and _one_by_one(roles.loaders.get(token)):
            single = single or _of_single_samples(use)
            continue
        works = ("fills its batches", "fills them otherwise")
        text = f"{use.place.message}, {_RESULTS[use.kind]}"
        return Consequence(text, use.place, _SEVERITIES.get(use.kind, "warning"), works)
    return single


def _of_single_samples(use: Use) -> Consequence:
    text = (
        f"{use.place.message}; the batches hold one sample each, so today only the order of the results differs, "
        "with larger ones the result would as well"
    )
    works = ("takes the samples in one order", "takes them in another")
    return Consequence(text, use.place, "note", works, ("a number", "the same number"))


def _one_by_one(loader: Loader | None) -> bool:
    """Whether a loader gives one sample at a time."""
    if loader is None:
        return False
    made, effect = loader.made, loader.effect
    size = made.argument(effect.argument_index("batch_size"), "batch_size")
    if size is not None:
        return isinstance(size.shape, Const) and size.shape.value == 1
    spread = any(name is None for name, _ in loader.node[4]) or any(node[0] == "star" for node in loader.node[3])
    return not spread and made.argument(effect.argument_index("batch_sampler"), "batch_sampler") is None


def of_resharding(roles: Roles, token: Any, source: Source) -> Consequence | None:
    """Each process shuffles for itself, and a trainer then shards by index."""
    place = roles.resharded.get(token)
    if place is None or not source.eager or not _knows_of_ranks(roles, source.scope):
        return None
    text = (
        "each process draws an order of its own before the trainer shards by index, "
        "so with several processes some samples are scored twice and others never"
    )
    works = ("is sharded by index", "is sharded by index again: other samples twice, others never")
    return Consequence(text, place, "warning", works)


def _knows_of_ranks(roles: Roles, scope: Scope) -> bool:
    return any(roles.knowledge.matches("speaks_of_ranks", name) for name in scope.module.names())


def next_in_class(scope: Scope, loader: int) -> Place | None:
    """Where a method takes just the next batch of a loader (by its position) that an attribute of the object holds."""
    function, module = scope.function, scope.module
    if function is None or function.owner is None:
        return None
    held = {
        text_of(target)
        for node in walk(function.body)
        if node[0] == "assign" and any(part[1] == loader for part in walk(node[3]))
        for target in node[2]
        if target[0] == "attr" and text_of(target)
    }
    for other in module.functions:
        if other.owner != function.owner:
            continue
        for node in walk(other.body):
            takes = node[0] == "call" and node[2][0] == "name" and node[2][2] == "next" and node[3]
            if takes and text_of(node[3][0]) in held:
                return Place(module.path, node[1], "only the next batch is taken")
    return None


def is_split(roles: Roles, token: Any) -> bool:
    """Whether an order is cut in two at one place, and both parts are kept."""
    slices = [node for place in roles.cuts.get(token, ()) if (node := _node_at(roles, place)) is not None]
    heads = {_source(node[3]) for node in slices if node[2] is None and node[3] is not None}
    tails = {_source(node[2]) for node in slices if node[2] is not None}
    return bool(heads & tails)


def _node_at(roles: Roles, place: Place) -> Node | None:
    for module in roles.interpreter.program.modules:
        if module.path == place.path:
            for body in [module.statements(), *(function.body for function in module.functions)]:
                for node in walk(body):
                    if node[0] == "slice" and node[1] == place.position:
                        return node
    return None


def _source(part: Any) -> str:
    """A text for an expression, the same for the same one elsewhere."""
    if not isinstance(part, list):
        return repr(part)
    is_node = len(part) > 1 and isinstance(part[0], str) and isinstance(part[1], int)
    return f"({part[0] if is_node else ''} {' '.join(_source(one) for one in part[2 if is_node else 0 :])})"
