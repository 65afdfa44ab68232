"""The losses that get logits from then on."""

from __future__ import annotations

from ddplint.facts.nodes import Node, text_of, walk
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.change import Change
from ddplint.rules.sigmoid.places import binds, bound_nodes, place_text, targets_of
from ddplint.rules.sigmoid.seen import Loss, Spot
from ddplint.rules.sigmoid.walk import Walk
from ddplint.rules.statements import own_expressions, statements_of

_ON_LOGITS = {
    "BCELoss": "BCEWithLogitsLoss",
    "binary_cross_entropy": "binary_cross_entropy_with_logits",
}


class Criteria:
    """Changes losses on probabilities, or the objects that compute them, to those on logits."""

    def __init__(self, change: Change, walk: Walk) -> None:
        self.change = change
        self.walk = walk

    def replace(self) -> set[Spot]:
        """Change the losses; the places of the objects that are changed."""
        changed: set[Spot] = set()
        for spot in sorted(self.walk.hits):
            others = {name for name in self.change.seen.others.get(spot, ()) if name}
            others |= {facts.qualname for facts, _ in self.change.seen.functions.get(spot, {}).values()}
            if others:
                name = min(others).removesuffix(".forward")
                raise Refused(f"the same call is also one of `{name.rpartition('.')[2]}`, which may need probabilities")
            for loss in self.change.seen.losses.get(spot) or [Loss("binary_cross_entropy", None, True, frozenset())]:
                if loss.made is None:
                    self._rename(spot, loss.name)
                    continue
                elsewhere = [
                    one
                    for one, losses in self.change.seen.losses.items()
                    if one not in self.walk.hits and any(other.made == loss.made for other in losses)
                ]
                if not elsewhere:
                    self._check_calls(loss.made)
                    self._rename(loss.made, loss.name)
                    changed.add(loss.made)
                elif loss.bare and all(one.made == loss.made for one in self.change.seen.losses[spot]):
                    module = f"{loss.name.rpartition('.')[0]}.functional"
                    name = "binary_cross_entropy_with_logits"
                    self.change.act("replace-callee", spot, module=module, name=name, alias="F")
                else:
                    where = place_text(*min(elsewhere))
                    raise Refused(f"the loss object is also called at {where}, on values that are no sigmoid's output")
        return changed

    def _check_calls(self, made: Spot) -> None:
        """Calls of the object under the name that it is bound to, which the flow has not come to."""
        stand = self.change.places.stand(made)
        targets = targets_of(stand.statement)
        names = {
            (one[0], one[-1])
            for target in targets
            for one in [target, *bound_nodes(target)]
            if one[0] in ("attr", "name")
        }
        module = self.change.places.module(made[0])
        scope = stand.function.qualname.rpartition(".")[0] if stand.function is not None else ""
        for facts in [None, *module.functions]:
            if facts is not None and not facts.qualname.startswith(scope):
                continue
            latest: dict[str, Node] = {}
            for statement, _ in statements_of(module.statements() if facts is None else facts.body):
                latest.update({one[2]: statement for target in targets_of(statement) for one in bound_nodes(target)})
                for node in walk(own_expressions(statement)):
                    spot = (made[0], node[1])
                    if node[0] != "call" or node[2][0] not in ("attr", "name") or spot in self.walk.hits:
                        continue
                    if (node[2][0], node[2][-1]) not in names:
                        continue
                    if node[2][0] == "name" and latest.get(node[2][2], stand.statement)[1] != stand.statement[1]:
                        continue
                    local = node[2][0] == "name" and facts is not stand.function
                    if local and (facts is None or stand.function is not None or binds(facts, node[2][-1])):
                        continue
                    losses = self.change.seen.losses.get(spot, ())
                    if any(loss.made == made for loss in losses) or not (losses or spot in self.change.seen.rivals):
                        raise Refused(f"what the loss is called on at {place_text(*spot)} is not known")

    def _rename(self, spot: Spot, loss: str) -> None:
        module, _, name = loss.rpartition(".")
        callee = self.change.places.stand(spot).call[2]
        new = _ON_LOGITS.get(name)
        if new is None:
            raise Refused(f"what computes `{name}` of logits is not known")
        owner = text_of(callee[2]) if callee[0] == "attr" else ""
        if callee[0] == "attr" and callee[3] == name and owner:
            self.change.act("replace-callee", spot, text=f"{owner}.{new}")
        elif callee[0] == "name" and self._imports(spot[0], module, name) == callee[2]:
            self.change.act("replace-callee", spot, module=module, name=new)
        else:
            raise Refused(f"the loss is called or made under another name at {place_text(*spot)}")

    def _imports(self, path: str, module: str, name: str) -> str:
        """The name under which a file imports something."""
        for statement, _ in statements_of(self.change.places.module(path).statements()):
            if statement[0] == "from" and statement[2] == module and not statement[3]:
                for one, alias in statement[4]:
                    if one == name:
                        return str(alias or one)
        return ""
