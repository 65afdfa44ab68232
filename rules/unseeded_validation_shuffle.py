"""Validation data is shuffled without a fixed seed

## What it does
Reports loaders and data sets used for evaluation whose order is drawn from a random state that nothing seeds:
`shuffle=True` (directly, by a default, through a factory or a shared variable), `RandomSampler` and
`SubsetRandomSampler`, webdataset's `.shuffle(n)` without `rng=` or `seed=`, `Dataset.shuffle()` of the datasets
library, `random.shuffle` and `np.random.permutation` of the list of files. Which loader evaluates is told by the
values: one whose batch reaches `backward()` trains.

## Why it is a bug
Every run goes through the validation samples in another order. As soon as not all of them are scored
(`drop_last=True`, a `break`, `limit_val_batches`, `next(iter(loader))`, `.select(range(n))`), each validation
scores another subset, and the metric that picks the checkpoint moves although the model does not. The mean of batch
means moves as well, when the last batch is smaller. No global seed reaches webdataset's `.shuffle(n)`, and
`torch.manual_seed` reaches neither `random.shuffle` nor `Dataset.shuffle()`.

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
- loaders whose samples are only shown, and loaders of which it is not known whether they train or evaluate
- an order shared by training and validation data, drawn before the split
- tests

## Fix safety
`shuffle=False` at the evaluation call keeps every value but the order. It stops the pass from drawing on the global
random state, so later random numbers of the training change. Where batches must be mixed (BatchNorm in training
mode, in-batch retrieval), give the loader a generator of its own instead. `rng=` of webdataset takes a
`random.Random`; a NumPy generator crashes there.

## References
- [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
- [webdataset issue 39](https://github.com/webdataset/webdataset/issues/39)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ddplint.facts.lower import pack, unpack
from ddplint.findings import Severity
from ddplint.flow.events import CallEvent, Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.roles import EVALUATION, TRAINING, Judgement, Roles, Source
from ddplint.flow.run import Run
from ddplint.flow.values import Conditions, Const, Made, Place, Value, contradict
from ddplint.rules.base import Check, Rule

_TAKES_PART = "so each run scores another subset"
_ORDER_ONLY = "so batches, and every mean of batch means, differ from run to run"
_MAX_CALLERS = 3


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

    def _judge(self, roles: Roles, candidate: Candidate, token: Any) -> None:
        event = candidate.event
        found = roles.role(token)
        if found.role != EVALUATION or not self._happens(roles, candidate) or self._skipped(roles, token, event.scope):
            return
        if roles.is_seeded("torch", event.scope):
            return
        if candidate.sampler is not None:
            sampler = candidate.sampler
            what = f"`{sampler.name.rpartition('.')[2]}` draws from torch's global generator"
            places, where = [event_place(event)], sampler.place
        else:
            what = "`shuffle` is true" + (" here in some runs" if candidate.conditions else "")
            places, where = [], event_place(event)
            shuffle = (
                candidate.made.argument(event.effect.argument_index("shuffle"), "shuffle") if event.effect else None
            )
            if id(shuffle) in roles.bound:
                places = [roles.bound[id(shuffle)][1]]
        subset = self._subset(roles, token, candidate)
        self._tell(roles, token, event.scope, where, what, found, places, subset)

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

    def _subset(self, roles: Roles, token: Any, candidate: Candidate) -> tuple[str, Place] | None:
        """Why not all samples are scored, if so."""
        made, effect = candidate.made, candidate.event.effect
        assert effect is not None
        drop = made.argument(effect.argument_index("drop_last"), "drop_last")
        if drop is not None and drop.constant is True:
            return "`drop_last=True` leaves samples out", made.place
        if candidate.sampler is not None:
            kind = self.knowledge.call(candidate.sampler.name)
            assert kind is not None
            if any(
                _given(candidate.sampler.argument(kind.argument_index(name), name), (None, False))
                for name in ("replacement", "num_samples")
            ):
                return "the sampler draws only some samples", candidate.sampler.place
        return self._cut(roles, token)

    def _cut(self, roles: Roles, token: Any) -> tuple[str, Place] | None:
        if token in roles.stopped:
            place = roles.stopped[token]
            return place.message, place
        if roles.limits:
            return f"`{roles.limits[0].message}` scores only some batches", roles.limits[0]
        return None

    def _judge_source(self, roles: Roles, token: Any, source: Source) -> None:
        found = roles.source_role(token)
        if found.role != EVALUATION or self._skipped(roles, token, source.scope):
            return
        if source.family != "none" and roles.is_seeded(source.family, source.scope, source if source.eager else None):
            return
        if source.family == "none":
            what = f"no global seed reaches `{source.name.rpartition('.')[2]}` without `rng=` or `seed=`"
            if "initial" in source.keywords:
                what += " (`initial=` is no seed: it is how many samples are read first)"
        else:
            family = _FAMILIES[source.family]
            what = f"`{source.by or source.name}` draws from the global generator of {family}, which is not seeded"
        subset = next(
            (
                cut
                for loader in [token, *roles.loaders_of(token)]
                if (cut := self._loader_cut(roles, loader)) is not None
            ),
            None,
        )
        where = Place(
            source.scope.module.path,
            _from_name(source.node) if source.effect.returns != "object" else source.node[1],
            what,
        )
        self._tell(roles, token, source.scope, where, what, found, [], subset)

    def _loader_cut(self, roles: Roles, token: Any) -> tuple[str, Place] | None:
        loader = roles.loaders.get(token)
        if loader is not None:
            drop = loader.made.argument(loader.effect.argument_index("drop_last"), "drop_last")
            if drop is not None and drop.constant is True:
                return "`drop_last=True` leaves samples out", loader.made.place
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
        subset: tuple[str, Place] | None,
    ) -> None:
        loader = roles.loaders.get(token)
        names = (
            sorted(name for name in loader.names if roles.role_of_name(name) == EVALUATION)
            if loader is not None
            else []
        )
        subject = f"validation data (`{names[0]}`)" if names else "validation data"
        severity: Severity = "error" if subset is not None else "warning"
        result = f"{subset[0]}, {_TAKES_PART}" if subset is not None else _ORDER_ONLY
        cure = "use shuffle=False, or a generator owned by this loader"
        if loader is None:
            cure = "drop the shuffle, or give it a seed of its own"
        message = f"{subject} is shuffled without a fixed seed: {what}; {result}; {cure}"
        trace = [*roles.callers(scope)[-_MAX_CALLERS:], *places, where._replace(message=what), *found.reasons]
        if subset is not None:
            trace.append(subset[1]._replace(message=subset[0]))
        self.report(where.path, ["call", where.position], message, trace, severity)


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


_FAMILIES = {"torch": "torch", "numpy": "NumPy", "python": "Python's random"}


class UnseededValidationShuffle(Rule):
    code = "DDP302"
    name = "unseeded-validation-shuffle"
    severity = "warning"
    words = frozenset({"Loader", "shuffle", "RandomSampler", "permutation", "seed"})
    check = UnseededValidationShuffleCheck


RULE = UnseededValidationShuffle()
