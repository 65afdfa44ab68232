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
The fix never adds a collective that only some ranks reach: where the loop, the call of its function or a condition on
the way may differ between ranks, it says so and changes nothing.
- Sums and counts that a loop adds up are all-reduced on every rank right after the loop. This is safe; the samples that
  the sampler repeats to give all ranks the same number count twice, so the result is exact where the number of ranks
  divides `len(dataset)`. It is unsafe where the sampler drops the last samples, where the loop serves training as well,
  where a mean of the batches' means is computed, and where the way in which the samples are shared out is not in view.
- With accelerate, what the sums are computed from goes through `gather_for_metrics`, which cuts the padding.
- Under Lightning, `sync_dist=True` reduces a logged number, also instead of `rank_zero_only=True`. This is unsafe at
  the end of an epoch, where the mean of the ranks' numbers need not be the number of all samples.
- A torchmetrics `update` under a guard is taken out of it if `compute` is called on all ranks.
- An evaluation that rank 0 alone calls is moved before the guard together with the reduction. This is unsafe, because
  whatever else it does then happens on every rank.

There is no fix for predictions collected in lists or in an evaluator: they have to be gathered outside the guard, put
in dataset order and cut to `len(dataset)`, and their kinds are rarely known.

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
from typing import TYPE_CHECKING, Any

from ddplint.facts.lower import unpack
from ddplint.findings import Action, Fix, Span
from ddplint.flow.events import AssignEvent, CallEvent, CompareEvent, Guard, LoopEvent, ReturnEvent, Scope, reachable
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
from ddplint.program.program import FunctionFacts, Module
from ddplint.rules.base import Check, Rule, span_of

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter

Node = list[Any]
Origins = frozenset[Any]

_ORDER = frozenset({"<", ">", "<=", ">="})
MAX_LATER = 6
# tags of values that are not the same on all ranks
_DIFFERS = frozenset({"shard", "rank", "main", "other", "main_only"})
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
    # a call of `self.log`; an object that synchronises itself is logged or updated
    logs: bool = False
    metric: bool = False

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
        # what the repairs ask for: loops, functions that calls may mean, names by function that differ between ranks
        self.loops: dict[tuple[str, int], _Loop] = {}
        self.targets: dict[tuple[str, int], dict[int, FunctionFacts]] = defaultdict(dict)
        self.varying: dict[tuple[str, int], set[str]] = defaultdict(set)
        # calls that start a process group, or need one: name -> root and the places on the way there
        self.groups: dict[str, list[tuple[int, tuple[Place, ...]]]] = defaultdict(list)
        self.accelerators: dict[tuple[str, int], str] = {}
        self.uneven = False
        self.device_set = False

    # what the loaders are for

    def on_loop(self, event: LoopEvent) -> None:
        self._seen_loop(event)
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

    def _seen_loop(self, event: LoopEvent) -> None:
        scope = event.scope
        key = (scope.module.path, event.node[1])
        loop = self.loops.get(key)
        if loop is None:
            loop = self.loops[key] = _Loop(event.node, scope)
        shard = _find(event.element, "shard")
        loop.differs |= (
            shard is not None or _find(event.element, "rank") is not None or bool(event.iterable.tags.keys() & _DIFFERS)
        )
        if shard is not None and "shard" not in event.iterable.tags:
            if not isinstance(event.iterable.shape, Items):
                loop.origins |= shard.origins
            loop.direct |= isinstance(event.iterable.shape, (Made, Instance))
            loop.guarded |= bool(scope.guards)
            loop.recorded |= not scope.no_grad
        elif _find(event.element, "batch") is not None and "batch" not in event.iterable.tags:
            loop.whole = True

    def on_assign(self, event: AssignEvent) -> None:
        if event.value.tags.keys() & _DIFFERS or _find(event.value, "shard") is not None:
            function = event.scope.function
            self.varying[(event.scope.module.path, function.position if function is not None else 0)].add(event.name)

    def _seen_call(self, event: CallEvent, kinds: frozenset[str]) -> None:
        """Remember what the repairs need to know of calls."""
        scope, name = event.scope, event.name
        here = (scope.module.path, event.node[1])
        if isinstance(event.callee.shape, FunctionValue):
            facts = event.callee.shape.facts
            self.targets[here][id(facts)] = facts
        elif "process-group" in kinds:
            self.groups[name].append((scope.root, (Place(*here, ""), *scope.callers)))
            given = event.keywords.get("even_batches")
            self.uneven |= given is not None and given.constant is not True
        elif self.knowledge.matches("process_group_call", name):
            self.groups.setdefault(name, [])
        elif self.knowledge.matches("device_choice", name):
            self.device_set = True
        if self.knowledge.matches("gathering_object_method", name) and event.node[2][0] == "attr":
            function = scope.function
            self.accelerators[(scope.module.path, function.position if function is not None else 0)] = _text(
                event.node[2][2]
            )

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
        self._seen_call(event, kinds)
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
                self._used(
                    event.scope, event.node, tag, "this metric", guard, feeds and self._synchronises(event.receiver)
                )

    def _synchronises(self, value: Value | None) -> bool:
        """Whether a value is a metric object that brings the ranks' states together itself."""
        for option in value.options() if value is not None else ():
            shape = option.shape
            if isinstance(shape, Method):
                return self._synchronises(shape.owner)
            if isinstance(shape, Made) and self.knowledge.matches("synchronises", self.knowledge.canonical(shape.name)):
                return True
        return False

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
        metric = self._synchronises(value)
        if alone is not None and alone.constant is True:
            what = "the number that is logged for rank 0 only"
            self.uses.append(_Use(event.scope, event.node, tag, what, None, logs=True, metric=metric))
            return
        names = list(given.shape.entries) if isinstance(given.shape, Entries) else [given.constant]
        for name in names:
            if isinstance(name, str):
                what = f"`{name}`, by which the best checkpoint is picked"
                self.uses.append(_Use(event.scope, event.node, tag, what, None, name, True, metric))

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

    def _used(
        self, scope: Scope, node: Node, tag: Tag, what: str, guard: Guard | None = None, metric: bool = False
    ) -> None:
        if any(one.side == "other" for one in scope.guards):
            return
        self.uses.append(_Use(scope, node, tag, what, guard or scope.on_main_rank_only, metric=metric))

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
        repairs = _Repairs(self, run)
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
            self._verdict(first, list(later.values())[:MAX_LATER], uses, repairs)

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

    def _verdict(self, use: _Use, later: list[_Use], uses: list[_Use], repairs: _Repairs) -> None:
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
        fix, reason = repairs.of(uses, alone)
        self.report(path, node, message, steps, fix=fix, no_fix_reason=reason)


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


# repairs


class _Refused(Exception):
    """Why a finding has no fix, as one sentence."""


# one process of a group differs from the others in these; what a configuration says is the same everywhere
_RANK_WORD = re.compile(
    r"rank|main|master|primary|process|local|gpu|device|writer|logger|verbose|chief|node|worker|loss|acc|score|metric"
    r"|best|error|time",
    re.IGNORECASE,
)
_UNIFORM_WORD = re.compile(
    r"(^|_)(epochs?|steps?|iters?|iterations?|freq|frequency|interval|every|period)(_|\d|$)"
    r"|^(i|idx|it|batch_idx|batch_index|stage|split|mode|phase|training|train|val|valid|validate|eval|evaluate|test"
    r"|(is|do|use|has|with|no|skip|run)_\w+|\w*distributed|\w*ddp|__name__)$",
    re.IGNORECASE,
)
_COUNT_WORD = re.compile(
    r"^(world_?size|n_?gpus?|num_gpus|ngpus\w*|multi_?gpu|n_?procs?|num_processes)$", re.IGNORECASE
)
_CONFIG_ROOT = re.compile(r"^(args?|cfg|config|conf|opts?|hparams|params|flags|hps?)$", re.I)
_PRESENT = re.compile(r"loader|dataset|sampler|val|test|eval|dev|checkpoint|ckpt|scheduler|resume", re.I)
_UNIFORM_CALL = frozenset(
    [
        *("is_available", "is_initialized", "is_dist_avail_and_initialized", "get_world_size", "device_count", "len"),
        *("hasattr", "isinstance", "int", "bool", "range"),
    ]
)
_HARMLESS_DECORATOR = frozenset(
    ["no_grad", "inference_mode", "enable_grad", "staticmethod", "classmethod", "record", "main", "command", "option"]
)
_STARTS_ALL = frozenset(["spawn", "start_processes", "Process", "notebook_launcher", "launch", "start", "run"])
_ENTRY = re.compile(r"^_?(main|run|train|fit|cli|launch)(_|$)|(^|_)(main|worker)(_|$)", re.I)
_DEVICE_WORD = re.compile(r"device|gpu|cuda|rank", re.I)
_LOADER_WORD = re.compile(r"load|data|iter|queue|val|test|dev|eval|batches|(^|_)dl(_|$)", re.IGNORECASE)
_WORLD_WORD = re.compile(r"world_?size|num_replicas|nprocs|n_?gpus?|num_gpus|num_processes|device_count", re.I)
_GROUP_WORD = re.compile(r"mpu|parallel|group|mesh|(^|_)(dp|tp|pp)(_|$)", re.I)
_PROGRESS = re.compile(r"bar|progress|tqdm|prog", re.I)
_COLLECTS = frozenset(("append", "extend", "insert"))
_WRITES = re.compile(
    r"^(open|save\w*|dump|to_csv|write\w*|makedirs|mkdir|add_\w+|log_metrics?|log|imwrite|savefig|savetxt)$"
)
_SUMMING = frozenset(("sum", "mean"))
_SAME_KIND = frozenset(
    ["float", "double", "long", "int", "detach", "to", "cuda", "cpu", "squeeze", "view", "reshape", "sqrt"]
)
_PER_SAMPLE = frozenset(["argmax", "softmax", "log_softmax", "sigmoid", "squeeze", "detach", "float", "long", "logits"])
_PADDING = "exact where the ranks divide the set evenly, else the samples that the sampler repeats count twice"
_MAX_CALLERS = 6


@dataclass(slots=True)
class _Loop:
    """A `for` loop as the flow saw it, over all visits."""

    node: Node
    scope: Scope
    origins: set[Any] = field(default_factory=set)
    guarded: bool = False
    recorded: bool = False
    whole: bool = False
    differs: bool = False
    direct: bool = False


@dataclass(slots=True)
class _Sum:
    """A name that a loop adds to: `int`, `number` or `tensor`, and whether it began as a tensor."""

    name: str
    kind: str
    began: Node
    made: bool


@dataclass(slots=True)
class _Plan:
    """A repair in the making."""

    actions: list[Action]
    message: str
    reasons: list[str] = field(default_factory=list)

    def fix(self) -> Fix:
        reason = "; ".join(dict.fromkeys(self.reasons))
        return Fix("unsafe" if reason else "safe", self.message, tuple(self.actions), reason)


@dataclass(slots=True)
class _Where:
    """The body that a place stands in, and the statements around it, outermost first: block, index, statement."""

    module: Module
    function: FunctionFacts | None
    around: list[tuple[list[Node], int, Node]]

    @property
    def name(self) -> str:
        return self.function.name if self.function is not None else "the module"


class _Repairs:
    """What can be done about findings, from what the check saw and from the program's text."""

    def __init__(self, check: Rank0EvaluationCheck, run: Run) -> None:
        self.check = check
        self.knowledge = check.knowledge
        self.interpreter = run.interpreter
        self.program = run.interpreter.program
        self._mentions: dict[str, list[tuple[Module, FunctionFacts | None, Node, list[Node]]]] = {}
        self._in: dict[str, list[tuple[FunctionFacts | None, list[Node]]]] = {}

    def of(self, uses: list[_Use], alone: bool) -> tuple[Fix | None, str]:
        """The fix of a finding and of all further uses of its loader's numbers, or why there is none."""
        plan: _Plan | None = None
        try:
            for use in {(one.at, one.logs): one for one in uses}.values():
                made = self._logged(use) if use.logs else self._looped(use, alone)
                if plan is None:
                    plan = made
                    continue
                plan.actions += [one for one in made.actions if one not in plan.actions]
                plan.reasons += made.reasons
        except _Refused as reason:
            return None, str(reason)
        return (plan.fix(), "") if plan is not None else (None, "the number's use is not in view")

    # Lightning

    def _logged(self, use: _Use) -> _Plan:
        """`sync_dist=True`: the number is reduced where it is logged, so all ranks have to get there."""
        call, scope = use.node, use.scope
        if use.metric:
            raise _Refused("a metric object synchronises itself: it has to be logged as it is, without `sync_dist`")
        if scope.guards:
            raise _Refused(
                "the call stands where one rank alone gets, and `sync_dist=True` would wait for the others there"
            )
        where = self._where(scope.module, call[1])
        if where is None or scope.function is None:
            raise _Refused("the code around the call is not in view")
        self._reached_alike(where, scope)
        if not scope.function.name.startswith(("validation_", "test_", "on_validation_", "on_test_")):
            self._callers_alike(scope.function, where.module, scope)
        value = call[3][1] if len(call[3]) > 1 else next((one for name, one in call[4] if name == "value"), None)
        if value is not None and self._on_cpu(value, scope.function.body):
            raise _Refused("the value was moved to the CPU, where NCCL cannot reduce it")
        span = span_of(scope.module.path, call[1])
        actions = []
        if any(name == "rank_zero_only" for name, _ in call[4]):
            actions.append(Action("drop-keyword", span, (("name", "rank_zero_only"),)))
        actions.append(Action("set-keyword", span, (("name", "sync_dist"), ("value", "True"))))
        plan = _Plan(actions, "reduce the logged number over all ranks with `sync_dist=True`")
        if scope.function.name.endswith(("epoch_end", "_end")) and "batch" not in scope.function.name:
            plan.reasons.append(
                "the mean of the ranks' numbers is that of all samples only if each is a mean over as many samples"
            )
        return plan

    def _on_cpu(self, value: Node, body: list[Node]) -> bool:
        """Whether an expression ends in a tensor on the CPU, also through one name."""
        if value[0] == "name":
            bound = [
                node[3]
                for node in _walk(body)
                if node[0] == "assign" and ["name", value[2]] in [one[::2] for one in node[2]]
            ]
            return any(one[0] != "name" and self._on_cpu(one, body) for one in bound)
        if value[0] != "call" or value[2][0] != "attr":
            return False
        return value[2][3] == "cpu" or (value[2][3] in (_SAME_KIND | _SUMMING) and self._on_cpu(value[2][2], body))

    # sums over a loop

    def _looped(self, use: _Use, alone: bool) -> _Plan:
        loop = self._loop_of(use)
        prepared = self._prepared(loop)
        if use.metric:
            return self._metric(use)
        moved = self._moved_out(use, loop, alone) if alone or loop.guarded else None
        exempt = moved[1] if moved is not None else None
        where = self._where(loop.scope.module, loop.node[1])
        if where is None:
            raise _Refused("the loop over the loader is not in view")
        self._reached_alike(where, loop.scope)
        if loop.scope.function is not None:
            self._callers_alike(
                loop.scope.function, where.module, loop.scope, exempt, use.guard is not None and moved is None
            )
        self._no_errors_swallowed(loop)
        if loop.whole:
            raise _Refused(
                "the same loop also runs over a loader that is not sharded, whose numbers would count once per rank"
            )
        plan = self._gathered(loop, where) if prepared else self._summed(use, loop, where)
        if loop.origins & self.check.trained:
            plan.reasons.append("the same loop serves training, whose numbers become those of all ranks, too")
        if moved is not None:
            plan.actions.insert(0, moved[0])
            plan.message = f"evaluate on every rank, {plan.message}"
            plan.reasons.insert(0, "every rank now runs the evaluation, so whatever else it does happens on every rank")
        return plan

    def _loop_of(self, use: _Use) -> _Loop:
        loops = [one for one in self.check.loops.values() if one.origins & use.tag.origins and self._over_loader(one)]
        if not loops:
            raise _Refused("no loop over the loader is in view")
        # of several loops, the one on the way that the value took
        paths = {(step.path, step.position) for step in use.tag.steps}
        own = [
            one for one in loops if one.scope.function is use.scope.function and one.scope.module is use.scope.module
        ]
        own = own or [one for one in loops if self._returns_to(one, paths)]
        chosen = own or loops
        if len({(one.scope.module.path, one.node[1]) for one in chosen}) > 1:
            raise _Refused("several loops go over the loader, and it is not known which of them gives this number")
        if chosen[0].node[0] != "for":
            raise _Refused(
                "the values come from a comprehension over the loader: they would have to be gathered one by one"
            )
        return chosen[0]

    def _over_loader(self, loop: _Loop) -> bool:
        """Whether a loop goes over a loader and not over values that were made of its batches."""
        if loop.node[0] != "for" or loop.direct:
            return True
        source = _text(_source(loop.node[3]))
        function = loop.scope.function
        place = (loop.scope.module.path, function.position if function is not None else 0)
        return bool(_LOADER_WORD.search(source.rpartition(".")[2])) and source not in self.check.varying.get(place, ())

    def _returns_to(self, loop: _Loop, paths: set[tuple[str, int]]) -> bool:
        function = loop.scope.function
        return function is not None and any(id(function) in self.check.targets.get(place, ()) for place in paths)

    def _summed(self, use: _Use, loop: _Loop, where: _Where) -> _Plan:
        """Sums and counts that the loop adds up: all-reduced on every rank right after it."""
        after = self._after(where)
        sums = self._sums(loop, where, after)
        device = self._device(loop, sums)
        single = not self._always_distributed(use)
        plan = _Plan([], "", self._sampling(use))
        anchor = loop.node
        if all(one.made or one.kind != "tensor" for one in sums):
            # after the `with` that the loop ends
            for block, index, statement in reversed(where.around[:-1]):
                inner = where.around[where.around.index((block, index, statement)) + 1]
                if statement[0] != "with" or inner[1] != len(inner[0]) - 1:
                    break
                anchor = statement
        batches = self._divisors(loop, where, after, {one.name for one in sums})
        if batches:
            plan.reasons.append(
                "a mean of batch means weighs a smaller last batch like a full one, so it still depends on the ranks"
            )
        self._unread_elsewhere(where, loop, sums)
        length = f"len({_text(_source(loop.node[3]))})" if batches else ""
        arguments = {
            "tensors": " ".join(one.name for one in sums if one.kind == "tensor"),
            "numbers": " ".join(one.name for one in sums if one.kind != "tensor"),
            "whole": "yes" if not batches and all(one.kind != "number" for one in sums) else "",
            "integers": " ".join(self._integers(sums, after, bool(batches))),
            "length": length,
            "device": device,
            "single": "yes" if single else "",
        }
        path = where.module.path
        spans = [span_of(path, node[1]) for node in batches]
        arguments["lengths"] = ";".join(f"{one.row},{one.column},{one.end_row},{one.end_column}" for one in spans)
        plan.actions = [Action("sum-over-ranks", span_of(path, anchor[1]), tuple(arguments.items()))]
        names = [f"`{one.name}`" for one in sums]
        plan.message = f"add up {_listed(names)} over all ranks after the loop ({_PADDING})"
        if self._split_by_node(use):
            plan.message = f"add up {_listed(names)} over all ranks after the loop"
        return plan

    def _sums(self, loop: _Loop, where: _Where, after: list[Node]) -> list[_Sum]:
        """The names that the loop adds to and that are read after it; refused where other values of it are read."""
        body = loop.node[4]
        added: dict[str, list[Node]] = defaultdict(list)
        stored: set[str] = set()
        for node in _walk(body):
            target, value = _addition(node)
            if target is not None and value is not None:
                if target[0] == "sub" and target[2][0] == "name":
                    added[target[2][2]].append(["const", 0, None])
                elif target[0] == "name":
                    added[target[2]].append(value)
                elif (text := _text(target)) and self._read_after(text, after):
                    raise _Refused(f"`{text}` is added to in the loop, and who else reads it is not known")
            else:
                stored |= _stored(node)
        stored |= _target_names(loop.node[2])
        reads = _first_reads(after, set())
        for name in sorted(stored & reads):
            if name in added or name in self.check.varying.get(_place(where), ()):
                raise _Refused(
                    f"`{name}` of the loop's last rounds is read after it, and what it has to become is not known"
                )
        self._nothing_collected(body, reads)
        begun = self._begun(where)
        sums: list[_Sum] = []
        for name, values in added.items():
            if name not in reads:
                continue
            start = begun.get(name)
            if start is None:
                raise _Refused(f"`{name}` does not start from zero right before the loop")
            made = start[0] != "const"
            if made and not _zero_tensor(start):
                raise _Refused(f"`{name}` does not start from zero right before the loop")
            if not made and start[2] != 0:
                raise _Refused(f"`{name}` does not start from zero right before the loop")
            for value in values:
                self._additive(value, loop)
            if made:
                kind = "tensor"
            else:
                kinds = {_kind(value, body) for value in values}
                kinds.add("number" if isinstance(start[2], float) else "int")
                if "" in kinds:
                    raise _Refused(f"whether `{name}` is a tensor or a number is not known")
                kind = "tensor" if "tensor" in kinds else "number" if "number" in kinds else "int"
            if kind == "tensor" and loop.recorded:
                raise _Refused(f"`{name}` may carry a graph, for the loop does not run under `no_grad`")
            sums.append(_Sum(name, kind, start, made))
        if not sums:
            raise _Refused("no sum that the loop adds up is read after it: predictions would have to be gathered")
        return sums

    def _nothing_collected(self, body: list[Node], reads: set[str]) -> None:
        for node in _walk(body):
            if node[0] == "call" and node[2][0] == "attr":
                base, method = _text(node[2][2]), node[2][3]
                collects = method in _COLLECTS or self.knowledge.matches("accumulates", method)
                root = base.partition(".")[0]
                if collects and root in reads and not _PROGRESS.search(base):
                    raise _Refused(
                        f"`{base}` collects values batch by batch: they have to be gathered and put in dataset order, "
                        "and their kinds are not known here"
                    )

    def _begun(self, where: _Where) -> dict[str, Node]:
        """What names are set to before the loop, within the loop around it."""
        begun: dict[str, Node] = {}
        for block, index, _ in where.around:
            for statement in block[:index]:
                pairs: list[tuple[Node, Node]] = []
                if statement[0] == "assign":
                    pairs = [(target, statement[3]) for target in statement[2]]
                elif statement[0] == "ann" and statement[4] is not None:
                    pairs = [(statement[2], statement[4])]
                names = set().union(*(_stored(node) for node in _walk([statement])))
                names |= {node[2][2] for node in _walk([statement]) if node[0] == "aug" and node[2][0] == "name"}
                for name in names:
                    begun.pop(name, None)
                for target, value in pairs:
                    if target[0] == "name":
                        begun[target[2]] = value
                    elif (
                        target[0] in ("tuple", "list")
                        and value[0] in ("tuple", "list")
                        and len(target[2]) == len(value[2])
                    ):
                        begun.update(
                            {one[2]: part for one, part in zip(target[2], value[2], strict=True) if one[0] == "name"}
                        )
            if block[index][0] in ("for", "while") and block[index] is not where.around[-1][2]:
                begun = {}
        return begun

    def _additive(self, value: Node, loop: _Loop) -> None:
        inner = _target_names(loop.node[2]).union(*(_stored(node) for node in _walk(loop.node[4])))
        for node in _walk([value]):
            if node[0] == "bin" and node[2] in ("/", "//"):
                names = {one[2] for one in _walk([node[4]]) if one[0] == "name"}
                if node[4][0] != "const" and not names & inner:
                    raise _Refused("what the loop adds is divided already, by a number that may be this rank's own")

    def _read_after(self, text: str, after: list[Node]) -> bool:
        return any(node[0] == "attr" and _text(node) == text for node in _walk(after)) or text.startswith("self.")

    def _divisors(self, loop: _Loop, where: _Where, after: list[Node], sums: set[str]) -> list[Node]:
        """The `len(loader)` that divide sums; refused where another number than a sum or `len(dataset)` does."""
        source = _text(_source(loop.node[3]))
        counted: list[Node] = []
        known = set(sums)
        # names computed from the sums, before and after their division
        for node in _walk(after):
            if node[0] == "assign" and _names_in(node[3]) & known:
                known |= set().union(*(_target_names(target) for target in node[2]))
        for node in _walk(after):
            if node[0] == "bin" and node[2] in ("/", "//"):
                left, right = node[3], node[4]
            elif node[0] == "aug" and node[3] in ("/", "//"):
                left, right = node[2], node[4]
            else:
                continue
            if not _names_in(left) & known or right[0] == "const" or _names_in(right) & known:
                continue
            found = [
                one
                for one in _walk([right])
                if one[0] == "call" and one[2][0] == "name" and one[2][2] == "len" and one[3]
            ]
            texts = [_text(one[3][0]) for one in found]
            others = _names_in(right) - set().union(*(_names_in(one) for one in found), set())
            if len(found) == 1 and not others and source and texts[0] == source:
                counted += [one for one in found if one not in counted]
            elif not (
                found
                and not others
                and all(text and text.rpartition(".")[2].endswith(("dataset", "_set", "set")) for text in texts)
            ):
                raise _Refused(
                    "a sum is divided by a number of which it is not known whether it counts all ranks' samples"
                )
        return counted

    def _integers(self, sums: list[_Sum], after: list[Node], batches: bool) -> list[str]:
        """Whole numbers that come back from a tensor of floats and are read as more than a divisor."""
        if not batches and all(one.kind != "number" for one in sums):
            return []
        divided = {
            id(one) for node in _walk(after) if node[0] == "bin" and node[2] == "/" for one in _walk([node[3], node[4]])
        }
        loose = {node[2] for node in _walk(after) if node[0] == "name" and id(node) not in divided}
        return [one.name for one in sums if one.kind == "int" and one.name in loose]

    def _unread_elsewhere(self, where: _Where, loop: _Loop, sums: list[_Sum]) -> None:
        """Callers must neither reduce sums again nor divide them by this rank's number of batches."""
        function = loop.scope.function
        if function is None:
            return
        for module, owner, _, parents in self._mentioned(function.name):
            if not self._may_call(function, module, parents):
                continue
            body = owner.body if owner is not None else module.statements()
            for node in _walk(body):
                name = _last(node[2]) if node[0] == "call" and owner is not function else ""
                if name and (self.knowledge.matches("gathers", name) or name in ("all_reduce", "reduce")):
                    raise _Refused(
                        f"`{owner.name if owner else 'the script'}` calls `{function.name}` and reduces values itself"
                    )
            names = {one.name for one in sums}
            returned = [node[2] for node in _walk(function.body) if node[0] == "return" and node[2] is not None]
            bare = [
                one
                for one in returned
                for part in (one[2] if one[0] == "tuple" else [one])
                if part[0] == "name" and part[2] in names
            ]
            if bare and any(
                node[0] == "bin" and node[2] in ("/", "//") and "len" in _names_in(node[4]) for node in _walk(body)
            ):
                raise _Refused(
                    f"`{function.name}` returns a sum that its caller divides by a length, which may be this rank's own"
                )

    # where the repaired number is computed

    def _device(self, loop: _Loop, sums: list[_Sum]) -> str:
        """Code for the device on which the ranks' numbers meet; empty where tensors are reduced as they are."""
        body = loop.node[4]
        stored = _target_names(loop.node[2]).union(*(_stored(node) for node in _walk(body)))
        found = self._moves(body, stored)
        if not found:
            for node in _walk(body):
                if node[0] == "call":
                    for facts in self.check.targets.get((loop.scope.module.path, node[1]), {}).values():
                        bound = node[2][0] == "attr" and _text(node[2][2]) == "self"
                        moves = self._moves(facts.body, set())
                        found = found or (moves if moves == "'cuda'" or (bound and moves.startswith("self.")) else "")
        function = loop.scope.function
        whole = function.body if function is not None else loop.scope.module.statements()
        if not found:
            found = self._moves(whole, stored)
        if not found and function is not None and any(row[0] == "device" for row in function.parameters):
            found = "device"
        for one in sums:
            if one.kind == "tensor" and one.made and found and not _placed(one.began):
                raise _Refused(f"`{one.name}` is a tensor on the CPU, and NCCL reduces tensors on the GPU only")
        tensors = [one for one in sums if one.kind == "tensor"]
        if tensors:
            return f"{tensors[0].name}.device"
        if not found:
            found = _device_of_module(whole)
        if not found:
            raise _Refused("the device of the batches, on which the ranks' numbers have to be added up, is not in view")
        return found

    def _moves(self, body: list[Node], stored: set[str]) -> str:
        """Where tensors are moved to in some statements: code for a device."""
        for node in _walk(body):
            if node[0] != "call" or node[2][0] != "attr" or node[2][3] not in ("to", "cuda"):
                continue
            given = node[3][0] if node[3] else next((one for name, one in node[4] if name == "device"), None)
            if given is None:
                if node[2][3] == "cuda":
                    return "'cuda'"
                continue
            if given[0] == "const" and isinstance(given[2], str) and given[2].startswith("cuda"):
                return repr(given[2])
            if node[2][3] == "cuda" and self.check.device_set:
                return "'cuda'"
            text = _text(given)
            # `.cuda(args.gpu)` may mean no device in particular
            named = node[2][3] == "to" or ("rank" in text and "gpu" not in text)
            if text and named and _DEVICE_WORD.search(text) and text.partition(".")[0] not in stored:
                return text
        return ""

    def _sampling(self, use: _Use) -> list[str]:
        """What is not known of how the samples are shared out; refused where the ranks may be of several groups."""
        reasons: list[str] = []
        if any("horovod" in name for name in self.check.groups):
            raise _Refused("the processes are Horovod's, and the fix reduces with torch.distributed")
        if not any(name.startswith(("torch.distributed", "deepspeed", "accelerate")) for name in self.check.groups):
            raise _Refused("no process group of torch.distributed is in view")
        for sampler in self._samplers(use):
            if sampler is None:
                if not self._split_by_node(use):
                    reasons.append(
                        "how the ranks share the samples out is not in view, so some may count more than once"
                    )
                continue
            last = sampler.argument(5, "drop_last")
            if last is not None and last.constant is not False:
                reasons.append("the sampler drops the last samples (`drop_last`), which stay unevaluated")
            names = " ".join(self._sampler_words(sampler))
            if _GROUP_WORD.search(names):
                raise _Refused(
                    "the sampler shares out among the ranks of a group of its own, and the fix adds up over all ranks"
                )
            if sampler.argument(1, "num_replicas") is not None and not _WORLD_WORD.search(names):
                reasons.append("the sampler's `num_replicas` may not be the number of all ranks")
        return reasons

    def _sampler_words(self, sampler: Made) -> list[str]:
        node = self._node_at(sampler.place)
        if node is None or node[0] != "call":
            return []
        given = [*node[3][1:3], *(one for name, one in node[4] if name in ("num_replicas", "rank"))]
        return [word for one in given for word in _names(one)]

    def _samplers(self, use: _Use) -> list[Made | None]:
        """The distributed samplers of the loaders that a number comes from; None for a loader that has none."""
        found: list[Made | None] = []
        for origin in use.tag.origins:
            loader = self.interpreter.loaders.get(origin)
            maker = self.knowledge.call(loader.name) if loader is not None else None
            given = (
                loader.argument(maker.argument_index("sampler"), "sampler")
                if loader is not None and maker is not None
                else None
            )
            made = [one.shape for one in given.options() if isinstance(one.shape, Made)] if given is not None else []
            own = [one for one in made if self.interpreter.is_kind(one.name, "sharded-sampler")]
            found += own or [None]
        return found

    def _split_by_node(self, use: _Use) -> bool:
        return use.tag.detail == "by node"

    def _prepared(self, loop: _Loop) -> bool:
        """Whether accelerate shares out what the loop goes over."""
        loaders = [self.interpreter.loaders.get(origin) for origin in loop.origins]
        return any(one is not None and "<sharded>" in one.attributes for one in loaders)

    def _always_distributed(self, use: _Use) -> bool:
        """Whether there is a process group for sure where the number is computed."""
        samplers = self._samplers(use)
        # a DistributedSampler that is told nothing asks the group itself
        asking = [one for one in samplers if one is not None and one.argument(1, "num_replicas") is None]
        every = bool(asking) and len(asking) == len(samplers) and not use.tag.conditions
        if every and not any(self._conditional(one.place) for one in asking):
            return True
        for places in self.check.groups.values():
            if any(root == use.scope.root and not any(map(self._conditional, way)) for root, way in places):
                return True
        return False

    def _conditional(self, place: Place) -> bool:
        """Whether a place stands in a branch."""
        module = next((one for one in self.program.modules if one.path == place.path), None)
        where = self._where(module, place.position) if module is not None else None
        if where is None:
            return True
        branches = [
            one for _, _, one in where.around if one[0] in ("if", "try", "match", "while") and not _is_main(one)
        ]
        inner = [
            node
            for node in _walk([where.around[-1][2]])
            if node[0] in ("ifexp", "bool") and _covers(node[1], place.position)
        ]
        return bool(branches or inner)

    # who gets there

    def _reached_alike(self, where: _Where, scope: Scope) -> None:
        """Refuse where it is not certain that every rank gets to a place of a function as often as the others."""
        varying = self.check.varying.get(_place(where), set())
        for block, index, _ in where.around:
            for earlier in block[:index]:
                if self._leaves(earlier, varying):
                    raise _Refused(f"a rank may leave `{where.name}` before the place where all ranks have to meet")
        for number, (_, _, statement) in enumerate(where.around[:-1]):
            kind = statement[0]
            following = where.around[number + 1]
            if kind == "if" and not _is_main(statement) and not self._uniform(statement[2], varying):
                raise _Refused(
                    "the place where all ranks have to meet stands under a condition that may differ between them"
                )
            if kind == "while" or (kind == "match") or (kind == "for" and self._differs(statement, where)):
                raise _Refused(
                    "the loop around the place where all ranks have to meet may differ in its number of rounds"
                )
            if kind == "for" and following[0] is statement[4]:
                for inner in statement[4]:
                    if self._leaves(inner, varying, within=True):
                        raise _Refused(
                            "a rank may leave the loop around the place where all ranks have to meet before the others"
                        )
            if kind == "try" and any(handler for handler in statement[3] if _last(handler[0]) != "KeyboardInterrupt"):
                raise _Refused(
                    "an exception that one rank alone handles would keep it from the place where all ranks have to meet"
                )
        if scope.function is not None:
            for decorator in scope.function.decorators:
                if _last(decorator[2] if decorator[0] == "call" else decorator) not in _HARMLESS_DECORATOR:
                    raise _Refused(f"a decorator of `{scope.function.name}` may call it on some ranks only")
            if scope.function.generator:
                raise _Refused(f"`{scope.function.name}` is a generator, which a rank need not run to its end")

    def _differs(self, loop: Node, where: _Where) -> bool:
        seen = self.check.loops.get((where.module.path, loop[1]))
        if seen is None or not seen.differs:
            return False
        # a DistributedSampler gives every rank as many batches
        loaders = [self.interpreter.loaders.get(origin) for origin in seen.origins]
        return not loaders or any(one is None or one.argument(3, "sampler") is None for one in loaders)

    def _uniform(self, node: Node, varying: set[str]) -> bool:
        """Whether an expression has the same value on all ranks for sure."""
        kind = node[0]
        if kind in ("name", "attr", "sub"):
            words = _names(node)
            if not words or words[0] in varying:
                return False
            if _COUNT_WORD.match(words[-1]):
                return True
            configured = any(_CONFIG_ROOT.match(word) for word in words[: min(2, len(words) - 1)])
            known = configured or (kind != "sub" and _UNIFORM_WORD.search(words[-1]))
            return bool(known) and not _RANK_WORD.search(words[-1])
        if kind == "cmp":
            sides = [node[2], *node[4]]
            if len(sides) == 2 and sides[1][0] == "const" and sides[0][0] in ("name", "attr"):
                name = _text(sides[0])
                # no rank at all; an object that every rank makes
                if sides[1][2] == -1 and node[3][0] in ("==", "!="):
                    return True
                if sides[1][2] is None and node[3][0] in ("is", "is not") and _PRESENT.search(name):
                    return not _RANK_WORD.search(name)
            return all(self._uniform(one, varying) for one in sides)
        if kind == "call":
            given = [one[2] for one in _walk(node[3]) if one[0] == "name"]
            same = not any(name in varying or _RANK_WORD.search(name) for name in given)
            return _last(node[2]) in _UNIFORM_CALL and same
        parts: list[Node] = []
        if kind in ("unary", "bin"):
            parts = node[3:5]
        elif kind in ("bool", "tuple", "list"):
            parts = node[-1]
        return kind == "const" or (bool(parts) and all(self._uniform(one, varying) for one in parts))

    def _leaves(
        self, statement: Node, varying: set[str], within: bool = True, sure: bool = True, inside: bool = False
    ) -> bool:
        """Whether a rank may leave the block here while another one goes on; `sure`: all ranks get to the statement."""
        kind = statement[0]
        if kind in ("return", "break", "continue"):
            return not sure and (kind == "return" or not inside)
        if kind == "expr" and statement[2][0] == "call" and _last(statement[2][2]) in ("exit", "_exit", "quit"):
            return not sure
        if kind == "if":
            alike = sure and self._uniform(statement[2], varying)
            return any(self._leaves(one, varying, within, alike, inside) for one in [*statement[3], *statement[4]])
        if kind in ("for", "while"):
            body = statement[4] if kind == "for" else statement[3]
            return any(self._leaves(one, varying, within, False, True) for one in body)
        if kind == "with":
            return any(self._leaves(one, varying, within, sure, inside) for one in statement[3])
        if kind == "try":
            handled = [one for handler in statement[3] for one in handler[2]]
            tried = [*statement[2], *statement[4], *statement[5]]
            return any(self._leaves(one, varying, within, sure, inside) for one in tried) or any(
                self._leaves(one, varying, within, False, inside) for one in handled
            )
        if kind == "match":
            return any(self._leaves(one, varying, within, False, inside) for case in statement[3] for one in case[2])
        return False

    def _callers_alike(
        self,
        function: FunctionFacts,
        module: Module,
        scope: Scope,
        exempt: tuple[str, int] | None = None,
        guarded: bool = False,
        seen: frozenset[int] = frozenset(),
    ) -> None:
        """Refuse where it is not certain that all ranks call a function; the call `exempt` moves out of its guard."""
        if id(function) in seen or len(seen) > _MAX_CALLERS:
            return
        called = False
        for other, owner, node, parents in self._mentioned(function.name):
            if not self._may_call(function, other, parents):
                continue
            call = parents[-1] if parents else None
            if call is None or call[0] != "call" or call[2] is not node:
                if any(one[0] == "call" and _last(one[2]) in _STARTS_ALL for one in parents):
                    called = True
                    continue
                raise _Refused(
                    f"`{function.name}` is passed on as a value, so it is not known whether all ranks call it"
                )
            called = True
            where = self._where(other, call[1], owner)
            if where is None:
                raise _Refused(f"a call of `{function.name}` is not in view")
            if exempt == (other.path, call[1]):
                # judged where it moves to
                where.around = [*where.around[:-1]]
            inner = Scope(other, owner, frozenset(), (), False, False, (), None, 0, False)
            self._reached_alike(where, inner)
            if owner is not None:
                self._callers_alike(owner, other, inner, None, False, seen | {id(function)})
        if not called and not guarded and not _ENTRY.search(function.name):
            raise _Refused(f"no call of `{function.name}` is in view, so it is not known whether all ranks call it")

    def _may_call(self, function: FunctionFacts, module: Module, parents: list[Node]) -> bool:
        """Whether a mention of a function's name may mean this function."""
        call = parents[-1] if parents else None
        known = self.check.targets.get((module.path, call[1])) if call is not None else None
        if known is not None:
            return id(function) in known
        others = [one for one in module.functions if one.name == function.name and one.owner is None]
        return module is function.module or not others

    def _mentioned(self, name: str) -> list[tuple[Module, FunctionFacts | None, Node, list[Node]]]:
        """Where a name is read: module, function, node, the expressions around it."""
        known = self._mentions.get(name)
        if known is None:
            known = self._mentions[name] = []
            for module in self.program.modules:
                if name not in module.references.split():
                    continue
                for owner, body in self._bodies(module):
                    for node, parents in _with_parents(body):
                        if (node[0] == "name" and node[2] == name) or (node[0] == "attr" and node[3] == name):
                            known.append((module, owner, node, parents))
        return known

    def _bodies(self, module: Module) -> list[tuple[FunctionFacts | None, list[Node]]]:
        known = self._in.get(module.path)
        if known is None:
            known = [(one, one.body) for one in module.functions]
            known += [(None, one.body) for one in module.classes]
            known.append((None, module.statements()))
            self._in[module.path] = known
        return known

    def _where(self, module: Module, position: int, owner: FunctionFacts | None = None) -> _Where | None:
        """The statements around a place, in the innermost function that holds it."""
        found: _Where | None = None
        for function, body in self._bodies(module):
            around = _around(body, position)
            if around and (
                found is None
                or (
                    function is not None
                    and (found.function is None or (len(body) and _covers(found.function.position, function.position)))
                )
            ):
                found = _Where(module, function, around)
        return found

    def _after(self, where: _Where) -> list[Node]:
        """The statements that stand after the last one of `where`, innermost block first."""
        after: list[Node] = []
        for block, index, _ in reversed(where.around):
            after += block[index + 1 :]
        return after

    def _node_at(self, place: Place) -> Node | None:
        module = next((one for one in self.program.modules if one.path == place.path), None)
        for _, body in self._bodies(module) if module is not None else ():
            for node in _walk(body):
                if node[1] == place.position and node[0] == "call":
                    return node
        return None

    def _no_errors_swallowed(self, loop: _Loop) -> None:
        if any(node[0] == "return" for node in _walk(loop.node[4])):
            raise _Refused("the loop over the loader may return before the place where all ranks have to meet")

    # evaluation under a guard

    def _moved_out(self, use: _Use, loop: _Loop, alone: bool) -> tuple[Action, tuple[str, int]]:
        """The move of an evaluating call out of the branch of rank 0; refused unless it comes first there."""
        calls = self.check.guarded_calls
        found = next((calls[step[:2]] for step in use.tag.steps if step[:2] in calls), None)
        if found is None or loop.scope.function is None:
            if not alone:
                raise _Refused("another call of the evaluation stands where rank 0 alone gets")
            if _outer_call(use) is not None:
                raise _Refused("the evaluation, which rank 0 alone calls, reports its numbers itself: every rank would")
            raise _Refused(
                "rank 0 alone runs the loop over its shard, and the loop stands in the guarded branch itself"
            )
        scope, call = found
        where = self._where(scope.module, call[1])
        if where is None or len(where.around) < 2:
            raise _Refused("the guard is no branch around the evaluating call")
        block, index, statement = where.around[-1]
        branch = where.around[-2][2]
        if branch[0] != "if" or block is not branch[3] or branch[4] or branch[2][0] == "bool" or len(scope.guards) != 1:
            raise _Refused("the evaluating call stands under more than the test for rank 0")
        outer = where.around[-2]
        elif_ = len(where.around) > 2 and where.around[-3][2][0] == "if" and outer[0] is where.around[-3][2][4]
        if index != 0 or elif_ or statement[0] != "assign" or statement[3][1] != call[1]:
            raise _Refused(
                "the evaluating call is not what the branch of rank 0 begins with, so it cannot be moved out"
            )
        if len(block) < 2:
            raise _Refused("nothing but the evaluating call stands in the branch of rank 0")
        for facts in self.check.targets.get((scope.module.path, call[1]), {}).values():
            for node in _walk(facts.body):
                if node[0] == "call" and _WRITES.match(_last(node[2])):
                    raise _Refused(
                        f"`{facts.name}` writes something (`{_last(node[2])}`), which then every rank would do"
                    )
        span = span_of(scope.module.path, statement[1])
        return Action("move-before-branch", span), (scope.module.path, call[1])

    def _metric(self, use: _Use) -> _Plan:
        """A metric object that rank 0 alone updates: every rank does, where nothing else stands under the guard."""
        where = self._where(use.scope.module, use.node[1])
        if where is None or len(where.around) < 2:
            raise _Refused("the guard is no branch around the update")
        block, _, statement = where.around[-1]
        branch = where.around[-2][2]
        alone = (
            branch[0] == "if" and block is branch[3] and len(block) == 1 and not branch[4] and branch[2][0] != "bool"
        )
        if not alone or statement[0] != "expr" or len(use.scope.guards) != 1:
            raise _Refused("more than the update of the metric stands under the guard")
        receiver = _text(use.node[2][2])
        inside = {node[1] for node in _walk([branch])}
        computed = [
            (call, other)
            for call, other in ((node, self._where(use.scope.module, node[1])) for node in _walk(self._whole(where)))
            if call[0] == "call"
            and call[2][0] == "attr"
            and call[2][3] == "compute"
            and _text(call[2][2]) == receiver
            and call[1] not in inside
        ]
        if not receiver or not computed:
            raise _Refused(
                "where the metric is computed is not in view, and `compute` is a collective that all ranks have to call"
            )
        for _, other in computed:
            if other is not None:
                self._reached_alike(other, use.scope)
        outer = _Where(where.module, where.function, where.around[:-1])
        self._reached_alike(_Where(outer.module, outer.function, outer.around), use.scope)
        return _Plan(
            [Action("drop-branch", span_of(use.scope.module.path, branch[1]))],
            "update the metric on every rank: `compute` synchronises it",
        )

    def _whole(self, where: _Where) -> list[Node]:
        return where.function.body if where.function is not None else where.module.statements()

    # accelerate

    def _gathered(self, loop: _Loop, where: _Where) -> _Plan:
        """`gather_for_metrics` of what the loop's sums and metrics are computed from, before the first of them."""
        body = loop.node[4]
        function = loop.scope.function
        accelerator = self.check.accelerators.get((where.module.path, function.position if function is not None else 0))
        if not accelerator:
            raise _Refused("no accelerator is in view where the loop over the loader stands")
        for origin in loop.origins:
            loader = self.interpreter.loaders.get(origin)
            if loader is None or loader.argument(6, "collate_fn") is not None or self._samplers_of(loader):
                raise _Refused(
                    "batches may have another shape on each process, and such cannot be gathered as they are"
                )
        if self.check.uneven:
            raise _Refused(
                "the processes may take other numbers of batches (`even_batches`), and a gather may wait for ever"
            )
        varying = self.check.varying.get(_place(where), set())
        feeding = [number for number, one in enumerate(body) if _addition(one)[0] is not None or self._feeds(one)]
        if not feeding:
            raise _Refused("no sum or metric is fed in the loop itself")
        if any(self._leaves(one, varying) for one in body):
            raise _Refused("a process may leave a round of the loop before the place where all processes have to meet")
        for number, one in enumerate(body):
            if (
                number not in feeding
                and number > feeding[0]
                and any(_addition(node)[0] is not None or self._feeds(node) for node in _walk([one]))
            ):
                raise _Refused("sums are added to under a condition")
        batch = _target_names(loop.node[2])
        inner = batch.union(*(_stored(node) for node in _walk(body)))
        targets = [target for number in feeding if (target := _addition(body[number])[0]) is not None]
        sums = {_text(target) for target in targets}
        names: list[str] = []
        for number in feeding:
            for node in _walk([body[number]]):
                if node[0] == "name" and node[2] in inner - sums and node[2] not in names:
                    names.append(node[2])
        for name in names:
            if name in batch and loop.node[2][0] != "tuple":
                raise _Refused(f"`{name}` is a whole batch, of which it is not known what can be gathered")
            if name not in batch and not self._per_sample(name, body, inner):
                raise _Refused(f"whether `{name}` has one row per sample, as what is gathered must have, is not known")
        if not names:
            raise _Refused("what the sums are computed from is not in view")
        for number in range(feeding[0], len(body)):
            if number not in feeding and any(node[0] == "name" and node[2] in names for node in _walk([body[number]])):
                raise _Refused("the values that have to be gathered are read by other statements, too")
        if self._divisors(loop, where, self._after(where), sums):
            raise _Refused("a sum is divided by the number of batches of one process")
        first = body[feeding[0]]
        given = ", ".join(names)
        code = (
            f"{given} = {accelerator}.gather_for_metrics(({given}))"
            if len(names) > 1
            else f"{given} = {accelerator}.gather_for_metrics({given})"
        )
        action = Action("insert-before", span_of(where.module.path, first[1]), (("code", code),))
        return _Plan(
            [action],
            f"gather {_listed([f'`{one}`' for one in names])} with `gather_for_metrics`, which cuts the padding",
        )

    def _samplers_of(self, loader: Made) -> bool:
        return loader.argument(3, "sampler") is not None or loader.argument(4, "batch_sampler") is not None

    def _feeds(self, node: Node) -> bool:
        call = node[2] if node[0] == "expr" else node
        if call[0] != "call" or call[2][0] != "attr":
            return False
        return bool(self.knowledge.matches("accumulates", call[2][3])) or call[2][3] in _COLLECTS

    def _per_sample(self, name: str, body: list[Node], inner: set[str]) -> bool:
        """Whether a name holds a model's output for the batch, at most with another operation per sample."""
        bound = [
            node[3]
            for node in _walk(body)
            if node[0] == "assign" and any(name in _target_names(one) for one in node[2])
        ]
        if len(bound) != 1:
            return False
        value = bound[0]
        while True:
            if value[0] == "attr" and value[3] in _PER_SAMPLE:
                value = value[2]
            elif value[0] == "call" and value[2][0] == "attr" and value[2][3] in _PER_SAMPLE:
                over = value[3][:1] or [one for key, one in value[4] if key in ("dim", "axis")]
                if value[2][3] in ("argmax", "softmax", "log_softmax", "squeeze") and not (
                    over and over[0][0] == "const" and over[0][2] in (-1, 1)
                ):
                    return False
                value = value[2][2]
            else:
                break
        if value[0] == "name":
            return value[2] != name and value[2] in inner and self._per_sample(value[2], body, inner)
        # a model, called on what the batch holds
        return (
            value[0] == "call"
            and bool(re.search(r"model|net|classifier|module", " ".join(_names(value[2])), re.I))
            and bool(_names_in(value) & inner)
        )


# facts


def _walk(nodes: Any) -> Iterator[Node]:
    """All statements and expressions in some, themselves included, in the order of the text."""
    pending = list(reversed(nodes)) if isinstance(nodes, list) else []
    while pending:
        one = pending.pop()
        if not isinstance(one, list):
            continue
        if len(one) > 1 and isinstance(one[0], str) and isinstance(one[1], int):
            yield one
        pending.extend(reversed(one))


def _with_parents(nodes: list[Node]) -> Iterator[tuple[Node, list[Node]]]:
    """Each node with the expressions around it, outermost first."""
    pending: list[tuple[Any, list[Node]]] = [(one, []) for one in reversed(nodes)]
    while pending:
        one, parents = pending.pop()
        if not isinstance(one, list):
            continue
        if len(one) > 1 and isinstance(one[0], str) and isinstance(one[1], int):
            yield one, parents
            parents = [*parents, one] if one[0] not in _STATEMENT_KINDS else []
        pending.extend((inner, parents) for inner in reversed(one))


# statements hold blocks; all else is an expression
_STATEMENT_KINDS = frozenset(
    ["expr", "assign", "aug", "ann", "if", "for", "while", "with", "try", "match", "return", "raise", "assert", "del"]
)


def _covers(outer: int, inner: int) -> bool:
    row, column, end_row, end_column = unpack(outer)
    first_row, first_column, last_row, last_column = unpack(inner)
    return (row, column) <= (first_row, first_column) and (last_row, last_column) <= (end_row, end_column)


def _blocks(statement: Node) -> list[list[Node]]:
    """The blocks of a statement."""
    kind = statement[0]
    if kind in ("if", "while"):
        return [statement[3], statement[4]]
    if kind == "for":
        return [statement[4], statement[5]]
    if kind == "with":
        return [statement[3]]
    if kind == "try":
        return [statement[2], *(handler[2] for handler in statement[3]), statement[4], statement[5]]
    if kind == "match":
        return [case[2] for case in statement[3]]
    return []


def _around(block: list[Node], position: int) -> list[tuple[list[Node], int, Node]]:
    """The statements that hold a place, outermost first, each with its block and its index there."""
    for index, statement in enumerate(block):
        if statement[0] not in ("def", "class") and _covers(statement[1], position):
            for inner in _blocks(statement):
                found = _around(inner, position)
                if found:
                    return [(block, index, statement), *found]
            return [(block, index, statement)]
    return []


def _text(node: Any) -> str:
    """A name or dotted name as it is written; empty for anything else."""
    if node[0] == "name":
        return str(node[2])
    if node[0] == "attr":
        base = _text(node[2])
        return f"{base}.{node[3]}" if base else ""
    return ""


def _last(node: Any) -> str:
    """The last part of a dotted name."""
    return str(node[2]) if node and node[0] == "name" else str(node[3]) if node and node[0] == "attr" else ""


def _is_main(statement: Node) -> bool:
    """Whether a statement is `if __name__ == "__main__":`, or a branch that is always taken."""
    return statement[0] == "if" and (statement[2][0] == "const" or "__name__" in _names_in(statement[2]))


def _names_in(node: Node) -> set[str]:
    return {one[2] for one in _walk([node]) if one[0] == "name"}


def _device_of_module(body: list[Node]) -> str:
    """Code for the device of the module that some statements put into evaluation mode; empty where there is none."""
    for node in _walk(body):
        if node[0] == "call" and node[2][0] == "attr" and node[2][3] == "eval" and not node[3] and not node[4]:
            module = _text(node[2][2])
            if module:
                return f"next({module}.parameters()).device"
    return ""


def _target_names(target: Node) -> set[str]:
    """The names that an assignment to a target binds."""
    if target[0] == "name":
        return {target[2]}
    if target[0] in ("tuple", "list"):
        return set().union(*(_target_names(one) for one in target[2]))
    return _target_names(target[2]) if target[0] == "star" else set()


def _stored(node: Node) -> set[str]:
    """The names that one statement or expression binds by itself, additions left aside."""
    kind = node[0]
    if kind == "assign":
        return set().union(*(_target_names(one) for one in node[2]))
    if kind in ("ann", "for"):
        return _target_names(node[2])
    if kind == "aug":
        return _target_names(node[2]) if node[3] != "+" else set()
    if kind == "with":
        return set().union(*(_target_names(target) for _, target in node[2] if target is not None))
    if kind == "walrus":
        return {node[2]}
    return set()


def _addition(node: Node) -> tuple[Node | None, Node | None]:
    """Target and what is added, of `x += y` and `x = x + y`."""
    if node[0] == "aug" and node[3] == "+":
        return node[2], node[4]
    if node[0] == "assign" and len(node[2]) == 1 and node[3][0] == "bin" and node[3][2] == "+":
        target, left = node[2][0], node[3][3]
        if target[0] == left[0] == "name" and target[2] == left[2]:
            return target, node[3][4]
    return None, None


def _first_reads(block: list[Node], stored: set[str]) -> set[str]:
    """The names that statements read before they bind them; `stored` grows by what is bound for sure."""
    reads: set[str] = set()

    def read(*nodes: Any) -> None:
        for node in _walk(list(nodes)):
            if node[0] == "name" and node[2] not in stored:
                reads.add(node[2])

    for statement in block:
        kind = statement[0]
        if kind == "assign":
            read(statement[3], *(one for one in statement[2] if one[0] not in ("name", "tuple", "list")))
            stored |= _stored(statement)
        elif kind == "if":
            read(statement[2])
            one, other = set(stored), set(stored)
            reads |= _first_reads(statement[3], one) | _first_reads(statement[4], other)
            stored |= one & other
        elif kind == "for":
            read(statement[3])
            reads |= _first_reads(statement[4], stored | _target_names(statement[2])) | _first_reads(
                statement[5], set(stored)
            )
        elif kind == "while":
            read(statement[2])
            reads |= _first_reads(statement[3], set(stored))
        elif kind == "with":
            read(*(part for item in statement[2] for part in item if part is not None))
            stored |= _stored(statement)
            reads |= _first_reads(statement[3], stored)
        elif kind == "try":
            for inner in _blocks(statement):
                reads |= _first_reads(inner, set(stored))
        else:
            read(statement)
    return reads


def _source(node: Node) -> Node:
    """What a loop goes over, without `enumerate` or a progress bar around it."""
    while node[0] == "call" and node[3]:
        node = node[3][0]
    return node


def _zero_tensor(node: Node) -> bool:
    """Whether an expression makes a tensor of zeros."""
    while node[0] == "call" and node[2][0] == "attr" and node[2][3] in ("to", "cuda", "double", "float", "long"):
        node = node[2][2]
    if node[0] != "call":
        return False
    if _text(node[2]) in ("torch.zeros", "torch.zeros_like"):
        return True
    return _text(node[2]) == "torch.tensor" and bool(node[3]) and node[3][0][0] == "const" and node[3][0][2] == 0


def _placed(node: Node) -> bool:
    """Whether an expression puts a tensor on a device."""
    while node[0] == "call":
        if any(name == "device" for name, _ in node[4]) or (node[2][0] == "attr" and node[2][3] in ("to", "cuda")):
            return True
        if node[2][0] != "attr" or node[2][2][0] != "call":
            return False
        node = node[2][2]
    return False


def _kind(node: Node, body: list[Node], depth: int = 0) -> str:
    """What an expression in a loop's body gives: `int`, `number`, `tensor`, or empty for not known."""
    kind = node[0]
    if depth > 4:
        return ""
    if kind == "const":
        return "int" if type(node[2]) is int else "number" if isinstance(node[2], float) else ""
    if kind == "name":
        bound = [
            one[3]
            for one in _walk(body)
            if one[0] == "assign" and any(node[2] in _target_names(target) for target in one[2])
        ]
        plain = [
            one
            for one in _walk(body)
            if one[0] == "assign" and any(_target_names(target) == {node[2]} for target in one[2])
        ]
        return _kind(bound[0], body, depth + 1) if len(bound) == len(plain) == 1 else ""
    if kind == "bin":
        sides = {_kind(node[3], body, depth + 1), _kind(node[4], body, depth + 1)}
        if "" in sides:
            return ""
        if "tensor" in sides:
            return "tensor"
        return "int" if sides == {"int"} and node[2] in ("+", "-", "*", "//") else "number"
    if kind == "sub":
        inner = node[2]
        shape = (inner[0] == "attr" and inner[3] == "shape") or (inner[0] == "call" and _last(inner[2]) == "size")
        return "int" if shape and node[3][0] == "const" else ""
    if kind != "call":
        return ""
    name = _last(node[2])
    if node[2][0] == "name":
        return {"len": "int", "int": "int", "float": "number"}.get(name, "")
    if name == "item":
        return "int" if _counts(node[2][2], body) else "number"
    if name in ("numel", "nelement") or (name == "size" and len(node[3]) == 1):
        return "int"
    if any(one[0] in ("name", "attr") and (one[2] in ("np", "numpy") or one[-1] == "numpy") for one in _walk(body)):
        return ""
    text = _text(node[2])
    if text.startswith(("F.", "torch.", "nn.functional.")) or (name in _SUMMING and not text.startswith("np")):
        return "tensor"
    return _kind(node[2][2], body, depth + 1) if name in _SAME_KIND else ""


def _counts(node: Node, body: list[Node]) -> bool:
    """Whether a tensor is the number of true elements of a comparison."""
    if node[0] != "call" or node[2][0] != "attr" or node[2][3] != "sum":
        return False
    inner = node[2][2]
    if inner[0] == "name":
        bound = [
            one[3]
            for one in _walk(body)
            if one[0] == "assign" and any(_target_names(target) == {inner[2]} for target in one[2])
        ]
        inner = bound[0] if len(bound) == 1 else inner
    return inner[0] == "cmp" or (inner[0] == "call" and _last(inner[2]) in ("eq", "ne", "gt", "lt"))


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _place(where: _Where) -> tuple[str, int]:
    return where.module.path, where.function.position if where.function is not None else 0


# codemods


def _sum_over_ranks(file: FileRewriter, action: Action) -> None:
    """Add statements that all-reduce tensors in place, and numbers through one tensor of all of them."""
    import libcst as cst

    given = dict(action.arguments)
    statement = file.node_at(action.span, cst.For, cst.With)
    dist = file.add_import("torch.distributed", alias="dist", where=statement)
    tensors, numbers = given["tensors"].split(), given["numbers"].split()
    rows = [f"{dist}.all_reduce({name})" for name in tensors]
    before: list[str] = []
    values = list(numbers)
    if given["length"]:
        batches = file.fresh_name("batches")
        for row in given["lengths"].split(";"):
            file.replace(file.call_at(Span(action.span.path, *map(int, row.split(",")))), batches)
        numbers.append(batches)
        values.append(batches if given["single"] else given["length"])
        if given["single"]:
            before.append(f"{batches} = {given['length']}")
    if numbers:
        torch = file.add_import("torch", where=statement)
        totals = file.fresh_name("totals")
        device = given["device"]
        device = file.string(device[1:-1]) if device[0] == "'" else device
        dtype = "" if given["whole"] else f"dtype={torch}.float64, "
        if len(numbers) == 1:
            rows.append(f"{totals} = {torch}.tensor({values[0]}, {dtype}device={device})")
            rows.append(f"{dist}.all_reduce({totals})")
            rows.append(f"{numbers[0]} = {totals}.item()")
        else:
            rows.append(f"{totals} = {torch}.tensor([{', '.join(values)}], {dtype}device={device})")
            rows.append(f"{dist}.all_reduce({totals})")
            rows.append(f"{', '.join(numbers)} = {totals}.tolist()")
        rows += [f"{name} = int({name})" for name in given["integers"].split()]
    if given["single"]:
        rows = [f"if {dist}.is_available() and {dist}.is_initialized():", *(f"    {row}" for row in rows)]
    file.insert_after(statement, "\n".join([*before, *rows]))


def _move_before_branch(file: FileRewriter, action: Action) -> None:
    """Move the first statement of a branch before the branch."""
    import libcst as cst

    statement = file.node_at(action.span, cst.Assign, cst.AnnAssign)
    branch = file.enclosing(statement, cst.If)
    assert branch is not None
    code = f"{file.indent_of(statement)}{file.code_of(statement)}"
    file.insert_before(branch, code)
    file.remove(statement)


def _drop_branch(file: FileRewriter, action: Action) -> None:
    """Put a branch's only statement in the branch's place."""
    import libcst as cst

    branch = file.node_at(action.span, cst.If)
    first = branch.body.body[0]
    start = file.range_of(first)[0]
    end = file.text.find("\n", file.range_of(branch)[1])
    code = file.text[start : end if end >= 0 else len(file.text)]
    file.replace(branch, f"{file.indent_of(first)}{code}")


_CODEMODS = {"sum-over-ranks": _sum_over_ranks, "move-before-branch": _move_before_branch, "drop-branch": _drop_branch}


class Rank0Evaluation(Rule):
    code = "DDP101"
    name = "rank0-evaluation"
    severity = "error"
    words = frozenset({"Sampler", "Accelerator", "split_by_node", "LightningModule"})
    check = Rank0EvaluationCheck

    def rewrite(self, action: Action, file: FileRewriter) -> None:
        codemod = _CODEMODS.get(action.kind)
        if codemod is None:
            super().rewrite(action, file)
        else:
            codemod(file, action)


RULE = Rank0Evaluation()
