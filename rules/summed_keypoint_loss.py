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
that were tuned to the sum may need to grow by the batch size. Terms that were divided already change their weight
against the repaired ones. There is no fix where another caller already divides, or where the sum is the default of a
constructor's parameter.

## References
- https://github.com/shubham-goel/4D-Humans/issues/85 (maintainers: no special reason for the sum)
- https://github.com/tianweiy/CenterPoint/pull/110 (a loss scale that depends on the batch size)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ddplint.findings import Action
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import OPAQUE, Const, Entries, Items, Made, Partial, Place, Tag, Value
from ddplint.rules.base import Check, Rule, span_of

Form = Literal["outer-sum", "full-sum", "dims", "reduction"]

# what the values of a loss's parameters mean; another value is the mean
_REDUCTIONS: tuple[tuple[str, dict[str | bool, str]], ...] = (
    ("reduction", {"sum": "sum", "none": "none"}),
    ("size_average", {False: "sum"}),
    ("reduce", {False: "none"}),
)

# a literal divisor up to this is a number of terms or the half of a square, no batch size
_SMALL = 4


@dataclass(slots=True)
class _Site:
    """A sum over the whole batch, how it is written, and what became of its value."""

    path: str
    node: list[Any]
    receiver: list[Any] | None
    form: Form
    steps: tuple[Place, ...]
    scope: Scope
    constructor_default: bool
    is_pose: bool = False
    what: str = ""
    divided: bool = False
    divided_in: set[int] = field(default_factory=set)
    ends: list[tuple[Place, ...]] = field(default_factory=list)

    def actions(self) -> tuple[Action, ...]:
        """What a codemod needs to divide this sum."""
        return (Action(self.form, span_of(self.path, self.node[1])),)


class SummedKeypointLossCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.sites: dict[tuple[str, int], _Site] = {}
        self.mentioned: dict[int, tuple[list[Any], str]] = {}
        # values that stand for a reduction, with where they were written; kept, so that no id is used twice
        self.written: dict[int, tuple[Value, Place, bool]] = {}
        self.fitting_roots: set[int] = set()
        self.training_roots: set[int] = set()

    # where residuals, sums and divisions come from

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        operator = event.operator
        if operator == "-":
            if isinstance(event.left.shape, Const) or isinstance(event.right.shape, Const):
                return None
            return self._with_residual(event.result, event.node, event.scope)
        if operator == "/":
            return self._divided(event)
        if operator == "*":
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
        return event.result.tagged("normalised", Tag((_place(event.scope, event.node, "is divided"),)))

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
            summed = _summed_value(event)
            if summed is not None and "residual" in summed.tags and _covers_batch(event):
                return _without(event.result, "residual")
            return None
        if "distance" in kinds:
            return self._with_residual(event.result, event.node, event.scope)
        if "regression-loss-call" in kinds:
            return self._loss(event)
        return None

    def _with_residual(self, value: Value, node: list[Any], scope: Scope) -> Value:
        place = _place(scope, node, "is the residual")
        detail = self._pose_word(node) or self._pose_scope(scope)
        return Value(
            value.shape, {**value.tags, "residual": Tag((place,), detail=detail)}, value.conditions, value.identity
        )

    def _sum(self, event: CallEvent) -> Value | None:
        summed = _summed_value(event)
        if summed is None or not isinstance(summed.shape, OPAQUE):
            return None
        known = summed.tags.get("batch_sum")
        if known is not None:
            # a sum of what is a sum over the batch already, or over several such terms
            return event.result.tagged("batch_sum", known)
        residual = summed.tags.get("residual")
        if residual is None or not _covers_batch(event):
            return None
        if "normalised" in summed.tags or event.scope.no_grad:
            return _without(event.result, "residual")
        receiver = event.node[2][2] if event.receiver is not None and event.node[2][0] == "attr" else None
        form: Form = "full-sum"
        if _given_dims(event) is not None:
            form = "dims"
        elif receiver is not None and _is_sum(receiver):
            form = "outer-sum"
        site = self._site(event, form, (), residual.detail, receiver=receiver)
        result = _without(event.result, "residual") if form != "dims" else event.result
        return self._tag(result, site)

    def _loss(self, event: CallEvent) -> Value | None:
        """A regression loss by its reduction: none gives a residual, sum a sum over the batch."""
        shape = event.callee.shape
        reduction, places, default = self._reduction(event, shape if isinstance(shape, Made) else None)
        if reduction == "none":
            return self._with_residual(_without(event.result, "residual"), event.node, event.scope)
        result = _without(event.result, "residual")
        if reduction != "sum" or event.scope.no_grad:
            return result
        if any("normalised" in value.tags for value in event.arguments):
            return result
        word = self._pose_word(event.node) or self._pose_scope(event.scope)
        return self._tag(result, self._site(event, "reduction", places, word, default))

    def _reduction(self, event: CallEvent, made: Made | None) -> tuple[str, tuple[Place, ...], bool]:
        """The reduction of a loss call, the places that say so, and whether a constructor's default does."""
        effect = event.effect if made is None else self.knowledge.call(made.name)
        if effect is None:
            return "mean", (), False
        places = (made.place,) if made is not None else ()
        for name, meanings in _REDUCTIONS:
            index = effect.argument_index(name)
            given = made.argument(index, name) if made is not None else event.argument(index, name)
            if given is None:
                continue
            found = {option.constant for option in given.options()}
            if len(found) != 1:
                return "unknown", (), False
            constant = found.pop()
            meaning = meanings.get(constant) if isinstance(constant, (str, bool)) else None
            if meaning is None:
                continue
            written = self.written.get(id(given))
            if written is not None:
                places = (written[1], *places)
            return meaning, places, written is not None and written[2]
        return "mean", (), False

    def _site(
        self,
        event: CallEvent,
        form: Form,
        places: tuple[Place, ...],
        word: str,
        default: bool = False,
        receiver: list[Any] | None = None,
    ) -> _Site:
        path = event.scope.module.path
        key = (path, event.node[1])
        site = self.sites.get(key)
        if site is None:
            here = _place(event.scope, event.node, "the loss is summed over the whole batch")
            site = self.sites[key] = _Site(path, event.node, receiver, form, (*places, here), event.scope, default)
        if not site.is_pose:
            found = word or self._pose_word(event.node) or self._pose_scope(event.scope)
            site.is_pose, site.what = bool(found), found
        return site

    def _tag(self, value: Value, site: _Site) -> Value:
        origin = (site.path, site.node[1])
        return value.tagged("batch_sum", Tag(site.steps, origins=frozenset([origin])))

    # what the sum is of

    def _pose_word(self, node: Any) -> str:
        """A name in an expression that says that it is of keypoints or the like, or nothing."""
        known = self.mentioned.get(id(node))
        if known is not None and known[0] is node:
            return known[1]
        found = next((text for text in _names(node) if self.knowledge.matches("pose_word", text)), "")
        self.mentioned[id(node)] = (node, found)
        return found

    def _pose_scope(self, scope: Scope) -> str:
        """The name of the enclosing class or function, where it is that of a loss on keypoints or the like."""
        function = scope.function
        if function is None:
            return ""
        names = [*function.qualname.split(".")]
        if scope.instance is not None and hasattr(scope.instance.shape, "class_"):
            names.append(scope.instance.shape.class_.facts.name)
        for name in names:
            text = _snake(name)
            if self.knowledge.matches("pose_word", text) and self.knowledge.matches("loss_word", text):
                return name
        return ""

    def on_call(self, event: CallEvent) -> None:
        effect = event.effect
        if effect is not None:
            kinds = effect.kinds
            if not kinds:
                return
            if "backward" in kinds or "backward-of-argument" in kinds:
                self._backward(event)
            elif "partial" in kinds or "regression-loss" in kinds:
                self._remember_reduction(event)
            elif "optimizer" in kinds:
                self._optimizer(event)
            return
        for value in _parts(event.result):
            tag = value.tags.get("batch_sum")
            if tag is not None and not self._all_pose(tag):
                self._mark(tag, self._pose_word(event.node))

    def on_assign(self, event: AssignEvent) -> None:
        tag = event.value.tags.get("batch_sum")
        if tag is not None and len(tag.origins) == 1 and not self._all_pose(tag):
            self._mark(tag, self._pose_word(event.target))

    def _all_pose(self, tag: Tag) -> bool:
        return all(self.sites[origin].is_pose for origin in tag.origins if origin in self.sites)

    def _mark(self, tag: Tag, word: str) -> None:
        if not word:
            return
        for origin in tag.origins:
            site = self.sites.get(origin)
            if site is not None and not site.is_pose:
                site.is_pose, site.what = True, word

    def _remember_reduction(self, event: CallEvent) -> None:
        """Where a reduction was written that a later call is made with."""
        shape = event.result.shape
        if isinstance(shape, Partial):
            given = shape.keywords
        elif isinstance(shape, Made):
            given = dict(shape.keywords)
        else:
            return
        function = event.scope.function
        for name, node in event.node[4]:
            value = given.get(name)
            if value is None or name not in ("reduction", "size_average", "reduce"):
                continue
            if isinstance(shape, Partial):
                self.written[id(value)] = (value, _place(event.scope, event.node, "sums by its reduction"), False)
            elif node[0] == "name" and function is not None:
                default = next(
                    (row[2] for row in function.parameters if row[0] == node[2] and row[2] is not None), None
                )
                if default is not None and default[0] == "const" and default[2] == value.constant:
                    place = _place(event.scope, default, f"`{node[2]}` is {default[2]!r} by default")
                    self.written[id(value)] = (value, place, True)

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
        place = _place(scope, node, message)
        for origin in tag.origins:
            site = self.sites.get(origin)
            if site is None or scope.root in site.divided_in:
                continue
            steps = tag.steps if len(tag.origins) == 1 and tag.steps[: len(site.steps)] == site.steps else site.steps
            site.ends.append((*steps, place))

    def _is_fitting(self, scope: Scope) -> bool:
        name = scope.function.qualname if scope.function is not None else ""
        return self.knowledge.matches("fitting", scope.module.path) or self.knowledge.matches("fitting", _snake(name))

    def finish(self, run: Run) -> None:
        for site in self.sites.values():
            if not site.is_pose or not site.ends or self._is_fitting(site.scope):
                continue
            trace = min(site.ends, key=lambda steps: (len(steps), steps))
            reason = ""
            if site.constructor_default:
                reason = "the sum is the default of a constructor's parameter, which other callers may rely on"
            elif site.divided:
                reason = "another caller divides this sum already"
            self.report(site.path, site.node, self._message(site), trace, no_fix_reason=reason)

    def _message(self, site: _Site) -> str:
        kind = "this loss" if not site.what else f"the loss on `{site.what}`"
        return (
            f"{kind} is summed over the batch and nothing divides it before `backward()`: loss and gradient grow with"
            " the batch size of each rank (for 21 joints in 3-D and 8 samples 504 times the mean) and halve when the"
            " same global batch is split over two ranks; divide by the batch size or by the number of visible points"
        )


def _place(scope: Scope, node: list[Any], message: str) -> Place:
    return Place(scope.module.path, node[1], message)


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


def _names(node: Any) -> Iterator[str]:
    """Names, attributes and string constants in an expression."""
    if not isinstance(node, list) or not node:
        return
    kind = node[0]
    if kind == "name":
        yield node[2]
    elif kind == "attr":
        yield from _names(node[2])
        yield node[3]
    elif kind == "const":
        if isinstance(node[2], str) and len(node[2]) < 60:
            yield node[2]
    else:
        for part in node if not isinstance(kind, str) else node[2:]:
            yield from _names(part)


def _snake(name: str) -> str:
    """A class's name in the form in which variables are written."""
    text = "".join(
        "_" + letter if letter.isupper() and before.islower() else letter for before, letter in zip(" " + name, name)
    )
    return text.lower()


def _is_own_number(node: list[Any]) -> bool:
    """Whether a divisor is an attribute of the object itself: a hyperparameter."""
    return bool(node[0] == "attr" and node[2][0] == "name" and node[2][2] == "self")


def _summed_value(event: CallEvent) -> Value | None:
    """What a reduction reduces: the receiver of the method or the function's first argument."""
    return event.receiver if event.receiver is not None else event.argument(0, "input")


def _given_dims(event: CallEvent) -> Value | None:
    index = 0 if event.receiver is not None else 1
    for name in ("dim", "axis"):
        given = event.argument(index, name)
        if given is not None:
            return None if given.is_none() else given
    return None


def _covers_batch(event: CallEvent) -> bool:
    """Whether a reduction goes over the first dimension, as far as its arguments say."""
    given = _given_dims(event)
    if given is None:
        return True
    if isinstance(given.shape, Items):
        return given.shape.rest is None and any(item.constant == 0 for item in given.shape.items)
    return isinstance(given.shape, Const) and given.constant == 0 and not isinstance(given.constant, bool)


def _is_sum(node: list[Any]) -> bool:
    return bool(node[0] == "call" and node[2][0] == "attr" and node[2][3] == "sum")


class SummedKeypointLoss(Rule):
    code = "DDP202"
    name = "summed-keypoint-loss"
    severity = "warning"
    words = frozenset({"sum", "size_average", "reduction"})
    check = SummedKeypointLossCheck


RULE = SummedKeypointLoss()
