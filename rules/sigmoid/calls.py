"""What calls do with the values of some sigmoids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ddplint.facts.nodes import Node, text_of
from ddplint.program.program import FunctionFacts
from ddplint.rules.sigmoid.expressions import Expressions
from ddplint.rules.sigmoid.places import Places
from ddplint.rules.sigmoid.seen import Seen, Spot
from ddplint.rules.sigmoid.values import Each, Env, Flow, Group, Val, join


class Calls(Expressions):
    """Evaluates calls: sigmoids, losses, functions of the program, and what carries values on."""

    def __init__(self, seen: Seen, places: Places, sources: Iterable[Spot], layers: Iterable[Spot]) -> None:
        super().__init__(seen, places)
        self.sources = frozenset(sources)
        self.layers = {spot: layer for layer in layers for spot, made in seen.applied.items() if layer in made}
        # functions that do not give the values where another one called there does
        self.silent: dict[int, FunctionFacts] = {}
        self.returned: dict[int, Val] = {}
        self.given: dict[tuple[int, str], dict[Spot, Val]] = defaultdict(dict)
        # functions and modules that have to be walked again
        self.waiting: list[tuple[str, FunctionFacts | None]] = []

    def call(self, node: Node, env: Env) -> Val:
        spot = (self.path, node[1])
        callee = node[2]
        receiver = self.eval(callee[2], env) if callee[0] == "attr" else None
        if callee[0] not in ("name", "attr"):
            self.use(callee, env)
        if spot in self.seen.losses or self._is_unseen_loss(node, spot):
            return self._loss(node, spot, env)
        arguments = [(child, self.eval(child, env)) for child in node[3]]
        keywords = [(name, child, self.eval(child, env)) for name, child in node[4]]
        layer = self.layers.get(spot) or self._wrapped_layer(node)
        if spot in self.sources or layer is not None:
            for child, value in arguments:
                if value is not None:
                    self._ends(child, value)
            flow = Flow(frozenset())
            if layer is not None:
                flow = Flow(frozenset([self.node("layer", *layer)]))
            return self.occurs(node, flow)
        functions = self.seen.functions.get(spot)
        if functions:
            return self._program_call(node, spot, functions, arguments, keywords)
        given = [(child, value) for child, value in arguments if value is not None]
        given += [(child, value) for _, child, value in keywords if value is not None]
        if receiver is not None:
            return self._method(node, spot, receiver, given)
        if not given:
            return None
        name = callee[3] if callee[0] == "attr" else callee[2] if callee[0] == "name" else ""
        carried = self._carried(spot, name, node, arguments)
        if carried is not None:
            return carried
        for child, value in given:
            if isinstance(value, Flow) and self.knowledge.matches("same_of_logits_call", name):
                self.same |= value.ids
            else:
                self._ends(child, value)
        return None

    def _is_unseen_loss(self, node: Node, spot: Spot) -> bool:
        """A call of the loss in a branch that does not run here."""
        return (
            node[2][0] in ("attr", "name")
            and self.knowledge.matches("loss_on_probabilities", node[2][-1])
            and spot not in self.seen.others
            and spot not in self.seen.functions
        )

    def _wrapped_layer(self, node: Node) -> Spot | None:
        """The layer of `data_parallel(self.main, x)` where `self.main(x)` stands in the same function."""
        if not self.knowledge.matches("runs_first_argument", str(node[2][-1])) or not node[3]:
            return None
        for spot, layer in self.layers.items():
            stand = self.places.stand(spot)
            here = stand.path == self.path and stand.function is self.function
            if here and text_of(stand.call[2]) == text_of(node[3][0]) != "":
                return layer
        return None

    def _carried(self, spot: Spot, name: str, node: Node, arguments: list[tuple[Node, Val]]) -> Val:
        """The result of a function that only arranges what it gets."""
        if not self.knowledge.matches("commutes_with_sigmoid", name) or spot not in self.seen.carried or not arguments:
            return None
        first = arguments[0][1]
        items = [first.value] if isinstance(first, Each) else list(first.items) if isinstance(first, Group) else [first]
        whole = [item for item in items if isinstance(item, Flow)]
        if not whole or len(whole) != len(items) or any(value is not None for _, value in arguments[1:]):
            return None
        ids = frozenset(id_ for flow in whole for id_ in flow.ids)
        return self.occurs(node, Flow(ids, any(flow.mixed for flow in whole), any(flow.picked for flow in whole)))

    def _method(self, node: Node, spot: Spot, receiver: Val, given: Sequence[tuple[Node, Val]]) -> Val:
        name = node[2][3]
        for child, value in given:
            self._ends(child, value)
        if not isinstance(receiver, Flow):
            self.block(receiver, node, f"`{name}` of a container that holds it is called")
            return None
        if self.knowledge.matches("same_of_logits", name):
            self.same |= receiver.ids
            return None
        if name.endswith("_") or self.knowledge.matches("tied_to_graph", name):
            for id_ in receiver.ids:
                self.change(Flow(frozenset(self.before[id_])), node, f"`{name}` is called on it")
            return None
        if receiver.picked:
            if spot in self.seen.carried:
                return self.occurs(node, Flow(receiver.ids, receiver.mixed))
            self.block(receiver, node, "entries of it are picked by a product")
            return None
        if self.knowledge.matches("commutes_with_sigmoid", name):
            return self.occurs(node, receiver)
        return None

    def _program_call(
        self,
        node: Node,
        spot: Spot,
        functions: dict[int, tuple[FunctionFacts, bool]],
        arguments: list[tuple[Node, Val]],
        keywords: list[tuple[str | None, Node, Val]],
    ) -> Val:
        result: Val = None
        for number, (facts, bound) in enumerate(functions.values()):
            names = [row[0] for row in facts.parameters if row[1] in ("position", "both")][1 if bound else 0 :]
            every = {row[0] for row in facts.parameters if row[1] in ("both", "keyword")}
            starred = any(child[0] == "star" for child, _ in arguments)
            for index, (child, value) in enumerate(arguments):
                if index < len(names) and not starred:
                    self._pass(facts, names[index], spot, value)
                elif value is not None:
                    self._ends(child, value)
                    self.block(value if not isinstance(value, Flow) else None, child, "it is unpacked with a star")
            for name, child, value in keywords:
                if name in every:
                    self._pass(facts, name, spot, value)
                elif value is not None:
                    self._ends(child, value)
            back = self.returned.get(id(facts))
            result = back if number == 0 else join(result, back)
        if result is not None:
            silent = [facts for facts, _ in functions.values() if self.returned.get(id(facts)) is None]
            self.silent.update({id(facts): facts for facts in silent})
        return self.occurs(node, result) if isinstance(result, Flow) else result

    def _pass(self, facts: FunctionFacts, name: str | None, spot: Spot, value: Val) -> None:
        known = self.given.get((id(facts), name or ""))
        if value is None and (known is None or spot not in known):
            return
        known = self.given[id(facts), name or ""]
        if spot not in known or known[spot] != value:
            known[spot] = value
            row = (facts.module.path, facts)
            self.facts[id(facts)] = facts
            if row not in self.waiting:
                self.waiting.append(row)

    def _loss(self, node: Node, spot: Spot, env: Env) -> Val:
        first = next((child for name, child in node[4] if name == "input"), node[3][0] if node[3] else None)
        for child in [*node[3], *(child for _, child in node[4])]:
            if child is not first:
                self.use(child, env)
        value = self.eval(first, env)
        if isinstance(value, Flow) and not value.picked:
            self.hits[spot] |= value.ids
        else:
            self.block(value, node, "the loss gets it in a container")
        return None
