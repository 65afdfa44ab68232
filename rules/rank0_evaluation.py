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
- losses of the training loop and progress printed while the loop over the loader runs, also in the method that a
  framework calls for each batch;
- numbers reported together with the rank that they belong to;
- torchmetrics objects that every rank updates: their `compute()` synchronises.

## Fix safety
The fix never adds a collective that only some ranks reach: where the loop, the call of its function or a condition on
the way may differ between ranks, it says so and changes nothing. Where the program may run without a process group,
what is added stands under `dist.is_initialized()`.
- Sums and counts that a loop adds up are all-reduced on every rank right after the loop. This is safe; the samples that
  the sampler repeats to give all ranks the same number count twice, so the result is exact where the number of ranks
  divides `len(dataset)`. It is unsafe where the sampler drops the last samples, where the loop serves training as well,
  where a mean of the batches' means is computed, and where the way in which the samples are shared out is not in view.
- Lists that a loop fills, with a tensor or array per batch or a value per sample, are gathered once after the loop, put
  in the order of the dataset (of the sampler, if it shuffles) and cut to `len(dataset)`; every rank then holds all of
  them. This is safe and exact with a `DistributedSampler` that drops nothing: the tests print 51 of 51 points in order,
  where rank 0 of two had 26. It is unsafe with `drop_last`, for numbers per batch (see above), and where the sampler is
  another one: the values then come rank after rank.
- What rank 0 feeds an evaluator batch by batch is collected on every rank, gathered likewise, and rank 0's branch comes
  after the loop, over all ranks' batches in order. This is unsafe, because all predictions are in memory at once. The
  tests' program had 26 of 51 frames and an error of the acceleration of 70.8 mm before, 51 frames and 25.8 mm after.
- A meter whose class has a method that reduces it gets the call of that method after the loop; of one whose class does
  nothing but add up, sums and counts are all-reduced and the quotients computed anew. This is safe or not as with sums.
- With accelerate, what the sums are computed from goes through `gather_for_metrics`, which cuts the padding.
- Under Lightning, `sync_dist=True` reduces a logged number, also instead of `rank_zero_only=True`. This is unsafe at
  the end of an epoch, where the mean of the ranks' numbers need not be the number of all samples.
- A torchmetrics `update` under a guard is taken out of it if `compute` is called on all ranks.
- An evaluation that rank 0 alone calls is moved before the guard together with the reduction. This is unsafe, because
  whatever else it does then happens on every rank.

There is no fix where it is not certain that what is collected has one row per sample (detections, captions, batches of
a `collate_fn`), where several loops give the number, and for what a Lightning module's hooks collect.

## References
- [torch.utils.data.distributed.DistributedSampler](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler)
- [Accelerate, Distributed evaluation](https://huggingface.co/docs/accelerate/quicktour#distributed-evaluation)
- [TorchMetrics, Structure Overview](https://lightning.ai/docs/torchmetrics/stable/pages/overview.html)
- [Generic Join Context Manager](https://docs.pytorch.org/docs/stable/distributed.algorithms.join.html)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ddplint.facts.nodes import Node, text_of
from ddplint.flow.events import AssignEvent, CallEvent, CompareEvent, Guard, LoopEvent, ReturnEvent, Scope, reachable
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import (
    ClassValue,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Made,
    Method,
    Place,
    Tag,
    Value,
)
from ddplint.rules.base import Check, Rule
from ddplint.rules.rank0.codemods import CODEMODS
from ddplint.rules.rank0.ranks import ranks_of
from ddplint.rules.rank0.repairs import Repairs
from ddplint.rules.rank0.seen import Loop, Seen, Use, find, find_all, outer_call
from ddplint.rules.statements import names_of

Origins = frozenset[Any]

_ORDER = frozenset({"<", ">", "<=", ">="})
MAX_LATER = 6
# tags of values that are not the same on all ranks
_DIFFERS = frozenset({"shard", "rank", "main", "other", "main_only"})
# steps of values that a function returned, and of samples that a data set gave
_RETURNED = "returns it"
_ITEM = "`__getitem__` returns it"


@dataclass(slots=True)
class _Loader:
    """What was seen of loops over one loader."""

    evaluates: bool = False
    guards: list[Guard] = field(default_factory=list)
    unguarded: bool = False
    # how its shard came to the first loop over it
    steps: tuple[Place, ...] = ()


class Rank0EvaluationCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.loaders: dict[Any, _Loader] = defaultdict(_Loader)
        self.uses: list[Use] = []
        # classes -> roots that make objects of them
        self.made_in: dict[int, set[int]] = defaultdict(set)
        # names by which a checkpoint is picked, with the files that say so and the roots in which they do
        self.monitored: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.many_processes = False
        # roots that start a process group
        self.distributed: set[int] = set()
        self.enumerated: dict[tuple[str, int], Value] = {}
        self.seen = Seen(knowledge)

    # what the loaders are for

    def on_loop(self, event: LoopEvent) -> None:
        self._seen_loop(event)
        kind = event.node[0]
        # a loop over what came out of a loader says nothing of the loader
        if kind not in ("for", "comp") or "shard" in event.iterable.tags:
            return
        tag = find(event.element, "shard")
        if tag is None or any(step.message.endswith(_RETURNED) and step.message != _ITEM for step in tag.steps):
            return
        guard = event.scope.on_main_rank_only
        function = event.scope.function
        draws = function is not None and self.knowledge.matches("draws_samples", function.name)
        evaluates = self._named_evaluation(event) or (event.scope.no_grad and not draws)
        for origin in tag.origins:
            loader = self.loaders[origin]
            loader.evaluates |= evaluates
            loader.steps = loader.steps or tag.steps
            if guard is None:
                loader.unguarded = True
            else:
                loader.guards.append(guard)

    def _seen_loop(self, event: LoopEvent) -> None:
        scope = event.scope
        key = (scope.module.path, event.node[1])
        loop = self.seen.loops.get(key)
        if loop is None:
            loop = self.seen.loops[key] = Loop(event.node, scope)
        shard = find(event.element, "shard")
        loop.differs |= (
            shard is not None or find(event.element, "rank") is not None or bool(event.iterable.tags.keys() & _DIFFERS)
        )
        if shard is not None and "shard" not in event.iterable.tags:
            if not isinstance(event.iterable.shape, Items):
                loop.origins |= shard.origins
            over = self._counted(event)
            loop.direct |= isinstance(over.shape, (Made, Instance))
            loop.wrapped |= isinstance(over.shape, Instance)
            loop.guarded |= bool(scope.guards)
            loop.recorded |= not scope.no_grad
        elif find(event.element, "batch") is not None and "batch" not in event.iterable.tags:
            loop.whole = True

    def _counted(self, event: LoopEvent) -> Value:
        """What a loop goes over, `enumerate` left aside."""
        if event.node[0] not in ("for", "comp"):
            return event.iterable
        node = event.node[3] if event.node[0] == "for" else event.node[4][0][1]
        while node[0] == "call" and node[3]:
            known = self.enumerated.get((event.scope.module.path, node[1]))
            if known is not None:
                return known
            node = node[3][0]
        return event.iterable

    def on_assign(self, event: AssignEvent) -> None:
        if event.value.tags.keys() & _DIFFERS or find(event.value, "shard") is not None:
            self.seen.varying[event.scope.module.path, _position(event.scope)].add(event.name)

    def _seen_call(self, event: CallEvent, kinds: frozenset[str]) -> None:
        """Remember what the repairs need to know of calls."""
        scope, name = event.scope, event.name
        here = (scope.module.path, event.node[1])
        if scope.in_loop and scope.on_main_rank_only is not None:
            self.seen.guarded.add(here)
        if name == "builtins.enumerate" and event.arguments:
            self.enumerated[here] = event.arguments[0]
        if isinstance(event.callee.shape, FunctionValue):
            facts = event.callee.shape.facts
            self.seen.targets[here][id(facts)] = facts
        elif "process-group" in kinds:
            self.seen.groups[name].append((scope.root, (Place(*here, ""), *scope.callers)))
            backend = event.argument(0, "backend")
            self.seen.backends.add(str(backend.constant) if backend is not None and backend.constant else "")
            given = event.keywords.get("even_batches")
            self.seen.uneven |= given is not None and given.constant is not True
        elif self.knowledge.matches("process_group_call", name):
            self.seen.groups.setdefault(name, [])
        elif self.knowledge.matches("device_choice", name):
            self.seen.device_set = True
        if self.knowledge.matches("gathering_object_method", name) and event.node[2][0] == "attr":
            self.seen.accelerators[scope.module.path, _position(scope)] = text_of(event.node[2][2])

    def _named_evaluation(self, event: LoopEvent) -> bool:
        function = event.scope.function
        iterable = event.node[3] if event.node[0] == "for" else event.node[4][0][1]
        names = [*names_of(iterable), function.name if function is not None else ""]
        if any(self.knowledge.matches("training_name", name) for name in names):
            return False
        return any(self.knowledge.matches("evaluation_name", name) for name in names)

    # what is done with what they give

    def on_call(self, event: CallEvent) -> None:
        kinds = event.effect.kinds if event.effect is not None else frozenset()
        self._seen_call(event, kinds)
        if "backward" in kinds or "backward-of-argument" in kinds or event.name.endswith("backward"):
            for value in [event.receiver, *event.arguments, *event.keywords.values()]:
                for name in ("batch", "shard"):
                    tag = find(value, name) if value is not None else None
                    if tag is not None:
                        # in a loop, the value is of the loop's own batches
                        self.seen.trained |= tag.origins & event.scope.iterating or tag.origins
            return
        if isinstance(event.callee.shape, ClassValue):
            self.made_in[id(event.callee.shape.facts)].add(event.scope.root)
        if event.keywords:
            self._monitored(event.scope, event.keywords.get("monitor"))
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
        if any(find(value, "rank") for value in given):
            return
        # one call may report the numbers of several loaders
        tags = {tag.origins: tag for tag in reversed(self._shards(event.scope, given))}
        for tag in reversed(tags.values()):
            self._used(event.scope, event.node, tag, "the number that is reported here", reports=True)

    def _compared(self, scope: Scope, node: Node, values: list[Value], nodes: list[Node]) -> None:
        """A number held against the best one so far."""
        if not any(self.knowledge.matches("best_name", name) for one in nodes for name in names_of(one)[-1:]):
            return
        tag = self._one_shard(scope, values)
        if tag is not None:
            act = ("picks the checkpoint by its number", "compare other numbers")
            self._used(scope, node, tag, "the number that picks the best checkpoint", act=act)

    def _under_guard(self, event: CallEvent) -> None:
        guard = event.scope.on_main_rank_only
        if guard is None:
            return
        given = [*event.arguments, *event.keywords.values()]
        if guard.depth != event.scope.depth:
            return
        inside = isinstance(event.callee.shape, FunctionValue) and not any(find(value, "shard") for value in given)
        if inside and self._one_shard(event.scope, [event.result]):
            self.seen.guarded_calls[(event.scope.module.path, event.node[1])] = (event.scope, event.node)
        name = (names_of(event.node[2]) or [""])[-1]
        feeds = self.knowledge.matches("accumulates", name) and self._evaluator(event)
        if feeds or self.knowledge.matches("measures", name):
            tag = self._one_shard(event.scope, given, looping=True) if feeds else None
            tag = tag or self._one_shard(event.scope, given)
            if tag is not None:
                self._used(
                    event.scope,
                    event.node,
                    tag,
                    "this metric",
                    guard,
                    feeds and self._synchronises(event.receiver),
                    ("feeds the metric" if feeds else "computes the metric", ""),
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
                    self._monitored(event.scope, entries.entries.get("monitor"))

    def _monitored(self, scope: Scope, value: Value | None) -> None:
        if value is not None and isinstance(value.constant, str):
            self.monitored[value.constant].add((scope.module.path, scope.root))

    def _is_picked_by(self, use: Use, run: Run) -> bool:
        """Whether the program that makes the object which logs a number also picks checkpoints by that name."""
        interpreter, own = run.interpreter, use.scope.module.path
        owner = use.scope.instance.shape if use.scope.instance is not None else None
        made = self.made_in.get(id(owner.class_.facts), set()) if isinstance(owner, Instance) else set()
        closure, watching = interpreter.roles.closure, self.monitored.get(use.monitored, set())
        files = {root: interpreter.roles.root_of(root)[0] for root in {*made, *interpreter.main_roots}}
        if made:
            # a helper that several programs share is run for the first of them only
            shared = {path for path, root in watching if interpreter.roles.root_of(root)[0] != path}
            return any(root in made for _, root in watching) or any(shared & closure(files[root]) for root in made)
        starts = {own, *files.values(), *(path for path, _ in watching)}
        return any({path, own} <= closure(start) for path, _ in watching for start in starts)

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
            use = Use(event.scope, event.node, tag, what, None, logs=True, metric=metric, main_only=True)
            use.act = "logs its number"
            self.uses.append(use)
            return
        names = list(given.shape.entries) if isinstance(given.shape, Entries) else [given.constant]
        for name in names:
            if isinstance(name, str):
                what = f"`{name}`, by which the best checkpoint is picked"
                use = Use(event.scope, event.node, tag, what, None, name, True, metric)
                use.act = "picks the checkpoint by its number"
                self.uses.append(use)

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
        names = names_of(event.node[2])[-2:-1]
        for option in owner.options() if owner is not None else ():
            if isinstance(option.shape, Instance):
                names.append(option.shape.class_.facts.name)
            elif isinstance(option.shape, Made):
                names.append(option.shape.name)
        return any(self.knowledge.matches("evaluator_name", name) for name in names)

    def _one_shard(self, scope: Scope, values: Iterable[Value], looping: bool = False) -> Tag | None:
        """The tag of a value that only this rank's shard went into, outside the loop that gives the shard."""
        return next(iter(self._shards(scope, values, looping)), None)

    def _shards(self, scope: Scope, values: Iterable[Value], looping: bool = False) -> list[Tag]:
        """The tags of such values; none where one of them is reduced."""
        found: list[Tag] = []
        for value in values:
            for tag in find_all(value, "shard"):
                if find(value, "reduced") is not None or not reachable(tag, scope):
                    return []
                if bool(tag.origins & scope.iterating) is looping:
                    found.append(tag)
        return found

    def _used(
        self,
        scope: Scope,
        node: Node,
        tag: Tag,
        what: str,
        guard: Guard | None = None,
        metric: bool = False,
        act: tuple[str, str] = ("reports its number", "have other numbers"),
        reports: bool = False,
    ) -> None:
        if any(one.side == "other" for one in scope.guards):
            return
        use = Use(scope, node, tag, what, guard or scope.on_main_rank_only, metric=metric, reports=reports)
        use.act, use.acts = act
        self.uses.append(use)

    # the verdict

    def finish(self, run: Run) -> None:
        """One finding per loader: the first use of a number that comes from it; later ones are further steps."""
        groups: dict[tuple[Origins, str], list[Use]] = defaultdict(list)
        for use in self.uses:
            use = self._of_evaluation(use)
            origins = use.tag.origins
            if not origins or not self._evaluates(use):
                continue
            if use.monitored and not self._is_picked_by(use, run):
                continue
            if use.reports and run.interpreter.roots[use.scope.root].rpartition(".")[2] in origins:
                # the framework calls this method for each batch
                continue
            # a framework's hook is called by the same name in every class
            hooked = any(isinstance(one, str) for one in origins)
            groups[origins, use.scope.module.path if hooked else ""].append(use)
        repairs = Repairs(self.seen, run)
        seen: set[Any] = set()
        taken: set[tuple[str, int]] = set()
        for (origins, hooked_in), uses in groups.items():
            named = {(one, hooked_in) for one in origins}
            if named <= seen:
                continue
            seen |= named
            first = uses[0]
            if first.at in taken:
                # a helper that several evaluations share: where this one uses the number itself
                others = [use for use in uses if use.scope.function is not first.scope.function]
                first = next((use for use in others if use.at not in taken), first)
            taken.add(first.at)
            path, position = first.at
            later = {use.at: use for use in uses if use.at[0] == path and use.at[1] > position}
            self._verdict(first, list(later.values())[:MAX_LATER], uses, repairs)

    def _of_evaluation(self, use: Use) -> Use:
        """A use without the loaders that train: a report may tell their numbers and those of the evaluation at once."""
        left = use.tag.origins - self.seen.trained
        if left == use.tag.origins or not all(self.loaders[one].evaluates for one in left):
            return use if left == use.tag.origins else replace(use, tag=use.tag._replace(origins=frozenset()))
        steps = next((self.loaders[one].steps for one in left), ())
        return replace(use, tag=use.tag._replace(origins=left, steps=steps))

    def _evaluates(self, use: Use) -> bool:
        """Whether all that a number comes from is evaluation, by the loaders' use or by what the number is called."""
        if use.guard is None and self.knowledge.matches("tests_folder", use.at[0]):
            return False
        hooks = [one for one in use.tag.origins if isinstance(one, str)]
        if hooks:
            return self.many_processes and all(self.knowledge.matches("evaluation_name", one) for one in hooks)
        # under a condition, or by node, a loader is sharded only where several processes run
        maybe = use.tag.detail == "by node" or use.tag.conditions
        if maybe and use.guard is None and use.scope.root not in self.distributed:
            return False
        words = [word for text in names_of(use.node) for word in re.split(r"\W+", text)]
        if any(isinstance(one, tuple) for one in use.tag.origins):
            # without a loader, only what the number is called tells an evaluation from other work that is shared out
            return any(self.knowledge.matches("measures", word) for word in words)
        if all(self.loaders[one].evaluates for one in use.tag.origins):
            return True
        if any(self.knowledge.matches("training_name", word) for word in words):
            return False
        return any(self.knowledge.matches("evaluation_name", word) for word in words)

    def _verdict(self, use: Use, later: list[Use], uses: list[Use], repairs: Repairs) -> None:
        loaders = [self.loaders[one] for one in use.tag.origins]
        alone = all(loader.guards and not loader.unguarded for loader in loaders)
        path, node, steps = use.scope.module.path, use.node, list(use.tag.steps)
        if use.guard is not None:
            steps.append(use.guard.place)
        if alone:
            # rank 0 alone runs the loop: the call under the guard is what has to change
            calls = self.seen.guarded_calls
            call = next((calls[step[:2]] for step in use.tag.steps if step[:2] in calls), None)
            outer = outer_call(use)
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
            f"only {whose} (1/world_size of the samples) reaches {use.what}; gather all ranks' results first, {where}"
        )
        if any(isinstance(one, tuple) for one in use.tag.origins):
            fix, reason = None, "the ranks share the samples out among them without a loader"
        else:
            message += ", and cut the sampler's padding to len(dataset)"
            fix, reason = repairs.of(uses, alone)
        # a framework calls its hooks on every rank
        everybody = all(isinstance(one, str) or self.loaders[one].unguarded for one in use.tag.origins)
        guard = use.guard or (loaders[0].guards[0] if alone else None)
        ranks = ranks_of(use, self.seen, guard, alone, everybody)
        self.report(path, node, message, steps, fix=fix, no_fix_reason=reason, ranks=ranks)


def _position(scope: Scope) -> int:
    """Where the function of a scope stands; 0 for a module."""
    return scope.function.position if scope.function is not None else 0


class Rank0Evaluation(Rule):
    code = "DDP101"
    name = "rank0-evaluation"
    severity = "error"
    words = (
        frozenset({"Sampler", "prepare$", "by_node", "x::y", "LightningModule"}),
        frozenset({"pattern:evaluation_name", "no_grad", "inference_mode"}),
    )
    check = Rank0EvaluationCheck
    codemods = CODEMODS


RULE = Rank0Evaluation()
