"""Sigmoid output handed to BCELoss

## What it does
Reports a call of `BCELoss` or `binary_cross_entropy` whose input is the output of a sigmoid: written in the call,
last in a `Sequential`, in a model's forward in another file, through wrappers, tuples, dicts and criteria that a
factory makes.

## Why it is a bug
A sigmoid rounds to 1 from logit 16.7 on in fp32 (6.3 in bf16, 8.3 in fp16). There a confidently wrong negative gets
loss 100, where `BCELoss` clamps its logarithm, and gradient 0 (nan in fp16): the samples that the model gets most
wrong teach it nothing. Under CUDA autocast `BCELoss` raises an error. At small logits the two spellings agree.

`BCEWithLogitsLoss` takes the logits and computes loss and gradient from them: |logit| and 1 at that place.

## Example
```python
import torch
from torch import nn

model = nn.Linear(16, 1)
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def step(x, y):
    probability = torch.sigmoid(model(x))
    loss = criterion(probability, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


print(step(torch.randn(8, 16), torch.rand(8, 1).round()))
```

## Instead
```python
import torch
from torch import nn

model = nn.Linear(16, 1)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def step(x, y):
    probability = model(x)
    loss = criterion(probability, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


print(step(torch.randn(8, 16), torch.rand(8, 1).round()))
```

## Not reported
- Probabilities made otherwise: softmax, a product or a mean of sigmoids, sigmoids that were clamped or interpolated.
- Losses that take logits, whatever their name, and criteria that are made and never called.
- A sigmoid under one value of a flag and the loss under another, or a sigmoid that only evaluation mode applies.
- A sigmoid in the target.
- A loss that is only measured, under `no_grad`, an evaluation flag or in a validation hook, unless autocast refuses it.
- Losses in files of tests (`tests/test_loss.py`): they compare numbers and train nothing.

## Fix safety
Safe where sigmoid and loss are in one function: the loss gets the logits, every other use keeps its probabilities.
Unsafe where a model's or function's output changes from probabilities to logits: model, loss and all uses in view
change together, with `torch.sigmoid` at each other use. None where a use cannot be converted (an exported model, a
value changed in place, a loss object also called on something else), or where entries are filled in between the
sigmoid and the loss.

## References
- [BCEWithLogitsLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
- [BCELoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html)
- [Automatic Mixed Precision package](https://docs.pytorch.org/docs/stable/amp.html#prefer-binary-cross-entropy-with-logits-over-binary-cross-entropy)
"""

from __future__ import annotations

from dataclasses import dataclass

from ddplint.flow.events import BinaryEvent, CallEvent, Scope, reachable
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import ClassValue, Conditions, Instance, Made, Place, Tag, Value
from ddplint.rules.base import Check, Rule
from ddplint.rules.sigmoid.codemods import CODEMODS
from ddplint.rules.sigmoid.repair import Repairs
from ddplint.rules.sigmoid.seen import SIGMOID, Loss, Seen

PICKED = "sigmoid_picked"
ONE_HOT = "one_hot"
_FILLED = (
    "entries are filled in or dropped between the sigmoid and the loss: a 0 there is another value as a logit than as"
    " a probability, so the sigmoid cannot simply go"
)


@dataclass(frozen=True, slots=True)
class _Sink:
    """One call of a loss on a sigmoid's output: where its object was made, and whether no gradient comes of it."""

    event: CallEvent
    tag: Tag
    made: Place | None
    measured: bool

    @property
    def loss(self) -> str:
        return self.event.name.rpartition(".")[2]


class SigmoidBeforeBceCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.sinks: list[_Sink] = []
        self.mixed: list[ClassValue] = []
        self.seen = Seen(knowledge)

    def on_call(self, event: CallEvent) -> None:
        effect = event.effect
        if effect is None or "loss-on-probabilities" not in effect.kinds:
            self.seen.note(event)
        if effect is None or not effect.kinds:
            return
        if "loss-on-probabilities" in effect.kinds:
            self._loss(event)
        elif "fit" in effect.kinds:
            self._fit(event)

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        """A sigmoid's output times one-hot rows: their sum picks entries, each still a sigmoid's output."""
        if event.operator != "*":
            return None
        for one, other in ((event.left, event.right), (event.right, event.left)):
            tag = one.tags.get(SIGMOID)
            if tag is not None and ONE_HOT in other.tags:
                self.seen.picked.add((event.scope.module.path, event.node[1]))
                return event.result.tagged(PICKED, tag)
        return None

    def on_call_result(self, event: CallEvent) -> Value | None:
        if event.effect is not None and event.effect.adds == SIGMOID and SIGMOID in event.result.tags:
            made = event.callee.shape.place[:2] if isinstance(event.callee.shape, Made) else None
            origin = (event.scope.module.path, event.node[1], made)
            applied = event.result.tags[SIGMOID]._replace(origins=frozenset([origin]))
            return event.result.with_tags({**event.result.tags, SIGMOID: applied})
        if event.effect is None or "sum-reduction" not in event.effect.kinds:
            return None
        first = 0 if event.receiver is not None else 1
        value = event.receiver or event.argument(0, "input")
        tag = value.tags.get(PICKED) if value is not None else None
        if tag is None or event.argument(first, "dim") is None:
            return None
        self.seen.carried.add((event.scope.module.path, event.node[1]))
        return event.result.tagged(SIGMOID, tag)

    def _loss(self, event: CallEvent) -> None:
        value = event.argument(0, "input")
        tag = value.tags.get(SIGMOID) if value is not None else None
        scope = event.scope
        self._note_loss(event, tag)
        if tag is None or not reachable(tag, scope, event.callee.conditions) or self._evaluates(tag.conditions):
            return
        if self.knowledge.matches("collected_test", scope.module.path):
            return
        measured = scope.no_grad or self._evaluates(scope.conditions)
        if scope.function is not None:
            measured = measured or self.knowledge.matches("measuring_hook", scope.function.name)
        criterion = event.callee.shape
        self.sinks.append(_Sink(event, tag, criterion.place if isinstance(criterion, Made) else None, measured))

    def _evaluates(self, conditions: Conditions) -> bool:
        """Whether a branch decision says that the model is not trained there."""
        for subject, operator, other, holds in conditions:
            pattern, text = ("measuring_flag" if holds else "training_flag"), subject
            if operator == "==" and isinstance(other, str) and self.knowledge.matches("part_name", subject):
                pattern, text = ("evaluation_word" if holds else "training_word"), other
            elif operator != "true":
                continue
            if self.knowledge.matches(pattern, text):
                return True
        return False

    def _note_loss(self, event: CallEvent, tag: Tag | None) -> None:
        made = event.callee.shape
        spot = (event.scope.module.path, event.node[1])
        origins = tag.origins if tag is not None else frozenset()
        if isinstance(made, Made):
            bare = not made.arguments and not made.keywords
            self.seen.losses[spot].append(Loss(made.name, made.place[:2], bare, origins))
        else:
            self.seen.losses[spot].append(Loss(event.name, None, True, origins))

    def _fit(self, event: CallEvent) -> None:
        """Remember the classes that a trainer runs under CUDA autocast."""
        trainer, module = event.receiver, event.argument(0, "model")
        if trainer is None or module is None:
            return
        for option in trainer.options():
            made = option.shape
            if not isinstance(made, Made):
                continue
            precision, accelerator = made.keywords.get("precision"), made.keywords.get("accelerator")
            on_cpu = accelerator is not None and accelerator.constant == "cpu"
            if (
                precision is not None
                and self.knowledge.matches("mixed_precision", str(precision.constant))
                and not on_cpu
            ):
                self.mixed += [one.shape.class_ for one in module.options() if isinstance(one.shape, Instance)]

    def finish(self, run: Run) -> None:
        mixed = tuple(
            f"{one.module.path}:{one.facts.qualname}."
            for class_ in self.mixed
            for one in run.interpreter.ancestors(class_)
            if isinstance(one, ClassValue)
        )
        repairs = Repairs(self.seen, run)
        for sink in self.sinks:
            scope = sink.event.scope
            raises = scope.autocast or run.interpreter.roots.get(scope.root, "").startswith(mixed or ("\0",))
            if raises or not sink.measured:
                self._report(sink, scope, raises, repairs)

    def _report(self, sink: _Sink, scope: Scope, raises: bool, repairs: Repairs) -> None:
        instead = "binary_cross_entropy_with_logits" if sink.made is None else "BCEWithLogitsLoss"
        text = (
            f"a sigmoid's output is handed to `{sink.loss}`: from logit 16.7 (fp32; 6.3 bf16, 8.3 fp16)"
            " a confidently wrong negative gets loss 100 and gradient 0 (fp16: nan)"
        )
        if raises:
            text = f"`{sink.loss}` raises under CUDA autocast, which refuses it; {text}"
        else:
            text += f", and CUDA autocast refuses `{sink.loss}`"
        fix, reason = None, _FILLED
        if sink.tag.detail != "padding":
            fix, reason = repairs.of((scope.module.path, sink.event.node[1]))
        steps = sink.tag.steps if sink.made is None else (*sink.tag.steps, sink.made)
        node = sink.event.node
        self.report(
            scope,
            # the criterion, not all of a call that may be many lines long
            node[2] if node[0] == "call" else node,
            f"{text}; use `{instead}` on the logits",
            steps,
            severity="error" if raises else "warning",
            fix=fix,
            no_fix_reason=reason,
        )


class SigmoidBeforeBce(Rule):
    code = "DDP203"
    name = "sigmoid-before-bce"
    severity = "warning"
    words = (frozenset({"BCELoss", "binary_cross_entropy"}),)
    check = SigmoidBeforeBceCheck
    codemods = CODEMODS


RULE = SigmoidBeforeBce()
