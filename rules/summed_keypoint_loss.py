"""Keypoint loss summed over the batch and never divided

## What it does
Reports a regression loss on keypoints, joints, vertices, landmarks or body parameters that is summed over the whole
batch and reaches `backward()` (or is what a `training_step` returns) without a division on the way: not before the
sum, not in the same expression, not in a later statement, a wrapping module, a caller or the training loop. The
finding is at the sum.

## Why it is a bug
The loss and its gradient grow with the batch size of each rank: for 21 joints in 3-D and 8 samples the sum is 504
times the mean. Distributed training averages gradients over ranks, so splitting the same global batch over two ranks
halves the gradient. Learning rate, gradient clipping and the weights against other terms then hold for one batch size
only, and a short last batch weighs less.

## Example
```python
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Keypoint2DLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.loss_fn = nn.L1Loss(reduction="none")

    def forward(self, pred_keypoints, gt_keypoints, confidence):
        loss = (confidence * self.loss_fn(pred_keypoints, gt_keypoints)).sum(dim=(1, 2))
        return loss.sum()


def main():
    data = TensorDataset(torch.rand(64, 512), torch.rand(64, 21, 2), torch.ones(64, 21, 1))
    model = nn.Sequential(nn.Linear(512, 42), nn.Unflatten(1, (21, 2)))
    criterion = Keypoint2DLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for feature, keypoints, confidence in DataLoader(data, batch_size=16, shuffle=True):
        loss = criterion(model(feature), keypoints, confidence)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
```

## Instead
```python
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Keypoint2DLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.loss_fn = nn.L1Loss(reduction="none")

    def forward(self, pred_keypoints, gt_keypoints, confidence):
        loss = (confidence * self.loss_fn(pred_keypoints, gt_keypoints)).sum(dim=(1, 2))
        return loss.mean()


def main():
    data = TensorDataset(torch.rand(64, 512), torch.rand(64, 21, 2), torch.ones(64, 21, 1))
    model = nn.Sequential(nn.Linear(512, 42), nn.Unflatten(1, (21, 2)))
    criterion = Keypoint2DLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for feature, keypoints, confidence in DataLoader(data, batch_size=16, shuffle=True):
        loss = criterion(model(feature), keypoints, confidence)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
```

## Not reported
Sums that a batch size, a count or a sum of weights divides anywhere on their way, or whose caller is not in view;
sums in metrics; sums over loss terms, stacks or stages; reductions whose configured value is not known to be `sum`;
the fitting of bodies whose parameters belong to one sample each, where a sum over samples keeps the problems apart.
Dividing by the number of steps that gradients are accumulated over is no normalisation: every step is still a sum
over its batch.

## Fix safety
The fix divides by the batch size and nothing else, so it changes the scale of the loss: weights and learning rates
that were tuned to the sum may need to grow by the batch size. A sum of what was summed per sample becomes its mean;
any other sum is divided by a name that holds the batch size, or by the length of the prediction. All summed terms of
one total change together. Terms that were divided already change their weight against the repaired ones. There is no
fix where another caller already divides, where the sum is the default of a constructor's parameter, or where nothing
at hand is sure to have the samples as its first axis.

## References
- https://github.com/shubham-goel/4D-Humans/issues/85 (maintainers: no special reason for the sum)
- https://github.com/tianweiy/CenterPoint/pull/110 (a loss scale that depends on the batch size)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ddplint.facts.nodes import Node
from ddplint.findings import RankEvent
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import OPAQUE, Const, Entries, Items, Place, Tag, Value
from ddplint.rules.base import Check, Rule, place_at
from ddplint.rules.ranks import Does, in_order, together
from ddplint.rules.summed.codemods import CODEMODS
from ddplint.rules.summed.reductions import (
    Reduction,
    Reductions,
    compared,
    covers_batch,
    given_axes,
    is_sum,
    reduced_value,
)
from ddplint.rules.summed.repair import repair_of
from ddplint.rules.summed.sites import Form, Sides, Site
from ddplint.rules.summed.words import Words, snake

# a literal divisor up to this is a number of terms or the half of a square, no batch size
_SMALL = 4


class SummedKeypointLossCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.words = Words(knowledge)
        self.reductions = Reductions(knowledge)
        self.sites: dict[tuple[str, int], Site] = {}
        # residuals by place: what is compared with what
        self.residuals: dict[tuple[str, int], tuple[Scope, Sides]] = {}
        # the sums that meet in one total
        self.totals: list[frozenset[Any]] = []
        self.fitting_roots: set[int] = set()
        self.training_roots: set[int] = set()

    # where residuals, sums and divisions come from

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        operator = event.operator
        if operator == "-":
            if isinstance(event.left.shape, Const) or isinstance(event.right.shape, Const):
                return None
            left = event.node[2 if event.in_place else 3]
            sides: Sides = [(left, event.left), (event.node[4], event.right)]
            return self._with_residual(event.result, event.node, event.scope, sides)
        if operator == "/":
            return self._divided(event)
        if operator == "*":
            if "batch_sum" in event.result.tags and 0 in (event.left.constant, event.right.constant):
                # keeps a graph alive, is no loss
                return _without(event.result, "batch_sum")
            for one, other in ((event.left, event.right), (event.right, event.left)):
                if "batch_sum" in one.tags and "normalised" in other.tags:
                    self._note_division(one.tags["batch_sum"], event.scope)
                    return _without(event.result, "batch_sum")
        return None

    def _divided(self, event: BinaryEvent) -> Value | None:
        left, right = event.left, event.right
        divisor = event.node[4]
        summed = left.tags.get("batch_sum")
        if summed is not None:
            if self._only_scales(divisor, right):
                return event.result.tagged("batch_sum", summed)
            self._note_division(summed, event.scope)
            return None
        if isinstance(right.shape, Const) or _is_own_number(divisor):
            return None
        return event.result.tagged("normalised", Tag((place_at(event.scope, event.node, "is divided"),)))

    def _only_scales(self, divisor: list[Any], value: Value) -> bool:
        """Whether a divisor is a number of terms or of accumulated steps."""
        if divisor[0] == "const" and isinstance(divisor[2], (int, float)) and 0 < abs(divisor[2]) <= _SMALL:
            return True
        name = divisor[3] if divisor[0] == "attr" else divisor[2] if divisor[0] == "name" else ""
        if divisor[0] == "sub" and divisor[3][0] == "const":
            name = divisor[3][2]
        return isinstance(name, str) and self.knowledge.matches("accumulation", name)

    def _note_division(self, tag: Tag, scope: Scope) -> None:
        for origin in tag.origins:
            site = self.sites.get(origin)
            if site is None:
                continue
            site.divided = True
            if scope.conditions - site.scope.conditions:
                site.divided_in.add(scope.root)

    def on_call_result(self, event: CallEvent) -> Value | None:
        effect = event.effect
        if effect is None or not effect.kinds:
            return None
        kinds = effect.kinds
        if "sum-reduction" in kinds:
            return self._sum(event)
        if "mean-reduction" in kinds:
            summed = reduced_value(event)
            if summed is not None and "residual" in summed.tags and covers_batch(event):
                return _without(event.result, "residual")
            return None
        if "distance" in kinds:
            return self._with_residual(event.result, event.node, event.scope, compared(event))
        if "regression-loss-call" in kinds:
            return self._loss(event)
        return None

    def _with_residual(self, value: Value, node: Node, scope: Scope, sides: Sides) -> Value:
        place = place_at(scope, node, "is the residual")
        detail = self.words.of(node, scope)
        origin = (scope.module.path, node[1])
        self.residuals[origin] = (scope, sides)
        tag = Tag((place,), origins=frozenset([origin]), detail=detail)
        return Value(value.shape, {**value.tags, "residual": tag}, value.conditions, value.identity)

    def _sides(self, site: Site, origins: frozenset[Any]) -> None:
        """Note what is compared with what, where that stands in the function of the sum."""
        for origin in sorted(origins):
            scope, sides = self.residuals[origin]
            if scope.module is not site.scope.module or scope.function is not site.scope.function:
                continue
            known = [one for one, _ in site.sides]
            site.sides += [(one, value) for one, value in sides if one not in known]

    def _sum(self, event: CallEvent) -> Value | None:
        summed = reduced_value(event)
        if summed is None or not isinstance(summed.shape, OPAQUE):
            return None
        known = summed.tags.get("batch_sum")
        if known is not None:
            # a sum of what is a sum over the batch already, or over several such terms
            return event.result.tagged("batch_sum", known)
        residual = summed.tags.get("residual")
        if residual is None or not covers_batch(event):
            return None
        if "normalised" in summed.tags or event.scope.no_grad:
            return _without(event.result, "residual")
        receiver = event.node[2][2] if event.receiver is not None and event.node[2][0] == "attr" else None
        form: Form = "full-sum"
        if given_axes(event) is not None:
            form = "dims"
        elif receiver is not None and is_sum(receiver):
            form = "outer-sum"
        site = self._site(event, form, receiver=receiver, word=residual.detail)
        self._sides(site, residual.origins)
        result = _without(event.result, "residual") if form != "dims" else event.result
        return self._tag(result, site)

    def _loss(self, event: CallEvent) -> Value | None:
        """A regression loss by its reduction: none gives a residual, sum a sum over the batch."""
        reduction = self.reductions.of(event)
        if reduction.kind == "none":
            return self._with_residual(_without(event.result, "residual"), event.node, event.scope, compared(event))
        result = _without(event.result, "residual")
        if reduction.kind != "sum" or event.scope.no_grad:
            return result
        if any("normalised" in value.tags for value in event.arguments):
            return result
        site = self._site(event, "reduction", reduction)
        site.sides = site.sides or compared(event)
        return self._tag(result, site)

    def _site(
        self,
        event: CallEvent,
        form: Form,
        reduction: Reduction | None = None,
        receiver: Node | None = None,
        word: str = "",
    ) -> Site:
        scope, node = event.scope, event.node
        site = self.sites.get((scope.module.path, node[1]))
        if site is None:
            reduction = reduction or Reduction("sum")
            steps = (*reduction.places, place_at(scope, node, "the loss is summed over the whole batch"))
            site = Site(scope.module.path, node, receiver, form, steps, scope, reduction.is_default)
            self.sites[site.origin] = site
        if not site.is_pose:
            site.is_of(word or self.words.of(node, scope))
        return site

    def _tag(self, value: Value, site: Site) -> Value:
        return value.tagged("batch_sum", Tag(site.steps, origins=frozenset([site.origin])))

    # what the sum is of

    def on_call(self, event: CallEvent) -> None:
        effect = event.effect
        if effect is not None:
            kinds = effect.kinds
            if not kinds:
                return
            if "backward" in kinds or "backward-of-argument" in kinds:
                self._backward(event)
            elif "partial" in kinds or "regression-loss" in kinds:
                self.reductions.remember(event)
            elif "optimizer" in kinds:
                self._optimizer(event)
            return
        for value in _parts(event.result):
            tag = value.tags.get("batch_sum")
            if tag is not None and not self._all_pose(tag):
                self._mark(tag, self.words.in_expression(event.node))

    def on_assign(self, event: AssignEvent) -> None:
        tag = event.value.tags.get("batch_sum")
        if tag is not None and len(tag.origins) == 1 and not self._all_pose(tag):
            self._mark(tag, self.words.in_expression(event.target))

    def _all_pose(self, tag: Tag) -> bool:
        return all(self.sites[origin].is_pose for origin in tag.origins if origin in self.sites)

    def _mark(self, tag: Tag, word: str) -> None:
        for origin in tag.origins:
            site = self.sites.get(origin)
            if site is not None:
                site.is_of(word)

    def _optimizer(self, event: CallEvent) -> None:
        """Optimizers over single tensors fit something per sample; those over a module's parameters train."""
        given = event.argument(0, "params")
        if given is None:
            return
        shape = given.shape
        rows = shape.items if isinstance(shape, Items) and shape.rest is None else []
        plain = bool(rows) and all(isinstance(row.shape, OPAQUE) and "parameter" not in row.tags for row in rows)
        (self.fitting_roots if plain else self.training_roots).add(event.scope.root)

    # where it goes

    def _backward(self, event: CallEvent) -> None:
        values = [value for value in (event.receiver, *event.arguments, *event.keywords.values()) if value is not None]
        for value in values:
            tag = value.tags.get("batch_sum")
            if tag is not None:
                self._end(tag, event.scope, event.node, "`backward()` takes it undivided")

    def on_return(self, event: ReturnEvent) -> None:
        function = event.scope.function
        if (
            function is None
            or event.scope.instance is None
            or not self.knowledge.matches("training_hook", function.name)
        ):
            return
        shape = event.value.shape
        value = shape.entries.get("loss") if isinstance(shape, Entries) else event.value
        tag = value.tags.get("batch_sum") if value is not None else None
        if tag is not None:
            self._end(tag, event.scope, event.node, f"`{function.name}` returns it undivided")

    def _end(self, tag: Tag, scope: Scope, node: list[Any], message: str) -> None:
        if self._is_fitting(scope) or scope.root in self.fitting_roots - self.training_roots:
            return
        place = place_at(scope, node, message)
        self.totals.append(tag.origins)
        for origin in tag.origins:
            site = self.sites.get(origin)
            if site is None or scope.root in site.divided_in:
                continue
            steps = tag.steps if len(tag.origins) == 1 and tag.steps[: len(site.steps)] == site.steps else site.steps
            site.ends.append((*steps, place))

    def _is_fitting(self, scope: Scope) -> bool:
        name = scope.function.qualname if scope.function is not None else ""
        return self.knowledge.matches("fitting", scope.module.path) or self.knowledge.matches("fitting", snake(name))

    def finish(self, run: Run) -> None:
        for site in self.sites.values():
            if not site.is_pose or not site.ends or self._is_fitting(site.scope):
                continue
            trace = min(site.ends, key=lambda steps: (len(steps), steps))
            fix, reason = repair_of(site, self.sites, self.totals, self.knowledge)
            ranks = _ranks(Place(site.path, site.node[1], ""), trace[-1])
            self.report(site.path, site.node, _message(site), trace, fix=fix, no_fix_reason=reason, ranks=ranks)


def _message(site: Site) -> str:
    kind = "this loss" if not site.what else f"the loss on `{site.what}`"
    return (
        f"{kind} is summed over the batch and nothing divides it before `backward()`: loss and gradient grow with"
        " the batch size of each rank (for 21 joints in 3-D and 8 samples 504 times the mean) and halve when the"
        " same global batch is split over two ranks; divide by the batch size or by the number of visible points"
    )


def _ranks(summed: Place, end: Place) -> tuple[RankEvent, ...]:
    """The same global batch on one rank and on two."""
    one, pair = "one rank alone", ("rank 0 of two", "rank 1 of two")
    halves = [Does("read", "batch of B/2 samples", None, share) for share in ("#.", ".#")]
    return in_order(
        {one: Does("read", "batch of B samples", None, "##"), **dict(zip(pair, halves))},
        {
            one: Does("work", "sums over B samples", summed),
            **dict.fromkeys(pair, Does("work", "sums over B/2 samples", summed)),
        },
        together(pair, Does("meet", "DDP takes the mean of the gradients", end)),
        {one: Does("result", "gradient g"), **dict.fromkeys(pair, Does("result", "gradient g/2"))},
    )


def _without(value: Value, name: str) -> Value:
    if name not in value.tags:
        return value
    return value.with_tags({key: tag for key, tag in value.tags.items() if key != name})


def _parts(value: Value) -> Iterator[Value]:
    """A value and, where it is a dict or tuple, what it holds."""
    yield value
    shape = value.shape
    if isinstance(shape, Entries):
        yield from list(shape.entries.values())[:32]
    elif isinstance(shape, Items):
        yield from shape.items[:32]


def _is_own_number(node: list[Any]) -> bool:
    """Whether a divisor is an attribute of the object itself: a hyperparameter."""
    return bool(node[0] == "attr" and node[2][0] == "name" and node[2][2] == "self")


class SummedKeypointLoss(Rule):
    code = "DDP202"
    name = "summed-keypoint-loss"
    severity = "warning"
    words = (frozenset({"sum", "size_average", "reduction"}), frozenset({"pattern:pose_word"}))
    check = SummedKeypointLossCheck
    codemods = CODEMODS


RULE = SummedKeypointLoss()
