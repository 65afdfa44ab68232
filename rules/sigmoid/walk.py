"""Follows the values of some sigmoids through the functions and modules concerned."""

from __future__ import annotations

from typing import Any

from ddplint.facts.nodes import Node
from ddplint.program.program import FunctionFacts
from ddplint.rules.repairs import Refused
from ddplint.rules.sigmoid.calls import Calls
from ddplint.rules.sigmoid.expressions import path_of
from ddplint.rules.sigmoid.seen import Spot
from ddplint.rules.sigmoid.values import Each, Env, Flow, Group, Table, Val, element_of, join, join_environments

_MAX_WALKS = 300


class Walk(Calls):
    """Follows what some sigmoids give through the program; one object per set of sigmoids.

    Every place that reads a value is a node of a graph, and a node from which a loss is reached becomes logits. Where
    such a node feeds one that is not, a sigmoid is put.
    """

    def run(self) -> None:
        for spot in sorted([*self.sources, *self.layers]):
            self._enqueue(spot)
        walked: dict[tuple[str, int], tuple[str, FunctionFacts | None]] = {}
        walks = 0
        while self.waiting:
            walks += 1
            if walks > _MAX_WALKS:
                raise Refused("the probabilities go through more of the program than the analysis follows")
            path, facts = self.waiting.pop(0)
            walked[path, id(facts)] = (path, facts)
            self._function(path, facts)
        # once more now that all results and arguments are known: what was missing before is not mixed in
        self.before = [set() for _ in self.before]
        for found in (self.mixed, self.same, self.changed, self.blocks, self.hits, self.silent):
            found.clear()
        for path, facts in walked.values():
            self._function(path, facts)

    def _enqueue(self, spot: Spot) -> None:
        row = (spot[0], self.places.stand(spot).function)
        if row not in self.waiting:
            self.waiting.append(row)

    def _function(self, path: str, facts: FunctionFacts | None) -> None:
        self.path, self.function = path, facts
        env: Env = {}
        body = self.places.module(path).statements() if facts is None else facts.body
        if facts is not None:
            self.facts[id(facts)] = facts
            for name, *_ in facts.parameters:
                value: Val = None
                for number, one in enumerate(self.given.get((id(facts), name), {}).values()):
                    value = one if number == 0 else join(value, one)
                if isinstance(value, Flow):
                    value = self.fed(value, "parameter", id(facts), name)
                env[name] = value
        self._block(body, env)

    def _block(self, statements: list[Node], env: Env) -> bool:
        """Run statements on the environment; True where control leaves."""
        return any(self._statement(statement, env) for statement in statements)

    def _statement(self, node: Node, env: Env) -> bool:
        kind = node[0]
        if kind in ("expr", "assert"):
            self.use(node[2], env)
        elif kind == "raise":
            self.use(node[2], env)
            return True
        elif kind in ("assign", "ann"):
            value = self.eval(node[3] if kind == "assign" else node[4], env)
            for target in node[2] if kind == "assign" else [node[2]]:
                if kind == "assign" or node[4] is not None:
                    self.bind(target, value, env)
        elif kind == "aug":
            self._augmented(node, env)
        elif kind == "return":
            self._return(node, env)
            return True
        elif kind in ("break", "continue"):
            return True
        elif kind in ("if", "while", "for", "with", "try", "match"):
            return self._compound(node, env)
        elif kind == "def":
            self._closure(self.places.module(self.path).functions[node[2]], node, env)
        elif kind == "del":
            for target in node[2]:
                if target[0] == "name":
                    env.pop(target[2], None)
        return False

    def _compound(self, node: Node, env: Env) -> bool:
        """Run a statement that has blocks; True where control leaves."""
        kind = node[0]
        if kind == "if":
            self.use(node[2], env)
            return self._branches(env, [node[3], node[4]])
        if kind == "while":
            self.use(node[2], env)
            self._loop(env, node[3])
            self._block(node[4], env)
        elif kind == "for":
            self._loop(env, node[4], node[2], element_of(self.eval(node[3], env)))
            self._block(node[5], env)
        elif kind == "with":
            for context, target in node[2]:
                self.use(context, env)
                if target is not None:
                    self.bind(target, None, env)
            return self._block(node[3], env)
        elif kind == "try":
            before = dict(env)
            self._block([*node[2], *node[4]], env)
            for trouble, _, body in node[3]:
                inner = join_environments(before, env)
                self.use(trouble, inner)
                if not self._block(body, inner):
                    self._set(env, join_environments(env, inner))
            self._block(node[5], env)
        elif kind == "match":
            self.use(node[2], env)
            for names, guard, body in node[3]:
                inner = {**env, **dict.fromkeys(names)}
                self.use(guard, inner)
                if not self._block(body, inner):
                    self._set(env, join_environments(env, inner))
        return False

    def _set(self, env: Env, other: Env) -> None:
        env.clear()
        env.update(other)

    def _branches(self, env: Env, blocks: list[list[Node]]) -> bool:
        ends = []
        for block in blocks:
            inner = dict(env)
            if not self._block(block, inner):
                ends.append(inner)
        if ends:
            result = ends[0]
            for other in ends[1:]:
                result = join_environments(result, other)
            self._set(env, result)
        return not ends

    def _loop(self, env: Env, body: list[Node], target: Node | None = None, value: Val = None) -> None:
        for _ in range(2):
            inner = dict(env)
            if target is not None:
                self.bind(target, value, inner)
            self._block(body, inner)
            self._set(env, join_environments(env, inner))

    def _augmented(self, node: Node, env: Env) -> None:
        target = node[2]
        path = path_of(target)
        value = env.get(path) if path else self._stored(target, env)
        if value is not None:
            self.change(value, node, "it is changed in place")
        added = self.eval(node[4], env)
        if not isinstance(added, Flow):
            self.block(added, node, "it goes into a list")

    def _return(self, node: Node, env: Env) -> None:
        value = self.eval(node[2], env)
        facts = self.function
        if facts is None:
            return
        if facts.generator:
            self.block(value, node, "a generator returns it")
            return
        known = id(facts) in self.returned
        old = self.returned.get(id(facts))
        new = self._result(value, facts, ())
        self.returned[id(facts)] = join(old, new) if known else new
        if self.returned[id(facts)] != old:
            for spot in self.seen.callers.get(id(facts), ()):
                self._enqueue(spot)

    def _result(self, value: Val, facts: FunctionFacts, way: tuple[Any, ...]) -> Val:
        if isinstance(value, Flow):
            return self.fed(value, "result", id(facts), way)
        if isinstance(value, Each):
            return Each(self.fed(value.value, "result", id(facts), way))
        if isinstance(value, Group):
            return Group(tuple(self._result(item, facts, (*way, number)) for number, item in enumerate(value.items)))
        if isinstance(value, Table):
            return Table(tuple((key, self._result(item, facts, (*way, key))) for key, item in value.entries))
        return None
