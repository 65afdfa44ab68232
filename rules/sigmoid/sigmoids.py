"""The sigmoids that go."""

from __future__ import annotations

from ddplint.facts.nodes import last_of, walk
from ddplint.program.program import ClassFacts, FunctionFacts, Module
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.change import Change
from ddplint.rules.sigmoid.places import Stand, place_text
from ddplint.rules.sigmoid.seen import Origin, Spot
from ddplint.rules.sigmoid.variables import inner_of
from ddplint.rules.sigmoid.walk import Walk
from ddplint.rules.statements import own_expressions, statements_of


class Sigmoids:
    """Takes sigmoids away, and the modules and layers that nothing uses any more."""

    def __init__(self, change: Change, walk: Walk, logits: set[int]) -> None:
        self.change = change
        self.walk = walk
        self.logits = logits

    def drop(self, origin: Origin) -> None:
        """Take away the sigmoid that is applied at a place."""
        path, position, made = origin
        if made is not None and made in self.change.seen.layers:
            if self.walk.ids.get(("layer", *made)) in self.logits:
                self._drop_layer(made)
            return
        if self.walk.ids.get(("at", path, position, "call")) not in self.logits:
            return
        call = self.change.places.stand((path, position)).call
        name = last_of(call[2])
        statement, inner = self.change.places.stand((path, position)).statement, inner_of(call)
        receiver = not call[3] and not call[4]
        if name.endswith("_") or len(call[3]) + len(call[4]) > 1 or (receiver and call[2][0] != "attr"):
            raise Refused("the sigmoid is applied in place, or in a form that cannot be taken apart")
        targets = statement[2] if statement[0] == "assign" and statement[3][1] == position else []
        if inner is not None and inner[0] == "name" and [target[-1] for target in targets] == [inner[2]]:
            # nothing would be left but `x = x`
            self.change.act("remove-statement", (path, statement[1]))
            return
        self.change.act("unwrap-call", (path, position), keep="receiver" if receiver else "argument")
        if made is not None:
            self._drop_module(made)

    def _drop_module(self, made: Spot) -> None:
        """Remove `self.sigmoid = nn.Sigmoid()` once nothing reads it."""
        stand = self.change.places.stand(made)
        target = stand.statement[2][0] if stand.statement[0] == "assign" and len(stand.statement[2]) == 1 else None
        if target is None or stand.statement[3][1] != made[1] or target[0] not in ("attr", "name"):
            return
        calls = {spot for spot, owners in self.change.seen.applied.items() if made in owners}
        if target[0] == "name":
            body = stand.function.body if stand.function is not None else []
            reads = sum(
                node[0] == "name" and node[2] == target[2]
                for statement, _ in statements_of(body)
                for node in walk(own_expressions(statement))
            )
            # once where it is bound
            if reads == len(calls) + 1 and all(
                self.walk.ids.get(("at", *spot, "call")) in self.logits for spot in calls
            ):
                self.change.act("remove-statement", made)
            return
        if any(self.walk.ids.get(("at", *spot, "call")) not in self.logits for spot in calls) or stand.function is None:
            return
        module = self.change.places.module(made[0])
        owner = next((one for one in module.classes if stand.function.qualname.startswith(f"{one.qualname}.")), None)
        if owner is None:
            return
        if not self._reads_remain(target[3], owner, module, stand.function, calls):
            self.change.act("remove-statement", made)

    def _reads_remain(
        self, name: str, owner: ClassFacts, module: Module, maker: FunctionFacts, calls: set[Spot]
    ) -> bool:
        """Whether methods of a class, or of one that is derived from it, read an attribute beside the calls."""
        for one in self.change.places.program.modules:
            for facts in one.functions if name in one.names() else ():
                if name not in facts.names() or facts is maker:
                    continue
                same = one is module and facts.qualname.startswith(f"{owner.qualname}.")
                derived = any(
                    node[-1] == owner.name
                    for class_ in one.classes
                    if facts.qualname.startswith(f"{class_.qualname}.")
                    for node in walk(class_.bases)
                )
                reads = sum(
                    node[0] == "attr" and node[3] == name
                    for statement, _ in statements_of(facts.body)
                    for node in walk(own_expressions(statement))
                )
                here = sum(spot[0] == one.path and self.change.places.stand(spot).function is facts for spot in calls)
                if (same and reads != here) or (derived and not same):
                    return True
        return False

    def _drop_layer(self, made: Spot) -> None:
        stand = self.change.places.stand(made)
        containers = self.change.seen.layers[made]
        where = place_text(*made)
        if len(containers) != 1:
            raise Refused(f"the sigmoid layer at {where} is in more than one container")
        container = self.change.places.stand(next(iter(containers)))
        self._check_container(container, next(iter(containers)))
        arguments = container.call[3]
        if container.path == made[0] and len(arguments) > 1 and arguments[-1][:2] == ["call", made[1]]:
            self.change.act("drop-layer", made)
            return
        statement = stand.statement
        alone = statement[0] == "expr" and statement[2][2][0] == "attr" and statement[2][2][3] == "append"
        alone = alone and statement[2][3] == [stand.call]
        alone = alone or (statement[0] == "aug" and statement[4][0] == "list" and statement[4][2] == [stand.call])
        if not alone:
            raise Refused(f"the sigmoid layer at {where} is not the last layer of a `Sequential` that is written out")
        if stand.around and self._unset_flag(stand):
            return
        if stand.around:
            raise Refused(f"the sigmoid layer at {where} is added under a condition, which other callers may use")
        self.change.act("remove-statement", (made[0], statement[1]))

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
        for spot in sorted(self.change.seen.callers.get(id(facts), ())):
            call = self.change.places.stand(spot).call
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
            self.change.act("drop-keyword", spot, name=test[2])
        return bool(asking)

    def _check_container(self, container: Stand, spot: Spot) -> None:
        """Layers that are picked by number would be others without the sigmoid."""
        targets = container.statement[2] if container.statement[0] == "assign" else []
        names = {target[-1] for target in targets if target[0] in ("name", "attr")}
        scope = container.function.qualname.rpartition(".")[0] if container.function is not None else ""
        module = self.change.places.module(spot[0])
        for facts in [None, *module.functions]:
            body = module.statements() if facts is None else facts.body
            own = facts.parameters[0][0] if facts is not None and facts.parameters else ""
            other = facts is not None and not facts.qualname.startswith(f"{scope}." if scope else "")
            for one, _ in statements_of(body):
                for node in walk(own_expressions(one)):
                    base = node[2] if node[0] == "sub" else None
                    if base is None or base[0] not in ("name", "attr") or base[-1] not in names:
                        continue
                    # `self.layers` of another class is another one
                    if not (other and base[0] == "attr" and base[2][:1] == ["name"] and base[2][2] == own):
                        raise Refused(f"layers of the `Sequential` are picked at {place_text(spot[0], node[1])}")
