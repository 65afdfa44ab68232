"""Which edits divide the sums of one total by the batch size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ddplint.facts.nodes import Node
from ddplint.findings import Action, Fix
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import Part, Value
from ddplint.rules.base import span_of
from ddplint.rules.repairs import Refused, place_argument
from ddplint.rules.summed.samples import Body, dims_of, numbers_in
from ddplint.rules.summed.sites import Site

AVERAGE = "average"
DIVIDE = "divide"
_UNSAFE = (
    "the loss and its gradient shrink by the batch size, while learning rate, gradient clipping and the weights against"
    " other terms were tuned to the sum"
)


def repair_of(
    site: Site, sites: Mapping[Any, Site], totals: Iterable[frozenset[Any]], knowledge: Knowledge
) -> tuple[Fix | None, str]:
    """The repair of all sums that meet in one of the `totals`, or why there is none."""
    siblings = _siblings(site, sites, list(totals))
    actions: list[Action] = []
    try:
        _refuse(site)
        for one in siblings:
            actions += _term(one, site, knowledge)
    except Refused as reason:
        return None, str(reason)
    what = "loss" if len(siblings) == 1 else f"{len(siblings)} summed terms"
    return Fix("unsafe", f"Divide the {what} by the batch size", tuple(actions), _UNSAFE), ""


def _siblings(site: Site, sites: Mapping[Any, Site], totals: list[frozenset[Any]]) -> list[Site]:
    """The sums that meet this one in some total, and those that meet them, in order of place."""
    together: set[Any] = {site.origin}
    grown = True
    while grown:
        grown = False
        for origins in totals:
            if not together.isdisjoint(origins) and not origins <= together:
                together |= origins
                grown = True
    return [sites[origin] for origin in sorted(together) if origin in sites]


def _term(term: Site, site: Site, knowledge: Knowledge) -> list[Action]:
    """The edits of one summed term of a total; refused with its place if it is not the one at hand."""
    try:
        _refuse(term)
        actions = _Division(term, knowledge).actions()
        if not actions:
            raise Refused("no value at hand where it is summed is sure to have the samples as its first axis")
    except Refused as reason:
        if term is site:
            raise
        place = f"{term.path}:{span_of(term.path, term.node[1]).row}"
        raise Refused(f"the term at {place} must change with it, but {reason}") from None
    return actions


def _refuse(site: Site) -> None:
    """Refuse where a sum must stay a sum."""
    if site.constructor_default:
        raise Refused("the sum is the default of a constructor's parameter, which other callers may rely on")
    if site.divided:
        raise Refused("another caller divides this sum already")


class _Division:
    """What divides one sum by the number of samples."""

    def __init__(self, site: Site, knowledge: Knowledge) -> None:
        self.site = site
        self.body = Body(site.scope, knowledge)
        self.span = span_of(site.path, site.node[1])
        callee, keywords = site.node[2], site.node[4]
        self.plain = callee[0] == "attr" and not any(name in ("keepdim", "keepdims") for name, _ in keywords)
        # what is summed
        self.summed = site.receiver if site.receiver is not None else next(iter(site.node[3]), None)

    def actions(self) -> list[Action]:
        """The edits; none where the number of samples is not at hand."""
        found = self._of_axes() if self.site.form == "dims" and self.plain else []
        if found:
            return found
        if self._is_sum_of_samples():
            return [Action(AVERAGE, self.span)]
        length = self.body.batch_size(self.site.node[1], [side for side, _ in self.site.sides])
        if length is not None:
            return [Action(DIVIDE, self.span, (("by", length),))]
        return self._by_length()

    def _of_axes(self) -> list[Action]:
        """`x.sum(0)` and `x.sum((0, 1))`: the mean over the samples of the sum over the other axes."""
        axes = dims_of(self.site.node, self.site.receiver)
        if axes is None:
            return []
        if axes[0] == "const" and axes[2] == 0:
            return [Action(AVERAGE, self.span)]
        numbers = numbers_in(axes)
        if self.site.receiver is None or len(numbers) < 2 or min(numbers) != 0:
            return []
        others = [str(one) for one in numbers if one]
        text = others[0] if len(others) == 1 else f"({', '.join(others)})"
        return [
            Action("replace-text", span_of(self.site.path, axes[1]), (("text", text),)),
            Action("wrap", self.span, (("template", "{}.mean(dim=0)"),)),
        ]

    def _is_sum_of_samples(self) -> bool:
        """Whether it is a sum of what was summed per sample."""
        bare = self.site.form in ("full-sum", "outer-sum") and self.plain and not self.site.node[4]
        return bare and self.summed is not None and self.body.is_per_sample(self.summed, self.site.node[1])

    def _by_length(self) -> list[Action]:
        """A division by the length of something that has the samples as its first axis."""
        if any(_is_single(value) for _, value in self.site.sides):
            return []
        sides: list[Node] = [side for side, _ in self.site.sides]
        if self.site.form == "full-sum" and self.summed is not None and self.summed[0] == "name":
            sides.append(self.summed)
        for side in sides:
            tensor = self.body.samples_of(side, self.site.node[1])
            if tensor is not None:
                of = place_argument(span_of(self.site.path, tensor[1]))
                return [Action(DIVIDE, self.span, (("of", of),))]
        return []


def _is_single(value: Value | None) -> bool:
    """Whether a value was selected along the first axis; what a data set selects is an item of a batch later on."""
    if value is None or not isinstance(value.shape, Part) or "batch" in value.tags:
        return False
    index = value.shape.index
    return not (index.startswith((":,", "...", "None")) or index in (":", ""))
