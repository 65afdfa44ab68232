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

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ddplint.facts.lower import unpack
from ddplint.findings import Action, Fix, RankEvent, Span
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import OPAQUE, Const, Entries, Items, Made, Part, Partial, Place, Tag, Value
from ddplint.rules.base import Check, Rule, span_of
from ddplint.rules.ranks import Does, in_order, together

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter

Node = list[Any]
Form = Literal["outer-sum", "full-sum", "dims", "reduction"]

# what the values of a loss's parameters mean; another value is the mean
_REDUCTIONS: tuple[tuple[str, dict[str | bool, str]], ...] = (
    ("reduction", {"sum": "sum", "none": "none"}),
    ("size_average", {False: "sum"}),
    ("reduce", {False: "none"}),
)

# a literal divisor up to this is a number of terms or the half of a square, no batch size
_SMALL = 4


_AVERAGE = "average"
_DIVIDE = "divide"
_UNSAFE = (
    "the loss and its gradient shrink by the batch size, while learning rate, gradient clipping and the weights against"
    " other terms were tuned to the sum"
)

# names of a batch's size, and methods whose result has samples in another place than what they are called on
_BATCH_NAME = re.compile(r"(?i)(n_?|num_?)?(b|bs|bsz|bz|batch|batch_?size|samples)")
_GIVES_BATCHES = re.compile(r"(?i)load|batch|iter|data")
_MOVES_SAMPLES = frozenset({
    "T", "cat", "concat", "concatenate", "stack", "hstack", "vstack", "einsum", "matmul", "mm", "bmm", "sum", "mean",
    "max", "min", "amax", "amin", "median", "norm", "index_select", "masked_select", "gather", "take", "nonzero",
    "repeat", "repeat_interleave", "expand", "tile", "unfold", "chunk", "split", "unbind", "t", "movedim", "ravel",
    "zip", "range", "enumerate",
})  # fmt: skip


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
    # the two sides of the residuals that are summed, as far as they stand in the same function, and their values
    sides: list[tuple[Node, Value | None]] = field(default_factory=list)

    def obstacle(self) -> str:
        """Why this sum must stay a sum, or nothing."""
        if self.constructor_default:
            return "the sum is the default of a constructor's parameter, which other callers may rely on"
        return "another caller divides this sum already" if self.divided else ""

    def actions(self) -> tuple[Action, ...]:
        """What divides this sum by the number of samples; empty where that number is not at hand."""
        span = span_of(self.path, self.node[1])
        body = _Body(self.scope)
        given = _dims_node(self.node, self.receiver)
        plain = self.node[2][0] == "attr" and not any(name in ("keepdim", "keepdims") for name, _ in self.node[4])
        if self.form == "dims" and plain and given is not None:
            if given[0] == "const" and given[2] == 0:
                return (Action(_AVERAGE, span),)
            rest = _numbers(given)
            if self.receiver is not None and rest and 0 in rest and min(rest) == 0 and len(rest) > 1:
                others = [str(one) for one in rest if one]
                text = others[0] if len(others) == 1 else f"({', '.join(others)})"
                return (
                    Action("replace-text", span_of(self.path, given[1]), (("text", text),)),
                    Action("wrap", span, (("template", "{}.mean(dim=0)"),)),
                )
        summed = self.receiver if self.receiver is not None else next(iter(self.node[3]), None)
        bare = self.form in ("full-sum", "outer-sum") and plain and not self.node[4]
        if bare and summed is not None and body.is_per_sample(summed, self.node[1]):
            return (Action(_AVERAGE, span),)
        length = body.batch_size(self.node[1], [side for side, _ in self.sides])
        if length is not None:
            return (Action(_DIVIDE, span, (("by", length),)),)
        if any(_is_single(value) for _, value in self.sides):
            return ()
        given_sides = [side for side, _ in self.sides]
        if self.form == "full-sum" and summed is not None and summed[0] == "name":
            given_sides.append(summed)
        for side in given_sides:
            tensor = body.samples_of(side, self.node[1])
            if tensor is not None:
                place = span_of(self.path, tensor[1])
                of = f"{place.row} {place.column} {place.end_row} {place.end_column}"
                return (Action(_DIVIDE, span, (("of", of),)),)
        return ()


class _Body:
    """What the statements of a function say of the values in it, read from its facts."""

    def __init__(self, scope: Scope) -> None:
        function = scope.function
        self.statements = function.body if function is not None else scope.module.statements()

    @cached_property
    def bindings(self) -> list[tuple[Node, Node, int, tuple[int, ...]]]:
        """All bindings: target, value, position of the statement, the blocks around it."""
        return list(_bindings(self.statements, ()))

    @cached_property
    def _indices(self) -> int:
        """The largest number of axes that an index in the function names; many where tensors may have several ranks."""
        count = 0
        for node in _walk(self.statements):
            if node[0] == "sub" and node[3][0] == "tuple":
                if any(one[0] == "opaque" for one in node[3][2]):
                    return 99
                count = max(count, len(node[3][2]))
            elif node[0] == "attr" and node[3] in ("dim", "ndim", "ndimension"):
                return 99
        return count

    @cached_property
    def _comprehended(self) -> set[str]:
        """Names that comprehensions bind."""
        comprehensions = [node for node in _walk(self.statements) if node[0] == "comp"]
        return {name for node in comprehensions for part in node[4] for name in _bound_names(part[0])}

    def bound_to(self, name: str, before: int) -> list[tuple[Node, Node, int, tuple[int, ...]]]:
        """The bindings of a name ahead of a position."""
        return [row for row in self.bindings if row[2] < before and name in _bound_names(row[0])]

    def _blocks_at(self, position: int) -> tuple[int, ...]:
        return _blocks_around(self.statements, position)

    def batch_size(self, position: int, sides: list[Node]) -> str | None:
        """A name that the function gave the number of samples before."""
        around = self._blocks_at(position)
        own = {name for side in sides for name in _roots(side)}
        for target, value, where, blocks in reversed(self.bindings):
            if where >= position or blocks != around[: len(blocks)]:
                continue
            first = target[2][0] if target[0] in ("tuple", "list") and target[2] else target
            tensor = _first_length(value, target[0] in ("tuple", "list"))
            if first[0] != "name" or tensor is None or len(self.bound_to(first[2], position)) != 1:
                continue
            is_named = _BATCH_NAME.fullmatch(first[2]) is not None
            if is_named and (self.leads(tensor, where) or own & set(_roots(tensor))):
                return str(first[2])
        return None

    def samples_of(self, node: Node, position: int) -> Node | None:
        """A name, attribute or entry in an expression whose first axis is that of the samples."""
        if not self.leads(node, position):
            return None
        while True:
            kind = node[0]
            if kind == "name":
                return node
            if kind == "sub":
                if node[3][0] == "const" and isinstance(node[3][2], str) and node[2][0] in ("name", "attr"):
                    return node
                node = node[2]
            elif kind == "call" and node[2][0] == "attr":
                if node[2][3] in ("view", "reshape", "forward") or not _is_tensor_method(node):
                    return None
                node = node[2][2]
            elif kind == "bin" and node[3][0] != "const":
                node = node[3]
            else:
                return None

    def leads(self, node: Node, position: int, depth: int = 0) -> bool:
        """Whether, as far as the function shows, the first axis of a value is that of the samples."""
        kind = node[0]
        if depth > 12:
            return False
        if kind == "name":
            name, rows = node[2], self.bound_to(node[2], position)
            return name not in self._comprehended and all(self._binds_samples(row, name, depth + 1) for row in rows)
        if kind == "attr":
            return node[3] not in _MOVES_SAMPLES and self.leads(node[2], position, depth + 1)
        if kind == "sub":
            index = node[3]
            if index[0] == "const" and isinstance(index[2], str):
                return self.leads(node[2], position, depth + 1)
            first = index[2][0] if index[0] == "tuple" and index[2] else index
            return _is_whole(first) and self.leads(node[2], position, depth + 1)
        if kind == "bin":
            sides = [side for side in node[3:5] if side[0] not in ("const", "unary")]
            return bool(sides) and all(self.leads(side, position, depth + 1) for side in sides)
        if kind == "unary":
            return self.leads(node[3], position, depth + 1)
        return kind == "call" and self._call_leads(node, position, depth)

    def _call_leads(self, node: Node, position: int, depth: int) -> bool:
        callee = node[2]
        if callee[0] != "attr":
            return callee[0] == "name" and callee[2] not in _MOVES_SAMPLES
        owner, name = callee[2], callee[3]
        arguments = node[3]
        numbers = [_number(one) for one in arguments]
        if name in _MOVES_SAMPLES:
            return False
        if name in ("view", "reshape"):
            if arguments and _first_length(arguments[0], False) is not None:
                return True
            if arguments and arguments[0][0] == "name" and _BATCH_NAME.fullmatch(arguments[0][2]):
                return True
            return len(arguments) > 2 and numbers[0] == -1 and self.leads(owner, position, depth + 1)
        if name in ("flatten", "squeeze", "unsqueeze", "transpose", "swapaxes"):
            given = [one for one in [*numbers, *(_number(value) for _, value in node[4])] if one is not None]
            if not given or 0 in given:
                return False
        if name == "permute" and (not numbers or numbers[0] != 0):
            return False
        return self.leads(owner, position, depth + 1)

    def _binds_samples(self, row: tuple[Node, Node, int, tuple[int, ...]], name: str, depth: int) -> bool:
        target, value, where, _ = row
        if value[0] == "for":
            # the batches of a loader; a loop over something else may give single samples
            return any(_GIVES_BATCHES.search(word) for word in _words(value[2]))
        if target[0] == "sub":
            return True
        if target[0] in ("tuple", "list") and value[0] in ("tuple", "list") and len(target[2]) == len(value[2]):
            return all(
                self.leads(one, where, depth + 1)
                for side, one in zip(target[2], value[2])
                if name in _bound_names(side)
            )
        return self.leads(value, where, depth + 1)

    def is_per_sample(self, node: Node, position: int) -> bool:
        """Whether all axes but that of the samples were reduced before."""
        reduced: list[list[int]] = []
        for _ in range(8):
            if node[0] == "name":
                rows = self.bound_to(node[2], position)
                blocks = self._blocks_at(position)
                if not rows or rows[-1][0][0] != "name" or rows[-1][3] != blocks[: len(rows[-1][3])]:
                    break
                position, node = rows[-1][2], rows[-1][1]
                continue
            if node[0] != "call" or node[2][0] != "attr" or node[2][3] not in ("sum", "mean", "norm"):
                break
            if any(name in ("keepdim", "keepdims") for name, _ in node[4]):
                return False
            method = node[2][2][0] != "name" or len(node[3]) < 2
            given = _dims_node(node, node[2][2] if method else None)
            if node[2][3] == "norm":
                given = next((value for name, value in node[4] if name == "dim"), None)
            numbers = _numbers(given) if given is not None else []
            if not numbers:
                return False
            reduced.append(numbers)
            node = node[2][2] if node[2][3] != "norm" and method else next(iter(node[3]), node[2][2])
        if len(reduced) == 1:
            dims = sorted(reduced[0])
            return len(dims) > 1 and dims == list(range(1, len(dims) + 1)) and self._indices <= len(dims) + 1
        if len(reduced) == 2 and self._indices <= 3:
            last, first = reduced
            return last == [1] and first in ([-1], [1], [2])
        return False


class SummedKeypointLossCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.sites: dict[tuple[str, int], _Site] = {}
        self.mentioned: dict[int, tuple[list[Any], str]] = {}
        # values that stand for a reduction, with where they were written; kept, so that no id is used twice
        self.written: dict[int, tuple[Value, Place, bool]] = {}
        # residuals by place: what is compared with what
        self.residuals: dict[tuple[str, int], tuple[Scope, list[tuple[Node, Value | None]]]] = {}
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
            sides: list[tuple[Node, Value | None]] = [(left, event.left), (event.node[4], event.right)]
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
            return self._with_residual(event.result, event.node, event.scope, _compared(event))
        if "regression-loss-call" in kinds:
            return self._loss(event)
        return None

    def _with_residual(self, value: Value, node: Node, scope: Scope, sides: list[tuple[Node, Value | None]]) -> Value:
        place = _place(scope, node, "is the residual")
        detail = self._pose_word(node) or self._pose_scope(scope)
        origin = (scope.module.path, node[1])
        self.residuals[origin] = (scope, sides)
        tag = Tag((place,), origins=frozenset([origin]), detail=detail)
        return Value(value.shape, {**value.tags, "residual": tag}, value.conditions, value.identity)

    def _sides(self, site: _Site, origins: frozenset[Any]) -> None:
        """Note what is compared with what, where that stands in the function of the sum."""
        for origin in sorted(origins):
            scope, sides = self.residuals[origin]
            if scope.module is not site.scope.module or scope.function is not site.scope.function:
                continue
            known = [one for one, _ in site.sides]
            site.sides += [(one, value) for one, value in sides if one not in known]

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
        self._sides(site, residual.origins)
        result = _without(event.result, "residual") if form != "dims" else event.result
        return self._tag(result, site)

    def _loss(self, event: CallEvent) -> Value | None:
        """A regression loss by its reduction: none gives a residual, sum a sum over the batch."""
        shape = event.callee.shape
        reduction, places, default = self._reduction(event, shape if isinstance(shape, Made) else None)
        if reduction == "none":
            return self._with_residual(_without(event.result, "residual"), event.node, event.scope, _compared(event))
        result = _without(event.result, "residual")
        if reduction != "sum" or event.scope.no_grad:
            return result
        if any("normalised" in value.tags for value in event.arguments):
            return result
        word = self._pose_word(event.node) or self._pose_scope(event.scope)
        site = self._site(event, "reduction", places, word, default)
        site.sides = site.sides or _compared(event)
        return self._tag(result, site)

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
        self.totals.append(tag.origins)
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
            fix, reason = self._fix(site)
            ranks = _ranks(Place(site.path, site.node[1], ""), trace[-1])
            self.report(site.path, site.node, self._message(site), trace, fix=fix, no_fix_reason=reason, ranks=ranks)

    def _siblings(self, site: _Site) -> list[_Site]:
        """The sums that meet this one in some total, and those that meet them, in order of place."""
        together = {(site.path, site.node[1])}
        grown = True
        while grown:
            grown = False
            for origins in self.totals:
                if not together.isdisjoint(origins) and not origins <= together:
                    together |= origins
                    grown = True
        return [self.sites[origin] for origin in sorted(together) if origin in self.sites]

    def _fix(self, site: _Site) -> tuple[Fix | None, str]:
        """The repair of all sums of one total, or why there is none."""
        reason = site.obstacle()
        actions: list[Action] = []
        siblings = self._siblings(site)
        for one in siblings if not reason else []:
            obstacle, own = one.obstacle(), one.actions()
            if not obstacle and not own:
                obstacle = "no value at hand where it is summed is sure to have the samples as its first axis"
            if obstacle:
                place = f"{one.path}:{span_of(one.path, one.node[1]).row}"
                reason = obstacle if one is site else f"the term at {place} must change with it, but {obstacle}"
                break
            actions += own
        if reason:
            return None, reason
        what = "loss" if len(siblings) == 1 else f"{len(siblings)} summed terms"
        title = f"Divide the {what} by the batch size"
        return Fix("unsafe", title, tuple(actions), _UNSAFE), ""

    def _message(self, site: _Site) -> str:
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


def _compared(event: CallEvent) -> list[tuple[Node, Value | None]]:
    """The nodes and values of what a loss or a distance compares."""
    rows = ((event.argument_node(0, "input"), event.argument(0, "input")),
            (event.argument_node(1, "target"), event.argument(1, "target")))  # fmt: skip
    return [(node, value) for node, value in rows if node is not None]


def _dims_node(node: Node, receiver: Node | None) -> Node | None:
    """The argument of a reduction that says over which axes it goes."""
    named = next((value for name, value in node[4] if name in ("dim", "axis")), None)
    index = 0 if receiver is not None else 1
    return named if named is not None else (node[3][index] if len(node[3]) > index else None)


def _number(node: Node) -> int | None:
    if node[0] == "unary" and node[2] == "u-":
        inner = _number(node[3])
        return None if inner is None else -inner
    value = node[2] if node[0] == "const" else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(node: Node) -> list[int]:
    """A literal number or tuple of them; empty for anything else."""
    parts = [_number(one) for one in (node[2] if node[0] in ("tuple", "list") else [node])]
    return [one for one in parts if one is not None] if None not in parts else []


def _first_length(node: Node, unpacked: bool) -> Node | None:
    """The tensor of `x.shape[0]` or `x.size(0)`; of `x.shape` and `x.size()` where those are unpacked."""
    if unpacked:
        if node[0] == "attr" and node[3] == "shape":
            return list(node[2])
        is_size = node[0] == "call" and node[2][0] == "attr" and node[2][3] == "size" and not node[3]
        return list(node[2][2]) if is_size else None
    if node[0] == "sub" and _number(node[3]) == 0:
        return _first_length(node[2], True)
    if node[0] == "call" and node[2][0] == "attr" and node[2][3] == "size" and len(node[3]) == 1:
        return list(node[2][2]) if _number(node[3][0]) == 0 else None
    return None


def _is_whole(index: Node) -> bool:
    """Whether an index leaves all of its axis: `:` or `...`."""
    if index[0] == "slice":
        return all(part is None for part in index[2:5])
    return bool(index[0] == "opaque")


def _is_single(value: Value | None) -> bool:
    """Whether a value was selected along the first axis; what a data set selects is an item of a batch later on."""
    if value is None or not isinstance(value.shape, Part) or "batch" in value.tags:
        return False
    index = value.shape.index
    return not (index.startswith((":,", "...", "None")) or index in (":", ""))


def _is_tensor_method(node: Node) -> bool:
    """Whether a call may be one of a tensor's methods rather than of a model: it gets no tensor of its own."""
    return all(_number(one) is not None or one[0] in ("const", "attr", "name") for one in node[3])


def _walk(node: Any) -> Iterator[Node]:
    """All nodes below a node or list of nodes."""
    if not isinstance(node, list):
        return
    if node and isinstance(node[0], str) and len(node) > 1:
        yield node
    for part in node:
        yield from _walk(part)


def _words(node: Any) -> Iterator[str]:
    """Names and attributes in an expression."""
    return (one[2] if one[0] == "name" else one[3] for one in _walk(node) if one[0] in ("name", "attr"))


def _roots(node: Any) -> Iterator[str]:
    return (one[2] for one in _walk(node) if one[0] == "name")


def _bound_names(target: Node) -> set[str]:
    """The names that a target binds or, for an item, changes."""
    if target[0] == "name":
        return {target[2]}
    if target[0] in ("tuple", "list"):
        return {name for one in target[2] for name in _bound_names(one)}
    return _bound_names(target[2]) if target[0] in ("star", "sub") else set()


def _blocks_of(statement: Node) -> Iterator[list[Node]]:
    """The blocks of a compound statement."""
    kind = statement[0]
    if kind == "if" or kind == "while":
        yield from (one for one in statement[3:] if one)
    elif kind == "for":
        yield from (one for one in statement[4:] if one)
    elif kind == "with":
        yield statement[3]
    elif kind == "try":
        yield statement[2]
        yield from (handler[2] for handler in statement[3])
        yield from (one for one in statement[4:] if one)


def _bindings(block: list[Node], around: tuple[int, ...]) -> Iterator[tuple[Node, Node, int, tuple[int, ...]]]:
    inside = (*around, block[0][1] if block else 0)
    for statement in block:
        kind, where = statement[0], statement[1]
        if kind == "assign":
            yield from ((target, statement[3], where, inside) for target in statement[2])
        elif kind == "ann" and statement[4] is not None:
            yield statement[2], statement[4], where, inside
        elif kind == "aug":
            yield statement[2], ["bin", where, statement[3], statement[2], statement[4]], where, inside
        elif kind == "for":
            yield statement[2], ["for", where, statement[3]], where, (*inside, where)
        for inner in _blocks_of(statement):
            yield from _bindings(inner, inside)


def _blocks_around(block: list[Node], position: int) -> tuple[int, ...]:
    """The blocks around the statement in which a position lies."""
    before = [statement for statement in block if statement[1] <= position]
    if not before:
        return ()
    inside: tuple[int, ...] = (block[0][1],)
    for inner in _blocks_of(before[-1]):
        if inner and inner[0][1] <= position and unpack(inner[-1][1])[2:] >= unpack(position)[2:]:
            below = _blocks_around(inner, position)
            return (*inside, *below)
    return inside


def _is_sum(node: list[Any]) -> bool:
    return bool(node[0] == "call" and node[2][0] == "attr" and node[2][3] == "sum")


class SummedKeypointLoss(Rule):
    code = "DDP202"
    name = "summed-keypoint-loss"
    severity = "warning"
    words = (frozenset({"sum", "size_average", "reduction"}), frozenset({"pattern:pose_word"}))
    check = SummedKeypointLossCheck

    def rewrite(self, action: Action, file: FileRewriter) -> None:
        given = dict(action.arguments)
        if action.kind == _AVERAGE:
            _average(action, file)
        elif action.kind == _DIVIDE and "by" in given:
            _divide(action, file, given["by"])
        elif action.kind == _DIVIDE:
            place = Span(action.span.path, *(int(one) for one in given["of"].split()))
            _divide(action, file, f"{file.code_of(file.expression_at(place))}.shape[0]")
        else:
            super().rewrite(action, file)


def _divide(action: Action, file: FileRewriter, divisor: str) -> None:
    """Divide a sum, or the product that it ends: `weight * x.sum() / divisor` needs no parentheses."""
    import libcst as cst

    node = file.expression_at(action.span)
    owner = file.parent(node)
    while isinstance(owner, cst.BinaryOperation) and isinstance(owner.operator, cst.Multiply) and owner.right is node:
        node, owner = owner, file.parent(owner)
    file.wrap(node, f"{{}} / {divisor}")


def _average(action: Action, file: FileRewriter) -> None:
    """`sum` becomes `mean`, with the same arguments."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    call = file.call_at(action.span)
    if not isinstance(call.func, cst.Attribute):
        raise CannotRewrite("the sum is called by a name of its own")
    file.replace(call.func.attr, "mean")


RULE = SummedKeypointLoss()
