"""The fixes of a program: what must change where a loss shall get logits."""

from __future__ import annotations

from typing import Any

from ddplint.findings import Fix
from ddplint.flow.run import Run
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.change import Change
from ddplint.rules.sigmoid.criteria import Criteria
from ddplint.rules.sigmoid.outputs import Outputs
from ddplint.rules.sigmoid.places import Places, place_text
from ddplint.rules.sigmoid.seen import Seen, Spot
from ddplint.rules.sigmoid.sigmoids import Sigmoids
from ddplint.rules.sigmoid.values import flows
from ddplint.rules.sigmoid.variables import Variables
from ddplint.rules.sigmoid.walk import Walk


class Repairs:
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
            except Refused as reason:
                self.known[spot] = (None, str(reason))
        return self.known[spot]


class _Repair:
    """Puts the fix of one loss together."""

    def __init__(self, repairs: Repairs, spot: Spot) -> None:
        self.change = Change(repairs.seen, repairs.places, repairs.run.interpreter)
        self.spot = spot

    def fix(self) -> tuple[set[Spot], Fix]:
        """The losses that it repairs, and the fix."""
        sources, walk = self._sources()
        if self.spot not in walk.hits:
            raise Refused("the way from the sigmoid to the loss is not followed closely enough to change it")
        criteria = Criteria(self.change, walk).replace()
        logits = walk.logits()
        kept = Variables(self.change, walk).keep(sources, logits)
        logits -= kept
        wrapped = walk.probabilities(logits)
        walk.check(logits, wrapped)
        self._check_arguments(walk, logits)
        Outputs(self.change).check(walk, logits, criteria)
        sigmoids = Sigmoids(self.change, walk, logits)
        for origin in sorted(sources, key=str):
            sigmoids.drop(origin)
        for id_ in wrapped:
            _, path, position, _ = walk.keys[id_]
            self.change.act("apply-sigmoid", (path, position))
        losses = set(walk.hits)
        loss = "BCEWithLogitsLoss" if criteria else "binary_cross_entropy_with_logits"
        actions = tuple(dict.fromkeys(sorted(self.change.actions, key=lambda one: (one.span, one.kind))))
        reason = self.change.reason()
        message = f"hand the logits to `{loss}`" + ("; keep a sigmoid elsewhere" if wrapped else "")
        return losses, Fix("unsafe" if reason else "safe", message, actions, reason)

    def _sources(self) -> tuple[set[Any], Walk]:
        sources: set[Any] = set()
        for loss in self.change.seen.losses[self.spot]:
            sources |= loss.origins
        for _ in range(8):
            layers = {made for _, _, made in sources if made in self.change.seen.layers}
            direct = {(path, position) for path, position, made in sources if made not in layers}
            walk = Walk(self.change.seen, self.change.places, direct, layers)
            walk.run()
            more = self._related(walk) - sources
            if not more:
                return sources, walk
            sources |= more
        raise Refused("more sigmoids belong to this loss than can be changed at once")

    def _related(self, walk: Walk) -> set[Any]:
        """The sigmoids that share a loss, its object or a function's parameter with those at hand."""
        related: set[Any] = set()
        made = {loss.made for spot in walk.hits for loss in self.change.seen.losses.get(spot, ()) if loss.made}
        for spot, losses in self.change.seen.losses.items():
            for loss in losses:
                if spot in walk.hits or loss.made in made:
                    related |= loss.origins
        for (identity, _), given in walk.given.items():
            for spot in self.change.seen.callers.get(identity, ()):
                if spot not in given:
                    related |= self.change.seen.origins.get(spot, frozenset())
        for spot, owners in self.change.seen.applied.items() if walk.silent else ():
            if id(self.change.places.stand(spot).function) in walk.silent:
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
            for path, position in sorted(self.change.seen.callers.get(identity, ())):
                if given.get((path, position)) is None:
                    where = place_text(path, position)
                    raise Refused(f"`{facts.qualname}` gets something else at {where}, and both reach the loss")
            self.change.taking.append(f"`{facts.qualname}`")
