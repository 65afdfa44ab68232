"""The values of expressions, and the names that they are bound to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ddplint.facts.nodes import Node
from ddplint.program.program import FunctionFacts
from ddplint.rules.sigmoid.graph import Graph
from ddplint.rules.sigmoid.places import Places, binds
from ddplint.rules.sigmoid.seen import Seen
from ddplint.rules.sigmoid.values import Each, Env, Flow, Group, Table, Val, element_of, join


class Expressions(Graph):
    """Evaluates expressions; what the calls in them give is a subclass's matter."""

    def __init__(self, seen: Seen, places: Places) -> None:
        super().__init__()
        self.seen = seen
        self.places = places
        self.knowledge = seen.knowledge
        # the function at hand; None for the module's body
        self.function: FunctionFacts | None = None

    def bind(self, target: Node, value: Val, env: Env) -> None:
        kind = target[0]
        if kind == "name":
            for stale in [name for name in env if name.startswith(f"{target[2]}.")]:
                del env[stale]
            env[target[2]] = self._defined(target, value)
            if self.function is None and value is not None:
                self._read_elsewhere(target, target[2], value, True)
        elif kind == "attr":
            path = path_of(target)
            if path:
                env[path] = self._defined(target, value)
                if value is not None:
                    self._read_elsewhere(target, target[3], value, False)
            else:
                self.block(value, target, "it is kept in an attribute")
        elif kind == "sub":
            self._bind_item(target, value, env)
        elif kind in ("tuple", "list"):
            items: list[Val] = [element_of(value)] * len(target[2])
            if isinstance(value, Group) and len(value.items) == len(target[2]):
                items = list(value.items)
            elif isinstance(value, (Group, Table)):
                self.block(value, target, "it is unpacked")
            for one, item in zip(target[2], items):
                if one[0] == "star":
                    self.block(item, one, "it is unpacked with a star")
                else:
                    self.bind(one, item, env)
        elif kind == "star":
            self.block(value, target, "it is unpacked with a star")

    def _defined(self, target: Node, value: Val) -> Val:
        return self.fed(value, "name", self.path, target[1], target[-1]) if isinstance(value, Flow) else value

    def _read_elsewhere(self, target: Node, name: str, value: Val, bare: bool) -> None:
        """A variable of the module or an attribute that other functions of the file read."""
        for facts in self.places.module(self.path).functions:
            if facts is self.function or name not in facts.names():
                continue
            if bare and binds(facts, name):
                continue
            self.block(value, target, f"`{facts.qualname}` reads `{name}`")

    def _bind_item(self, target: Node, value: Val, env: Env) -> None:
        base, index = target[2], target[3]
        path = path_of(base)
        self.use(index, env)
        held = env.get(path) if path else None
        if isinstance(held, Table) and index[0] == "const":
            env[path] = Table(tuple({**dict(held.entries), index[2]: value}.items()))
        elif held is not None or (not path and self._stored(target, env) is not None):
            self.change(held if held is not None else self._stored(target, env), target, "parts of it are overwritten")
            self.block(value, target, "it overwrites a part of something")
        elif value is not None and not isinstance(value, Flow):
            self.block(value, target, "it is stored in a container")

    def _stored(self, target: Node, env: Env) -> Val:
        """What `x[...]` on the left is a part of."""
        while target[0] in ("sub", "attr"):
            target = target[2]
            known = env.get(path_of(target)) if path_of(target) else None
            if known is not None:
                return known
        return None

    def _closure(self, facts: FunctionFacts, node: Node, env: Env) -> None:
        """A nested function that reads a value may run at any time."""
        read = facts.names() - {row[0] for row in facts.parameters}
        for name, value in env.items():
            if value is not None and name in read:
                self.block(value, node, f"`{facts.name}` reads `{name}` from around it")

    def use(self, node: Node | None, env: Env) -> None:
        """An expression whose value does not go on to the loss."""
        if node is None:
            return
        value = self.eval(node, env)
        if value is not None:
            self._ends(node, value)

    def _ends(self, node: Node, value: Val) -> None:
        if isinstance(value, Flow):
            if value.picked:
                self.block(value, node, "entries of it are picked by a product")
        elif node[0] not in ("tuple", "list", "dict", "star", "comp"):
            self.block(value, node, "it is used together with other values of a container")
        elif node[0] == "comp":
            # its element is an expression of its own
            return

    def eval(self, node: Node | None, env: Env) -> Val:
        if node is None:
            return None
        if node[0] == "call":
            return self.call(node, env)
        method = _EVALUATE.get(node[0])
        if method is not None:
            return method(self, node, env)
        for part in node[2:]:
            for child in _children(part):
                self.use(child, env)
        return None

    def _name(self, node: Node, env: Env) -> Val:
        value = env.get(node[2])
        return self.occurs(node, value) if isinstance(value, Flow) else value

    def _attribute(self, node: Node, env: Env) -> Val:
        path = path_of(node)
        if path and path in env:
            value = env[path]
            return self.occurs(node, value) if isinstance(value, Flow) else value
        base = self.eval(node[2], env)
        if isinstance(base, Flow):
            if self.knowledge.matches("same_of_logits", node[3]):
                self.same |= base.ids
            elif base.picked:
                self.block(base, node, "entries of it are picked by a product")
        elif base is not None:
            self.block(base, node, "an attribute of a container that holds it is read")
        return None

    def _subscript(self, node: Node, env: Env) -> Val:
        base = self.eval(node[2], env)
        self.use(node[3], env)
        item: Val = None
        key = node[3][2] if node[3][0] == "const" else None
        if isinstance(base, Flow):
            item = base
        elif isinstance(base, Group) and type(key) is int and -len(base.items) <= key < len(base.items):
            item = base.items[key]
        elif isinstance(base, Table) and isinstance(key, (str, int)):
            item = base.get(key)
        elif isinstance(base, Each) and node[3][0] != "slice":
            item = base.value
        else:
            self.block(base, node, "it is taken out of a container")
        return self.occurs(node, item) if isinstance(item, Flow) else item

    def _sequence(self, node: Node, env: Env) -> Val:
        items = []
        for child in node[2]:
            value = self.eval(child[2] if child[0] == "star" else child, env)
            if child[0] == "star":
                self.block(value, child, "it is unpacked with a star")
                value = None
            items.append(value)
        return Group(tuple(items)) if any(item is not None for item in items) else None

    def _dict(self, node: Node, env: Env) -> Val:
        entries = []
        for key, child in node[2]:
            self.use(key, env)
            value = self.eval(child, env)
            if key is None or key[0] != "const":
                self.block(value, child, "it is stored under a key that is not known")
            else:
                entries.append((key[2], value))
        return Table(tuple(entries)) if any(value is not None for _, value in entries) else None

    def _binary(self, node: Node, env: Env) -> Val:
        left, right = self.eval(node[3], env), self.eval(node[4], env)
        if (self.path, node[1]) in self.seen.picked:
            for one in (left, right):
                if isinstance(one, Flow):
                    flow = self.occurs(node, one)
                    return Flow(flow.ids, False, True)
        for child, value in ((node[3], left), (node[4], right)):
            if value is not None:
                self._ends(child, value)
        return None

    def _compare(self, node: Node, env: Env) -> Val:
        values = [self.eval(child, env) for child in (node[2], *node[4])]
        for child, value in zip((node[2], *node[4]), values):
            if isinstance(value, Flow) and all(operator in ("is", "is not") for operator in node[3]):
                self.same |= value.ids
            elif isinstance(value, Flow) and value.picked:
                self._ends(child, value)
        return None

    def _conditional(self, node: Node, env: Env) -> Val:
        self.use(node[2], env)
        value = join(self.eval(node[3], env), self.eval(node[4], env))
        return self.occurs(node, value) if isinstance(value, Flow) else value

    def _lambda(self, node: Node, env: Env) -> Val:
        self._closure(self.places.module(self.path).functions[node[2]], node, env)
        return None

    def _comprehension(self, node: Node, env: Env) -> Val:
        inner = dict(env)
        for target, iterable, conditions in node[4]:
            self.bind(target, element_of(self.eval(iterable, inner)), inner)
            for condition in conditions:
                self.use(condition, inner)
        if node[2] == "dict":
            self.use(node[3][0], inner)
            self.use(node[3][1], inner)
            return None
        value = self.eval(node[3], inner)
        if isinstance(value, Flow) and node[2] != "set":
            return Each(value)
        self.block(None if isinstance(value, Flow) else value, node, "it is collected")
        return None

    def _yield(self, node: Node, env: Env) -> Val:
        self.block(self.eval(node[2], env), node, "it is yielded")
        return None

    def _await(self, node: Node, env: Env) -> Val:
        return self.eval(node[2], env)

    def _walrus(self, node: Node, env: Env) -> Val:
        value = self.eval(node[3], env)
        env[node[2]] = self._defined(node, value)
        return env[node[2]]

    def call(self, node: Node, env: Env) -> Val:
        """What a call gives."""
        raise NotImplementedError


def path_of(node: Node) -> str:
    """`name` or `name.attribute` as a key of an environment."""
    if node[0] == "name":
        return str(node[2])
    if node[0] == "attr" and node[2][0] == "name":
        return f"{node[2][2]}.{node[3]}"
    return ""


def _children(part: Any) -> Iterator[Node]:
    """The nearest expression nodes in a part of a node."""
    if isinstance(part, list) and part:
        if isinstance(part[0], str) and len(part) > 1 and isinstance(part[1], int) and not isinstance(part[1], bool):
            yield part
        else:
            for one in part:
                yield from _children(one)


_EVALUATE = {
    "name": Expressions._name,
    "attr": Expressions._attribute,
    "sub": Expressions._subscript,
    "tuple": Expressions._sequence,
    "list": Expressions._sequence,
    "set": Expressions._sequence,
    "dict": Expressions._dict,
    "bin": Expressions._binary,
    "cmp": Expressions._compare,
    "ifexp": Expressions._conditional,
    "lambda": Expressions._lambda,
    "comp": Expressions._comprehension,
    "yield": Expressions._yield,
    "yieldfrom": Expressions._yield,
    "await": Expressions._await,
    "walrus": Expressions._walrus,
}
