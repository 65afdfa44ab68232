"""Evaluation result of one rank's shard used as the result of the whole set

## What it does
Reports a metric that covers only the samples of one rank: the evaluation runs on rank 0 alone over a sharded loader,
or every rank evaluates its own shard and the number is logged, printed or compared with the best one so far without
bringing the ranks' results together first.

## Why it is a bug
A `DistributedSampler` gives each rank every `world_size`-th sample. A metric of one rank's samples covers 1/world_size
of the set, the same samples every epoch when `shuffle=False`, and rank 0's number differs from that of the other ranks.
With the squares of 0 to 10 on two ranks, the mean is 35.0; rank 0 alone says 36.67 and rank 1 alone 27.5. Checkpoints
are then picked by a part of the validation set.

## Example
```python
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler


@torch.no_grad()
def evaluate(model, dataset):
    sampler = DistributedSampler(dataset, shuffle=False)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler)
    correct = torch.zeros(2)
    for images, labels in loader:
        hits = model(images).argmax(1) == labels
        correct += torch.stack([hits.sum(), torch.ones_like(hits).sum()])
    if dist.get_rank() == 0:
        print("accuracy", correct[0] / correct[1])
```

## Instead
```python
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler


@torch.no_grad()
def evaluate(model, dataset):
    sampler = DistributedSampler(dataset, shuffle=False)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler)
    correct = torch.zeros(2)
    for images, labels in loader:
        hits = model(images).argmax(1) == labels
        correct += torch.stack([hits.sum(), torch.ones_like(hits).sum()])
    dist.all_reduce(correct)
    if dist.get_rank() == 0:
        print("accuracy", correct[0] / correct[1])
```

## Not reported
- loaders that are not sharded: rank 0 then evaluates everything;
- values that a collective has seen, that were handed to a function whose name says that it gathers, reduces or
  synchronises, or that an object which is not in view computed;
- results that every rank writes to a file of its own;
- losses of the training loop and progress printed while the loop over the loader runs;
- numbers reported together with the rank that they belong to;
- torchmetrics objects that every rank updates: their `compute()` synchronises.

## Fix safety
No fix is offered yet: what has to be gathered depends on the kind of each value. Sums and counts are all-reduced on
every rank before the guard; predictions are gathered outside the guard, put in dataset order and cut to `len(dataset)`,
because the sampler repeats samples to give all ranks the same number. Under Lightning, `sync_dist=True` reduces a
logged number; with accelerate, `gather_for_metrics` gathers and cuts.

## References
- [torch.utils.data.distributed.DistributedSampler](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler)
- [Accelerate, Distributed evaluation](https://huggingface.co/docs/accelerate/quicktour#distributed-evaluation)
- [TorchMetrics, Structure Overview](https://lightning.ai/docs/torchmetrics/stable/pages/overview.html)
- [Generic Join Context Manager](https://docs.pytorch.org/docs/stable/distributed.algorithms.join.html)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ddplint.flow.events import CallEvent, CompareEvent, Guard, LoopEvent, ReturnEvent, Scope, reachable
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import (
    Elements,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Made,
    Method,
    Place,
    Tag,
    Union,
    Value,
)
from ddplint.rules.base import Check, Rule

Node = list[Any]
Origins = frozenset[Any]

_ORDER = frozenset({"<", ">", "<=", ">="})
MAX_LATER = 6
# steps of values that a function returned, and of samples that a data set gave
_RETURNED = "returns it"
_ITEM = "`__getitem__` returns it"


@dataclass(slots=True)
class _Use:
    """A place where an evaluation's number is used, kept until all loaders' roles are known."""

    scope: Scope
    node: Node
    tag: Tag
    what: str
    guard: Guard | None
    monitored: str = ""

    @property
    def at(self) -> tuple[str, int]:
        return (self.scope.module.path, self.node[1])


@dataclass(slots=True)
class _Loader:
    """What was seen of loops over one loader."""

    evaluates: bool = False
    guards: list[Guard] = field(default_factory=list)
    unguarded: bool = False


class Rank0EvaluationCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.trained: set[Any] = set()
        self.loaders: dict[Any, _Loader] = defaultdict(_Loader)
        self.uses: list[_Use] = []
        self.monitored: set[str] = set()
        self.many_processes = False
        # roots that start a process group
        self.distributed: set[int] = set()
        # calls under a guard that gave a value of one shard: place -> (the call's scope, its node)
        self.guarded_calls: dict[tuple[str, int], tuple[Scope, Node]] = {}

    # what the loaders are for

    def on_loop(self, event: LoopEvent) -> None:
        kind = event.node[0]
        # a loop over what came out of a loader says nothing of the loader
        if kind not in ("for", "comp") or "shard" in event.iterable.tags:
            return
        tag = _find(event.element, "shard")
        if tag is None or any(step.message.endswith(_RETURNED) and step.message != _ITEM for step in tag.steps):
            return
        guard = event.scope.on_main_rank_only
        function = event.scope.function
        draws = function is not None and self.knowledge.matches("draws_samples", function.name)
        evaluates = self._named_evaluation(event) or (event.scope.no_grad and not draws)
        for origin in tag.origins:
            loader = self.loaders[origin]
            loader.evaluates |= evaluates
            if guard is None:
                loader.unguarded = True
            else:
                loader.guards.append(guard)

    def _named_evaluation(self, event: LoopEvent) -> bool:
        function = event.scope.function
        iterable = event.node[3] if event.node[0] == "for" else event.node[4][0][1]
        names = [*_names(iterable), function.name if function is not None else ""]
        if any(self.knowledge.matches("training_name", name) for name in names):
            return False
        return any(self.knowledge.matches("evaluation_name", name) for name in names)

    # what is done with what they give

    def on_call(self, event: CallEvent) -> None:
        kinds = event.effect.kinds if event.effect is not None else frozenset()
        if "backward" in kinds or "backward-of-argument" in kinds or event.name.endswith("backward"):
            for value in [event.receiver, *event.arguments, *event.keywords.values()]:
                tag = _find(value, "batch") if value is not None else None
                if tag is not None:
                    # in a loop, the value is of the loop's own batches
                    self.trained |= tag.origins & event.scope.iterating or tag.origins
            return
        if event.keywords:
            self._monitored(event.keywords.get("monitor"))
        if "process-group" in kinds:
            self.distributed.add(event.scope.root)
        elif "logs-metric" in kinds:
            self._lightning_log(event)
        elif "trainer" in kinds:
            self.many_processes |= self._runs_many(event)
        elif "reports" in kinds or ("writes" in kinds and event.scope.on_main_rank_only is not None):
            self._reported(event)
        elif event.name in ("builtins.max", "builtins.min") and len(event.arguments) == 2:
            self._compared(event.scope, event.node, event.arguments, event.node[3])
        elif event.scope.guards:
            self._under_guard(event)

    def on_compare(self, event: CompareEvent) -> None:
        if event.operator in _ORDER:
            self._compared(event.scope, event.node, [event.left, event.right], [event.node[2], event.node[4][0]])

    def _reported(self, event: CallEvent) -> None:
        given = [*event.arguments, *event.keywords.values()]
        tag = self._one_shard(event.scope, given)
        if tag is None or any(_find(value, "rank") for value in given):
            return
        self._used(event.scope, event.node, tag, "the number that is reported here")

    def _compared(self, scope: Scope, node: Node, values: list[Value], nodes: list[Node]) -> None:
        """A number held against the best one so far."""
        if not any(self.knowledge.matches("best_name", name) for one in nodes for name in _names(one)[-1:]):
            return
        tag = self._one_shard(scope, values)
        if tag is not None:
            self._used(scope, node, tag, "the number that picks the best checkpoint")

    def _under_guard(self, event: CallEvent) -> None:
        guard = event.scope.on_main_rank_only
        if guard is None:
            return
        given = [*event.arguments, *event.keywords.values()]
        if guard.depth != event.scope.depth:
            return
        inside = isinstance(event.callee.shape, FunctionValue) and not any(_find(value, "shard") for value in given)
        if inside and self._one_shard(event.scope, [event.result]):
            self.guarded_calls[(event.scope.module.path, event.node[1])] = (event.scope, event.node)
        name = (_names(event.node[2]) or [""])[-1]
        feeds = self.knowledge.matches("accumulates", name) and self._evaluator(event)
        if feeds or self.knowledge.matches("measures", name):
            tag = self._one_shard(event.scope, given, looping=True) if feeds else None
            tag = tag or self._one_shard(event.scope, given)
            if tag is not None:
                self._used(event.scope, event.node, tag, "this metric", guard)

    # Lightning

    def on_return(self, event: ReturnEvent) -> None:
        shape = event.value.shape
        if isinstance(shape, Entries):
            for entries in (shape, *(one.shape for one in shape.entries.values())):
                if isinstance(entries, Entries):
                    self._monitored(entries.entries.get("monitor"))

    def _monitored(self, value: Value | None) -> None:
        if value is not None and isinstance(value.constant, str):
            self.monitored.add(value.constant)

    def _lightning_log(self, event: CallEvent) -> None:
        """`self.log` of a number of this rank's batches: kept until the monitored names are known."""
        assert event.effect is not None
        given = event.argument(0, "dictionary" if "dictionary" in event.effect.parameters else "name")
        value = given if "dictionary" in event.effect.parameters else event.argument(1, "value")
        tag = self._one_shard(event.scope, [value] if value is not None else [])
        if tag is None or given is None:
            return
        synced, alone = event.keywords.get("sync_dist"), event.keywords.get("rank_zero_only")
        if synced is not None and synced.constant is not False:
            return
        if alone is not None and alone.constant is True:
            self.uses.append(_Use(event.scope, event.node, tag, "the number that is logged for rank 0 only", None))
            return
        names = list(given.shape.entries) if isinstance(given.shape, Entries) else [given.constant]
        for name in names:
            if isinstance(name, str):
                what = f"`{name}`, by which the best checkpoint is picked"
                self.uses.append(_Use(event.scope, event.node, tag, what, None, name))

    def _runs_many(self, event: CallEvent) -> bool:
        """Whether a trainer runs more than one process for sure."""
        given = event.keywords
        devices = given.get("devices") or given.get("gpus")
        nodes = given.get("num_nodes")
        if nodes is not None and isinstance(nodes.constant, int) and nodes.constant > 1:
            return True
        if devices is not None:
            count = devices.constant
            if isinstance(devices.shape, Items):
                count = len(devices.shape.items)
            if isinstance(count, str) and count.lstrip("-").isdigit():
                count = int(count)
            if isinstance(count, int) and not isinstance(count, bool):
                return count > 1 or count == -1
            if isinstance(count, str) and count != "auto":
                return False
        for name in ("strategy", "accelerator", "distributed_backend", "plugins"):
            value = given.get(name)
            for option in value.options() if value is not None else ():
                text = option.shape.name if isinstance(option.shape, Made) else option.constant
                if isinstance(text, str) and self.knowledge.matches("many_processes", text):
                    return True
        return False

    def _evaluator(self, event: CallEvent) -> bool:
        """Whether a method's owner is by its class or name something that measures."""
        owner = event.receiver
        shape = event.callee.shape
        if owner is None and isinstance(shape, FunctionValue):
            owner = shape.bound
        names = _names(event.node[2])[-2:-1]
        for option in owner.options() if owner is not None else ():
            if isinstance(option.shape, Instance):
                names.append(option.shape.class_.facts.name)
            elif isinstance(option.shape, Made):
                names.append(option.shape.name)
        return any(self.knowledge.matches("evaluator_name", name) for name in names)

    def _one_shard(self, scope: Scope, values: Iterable[Value], looping: bool = False) -> Tag | None:
        """The tag of a value that only this rank's shard went into, outside the loop that gives the shard."""
        found: Tag | None = None
        for value in values:
            tag = _find(value, "shard")
            if tag is None:
                continue
            if _find(value, "reduced") is not None or not reachable(tag, scope):
                return None
            if bool(tag.origins & scope.iterating) is looping:
                found = found or tag
        return found

    def _used(self, scope: Scope, node: Node, tag: Tag, what: str, guard: Guard | None = None) -> None:
        if any(one.side == "other" for one in scope.guards):
            return
        self.uses.append(_Use(scope, node, tag, what, guard or scope.on_main_rank_only))

    # the verdict

    def finish(self, run: Run) -> None:
        """One finding per loader: the first use of a number that comes from it; later ones are further steps."""
        groups: dict[Origins, list[_Use]] = defaultdict(list)
        for use in self.uses:
            origins = use.tag.origins
            if not origins or origins & self.trained or not self._evaluates(use):
                continue
            if use.monitored and use.monitored not in self.monitored:
                continue
            groups[origins].append(use)
        seen: set[Any] = set()
        taken: set[tuple[str, int]] = set()
        for origins, uses in groups.items():
            if origins <= seen:
                continue
            seen |= origins
            first = uses[0]
            if first.at in taken:
                # a helper that several evaluations share: where this one uses the number itself
                others = [use for use in uses if use.scope.function is not first.scope.function]
                first = next((use for use in others if use.at not in taken), first)
            taken.add(first.at)
            path, position = first.at
            later = {use.at: use for use in uses if use.at[0] == path and use.at[1] > position}
            self._verdict(first, list(later.values())[:MAX_LATER])

    def _evaluates(self, use: _Use) -> bool:
        """Whether all that a number comes from is evaluation, by the loaders' use or by what the number is called."""
        # under a condition, or by node, a loader is sharded only where several processes run
        if use.guard is None and self.knowledge.matches("tests_folder", use.at[0]):
            return False
        maybe = use.tag.detail == "by node" or use.tag.conditions
        if maybe and use.guard is None and use.scope.root not in self.distributed:
            return False
        hooks = [one for one in use.tag.origins if isinstance(one, str)]
        if hooks:
            return self.many_processes and all(self.knowledge.matches("evaluation_name", one) for one in hooks)
        if all(self.loaders[one].evaluates for one in use.tag.origins):
            return True
        words = [word for text in _names(use.node) for word in re.split(r"\W+", text)]
        if any(self.knowledge.matches("training_name", word) for word in words):
            return False
        return any(self.knowledge.matches("evaluation_name", word) for word in words)

    def _verdict(self, use: _Use, later: list[_Use]) -> None:
        loaders = [self.loaders[one] for one in use.tag.origins]
        alone = all(loader.guards and not loader.unguarded for loader in loaders)
        path, node, steps = use.scope.module.path, use.node, list(use.tag.steps)
        if use.guard is not None:
            steps.append(use.guard.place)
        if alone:
            # rank 0 alone runs the loop: the call under the guard is what has to change
            calls = self.guarded_calls
            call = next((calls[step[:2]] for step in use.tag.steps if step[:2] in calls), None)
            outer = _outer_call(use)
            if call is not None:
                path, node = call[0].module.path, call[1]
            elif outer is not None:
                steps.append(Place(path, node[1], "the number is used here"))
                path, node = outer.path, ["call", outer.position]
        steps += [Place(one.scope.module.path, one.node[1], "and here") for one in later]
        guarded = use.guard is not None
        whose = "rank 0's shard" if guarded else "each rank's own shard"
        where = "outside the branch that rank 0 alone takes" if guarded else "on every rank"
        message = (
            f"only {whose} (1/world_size of the samples) reaches {use.what}; gather all ranks' results first, {where}, "
            "and cut the sampler's padding to len(dataset)"
        )
        self.report(path, node, message, steps)


def _outer_call(use: _Use) -> Place | None:
    """The call, in the function where the guard stands, inside which the use is."""
    guard = use.guard
    if guard is None:
        return None
    inside = use.scope.depth - guard.depth
    return use.scope.callers[-inside] if 0 < inside <= len(use.scope.callers) else None


def _find(value: Value, name: str, depth: int = 0) -> Tag | None:
    """A tag of a value or of what it holds."""
    tag = value.tags.get(name)
    if tag is not None or depth > 3:
        return tag
    for part in _parts(value):
        tag = _find(part, name, depth + 1)
        if tag is not None:
            return tag
    return None


def _parts(value: Value) -> Iterator[Value]:
    shape = value.shape
    if isinstance(shape, Items):
        yield from shape.items[:32]
        if shape.rest is not None:
            yield shape.rest
    elif isinstance(shape, Entries):
        yield from list(shape.entries.values())[:32]
        if shape.rest is not None:
            yield shape.rest
    elif isinstance(shape, Elements):
        yield shape.element
    elif isinstance(shape, Union):
        yield from shape.options
    elif isinstance(shape, Method) and shape.name in ("items", "values"):
        yield shape.owner


def _names(node: Any) -> list[str]:
    """The names in an expression, in order."""
    if not isinstance(node, list) or not node:
        return []
    if node[0] == "name":
        return [node[2]]
    if node[0] == "attr":
        return [*_names(node[2]), node[3]]
    if node[0] == "const":
        return [node[2]] if isinstance(node[2], str) else []
    names: list[str] = []
    for part in node[2:]:
        if isinstance(part, list):
            if part and isinstance(part[0], list):
                for inner in part:
                    names.extend(_names(inner))
            else:
                names.extend(_names(part))
    return names


class Rank0Evaluation(Rule):
    code = "DDP101"
    name = "rank0-evaluation"
    severity = "error"
    words = frozenset({"Sampler", "Accelerator", "split_by_node", "LightningModule"})
    check = Rank0EvaluationCheck


RULE = Rank0Evaluation()
