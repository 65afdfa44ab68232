"""Validation data is shuffled without a fixed seed

## What it does
Reports loaders and data sets used for evaluation whose order is drawn from a random state that nothing seeds:
`shuffle=True` (directly, by a default, through a factory or a shared variable), `RandomSampler` and
`SubsetRandomSampler`, webdataset's `.shuffle(n)` without `rng=` or `seed=`, `Dataset.shuffle()` of the datasets
library, `random.shuffle` and `np.random.permutation` of the list of files. Which loader evaluates is told by the
values: one whose batch reaches `backward()` trains.

It is reported where something is seen that the order changes:
- not all samples are scored: `drop_last=True`, `break`, `limit_val_batches`, `next(iter(loader))`, `.select(range(n))`
- numbers of single batches (a mean loss, an accuracy) are added up or averaged without the batch's size
- scores of single batches (AUC, a loss divided by the number of boxes) are averaged, weighted or not
- a model in training mode goes through the batches without gradients, as to estimate batch statistics
- the position of a result is taken for the number of its sample
- every process shuffles a data set before a trainer shards it by index

## Why it is a bug
Every run goes through the validation samples in another order. As soon as not all of them are scored, each validation
scores another subset, and the metric that picks the checkpoint moves although the model does not. The mean of batch
means moves as well, when the last batch is smaller; with batches of one sample it does not, which is a note. No global
seed reaches webdataset's `.shuffle(n)`, and `torch.manual_seed` reaches neither `random.shuffle` nor
`Dataset.shuffle()`.

## Example
```python
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    train_set = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
    val_set = TensorDataset(torch.randn(22, 4), torch.randn(22, 1))
    train_loader = DataLoader(train_set, batch_size=8, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=8, shuffle=True, drop_last=True)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(3):
        for x, y in train_loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            errors = [nn.functional.mse_loss(model(x), y).item() for x, y in val_loader]
        print(epoch, sum(errors) / len(errors))


if __name__ == "__main__":
    main()
```

## Instead
```python
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    train_set = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
    val_set = TensorDataset(torch.randn(22, 4), torch.randn(22, 1))
    train_loader = DataLoader(train_set, batch_size=8, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=8, shuffle=False, drop_last=True)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(3):
        for x, y in train_loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            errors = [nn.functional.mse_loss(model(x), y).item() for x, y in val_loader]
        print(epoch, sum(errors) / len(errors))


if __name__ == "__main__":
    main()
```

## Not reported
- a shuffle with a generator, seed or rng of its own; `DistributedSampler`, which has its own seed
- a global seed that reaches the shuffle: torch's for loaders and samplers, NumPy's for the datasets library,
  Python's for `random.shuffle`; no global seed reaches webdataset's `.shuffle(n)`
- `shuffle` taken from a configuration or command line
- a loader that is gone through to the end where nothing is seen that depends on the order: right answers are counted,
  losses weighted by the batch's size, predictions collected and scored at once, results kept under the samples' names,
  samples only saved or timed; evaluation by code that is not visible
- loaders whose samples are only shown, and loaders of which it is not known whether they train or evaluate
- an order that is cut in two parts, such as training and validation data: a split, not a shuffle
- a data set that draws its samples itself, whatever index it is asked for
- tests

## Fix safety
`shuffle=False` at the evaluation call keeps every value but the order. It stops the pass from drawing on the global
random state, so later random numbers of the training change. Where batches must be mixed (BatchNorm in training
mode, in-batch retrieval), give the loader a generator of its own instead. `rng=` of webdataset takes a
`random.Random`; a NumPy generator crashes there. A factory shared with training keeps its training calls: the
evaluation call gets `shuffle=False`, or a generator through a new parameter that is None by default. The fix is unsafe
where the parameter that is switched off decides other things too.

## References
- [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
- [webdataset issue 39](https://github.com/webdataset/webdataset/issues/39)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ddplint.facts.lower import pack, unpack
from ddplint.facts.nodes import Node, covers, walk
from ddplint.findings import Action, Finding, Fix, Span
from ddplint.flow.events import CallEvent, Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.roles import EVALUATION, TRAINING, Judgement, Roles, Source
from ddplint.flow.run import Run
from ddplint.flow.values import Conditions, Const, FunctionValue, Instance, Made, Place, Value, contradict
from ddplint.program.program import FunctionFacts, Module, Program
from ddplint.rules.base import Check, Rule, span_of
from ddplint.rules.sample_order import (
    Consequence,
    is_split,
    next_in_class,
    of_loaders,
    of_resharding,
    part_is_scored,
)
from ddplint.rules.shuffle.codemods import CODEMODS, GENERATOR, OVERRIDE, OWN_GENERATOR, PARAMETER, SPLIT

_MAX_CALLERS = 3

_OFF = "set {}=False for evaluation"
_TORCH = (("name", "generator"), ("module", "torch"), ("make", "Generator().manual_seed(0)"))
_PYTHON = (("name", "rng"), ("module", "random"), ("make", "Random(0)"))


@dataclass(slots=True)
class Candidate:
    """A loader that may shuffle; `by` is the argument that makes it, `sampler` the random sampler if that does."""

    event: CallEvent
    made: Made
    by: str
    conditions: Conditions
    sampler: Made | None = None


class UnseededValidationShuffleCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.candidates: list[Candidate] = []

    def on_call(self, event: CallEvent) -> None:
        if event.effect is None or "loader" not in event.effect.kinds or not isinstance(event.result.shape, Made):
            return
        made = event.result.shape
        for name in ("sampler", "batch_sampler"):
            given = made.argument(event.effect.argument_index(name), name)
            if given is None:
                continue
            for sampler, conditions in self._random_samplers(given):
                self.candidates.append(Candidate(event, made, name, conditions, sampler))
                return
            shuffle = made.argument(event.effect.argument_index("shuffle"), "shuffle")
            if isinstance(given.shape, Made) and (shuffle is None or isinstance(shuffle.shape, Const)):
                return
        if _given(made.argument(event.effect.argument_index("generator"), "generator")):
            return
        shuffle = made.argument(event.effect.argument_index("shuffle"), "shuffle")
        for option in shuffle.options() if shuffle is not None else ():
            if (
                isinstance(option.shape, Const)
                and option.shape.value
                and not contradict(option.conditions, event.scope.conditions)
            ):
                self.candidates.append(Candidate(event, made, "shuffle", option.conditions - event.scope.conditions))
                return

    def _random_samplers(self, value: Value, depth: int = 0) -> Iterator[tuple[Made, Conditions]]:
        """The samplers among a value's alternatives that draw from torch's global generator."""
        for option in value.options():
            shape = option.shape
            effect = self.knowledge.call(shape.name) if isinstance(shape, Made) else None
            if effect is None or not isinstance(shape, Made):
                continue
            if "random-sampler" in effect.kinds:
                if not _given(shape.argument(effect.argument_index("generator"), "generator")):
                    yield shape, option.conditions
            elif "sampler" in effect.kinds and depth < 3:
                inner = shape.argument(effect.argument_index("sampler"), "sampler")
                if inner is not None:
                    for sampler, conditions in self._random_samplers(inner, depth + 1):
                        yield sampler, conditions | option.conditions

    def finish(self, run: Run) -> None:
        roles = run.interpreter.roles
        for candidate in self.candidates:
            for token in [id(candidate.made), *roles.copies.get(id(candidate.made), ())]:
                self._judge(roles, candidate, token)
        for token, source in roles.sources.items():
            self._judge_source(roles, token, source)
        self._repair_together()

    def _repair_together(self) -> None:
        """One place may shuffle for several evaluations: it is repaired for all of them or not at all."""
        together: dict[Span, list[Finding]] = {}
        for finding in self.findings:
            together.setdefault(finding.span, []).append(finding)
        for number, finding in enumerate(self.findings):
            others = together[finding.span]
            refused = next((other for other in others if other.fix is None), None)
            if finding.fix is None:
                continue
            if refused is not None:
                self.findings[number] = finding.with_fix(None, refused.no_fix_reason)
                continue
            fixes = [other.fix for other in others if other.fix is not None]
            actions = tuple(dict.fromkeys(action for fix in fixes for action in fix.actions))
            strictest = next((fix for fix in fixes if fix.applicability == "unsafe"), finding.fix)
            self.findings[number] = finding.with_fix(replace(strictest, actions=actions))

    def _judge(self, roles: Roles, candidate: Candidate, token: Any) -> None:
        event = candidate.event
        found = roles.role(token)
        if found.role != EVALUATION or not self._happens(roles, candidate) or self._skipped(roles, token, event.scope):
            return
        if roles.is_seeded("torch", event.scope) or self._orderless(roles, candidate) or self._broken(roles, event):
            return
        if _unread(event):
            return
        if candidate.sampler is not None:
            sampler = candidate.sampler
            what = f"`{sampler.name.rpartition('.')[2]}` draws from torch's global generator"
            places, where = [event_place(event)], sampler.place
            step = where
        else:
            what = "`shuffle` is true" + (" here in some runs" if candidate.conditions else "")
            places, where = [], event_place(event)
            given = event.argument_node(event.effect.argument_index("shuffle"), "shuffle") if event.effect else None
            step = where._replace(position=given[1]) if given else where
            shuffle = (
                candidate.made.argument(event.effect.argument_index("shuffle"), "shuffle") if event.effect else None
            )
            if id(shuffle) in roles.bound:
                places = [roles.bound[id(shuffle)][1]]
        consequence = self._subset(roles, token, candidate) or of_loaders(roles, [token])
        if consequence is None:
            return
        repair = Repair(roles).of_sampler(candidate, self.candidates) if candidate.sampler is not None else None
        repair = repair or Repair(roles).of_loader(candidate)
        places.append(step._replace(message=what))
        self._tell(roles, token, event.scope, where, what, found, places, consequence, repair)

    def _happens(self, roles: Roles, candidate: Candidate) -> bool:
        """Whether the branch decisions under which it shuffles are usual: one process, no debugging, no sampler."""
        for condition in candidate.conditions:
            role = roles.role_of_condition(condition)
            if role == TRAINING:
                return False
            if role == EVALUATION or (condition.operator == "==" and condition.other is None):
                continue
            if self.knowledge.matches("usual_condition", condition.subject) and (
                not condition.holds or condition.operator != "true"
            ):
                continue
            return False
        return True

    def _skipped(self, roles: Roles, token: Any, scope: Scope) -> bool:
        return roles.only_shown(token) or roles.in_test(scope)

    def _orderless(self, roles: Roles, candidate: Candidate) -> bool:
        """Whether the data set makes its samples without looking at the index that it is asked for."""
        effect = candidate.event.effect
        dataset = candidate.made.argument(effect.argument_index("dataset"), "dataset") if effect else None
        options = list(dataset.options()) if dataset is not None else []
        return bool(options) and all(_ignores_index(roles, option) for option in options)

    def _broken(self, roles: Roles, event: CallEvent) -> bool:
        """Whether this program cannot start, for the project lacks a module that it imports, and others do seed."""
        interpreter = roles.interpreter
        path, _ = roles.root_of(event.scope.root)
        module = next((one for one in interpreter.program.modules if one.path == path), None)
        if module is None or not any(_missing(interpreter.program, module, node) for node in module.statements()):
            return False
        here = (event.scope.module.path, event.node[1])
        return any(one.made.place[:2] == here and roles.is_seeded("torch", one.scope) for one in roles.loaders.values())

    def _subset(self, roles: Roles, token: Any, candidate: Candidate) -> Consequence | None:
        """Why not all samples are scored, if so."""
        made, effect = candidate.made, candidate.event.effect
        assert effect is not None
        drop = made.argument(effect.argument_index("drop_last"), "drop_last")
        if drop is not None and drop.constant is True:
            return part_is_scored("`drop_last=True` leaves samples out", made.place)
        if candidate.sampler is not None:
            kind = self.knowledge.call(candidate.sampler.name)
            assert kind is not None
            if any(
                _given(candidate.sampler.argument(kind.argument_index(name), name), (None, False))
                for name in ("replacement", "num_samples")
            ):
                return part_is_scored("the sampler draws only some samples", candidate.sampler.place)
        taken = None if token in roles.observed else next_in_class(candidate.event.scope, made.place.position)
        return self._cut(roles, token) or (part_is_scored(taken.message, taken) if taken is not None else None)

    def _cut(self, roles: Roles, token: Any) -> Consequence | None:
        place = roles.cut_short(token)
        if place is not None:
            return part_is_scored(place.message, place)
        if roles.limits:
            return part_is_scored(f"`{roles.limits[0].message}` scores only some batches", roles.limits[0])
        return None

    def _judge_source(self, roles: Roles, token: Any, source: Source) -> None:
        found = roles.source_role(token)
        if found.role != EVALUATION or self._skipped(roles, token, source.scope):
            return
        if source.family != "none" and roles.is_seeded(source.family, source.scope, source if source.eager else None):
            return
        if source.eager and len({_part(roles, name) for name in source.names} - {""}) > 1:
            # validation and test data cut from one permutation: a split, whose rest trains
            return
        if source.eager and is_split(roles, token):
            return
        if source.family == "none":
            what = f"no global seed reaches `{source.name.rpartition('.')[2]}` without `rng=` or `seed=`"
            if "initial" in source.keywords:
                what += " (`initial=` is no seed: it is how many samples are read first)"
        else:
            family = _FAMILIES[source.family]
            what = f"`{source.by or source.name}` draws from the global generator of {family}, which is not seeded"
        tokens = [token, *roles.loaders_of(token)]
        cuts = (self._loader_cut(roles, loader) for loader in tokens)
        consequence = next((cut for cut in cuts if cut is not None), None)
        consequence = consequence or of_loaders(roles, tokens) or of_resharding(roles, token, source)
        if consequence is None:
            return
        where = Place(
            source.scope.module.path,
            _from_name(source.node) if source.effect.returns != "object" else source.node[1],
            what,
        )
        places = [where._replace(message=what)]
        self._tell(roles, token, source.scope, where, what, found, places, consequence, Repair(roles).of_source(source))

    def _loader_cut(self, roles: Roles, token: Any) -> Consequence | None:
        loader = roles.loaders.get(token)
        if loader is not None:
            drop = loader.made.argument(loader.effect.argument_index("drop_last"), "drop_last")
            if drop is not None and drop.constant is True:
                return part_is_scored("`drop_last=True` leaves samples out", loader.made.place)
        return self._cut(roles, token)

    def _tell(
        self,
        roles: Roles,
        token: Any,
        scope: Scope,
        where: Place,
        what: str,
        found: Judgement,
        places: list[Place],
        consequence: Consequence,
        repair: Fix | str,
    ) -> None:
        loader = roles.loaders.get(token)
        names = (
            sorted(name for name in loader.names if roles.role_of_name(name) == EVALUATION)
            if loader is not None
            else []
        )
        subject = f"validation data (`{names[0]}`)" if names else "validation data"
        cure = "use shuffle=False, or a generator owned by this loader"
        if loader is None:
            cure = "drop the shuffle, or give it a seed of its own"
        message = f"{subject} is shuffled without a fixed seed: {what}; {consequence.text}; {cure}"
        trace = [*roles.callers(scope)[-_MAX_CALLERS:], *places, *found.reasons]
        trace.append(consequence.place)
        fix, why_not = (None, repair) if isinstance(repair, str) else (repair, "")
        ranks = consequence.runs(where)
        self.report(
            where.path, ["call", where.position], message, trace, consequence.severity, fix, why_not, ranks=ranks
        )


class Refused(Exception):
    """There is no repair; the message is the reason, one sentence."""


@dataclass(slots=True)
class Level:
    """A call on the way to the shuffle: the loader's own (or the shuffle's), or one of those that lead to it."""

    module: Module
    function: FunctionFacts | None
    call: Node
    shared: bool


class Repair:
    """What makes the order of one evaluation fixed and leaves training as it is."""

    def __init__(self, roles: Roles) -> None:
        self.roles = roles

    def of_loader(self, candidate: Candidate) -> Fix | str:
        event = candidate.event
        assert event.effect is not None
        levels = self._levels(event.scope, event.node, self._loaders_at(candidate.made.place))
        try:
            return self._off(levels, "shuffle", event.effect.argument_index("shuffle"), "True")
        except Refused as why:
            return str(why)

    def of_sampler(self, candidate: Candidate, candidates: list[Candidate]) -> Fix | str:
        sampler = candidate.sampler
        assert sampler is not None
        for other in candidates:
            if other.sampler is not None and other.sampler.place[:2] == sampler.place[:2]:
                tokens = [id(other.made), *self.roles.copies.get(id(other.made), ())]
                if any(self.roles.role(token).role != EVALUATION for token in tokens):
                    return "the call that makes the sampler is also reached by loaders that do not evaluate"
        call = self._call_at(sampler.place)
        if call is None or _spread(call[1]):
            return "the call that makes the sampler is not visible with all its arguments"
        span = span_of(sampler.place.path, sampler.place.position)
        effect = self.roles.knowledge.call(sampler.name)
        ordered = str(effect.detail.get("ordered", "")) if effect is not None else ""
        plain = ordered and len(call[1][3]) + len(call[1][4]) == 1
        own = candidate.event.effect is not None and _given(
            candidate.made.argument(candidate.event.effect.argument_index("generator"), "generator")
        )
        if plain and not own:
            module, _, name = ordered.rpartition(".")
            target = (("module", module), ("name", name))
            return Fix("safe", "go through the samples in order", (Action("replace-callee", span, target),))
        return Fix("safe", "give the sampler a generator of its own", (Action(GENERATOR, span, _TORCH),))

    def of_source(self, source: Source) -> Fix | str:
        levels = self._levels(source.scope, source.node, self._sources_at(source.place))
        last = source.name.rpartition(".")[2]
        try:
            if source.by:
                return self._off(levels, source.by, source.effect.argument_index(source.by), "True")
            own = source.effect.detail.get("own")
            if own:
                if levels[0].shared:
                    raise Refused(
                        f"`{last}` is also called for training by the same line, which has no parameter for a generator"
                    )
                span = span_of(source.place.path, source.node[1])
                action = Action(OWN_GENERATOR, span, (("method", last), ("generator", own)))
                return Fix("safe", "draw from a generator of its own", (action,))
            if last not in ("shuffle", "randperm"):
                raise Refused(f"`{last}` takes neither a seed nor a generator in every version")
            taken = source.effect.detail.get("fixed", ())
            if "rng" in taken:
                return self._seeded(levels, "rng", _PYTHON, "give the shuffle a random.Random of its own")
            if last == "randperm":
                return self._seeded(levels, "generator", _TORCH, "give the permutation a generator of its own")
            keyword = "random_state" if "random_state" in taken else "seed"
            return self._seeded(levels, keyword, (("name", keyword), ("value", "42")), "give the shuffle a seed")
        except Refused as why:
            return str(why)

    # the ways of repair

    def _off(self, levels: list[Level], keyword: str, index: int, default: str) -> Fix:
        """`keyword=False` at the innermost call that evaluation has for itself."""
        actions: list[Action] = []
        caution = ""
        for number, level in enumerate(levels):
            given = _argument(level.call, keyword, index)
            row = _parameter(level.function, given)
            above = levels[number + 1] if number + 1 < len(levels) else None
            if row is not None and level.function is not None:
                if above is None:
                    raise Refused(f"`{row[0]}` is decided by a caller of `{level.function.name}` that is not visible")
                if _uses(level.function, row[0]) > 1:
                    caution = f"`{row[0]}` decides more than the order in `{level.function.name}`"
                keyword, index = row[0], _index(level.function, row)
                continue
            if not level.shared:
                actions.append(_switch_off(level, keyword, given))
                return Fix("unsafe" if caution else "safe", _OFF.format(keyword), tuple(actions), caution)
            by_split = self._by_split(level, keyword, given)
            if by_split is not None:
                return Fix(
                    "unsafe" if caution else "safe", "shuffle the training split only", (*actions, by_split), caution
                )
            if given is None or given[:1] != ["const"] or given[2] is not True or above is None:
                break
            actions += _with_parameter(level, keyword, default)
            actions.append(Action("replace-text", span_of(level.module.path, given[1]), (("text", keyword),)))
            assert level.function is not None
            index = -1
        raise Refused("the call is shared with loaders that do not evaluate, and nothing in it tells them apart")

    def _seeded(self, levels: list[Level], keyword: str, value: tuple[tuple[str, str], ...], title: str) -> Fix:
        """A seed or generator at the shuffle; where training shuffles by the same call, as a parameter on the way."""
        kind = "set-keyword" if "value" in dict(value) else GENERATOR
        actions: list[Action] = []
        for number, level in enumerate(levels):
            if _spread(level.call):
                raise Refused("the call takes arguments from a list or dict that is not visible here")
            span = span_of(level.module.path, level.call[1])
            if not level.shared:
                return Fix("safe", title, (*actions, Action(kind, span, value)))
            if number + 1 == len(levels):
                break
            actions += _with_parameter(level, keyword, "None")
            actions.append(Action("set-keyword", span, (("name", keyword), ("value", keyword))))
        raise Refused("the shuffle is shared with training, and no call that leads to it is made for evaluation alone")

    def _by_split(self, level: Level, keyword: str, given: Node | None) -> Action | None:
        """`keyword=(split == "train")` where a loop over the names of the splits, in view, makes the loaders."""
        if _spread(level.call) or (given is not None and (given[0] != "const" or given[2] is not True)):
            return None
        body = level.function.body if level.function is not None else level.module.statements()
        for variable, keys in _split_loops(body, level.call[1]):
            training = [key for key in keys if self.roles.role_of_name(key) == TRAINING]
            if len(training) == 1 and len(keys) > 1:
                arguments = (("name", keyword), ("variable", variable), ("key", training[0]))
                return Action(SPLIT, span_of(level.module.path, level.call[1]), arguments)
        return None

    # what is known of the calls

    def _levels(self, scope: Scope, node: Node, made: list[tuple[Scope, str]]) -> list[Level]:
        """The call and those that lead to it, innermost first, as far as each is visible."""
        callers = [place[:2] for place in scope.callers]
        levels: list[Level] = []
        module, function, call = scope.module, scope.function, node
        visible = len(self.roles.callers(scope))
        for depth in range(visible + 1):
            tail = callers[len(callers) - depth :]
            shared = any(
                role != EVALUATION
                for other, role in made
                if [place[:2] for place in other.callers][len(other.callers) - depth :] == tail
            )
            levels.append(Level(module, function, call, shared))
            if depth == visible or function is None:
                break
            above = self._call_at(scope.callers[-1 - depth])
            if above is None or function.name not in ("__init__", _called(above[1])):
                break
            level, call = above
            module, function = level
        return levels

    def _loaders_at(self, place: Place) -> list[tuple[Scope, str]]:
        roles = self.roles
        here = [(token, one.scope) for token, one in roles.loaders.items() if one.made.place[:2] == place[:2]]
        found = [(token, scope, roles.role(token).role) for token, scope in here]
        # of a loader that several names got a copy of, the copies have the roles
        return [(scope, role) for token, scope, role in found if role or not roles.copies.get(token)]

    def _sources_at(self, place: Place) -> list[tuple[Scope, str]]:
        roles = self.roles
        here = [(token, one.scope) for token, one in roles.sources.items() if one.place[:2] == place[:2]]
        return [(scope, roles.source_role(token).role) for token, scope in here]

    def _call_at(self, place: Place) -> tuple[tuple[Module, FunctionFacts | None], Node] | None:
        for module in self.roles.interpreter.program.modules:
            if module.path == place.path:
                bodies: list[tuple[FunctionFacts | None, list[Node]]] = [(None, module.statements())]
                bodies += [(function, function.body) for function in module.functions]
                for function, body in bodies:
                    for node in walk(body):
                        if node[0] == "call" and node[1] == place.position:
                            return (module, function), node
        return None


def _part(roles: Roles, name: str) -> str:
    """Which part of the evaluation data a name speaks of."""
    if roles.role_of_name(name) != EVALUATION:
        return ""
    return "test" if "test" in name.lower() else "validation"


def _unread(event: CallEvent) -> bool:
    """Whether the loader is bound to a name that nothing in the function, or in the file, reads."""
    module, function = event.scope.module, event.scope.function
    body = function.body if function is not None else module.statements()
    names: list[str] = [
        node[2][0][2]
        for node in walk(body)
        if node[0] == "assign" and len(node[2]) == 1 and node[2][0][0] == "name" and node[3][:2] == event.node[:2]
    ]
    if len(names) != 1 or (function is None and any(names[0] in one.names() for one in module.functions)):
        return False
    return [node[0] == "name" and node[2] == names[0] for node in walk(body)].count(True) == 1


def _ignores_index(roles: Roles, dataset: Value) -> bool:
    shape = dataset.shape
    if not isinstance(shape, Instance):
        return False
    getter = roles.interpreter.class_attribute(shape.class_, "__getitem__", None)
    function = getter.shape.facts if getter is not None and isinstance(getter.shape, FunctionValue) else None
    if function is None or len(function.parameters) != 2:
        return False
    index = function.parameters[1][0]
    for statement in function.body:
        bound = statement[2] if statement[0] == "for" else statement[2][0] if statement[0] == "assign" else None
        if bound is not None and bound[0] == "name" and bound[2] == index:
            return not _reads(statement[3], index)
        if _reads(statement, index):
            return False
    return True


def _reads(part: Any, name: str) -> bool:
    return any(node[0] == "name" and node[2] == name for node in walk(part))


def _missing(program: Program, module: Module, node: Node) -> bool:
    """Whether an import names a module that a package of the project does not have."""
    if node[0] != "from" or node[3] or "." not in (node[2] or ""):
        return False
    package, _, name = node[2].rpartition(".")
    found = program.resolve(module, package)
    return found is not None and program.resolve(module, node[2]) is None and not name.startswith("_")


def _argument(call: Node, keyword: str, index: int) -> Node | None:
    given = next((node for name, node in call[4] if name == keyword), None)
    if given is None and 0 <= index < len(call[3]) and not any(node[0] == "star" for node in call[3][: index + 1]):
        given = call[3][index]
    return given


def _spread(call: Node) -> bool:
    """Whether arguments come out of a list or dict."""
    return any(name is None for name, _ in call[4]) or any(node[0] == "star" for node in call[3])


def _called(call: Node) -> str:
    callee = call[2]
    return str(callee[3] if callee[0] == "attr" else callee[2] if callee[0] == "name" else "")


def _parameter(function: FunctionFacts | None, given: Node | None) -> Node | None:
    """The parameter of the function that an argument is, if it is one."""
    if function is None or given is None or given[0] != "name":
        return None
    return next((row for row in function.parameters if row[0] == given[2] and row[1] in ("both", "keyword")), None)


def _index(function: FunctionFacts, row: Node) -> int:
    """Where a call gives the parameter by position; -1 for a parameter that is given by name only."""
    if row[1] != "both":
        return -1
    static = any(one[0] == "name" and one[2] == "staticmethod" for one in function.decorators)
    return function.parameters.index(row) - (function.owner is not None and not static)


def _uses(function: FunctionFacts, name: str) -> int:
    return sum(node[0] == "name" and node[2] == name for node in walk(function.body))


def _switch_off(level: Level, keyword: str, given: Node | None) -> Action:
    path, call = level.module.path, level.call
    if given is not None:
        return Action("replace-text", span_of(path, given[1]), (("text", "False"),))
    spread = [node for name, node in call[4] if name is None]
    if any(node[0] == "star" for node in call[3]) or len(spread) > 1:
        raise Refused("the call takes its arguments from lists or dicts, and it is not visible which of them says so")
    if spread:
        return Action(OVERRIDE, span_of(path, spread[0][1]), (("name", keyword), ("value", "False")))
    return Action("set-keyword", span_of(path, call[1]), (("name", keyword), ("value", "False")))


def _with_parameter(level: Level, name: str, default: str) -> list[Action]:
    """A new parameter of the function that holds the call."""
    function = level.function
    if function is None:
        raise Refused("the call is shared with training and is in no function that could take a parameter")
    hook = function.owner is not None and function.name.endswith("_dataloader")
    if function.decorators or hook or not function.body:
        raise Refused(f"`{function.name}` is shared with training, and its parameters are not its own to choose")
    if any(row[0] == name for row in function.parameters) or any(
        node[0] == "name" and node[2] == name for node in walk(function.body)
    ):
        raise Refused(f"`{function.name}` is shared with training and uses the name `{name}` already")
    # the same place for every shuffle in the function, so that it gets one parameter
    span = span_of(level.module.path, function.body[0][1])
    return [Action(PARAMETER, span, (("name", name), ("default", default)))]


def _split_loops(body: list[Node], position: int) -> Iterator[tuple[str, list[str]]]:
    """Variable and constant names of the loops and comprehensions around a place, innermost first."""
    found: list[tuple[str, list[str]]] = []
    for node in walk(body):
        if node[0] == "comp" and covers(node[1], position):
            rounds = [(target, iterable) for target, iterable, _ in node[4]]
        elif node[0] == "for" and any(part[1] == position for part in walk(node[4]) if part[0] == "call"):
            rounds = [(node[2], node[3])]
        else:
            continue
        for target, iterable in rounds:
            if iterable[0] == "name":
                iterable = _bound_to(body, iterable[2]) or iterable
            if target[0] != "name" or iterable[0] not in ("list", "tuple", "set"):
                continue
            keys = [item[2] for item in iterable[2] if item[0] == "const" and isinstance(item[2], str)]
            if len(keys) == len(iterable[2]):
                found.append((target[2], keys))
    yield from reversed(found)


def _bound_to(body: list[Node], name: str) -> Node | None:
    """What a name is bound to, if it is bound once."""
    values: list[Node] = [
        node[3]
        for node in walk(body)
        if node[0] == "assign" and any(target[0] == "name" and target[2] == name for target in node[2])
    ]
    return values[0] if len(values) == 1 else None


def event_place(event: CallEvent) -> Place:
    return Place(event.scope.module.path, event.node[1], "the loader is made here")


def _from_name(node: list[Any]) -> int:
    """The position of a method call from the method's name on: a chain over several lines is reported at its stage."""
    callee = node[2]
    if callee[0] != "attr":
        return int(node[1])
    _, _, row, column = unpack(callee[1])
    _, _, end_row, end_column = unpack(node[1])
    return pack(row, column - len(callee[3]), end_row, end_column)


def _given(value: Value | None, absent: tuple[Any, ...] = (None,)) -> bool:
    """Whether an argument is there and may be something else than `absent`."""
    if value is None:
        return False
    return any(not (isinstance(option.shape, Const) and option.shape.value in absent) for option in value.options())


# what gives batches or samples
_LOADING = frozenset(
    {"Loader", "loader", "dataloader", "RandomMix", "WebDataset", "load_dataset", "load_from_disk"}
) | {"eval_dataset", "by_node"}
_FAMILIES = {"torch": "torch", "numpy": "NumPy", "python": "Python's random"}


class UnseededValidationShuffle(Rule):
    code = "DDP302"
    name = "unseeded-validation-shuffle"
    severity = "warning"
    words = (
        frozenset({"shuffle", "shardshuffle", "RandomSampler", "permutation", "randperm", "RandomMix", "WebDataset"}),
        _LOADING,
    )
    check = UnseededValidationShuffleCheck
    codemods = CODEMODS


RULE = UnseededValidationShuffle()
