"""Who else sees that a model gives logits."""

from __future__ import annotations

from typing import Any

from ddplint.facts.nodes import Node, walk
from ddplint.flow.values import Instance, Made, Value
from ddplint.program.program import FunctionFacts
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.change import Change
from ddplint.rules.sigmoid.places import place_text
from ddplint.rules.sigmoid.seen import Spot
from ddplint.rules.sigmoid.walk import Walk
from ddplint.rules.statements import own_expressions, statements_of


class Outputs:
    """Looks at functions and layers whose output is another one from then on, and at who else uses it."""

    def __init__(self, change: Change) -> None:
        self.change = change

    def check(self, values: Walk, logits: set[int], criteria: set[Spot]) -> None:
        """Functions and layers whose output is another one from then on."""
        changed = {
            values.keys[id_][1]: values.facts[values.keys[id_][1]] for id_ in logits if values.keys[id_][0] == "result"
        }
        layers = [values.keys[id_] for id_ in logits if values.keys[id_][0] == "layer"]
        factories = [spot for spot in criteria if self.change.places.stand(spot).statement[0] == "return"]
        for facts in sorted(changed.values(), key=lambda one: (one.module.path, one.position)):
            self._unseen(facts)
            self._siblings(facts, factories, changed)
            self.change.returning.append(f"`{facts.qualname}`")
        if layers and not changed:
            self.change.returning.append("the model")
        if changed or layers:
            self._exports(list(changed.values()), {key[1:] for key in layers})
        for path, position in factories:
            function = self.change.places.stand((path, position)).function
            if function is not None:
                self.change.reasons.append(
                    f"`{function.qualname}` makes another loss from then on, for all its callers"
                )

    def _unseen(self, facts: FunctionFacts) -> None:
        """Calls that the flow did not see: in functions that nothing enters, or on objects that are not known."""
        owner = facts.qualname.rpartition(".")[0].rpartition(".")[2] if facts.owner is not None else ""
        hook = facts.name in ("forward", "__call__")
        for module in self.change.places.program.modules:
            words = module.names()
            if (hook and owner not in words) or (not hook and facts.name not in words):
                continue
            for one in module.functions:
                if hook:
                    own = one.module is facts.module and one.qualname.startswith(
                        facts.qualname.rpartition(".")[0] + "."
                    )
                    if not own and owner in one.names() and id(one) not in self.change.interpreter.entered:
                        where = place_text(module.path, one.position)
                        raise Refused(f"`{one.qualname}` ({where}) uses `{owner}` in a way that is not followed")
                elif facts.name in one.names():
                    self._unseen_calls(facts, module.path, one.body)
            if not hook:
                self._unseen_calls(facts, module.path, module.statements())

    def _unseen_calls(self, facts: FunctionFacts, path: str, body: list[Node]) -> None:
        for statement, _ in statements_of(body):
            if statement[0] in ("import", "from"):
                continue
            for node in walk(own_expressions(statement)):
                callee = node[2] if node[0] == "call" else None
                if callee is None or callee[0] not in ("attr", "name") or callee[-1] != facts.name:
                    continue
                if (path, node[1]) not in self.change.seen.functions:
                    where = place_text(path, node[1])
                    raise Refused(f"`{facts.name}` is called at {where} on something that the analysis does not know")

    def _siblings(self, facts: FunctionFacts, factories: list[Spot], changed: dict[int, FunctionFacts]) -> None:
        """Another model beside the one that changes, which a configuration may pair with the same loss."""
        for other in facts.module.functions if factories else ():
            if other.name != facts.name or id(other) in changed or self.change.seen.callers.get(id(other)):
                continue
            if {"sigmoid", "Sigmoid"} & other.names():
                where = place_text(facts.module.path, other.position)
                text = "gives probabilities too, and a configuration may pair it with this loss"
                raise Refused(f"`{other.qualname}` ({where}) {text}")

    def _exports(self, changed: list[FunctionFacts], layers: set[Spot]) -> None:
        affected: set[Any] = {
            (one.module.path, one.qualname.rpartition(".")[0]) for one in changed if one.owner is not None
        }
        affected |= {container for layer in layers for container in self.change.seen.layers[layer]}
        for name, spot, value in self.change.seen.exports:
            if value is None or not _is_other(value, affected):
                how = name.rpartition(".")[2] or "an export"
                raise Refused(f"`{how}` at {place_text(*spot)} exports a model, whose users expect probabilities")


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
