"""Zero times a sum of parameters, to keep gradients in step

## What it does
Reports a literal zero times a sum, a mean or an element of a module's parameters, in any spelling: a generator, a
loop with the zero inside or applied later, `next(parameters())`, a stack of sums, through a helper, a single
`weight[0, 0]`.

## Why it is a bug
The product is written to give every parameter a gradient of zero, so that `DistributedDataParallel` finds nothing
unused. Its value is not always zero: it is nan as soon as one parameter is inf or nan, and in fp16 also where a sum
of parameters exceeds 65504. The nan goes into the loss that is logged, tested or added. Every parameter is read for
it: with 100 million fp32 parameters forward and backward took 69 ms, against 18 ms for empty slices.

Where the product stands for the loss of a step, it keeps the gradients in step only if the wrapped model's forward
ran in that step and every collective of the normal path is still made. The product itself does not hang.

`p.flatten()[:0].sum()` is 0 with gradient 0, whatever the parameter holds, and the hooks of `DistributedDataParallel`
fire as before. Often a better design needs no such term: `find_unused_parameters=True`, or running the unused module
on an empty batch.

## Example
```python
import torch
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 4)
        self.second = nn.Linear(16, 4)

    def forward(self, x, use_second):
        return self.second(x) if use_second else self.first(x)


def step(model, x, y, use_second):
    loss = nn.functional.cross_entropy(model(x, use_second), y)
    unused = model.first if use_second else model.second
    return loss + 0.0 * sum(p.sum() for p in unused.parameters())


net = TwoHeads()
step(net, torch.randn(8, 16), torch.randint(4, (8,)), use_second=False).backward()
```

## Instead
```python
import torch
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 4)
        self.second = nn.Linear(16, 4)

    def forward(self, x, use_second):
        return self.second(x) if use_second else self.first(x)


def step(model, x, y, use_second):
    loss = nn.functional.cross_entropy(model(x, use_second), y)
    unused = model.first if use_second else model.second
    return loss + 0.0 * sum(p.flatten()[:0].sum() for p in unused.parameters())


net = TwoHeads()
step(net, torch.randn(8, 16), torch.randint(4, (8,)), use_second=False).backward()
```

## Not reported
- Zero times an output or a loss: that is another trick, and an empty slice does not cure it.
- Factors that are not zero (`1e-8`) and factors that are variables: a weight that happens to be zero may be set.
- Initial values, products under `no_grad`, products of `.data`, and parameters that a module's forward returned.
- A parameter zeroed in place, and an element-wise product that is never summed.

## Fix safety
Safe: value 0 and gradient 0 are what was meant. `.mean()` becomes `.sum()`, for the mean of nothing is nan; loops,
filters and the factor 0 stay, only `(p * 0).sum()` loses it. Unsafe where an index such as `weight[0]` need not leave
a single number. No fix where the sums are used for something else too, or come from a function that other code may
call. The fix does not make up for a forward or a collective that this step leaves out.

## References
- [Distributed Data Parallel](https://docs.pytorch.org/docs/stable/notes/ddp.html)
- [DistributedDataParallel](https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html)
"""

from __future__ import annotations

from ddplint.facts.nodes import Node
from ddplint.findings import RankEvent
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, Scope, reachable
from ddplint.flow.knowledge import Effect, Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import Elements, Items, Place, Tag, Value
from ddplint.rules.base import Check, Rule
from ddplint.rules.ranks import Does, in_order, together
from ddplint.rules.zeroed.codemods import sum_empty_slice
from ddplint.rules.zeroed.sites import (
    PARAMETER,
    SELECTIONS,
    SUMS,
    Seen,
    Site,
    Source,
    parts_of,
    source_of,
    sum_of_selections,
)
from ddplint.rules.zeroed.sums import EMPTY, repair_of

ZEROED = "zeroed_parameters"


class ZeroTimesParametersCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.seen = Seen()

    def on_binary(self, event: BinaryEvent) -> None:
        left, right = parts_of(event.left), parts_of(event.right)
        if left is not None or right is not None:
            key = (event.scope.module.path, event.node[1])
            known = self.seen.operations.get(key, (None, None))
            self.seen.operations[key] = (known[0] if left is None else left, known[1] if right is None else right)

    def on_assign(self, event: AssignEvent) -> None:
        tag = event.value.tags.get(PARAMETER)
        if tag is not None:
            self.seen.assigned[event.scope.module.path, event.node[1]] = not tag.detail

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        if event.operator in ("+", "-"):
            return sum_of_selections(event.result, event.left, event.right)
        if event.operator != "*":
            return None
        left, right = (event.node[2], event.node[4]) if event.in_place else (event.node[3], event.node[4])
        if _is_zero(right):
            return self._product(event.scope, event.node, left, event.left, event.result, event.in_place)
        if _is_zero(left):
            return self._product(event.scope, event.node, right, event.right, event.result, False)
        return None

    def on_call_result(self, event: CallEvent) -> Value | None:
        if event.name == "builtins.sum" and event.arguments and isinstance(event.arguments[0].shape, Elements):
            return sum_of_selections(event.result, event.arguments[0].shape.element)
        if event.effect is None or "product" not in event.effect.kinds:
            return None
        one, other = ("input", "other") if event.receiver is None else ("", "other")
        value = event.receiver or event.argument(0, one)
        node = event.argument_node(1 if event.receiver is None else 0, other)
        if value is None or node is None or not _is_zero(node):
            return None
        operand = event.node[2][2] if event.receiver is not None else event.argument_node(0, one)
        return self._product(event.scope, event.node, operand or node, value, event.result, False)

    def _product(
        self, scope: Scope, node: Node, operand: Node, value: Value, result: Value, in_place: bool
    ) -> Value | None:
        """The product, tagged, where the factor beside the zero consists of parameters."""
        tag = value.tags.get(PARAMETER)
        if tag is None or not scope.records_gradients or (in_place and not tag.detail) or not reachable(tag, scope):
            return None
        key = (scope.module.path, node[1])
        site = self.seen.sites.get(key)
        if site is None:
            parts = parts_of(value) or 0
            site = Site(key[0], node, scope, operand, tag, tag.detail, parts, bool(tag.detail) or parts > 0)
            self.seen.sites[key] = site
        if scope.callers:
            site.callers[scope.callers[-1]] = None
        place = Place(scope.module.path, node[1], "zero times parameters")
        return result.tagged(ZEROED, Tag((place,), tag.conditions, frozenset([key])))

    def on_call(self, event: CallEvent) -> None:
        effect = event.effect
        if effect is None:
            return
        value = event.receiver or event.argument(0, "input")
        if value is not None:
            self._note(event, effect, value)
        if not effect.kinds:
            return
        if not effect.kinds.isdisjoint(SUMS):
            for site in self._sites(value):
                site.complete = True
                site.sums[event.node[1]] = (event.node, source_of(event))
        elif "backward" in effect.kinds:
            self._is_loss(event.receiver, event)
        elif "backward-of-argument" in effect.kinds:
            self._is_loss(event.argument(0, "loss"), event)

    def _note(self, event: CallEvent, effect: Effect, value: Value) -> None:
        many = isinstance(value.shape, (Items, Elements))
        # a list that grew has no tags of its own
        tag = value.tags.get(PARAMETER) or (event.result.tags.get(PARAMETER) if many else None)
        if tag is None:
            return
        source = Source(effect, source_of(event), not tag.detail, parts_of(value) or 0, many)
        key = (event.scope.module.path, event.node[1])
        known = self.seen.sources.setdefault(key, source)
        if known is not None and (known.whole, known.parts, known.many) != (source.whole, source.parts, source.many):
            self.seen.sources[key] = None

    def on_return(self, event: ReturnEvent) -> None:
        if event.value.tags:
            self._is_loss(event.value)

    def _is_loss(self, value: Value | None, backward: CallEvent | None = None) -> None:
        for site in self._sites(value):
            site.whole_loss = True
            if backward is not None:
                site.backward = Place(backward.scope.module.path, backward.node[1], "")

    def _sites(self, value: Value | None) -> list[Site]:
        tag = value.tags.get(ZEROED) if value is not None else None
        return [self.seen.sites[key] for key in tag.origins] if tag is not None else []

    def finish(self, run: Run) -> None:
        for site in self.seen.sites.values():
            if site.complete:
                fix, reason = repair_of(self.seen, self.knowledge, site)
                steps, ranks = site.tag.steps, _ranks(site)
                self.report(site.path, site.node, _message(site), steps, None, fix, reason, site.callers, ranks)


def _message(site: Site) -> str:
    nan = "is nan as soon as one of them is inf or nan"
    if site.summed not in ("", SELECTIONS):
        nan += ", or in fp16 their sum overflows, and reads every one of them"
    text = f"zero times parameters {nan}; sum an empty slice instead: `p.flatten()[:0].sum()`"
    if site.whole_loss:
        text += (
            ". Where it is the loss of a step, it keeps gradients in step only if the wrapped forward ran in that step"
            " and every collective of the normal path is still made"
        )
    return text


def _ranks(site: Site) -> tuple[RankEvent, ...]:
    """A rank whose whole loss this is, beside one with a loss of its samples."""
    if site.backward is None:
        return ()
    here, there = "a rank that comes here", "a rank with samples"
    place = Place(site.path, site.node[1], "")
    return in_order(
        {here: Does("work", "loss = 0 x its parameters", place), there: Does("work", "loss of its samples")},
        {here: Does("result", "0, but nan once a parameter is inf or nan", place)},
        together(
            (here, there),
            Does("meet", "gradients are averaged, if the wrapped forward ran on both", site.backward),
        ),
    )


def _is_zero(node: Node) -> bool:
    """Whether an expression is a literal zero, with or without a sign."""
    if node[0] == "unary" and node[2] in ("u-", "u+"):
        node = node[3]
    return node[0] == "const" and type(node[2]) in (int, float) and node[2] == 0


class ZeroTimesParameters(Rule):
    code = "DDP201"
    name = "zero-times-parameters"
    severity = "warning"
    words = (
        frozenset({"parameters", "Parameter", "weight", "bias"}),
        frozenset({"0*"}),
    )
    check = ZeroTimesParametersCheck
    codemods = {EMPTY: sum_empty_slice}


RULE = ZeroTimesParameters()
