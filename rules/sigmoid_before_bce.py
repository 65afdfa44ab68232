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
from typing import TYPE_CHECKING, Any

from ddplint.findings import Action, Fix
from ddplint.flow.events import BinaryEvent, CallEvent, Scope, reachable
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import ClassValue, Conditions, Instance, Made, Place, Tag, Value
from ddplint.program.program import FunctionFacts
from ddplint.rules.base import Check, Rule, span_of
from ddplint.rules.logits import (
    SIGMOID,
    Loss,
    Node,
    Places,
    Refusal,
    Seen,
    Spot,
    Stand,
    Walk,
    binds,
    dotted,
    flows,
    names_in,
    nodes_of,
    own_expressions,
    place_text,
    statements_of,
    targets_of,
)

if TYPE_CHECKING:
    import libcst as cst

    from ddplint.rewriting import FileRewriter

PICKED = "sigmoid_picked"
ONE_HOT = "one_hot"
# how Lightning's Trainer is told to run under autocast
_MIXED = ("16-mixed", "bf16-mixed", "16", "bf16", 16)
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


# losses on probabilities, and the same of logits
_ON_LOGITS = {
    "BCELoss": "BCEWithLogitsLoss",
    "binary_cross_entropy": "binary_cross_entropy_with_logits",
}


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
            if precision is not None and precision.constant in _MIXED and not on_cpu:
                self.mixed += [one.shape.class_ for one in module.options() if isinstance(one.shape, Instance)]

    def finish(self, run: Run) -> None:
        mixed = tuple(
            f"{one.module.path}:{one.facts.qualname}."
            for class_ in self.mixed
            for one in run.interpreter.ancestors(class_)
            if isinstance(one, ClassValue)
        )
        repairs = _Repairs(self.seen, run)
        for sink in self.sinks:
            scope = sink.event.scope
            raises = scope.autocast or run.interpreter.roots.get(scope.root, "").startswith(mixed or ("\0",))
            if raises or not sink.measured:
                self._report(sink, scope, raises, repairs)

    def _report(self, sink: _Sink, scope: Scope, raises: bool, repairs: _Repairs) -> None:
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


class _Repairs:
    """The fixes of a program: losses that get the same sigmoid's output, or share an object, change together."""

    def __init__(self, seen: Seen, run: Run) -> None:
        self.seen = seen
        self.run = run
        self.places = Places(run.interpreter.program)
        self.known: dict[Spot, tuple[Fix | None, str]] = {}

    def of(self, spot: Spot) -> tuple[Fix | None, str]:
        """The fix of the loss at a place, or why there is none."""
        if spot not in self.known:
            try:
                losses, fix = _Repair(self, spot).fix()
                self.known.update(dict.fromkeys(losses, (fix, "")))
            except Refusal as reason:
                self.known[spot] = (None, str(reason))
        return self.known[spot]


class _Repair:
    """One fix in the making: everything that must change with one loss."""

    def __init__(self, repairs: _Repairs, spot: Spot) -> None:
        self.seen = repairs.seen
        self.run = repairs.run
        self.places = repairs.places
        self.spot = spot
        self.actions: list[Action] = []
        # functions that return logits from then on, functions that take them, and what else changes for others
        self.returning: list[str] = []
        self.taking: list[str] = []
        self.reasons: list[str] = []

    def fix(self) -> tuple[set[Spot], Fix]:
        """The losses that it repairs, and the fix."""
        sources, walk = self._sources()
        if self.spot not in walk.hits:
            raise Refusal("the way from the sigmoid to the loss is not followed closely enough to change it")
        criteria = self._criteria(walk)
        logits = walk.logits()
        kept = self._keep_variables(sources, walk, logits)
        logits -= kept
        wrapped = walk.probabilities(logits)
        walk.check(logits, wrapped)
        self._check_arguments(walk, logits)
        self._outputs(walk, logits, criteria)
        for origin in sorted(sources, key=str):
            self._drop_sigmoid(origin, walk, logits)
        for id_ in wrapped:
            _, path, position, _ = walk.keys[id_]
            self._act("apply-sigmoid", (path, position))
        losses = set(walk.hits)
        loss = "BCEWithLogitsLoss" if criteria else "binary_cross_entropy_with_logits"
        actions = tuple(dict.fromkeys(sorted(self.actions, key=lambda one: (one.span, one.kind))))
        reason = self._reason()
        message = f"hand the logits to `{loss}`" + ("; keep a sigmoid elsewhere" if wrapped else "")
        return losses, Fix("unsafe" if reason else "safe", message, actions, reason)

    def _act(self, kind: str, spot: Spot, **arguments: str) -> None:
        self.actions.append(Action(kind, span_of(*spot), tuple(sorted(arguments.items()))))

    def _reason(self) -> str:
        """What the fix changes for code that is not in view; empty if nothing."""
        parts = []
        if self.returning:
            names = list(dict.fromkeys(self.returning))
            verb = "returns" if len(names) == 1 else "return"
            parts.append(
                f"{_listed(names)} {verb} logits instead of probabilities from then on:"
                f" who calls {'it' if len(names) == 1 else 'them'} elsewhere must apply the sigmoid"
            )
        if self.taking:
            names = list(dict.fromkeys(self.taking))
            parts.append(f"{_listed(names)} {'expects' if len(names) == 1 else 'expect'} logits")
        return "; ".join([*parts, *dict.fromkeys(self.reasons)])

    # what belongs together

    def _sources(self) -> tuple[set[Any], Walk]:
        sources: set[Any] = set()
        for loss in self.seen.losses[self.spot]:
            sources |= loss.origins
        for _ in range(8):
            layers = {made for _, _, made in sources if made in self.seen.layers}
            direct = {(path, position) for path, position, made in sources if made not in layers}
            walk = Walk(self.seen, self.places, direct, layers)
            walk.run()
            more = self._related(walk) - sources
            if not more:
                return sources, walk
            sources |= more
        raise Refusal("more sigmoids belong to this loss than can be changed at once")

    def _related(self, walk: Walk) -> set[Any]:
        """The sigmoids that share a loss, its object or a function's parameter with those at hand."""
        related: set[Any] = set()
        made = {loss.made for spot in walk.hits for loss in self.seen.losses.get(spot, ()) if loss.made}
        for spot, losses in self.seen.losses.items():
            for loss in losses:
                if spot in walk.hits or loss.made in made:
                    related |= loss.origins
        for (identity, _), given in walk.given.items():
            for spot in self.seen.callers.get(identity, ()):
                if spot not in given:
                    related |= self.seen.origins.get(spot, frozenset())
        for spot, owners in self.seen.applied.items() if walk.silent else ():
            if id(self.places.stand(spot).function) in walk.silent:
                related |= {(*spot, one) for one in owners}
        return related

    def _check_arguments(self, walk: Walk, logits: set[int]) -> None:
        """A function that gets logits must get them at every call."""
        for (identity, name), given in walk.given.items():
            ids = {id_ for value in given.values() for flow in flows(value) for id_ in flow.ids}
            key = ("parameter", identity, name)
            if not (ids & logits) or (key in walk.ids and walk.ids[key] not in logits):
                continue
            facts = walk.facts[identity]
            for path, position in sorted(self.seen.callers.get(identity, ())):
                if given.get((path, position)) is None:
                    where = place_text(path, position)
                    raise Refusal(f"`{facts.qualname}` gets something else at {where}, and both reach the loss")
            self.taking.append(f"`{facts.qualname}`")

    # the loss

    def _criteria(self, walk: Walk) -> set[Spot]:
        """Change the losses; the places of the objects that are changed."""
        changed: set[Spot] = set()
        for spot in sorted(walk.hits):
            others = {name for name in self.seen.others.get(spot, ()) if name}
            others |= {facts.qualname for facts, _ in self.seen.functions.get(spot, {}).values()}
            if others:
                name = min(others).removesuffix(".forward")
                raise Refusal(f"the same call is also one of `{name.rpartition('.')[2]}`, which may need probabilities")
            for loss in self.seen.losses.get(spot) or [Loss("binary_cross_entropy", None, True, frozenset())]:
                if loss.made is None:
                    self._rename(spot, loss.name)
                    continue
                elsewhere = [
                    one
                    for one, losses in self.seen.losses.items()
                    if one not in walk.hits and any(other.made == loss.made for other in losses)
                ]
                if not elsewhere:
                    self._check_calls(loss.made, walk)
                    self._rename(loss.made, loss.name)
                    changed.add(loss.made)
                elif loss.bare and all(one.made == loss.made for one in self.seen.losses[spot]):
                    module = f"{loss.name.rpartition('.')[0]}.functional"
                    name = "binary_cross_entropy_with_logits"
                    self._act("replace-callee", spot, module=module, name=name, alias="F")
                else:
                    where = place_text(*min(elsewhere))
                    raise Refusal(f"the loss object is also called at {where}, on values that are no sigmoid's output")
        return changed

    def _check_calls(self, made: Spot, walk: Walk) -> None:
        """Calls of the object under the name that it is bound to, which the flow has not come to."""
        stand = self.places.stand(made)
        targets = targets_of(stand.statement)
        names = {
            (one[0], one[-1]) for target in targets for one in [target, *names_in(target)] if one[0] in ("attr", "name")
        }
        module = self.places.module(made[0])
        scope = stand.function.qualname.rpartition(".")[0] if stand.function is not None else ""
        for facts in [None, *module.functions]:
            if facts is not None and not facts.qualname.startswith(scope):
                continue
            latest: dict[str, Node] = {}
            for statement, _ in statements_of(module.statements() if facts is None else facts.body):
                latest.update({one[2]: statement for target in targets_of(statement) for one in names_in(target)})
                for node in nodes_of(own_expressions(statement)):
                    spot = (made[0], node[1])
                    if node[0] != "call" or node[2][0] not in ("attr", "name") or spot in walk.hits:
                        continue
                    if (node[2][0], node[2][-1]) not in names:
                        continue
                    if node[2][0] == "name" and latest.get(node[2][2], stand.statement)[1] != stand.statement[1]:
                        continue
                    local = node[2][0] == "name" and facts is not stand.function
                    if local and (facts is None or stand.function is not None or binds(facts, node[2][-1])):
                        continue
                    losses = self.seen.losses.get(spot, ())
                    if any(loss.made == made for loss in losses) or not (losses or spot in self.seen.rivals):
                        raise Refusal(f"what the loss is called on at {place_text(*spot)} is not known")

    def _rename(self, spot: Spot, loss: str) -> None:
        module, _, name = loss.rpartition(".")
        callee = self.places.stand(spot).call[2]
        new = _ON_LOGITS.get(name)
        if new is None:
            raise Refusal(f"what computes `{name}` of logits is not known")
        owner = dotted(callee[2]) if callee[0] == "attr" else ""
        if callee[0] == "attr" and callee[3] == name and owner:
            self._act("replace-callee", spot, text=f"{owner}.{new}")
        elif callee[0] == "name" and self._imports(spot[0], module, name) == callee[2]:
            self._act("replace-callee", spot, module=module, name=new)
        else:
            raise Refusal(f"the loss is called or made under another name at {place_text(*spot)}")

    def _imports(self, path: str, module: str, name: str) -> str:
        """The name under which a file imports something."""
        for statement, _ in statements_of(self.places.module(path).statements()):
            if statement[0] == "from" and statement[2] == module and not statement[3]:
                for one, alias in statement[4]:
                    if one == name:
                        return str(alias or one)
        return ""

    # the sigmoid

    def _keep_variables(self, sources: set[Any], walk: Walk, logits: set[int]) -> set[int]:
        """The nodes that stay probabilities: of `p = sigmoid(x)` that has other uses; the loss gets `x`."""
        kept: set[int] = set()
        for path, position, made in sorted(sources, key=str):
            if made in self.seen.layers or walk.ids.get(("at", path, position, "call")) not in logits:
                continue
            stand = self.places.stand((path, position))
            statement = stand.statement
            plain = statement[0] == "assign" and len(statement[2]) == 1 and statement[2][0][0] == "name"
            if not plain or statement[3][1] != position:
                continue
            id_ = walk.ids.get(("name", path, statement[2][0][1], statement[2][0][2]))
            if id_ is None:
                continue
            after = [one for one, before in enumerate(walk.before) if id_ in before]
            read = [one for one in after if one in logits]
            others = [one for one in after if one not in logits and one not in walk.same]
            inner = _inner(stand.call)
            name = inner[2] if inner is not None and inner[0] == "name" and self._bound_once(stand, inner[2]) else ""
            alone = not others and id_ not in walk.blocks
            if alone and not name:
                continue
            if any(walk.keys[one][0] != "at" or walk.before[one] != {id_} for one in read):
                continue
            if any(walk.keys[one][0] != "at" for one in self._following(walk, read)):
                continue
            if self._following(walk, [id_]) & walk.changed:
                continue
            if alone and self._bound_once(stand, statement[2][0][2]):
                self._act("remove-statement", (path, statement[1]))
            if not name:
                name = self._free_name(path)
                self._act("name-logits", (path, position), name=name)
            for one in read:
                _, where, place, _ = walk.keys[one]
                self._act("replace-text", (where, place), text=name)
            kept |= {walk.ids["at", path, position, "call"], id_}
        return kept

    def _following(self, walk: Walk, ids: list[int]) -> set[int]:
        found = set(ids)
        while True:
            more = {one for one, before in enumerate(walk.before) if before & found and one not in found}
            if not more:
                return found
            found |= more

    def _bound_once(self, stand: Stand, name: str) -> bool:
        body = self.places.module(stand.path).statements() if stand.function is None else stand.function.body
        count = sum(row[0] == name for row in stand.function.parameters) if stand.function is not None else 0
        for statement, _ in statements_of(body):
            count += sum(node[2] == name for target in targets_of(statement) for node in names_in(target))
        return count == 1

    def _free_name(self, path: str) -> str:
        module = self.places.module(path)
        taken = module.names()
        for facts in [None, *module.functions]:
            body = module.statements() if facts is None else facts.body
            taken |= {row[0] for row in facts.parameters} if facts is not None else set()
            for statement, _ in statements_of(body):
                taken |= {node[2] for node in nodes_of(own_expressions(statement)) if node[0] == "name"}
        names = ("logits", *(f"logits_{number}" for number in range(2, 99)))
        return next(name for name in names if name not in taken)

    def _drop_sigmoid(self, origin: tuple[str, int, Spot | None], walk: Walk, logits: set[int]) -> None:
        path, position, made = origin
        if made is not None and made in self.seen.layers:
            if walk.ids.get(("layer", *made)) in logits:
                self._drop_layer(made)
            return
        if walk.ids.get(("at", path, position, "call")) not in logits:
            return
        call = self.places.stand((path, position)).call
        name = call[2][3] if call[2][0] == "attr" else call[2][2] if call[2][0] == "name" else ""
        statement, inner = self.places.stand((path, position)).statement, _inner(call)
        receiver = not call[3] and not call[4]
        if name.endswith("_") or len(call[3]) + len(call[4]) > 1 or (receiver and call[2][0] != "attr"):
            raise Refusal("the sigmoid is applied in place, or in a form that cannot be taken apart")
        targets = statement[2] if statement[0] == "assign" and statement[3][1] == position else []
        if inner is not None and inner[0] == "name" and [target[-1] for target in targets] == [inner[2]]:
            # nothing would be left but `x = x`
            self._act("remove-statement", (path, statement[1]))
            return
        self._act("unwrap-call", (path, position), keep="receiver" if receiver else "argument")
        if made is not None:
            self._drop_module(made, walk, logits)

    def _drop_module(self, made: Spot, walk: Walk, logits: set[int]) -> None:
        """Remove `self.sigmoid = nn.Sigmoid()` once nothing reads it."""
        stand = self.places.stand(made)
        target = stand.statement[2][0] if stand.statement[0] == "assign" and len(stand.statement[2]) == 1 else None
        if target is None or stand.statement[3][1] != made[1] or target[0] not in ("attr", "name"):
            return
        calls = {spot for spot, owners in self.seen.applied.items() if made in owners}
        if target[0] == "name":
            body = stand.function.body if stand.function is not None else []
            reads = sum(
                node[0] == "name" and node[2] == target[2]
                for statement, _ in statements_of(body)
                for node in nodes_of(own_expressions(statement))
            )
            # once where it is bound
            if reads == len(calls) + 1 and all(walk.ids.get(("at", *spot, "call")) in logits for spot in calls):
                self._act("remove-statement", made)
            return
        if any(walk.ids.get(("at", *spot, "call")) not in logits for spot in calls) or stand.function is None:
            return
        module = self.places.module(made[0])
        owner = next((one for one in module.classes if stand.function.qualname.startswith(f"{one.qualname}.")), None)
        if owner is None:
            return
        for one in self.places.program.modules:
            if target[3] not in one.names():
                continue
            for facts in one.functions:
                if target[3] not in facts.names() or facts is stand.function:
                    continue
                same = one is module and facts.qualname.startswith(f"{owner.qualname}.")
                derived = any(
                    node[-1] == owner.name
                    for class_ in one.classes
                    if facts.qualname.startswith(f"{class_.qualname}.")
                    for node in nodes_of(class_.bases)
                )
                reads = sum(
                    node[0] == "attr" and node[3] == target[3]
                    for statement, _ in statements_of(facts.body)
                    for node in nodes_of(own_expressions(statement))
                )
                here = sum(spot[0] == one.path and self.places.stand(spot).function is facts for spot in calls)
                if (same and reads != here) or (derived and not same):
                    return
        self._act("remove-statement", made)

    def _drop_layer(self, made: Spot) -> None:
        stand = self.places.stand(made)
        containers = self.seen.layers[made]
        where = place_text(*made)
        if len(containers) != 1:
            raise Refusal(f"the sigmoid layer at {where} is in more than one container")
        container = self.places.stand(next(iter(containers)))
        self._check_container(container, next(iter(containers)))
        arguments = container.call[3]
        if container.path == made[0] and len(arguments) > 1 and arguments[-1][:2] == ["call", made[1]]:
            self._act("drop-layer", made)
            return
        statement = stand.statement
        alone = statement[0] == "expr" and statement[2][2][0] == "attr" and statement[2][2][3] == "append"
        alone = alone and statement[2][3] == [stand.call]
        alone = alone or (statement[0] == "aug" and statement[4][0] == "list" and statement[4][2] == [stand.call])
        if not alone:
            raise Refusal(f"the sigmoid layer at {where} is not the last layer of a `Sequential` that is written out")
        if stand.around and self._unset_flag(stand):
            return
        if stand.around:
            raise Refusal(f"the sigmoid layer at {where} is added under a condition, which other callers may use")
        self._act("remove-statement", (made[0], statement[1]))

    def _unset_flag(self, stand: Stand) -> bool:
        """`if last_sigmoid: layers.append(...)` stays, the calls that ask for it no longer do."""
        test, facts = stand.around[-1][2], stand.function
        if len(stand.around) != 1 or stand.around[0][0] != "if" or test[0] != "name" or facts is None:
            return False
        if stand.statement not in stand.around[0][3]:
            return False
        default = next((row[2] for row in facts.parameters if row[0] == test[2]), None)
        if default is None or default[0] != "const" or default[2] is not False:
            return False
        asking = []
        for spot in sorted(self.seen.callers.get(id(facts), ())):
            call = self.places.stand(spot).call
            given = [child for name, child in call[4] if name == test[2]]
            if any(name is None for name, _ in call[4]) or any(child[0] == "star" for child in call[3]):
                return False
            names = [row[0] for row in facts.parameters]
            if facts.owner is not None or names.index(test[2]) < len(call[3]):
                return False
            if given and (given[0][0] != "const" or not isinstance(given[0][2], bool)):
                return False
            if given and given[0][2]:
                asking.append(spot)
        for spot in asking:
            self._act("drop-keyword", spot, name=test[2])
        return bool(asking)

    def _check_container(self, container: Stand, spot: Spot) -> None:
        """Layers that are picked by number would be others without the sigmoid."""
        targets = container.statement[2] if container.statement[0] == "assign" else []
        names = {target[-1] for target in targets if target[0] in ("name", "attr")}
        scope = container.function.qualname.rpartition(".")[0] if container.function is not None else ""
        module = self.places.module(spot[0])
        for facts in [None, *module.functions]:
            body = module.statements() if facts is None else facts.body
            own = facts.parameters[0][0] if facts is not None and facts.parameters else ""
            other = facts is not None and not facts.qualname.startswith(f"{scope}." if scope else "")
            for one, _ in statements_of(body):
                for node in nodes_of(own_expressions(one)):
                    base = node[2] if node[0] == "sub" else None
                    if base is None or base[0] not in ("name", "attr") or base[-1] not in names:
                        continue
                    # `self.layers` of another class is another one
                    if not (other and base[0] == "attr" and base[2][:1] == ["name"] and base[2][2] == own):
                        raise Refusal(f"layers of the `Sequential` are picked at {place_text(spot[0], node[1])}")

    # who else sees the output

    def _outputs(self, walk: Walk, logits: set[int], criteria: set[Spot]) -> None:
        """Functions and layers whose output is another one from then on."""
        changed = {walk.keys[id_][1]: walk.facts[walk.keys[id_][1]] for id_ in logits if walk.keys[id_][0] == "result"}
        layers = [walk.keys[id_] for id_ in logits if walk.keys[id_][0] == "layer"]
        factories = [spot for spot in criteria if self.places.stand(spot).statement[0] == "return"]
        for facts in sorted(changed.values(), key=lambda one: (one.module.path, one.position)):
            self._unseen(facts)
            self._siblings(facts, factories, changed)
            self.returning.append(f"`{facts.qualname}`")
        if layers and not changed:
            self.returning.append("the model")
        if changed or layers:
            self._exports(list(changed.values()), {key[1:] for key in layers})
        for path, position in factories:
            function = self.places.stand((path, position)).function
            if function is not None:
                self.reasons.append(f"`{function.qualname}` makes another loss from then on, for all its callers")

    def _unseen(self, facts: FunctionFacts) -> None:
        """Calls that the flow did not see: in functions that nothing enters, or on objects that are not known."""
        owner = facts.qualname.rpartition(".")[0].rpartition(".")[2] if facts.owner is not None else ""
        hook = facts.name in ("forward", "__call__")
        for module in self.places.program.modules:
            words = module.names()
            if (hook and owner not in words) or (not hook and facts.name not in words):
                continue
            for one in module.functions:
                if hook:
                    own = one.module is facts.module and one.qualname.startswith(
                        facts.qualname.rpartition(".")[0] + "."
                    )
                    if not own and owner in one.names() and id(one) not in self.run.interpreter.entered:
                        where = place_text(module.path, one.position)
                        raise Refusal(f"`{one.qualname}` ({where}) uses `{owner}` in a way that is not followed")
                elif facts.name in one.names():
                    self._unseen_calls(facts, module.path, one.body)
            if not hook:
                self._unseen_calls(facts, module.path, module.statements())

    def _unseen_calls(self, facts: FunctionFacts, path: str, body: list[Node]) -> None:
        for statement, _ in statements_of(body):
            if statement[0] in ("import", "from"):
                continue
            for node in nodes_of(own_expressions(statement)):
                callee = node[2] if node[0] == "call" else None
                if callee is None or callee[0] not in ("attr", "name") or callee[-1] != facts.name:
                    continue
                if (path, node[1]) not in self.seen.functions:
                    where = place_text(path, node[1])
                    raise Refusal(f"`{facts.name}` is called at {where} on something that the analysis does not know")

    def _siblings(self, facts: FunctionFacts, factories: list[Spot], changed: dict[int, FunctionFacts]) -> None:
        """Another model beside the one that changes, which a configuration may pair with the same loss."""
        for other in facts.module.functions if factories else ():
            if other.name != facts.name or id(other) in changed or self.seen.callers.get(id(other)):
                continue
            if {"sigmoid", "Sigmoid"} & other.names():
                where = place_text(facts.module.path, other.position)
                text = "gives probabilities too, and a configuration may pair it with this loss"
                raise Refusal(f"`{other.qualname}` ({where}) {text}")

    def _exports(self, changed: list[FunctionFacts], layers: set[Spot]) -> None:
        affected: set[Any] = {
            (one.module.path, one.qualname.rpartition(".")[0]) for one in changed if one.owner is not None
        }
        affected |= {container for layer in layers for container in self.seen.layers[layer]}
        for name, spot, value in self.seen.exports:
            if value is None or not _is_other(value, affected):
                how = name.rpartition(".")[2] or "an export"
                raise Refusal(f"`{how}` at {place_text(*spot)} exports a model, whose users expect probabilities")


def _is_other(value: Value, affected: set[Any], depth: int = 0) -> bool:
    """Whether a model is surely none of these, named by class or by where it is made, and holds none."""
    for option in value.options():
        shape = option.shape
        if isinstance(shape, Instance):
            if (shape.class_.module.path, shape.class_.facts.qualname) in affected:
                return False
            held = [one for one in shape.attributes.values() if isinstance(one.shape, (Instance, Made))]
        elif isinstance(shape, Made):
            if shape.place[:2] in affected:
                return False
            held = [one for one in shape.arguments if isinstance(one.shape, (Instance, Made))]
        else:
            return False
        if depth > 3 or any(not _is_other(one, affected, depth + 1) for one in held):
            return False
    return True


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _inner(call: Node) -> Node | None:
    """What a sigmoid is applied to."""
    if call[3]:
        return list(call[3][0])
    if call[4]:
        return list(call[4][0][1])
    return list(call[2][2]) if call[2][0] == "attr" else None


class SigmoidBeforeBce(Rule):
    code = "DDP203"
    name = "sigmoid-before-bce"
    severity = "warning"
    words = (frozenset({"BCELoss", "binary_cross_entropy"}),)
    check = SigmoidBeforeBceCheck

    def rewrite(self, action: Action, file: FileRewriter) -> None:
        """Apply a sigmoid, drop a layer from its `Sequential`, name the logits that a sigmoid is applied to."""
        arguments = dict(action.arguments)
        if action.kind == "apply-sigmoid":
            node = file.expression_at(action.span)
            _apply_sigmoid(file, node)
        elif action.kind == "drop-layer":
            _drop_layer(file, file.call_at(action.span))
        elif action.kind == "name-logits":
            _name_logits(file, file.call_at(action.span), arguments["name"])
        else:
            super().rewrite(action, file)


def _apply_sigmoid(file: FileRewriter, node: cst.BaseExpression) -> None:
    function = f"{file.add_import('torch', where=node)}.sigmoid"
    start, _ = file.outer_range(node)
    if len(node.lpar) == 1 and not file.text[start - 1 : start].isalnum():
        # the parentheses that it has become those of the call
        file._insert(start, function)
    else:
        file.wrap(node, f"{function}({{}})")


def _drop_layer(file: FileRewriter, layer: cst.Call) -> None:
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    container = file.enclosing(layer, cst.Call)
    if container is None or not container.args or container.args[-1].value is not layer:
        raise CannotRewrite("the sigmoid is not the last layer")
    file._drop_item(container.args[-1], container.args, file._closing(container))
    root: cst.BaseExpression = layer.func
    while isinstance(root, cst.Attribute):
        root = root.value
    if isinstance(root, cst.Name):
        file.remove_unused_import(root.value)


def _name_logits(file: FileRewriter, call: cst.Call, name: str) -> None:
    """Put what the sigmoid is applied to into a variable of its own."""
    import libcst as cst

    inner = call.args[0].value if call.args else call.func.value if isinstance(call.func, cst.Attribute) else call
    code = file.code_of(inner).replace(f"\n{file.indent_of(call)}", "\n")
    file.insert_before(call, f"{name} = {code}")
    file.replace(inner, name)


RULE = SigmoidBeforeBce()
