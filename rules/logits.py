"""What must change in a program when a sigmoid before a loss goes: who gets the logits, who keeps the probabilities.

The flow says which calls apply a sigmoid, which calls are losses and what each call calls (`Seen`). From there the
values are followed through the functions concerned (`Walk`): every place that reads one is a node of a graph, and a
node from which a loss is reached becomes logits. Where such a node feeds one that is not, a sigmoid is put.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ddplint.flow.events import CallEvent
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import Elements, Entries, FunctionValue, Instance, Items, Made, Value
from ddplint.program.program import FunctionFacts, Module, Program
from ddplint.rules.statements import blocks_of

Node = list[Any]
# file and packed position of an expression
Spot = tuple[str, int]
# where a sigmoid is applied, and where its object was made if it is one
Origin = tuple[str, int, "Spot | None"]

SIGMOID = "sigmoid"

# methods and functions after which a sigmoid could as well come
_CARRIES = frozenset((
    "view", "reshape", "squeeze", "unsqueeze", "flatten", "permute", "transpose", "expand", "expand_as", "view_as",
    "clone", "masked_select", "index_select", "narrow", "chunk", "split", "unbind", "ravel", "repeat", "t",
    "swapaxes", "movedim", "reshape_as", "gather", "to", "cuda", "cpu", "float", "double", "half", "bfloat16",
    "type_as", "contiguous", "cat", "concat", "stack", "hstack", "vstack", "take", "broadcast_to", "tile", "amax",
))  # fmt: skip
# what is the same of logits and of probabilities
_SAME = frozenset((
    "shape", "device", "dtype", "ndim", "is_cuda", "requires_grad", "size", "dim", "numel", "nelement", "get_device",
    "is_contiguous",
))  # fmt: skip
_SAME_CALLS = frozenset(("len", "isinstance", "type", "id"))
_TIED = frozenset(("backward", "retain_grad", "register_hook"))
_EXPORTS = frozenset((
    "torch.jit.trace", "torch.jit.script", "torch.jit.trace_module", "torch.onnx.export", "torch.onnx.dynamo_export",
    "torch.export.export", "to_torchscript", "to_onnx",
))  # fmt: skip
_MAX_WALKS = 300


class Refusal(Exception):
    """The probabilities cannot be replaced; the message is one sentence."""


# what the flow saw


@dataclass(slots=True)
class Loss:
    """A call of a loss on probabilities: its name, where its object was made, and which sigmoids' outputs it gets."""

    name: str
    made: Spot | None
    bare: bool
    origins: frozenset[Any]


@dataclass(slots=True)
class Seen:
    """What the flow saw of the calls of a program, by place."""

    knowledge: Knowledge
    # call -> the functions of the program that it calls, and whether the first parameter is the object
    functions: dict[Spot, dict[int, tuple[FunctionFacts, bool]]] = field(default_factory=dict)
    callers: dict[int, set[Spot]] = field(default_factory=lambda: defaultdict(set))
    losses: dict[Spot, list[Loss]] = field(default_factory=lambda: defaultdict(list))
    # other calls that get a sigmoid's output: names of what is called
    others: dict[Spot, set[str]] = field(default_factory=lambda: defaultdict(set))
    # calls of objects of other losses
    rivals: set[Spot] = field(default_factory=set)
    carried: set[Spot] = field(default_factory=set)
    picked: set[Spot] = field(default_factory=set)
    origins: dict[Spot, frozenset[Any]] = field(default_factory=dict)
    applied: dict[Spot, set[Spot | None]] = field(default_factory=lambda: defaultdict(set))
    # an object of `Sigmoid` -> the containers that hold it
    layers: dict[Spot, set[Spot]] = field(default_factory=lambda: defaultdict(set))
    exports: list[tuple[str, Spot, Value | None]] = field(default_factory=list)

    def note(self, event: CallEvent) -> None:
        """Remember what a fix may want to know of a call."""
        shape = event.callee.shape
        spot = (event.scope.module.path, event.node[1])
        given = [*event.arguments, *event.keywords.values()]
        if isinstance(shape, FunctionValue):
            bound = shape.bound is not None and shape.kind != "static"
            self.functions.setdefault(spot, {})[id(shape.facts)] = (shape.facts, bound)
            self.callers[id(shape.facts)].add(spot)
        if isinstance(shape, Made) and shape.name.endswith("Loss"):
            self.rivals.add(spot)
        if event.name in _EXPORTS or (event.node[2][0] == "attr" and event.node[2][3] in _EXPORTS):
            self.exports.append((event.name, spot, event.receiver or (event.arguments[0] if event.arguments else None)))
        if isinstance(event.result.shape, Made) and self._holds(event.result.shape, "chain"):
            self._layers(event.result.shape)
        tags = [tag for value in [*given, *([event.receiver] if event.receiver else [])] for tag in _sigmoids(value)]
        effect = event.effect
        if effect is not None and effect.adds == SIGMOID:
            made = shape.place if isinstance(shape, Made) else None
            self.applied[spot].add((made.path, made.position) if made is not None else None)
        elif tags:
            origins = frozenset(origin for tag in tags for origin in tag.origins)
            self.origins[spot] = self.origins.get(spot, frozenset()) | origins
            result = event.result.tags.get(SIGMOID)
            if result is not None and result.detail != "padding":
                self.carried.add(spot)
            if not isinstance(shape, (FunctionValue, Instance)):
                self.others[spot].add(event.name)

    def _holds(self, made: Made, kind: str) -> bool:
        effect = self.knowledge.object_(made.name)
        return effect is not None and kind in effect.kinds

    def _applies_sigmoid(self, made: Made) -> bool:
        effect = self.knowledge.object_(made.name)
        return effect is not None and effect.adds == SIGMOID

    def _layers(self, container: Made) -> None:
        children = list(container.arguments)
        for child in children[:256]:
            shape = child.shape
            if isinstance(shape, Items):
                children += shape.items
            elif isinstance(shape, Entries):
                children += shape.entries.values()
            elif isinstance(shape, Made) and shape.name == "collections.OrderedDict":
                children += shape.arguments
            elif isinstance(shape, Made) and self._applies_sigmoid(shape):
                self.layers[shape.place[:2]].add(container.place[:2])


def _sigmoids(value: Value, depth: int = 0) -> Iterator[Any]:
    tag = value.tags.get(SIGMOID)
    if tag is not None:
        yield tag
    shape = value.shape
    if depth < 3 and isinstance(shape, Items):
        for item in shape.items[:16]:
            yield from _sigmoids(item, depth + 1)
    elif depth < 3 and isinstance(shape, Entries):
        for item in list(shape.entries.values())[:16]:
            yield from _sigmoids(item, depth + 1)
    elif depth < 3 and isinstance(shape, Elements):
        yield from _sigmoids(shape.element, depth + 1)


# where things are


@dataclass(slots=True)
class Stand:
    """Where a call stands: the function (None: the module's body), the statement, and the statements around it."""

    path: str
    call: Node
    function: FunctionFacts | None
    statement: Node
    around: tuple[Node, ...]


class Places:
    """Finds the facts of a call by its place."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._modules = {module.path: module for module in program.modules}
        self._stands: dict[str, dict[int, Stand]] = {}

    def module(self, path: str) -> Module:
        return self._modules[path]

    def stand(self, spot: Spot) -> Stand:
        path, position = spot
        if path not in self._stands:
            self._stands[path] = self._index(self._modules[path]) if path in self._modules else {}
        found = self._stands[path].get(position)
        if found is None:
            raise Refusal("the call that applies the sigmoid or makes the loss is not found in the source")
        return found

    def _index(self, module: Module) -> dict[int, Stand]:
        index: dict[int, Stand] = {}
        for facts in [None, *module.functions]:
            body = module.statements() if facts is None else facts.body
            for statement, around in statements_of(body):
                for part in own_expressions(statement):
                    for node in nodes_of(part):
                        if node[0] == "call":
                            index.setdefault(node[1], Stand(module.path, node, facts, statement, around))
        return index


def statements_of(body: list[Node], around: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """All statements of a body with those that they stand in; bodies of functions and classes are not entered."""
    for statement in body:
        yield statement, around
        for block in blocks_of(statement):
            yield from statements_of(block, (*around, statement))


def own_expressions(statement: Node) -> list[Any]:
    """The expressions of a statement that are not in a block of it."""
    kind = statement[0]
    if kind in ("if", "while"):
        return [statement[2]]
    if kind == "for":
        return [statement[2], statement[3]]
    if kind == "with":
        return [part for item in statement[2] for part in item]
    if kind == "try":
        return [one[0] for one in statement[3]]
    if kind == "match":
        return [statement[2], *(one[1] for one in statement[3])]
    return [statement[2:]]


def nodes_of(part: Any) -> Iterator[Node]:
    """All expression nodes in a part of the facts."""
    stack = [part]
    while stack:
        one = stack.pop()
        if not isinstance(one, list) or not one:
            continue
        if isinstance(one[0], str) and len(one) > 1 and isinstance(one[1], int) and not isinstance(one[1], bool):
            yield one
            stack.extend(one[2:])
        else:
            stack.extend(one)


# values


@dataclass(frozen=True, slots=True)
class Flow:
    """Outputs of the sigmoids concerned, by the nodes they come from; `mixed` with others, or `picked` by a product."""

    ids: frozenset[int]
    mixed: bool = False
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A tuple or list."""

    items: tuple[Val, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A dict with known keys."""

    entries: tuple[tuple[Any, Val], ...]

    def get(self, key: Any) -> Val:
        return dict(self.entries).get(key)


@dataclass(frozen=True, slots=True)
class Each:
    """Something to iterate over."""

    value: Flow


Val: TypeAlias = "Flow | Group | Table | Each | None"
Env = dict[str, Val]


def flows(value: Val) -> Iterator[Flow]:
    if isinstance(value, Flow):
        yield value
    elif isinstance(value, Group):
        for item in value.items:
            yield from flows(item)
    elif isinstance(value, Table):
        for _, item in value.entries:
            yield from flows(item)
    elif isinstance(value, Each):
        yield value.value


def join(one: Val, other: Val) -> Val:
    """What is known of a value that is either; None is something that comes of none of the sigmoids."""
    if one == other:
        return one
    if isinstance(one, Group) and isinstance(other, Group) and len(one.items) == len(other.items):
        return Group(tuple(join(left, right) for left, right in zip(one.items, other.items)))
    if isinstance(one, Table) and isinstance(other, Table):
        keys = list(dict([*one.entries, *other.entries]))
        return Table(tuple((key, join(one.get(key), other.get(key))) for key in keys))
    if isinstance(one, (Group, Table)) and other is None:
        return _mixed(one)
    if isinstance(other, (Group, Table)) and one is None:
        return _mixed(other)
    both = [*flows(one), *flows(other)]
    plain = isinstance(one, Flow) and isinstance(other, Flow)
    lists = isinstance(one, Each) and isinstance(other, Each)
    flow = Flow(
        frozenset(id_ for flow in both for id_ in flow.ids),
        not (plain or lists) or any(flow.mixed for flow in both),
        any(flow.picked for flow in both),
    )
    return Each(flow) if isinstance(one, Each) or isinstance(other, Each) else flow


def _mixed(value: Val) -> Val:
    if isinstance(value, Flow):
        return Flow(value.ids, True, value.picked)
    if isinstance(value, Each):
        return Each(Flow(value.value.ids, True))
    if isinstance(value, Group):
        return Group(tuple(_mixed(item) for item in value.items))
    if isinstance(value, Table):
        return Table(tuple((key, _mixed(item)) for key, item in value.entries))
    return None


def _join_environments(one: Env, other: Env) -> Env:
    """A name that only one side binds has that value: reading it otherwise would be an error."""
    both = {**one, **other}
    return {name: join(one[name], other[name]) if name in one and name in other else both[name] for name in both}


def _element(value: Val) -> Val:
    """What iterating gives."""
    if isinstance(value, Each):
        return value.value
    if isinstance(value, Group):
        found = list(value.items)
        result = found[0] if found else None
        for item in found[1:]:
            result = join(result, item)
        return result
    return value if isinstance(value, Flow) else None


# the walk


class Walk:
    """Follows what some sigmoids give through the program; one object per set of sigmoids."""

    def __init__(self, seen: Seen, places: Places, sources: Iterable[Spot], layers: Iterable[Spot]) -> None:
        self.seen = seen
        self.places = places
        self.sources = frozenset(sources)
        self.layers = {spot: layer for layer in layers for spot, made in seen.applied.items() if layer in made}
        # the graph
        self.keys: list[tuple[Any, ...]] = []
        self.ids: dict[tuple[Any, ...], int] = {}
        self.before: list[set[int]] = []
        self.mixed: set[int] = set()
        self.blocks: dict[int, str] = {}
        self.same: set[int] = set()
        # values that are changed in place
        self.changed: set[int] = set()
        self.hits: dict[Spot, set[int]] = defaultdict(set)
        # functions that do not give the values where another one called there does
        self.silent: dict[int, FunctionFacts] = {}
        # functions
        self.returned: dict[int, Val] = {}
        self.facts: dict[int, FunctionFacts] = {}
        self.given: dict[tuple[int, str], dict[Spot, Val]] = defaultdict(dict)
        self.waiting: list[tuple[str, FunctionFacts | None]] = []
        self.path = ""
        self.function: FunctionFacts | None = None

    def run(self) -> None:
        for spot in sorted([*self.sources, *self.layers]):
            self._enqueue(spot)
        walked: dict[tuple[str, int], tuple[str, FunctionFacts | None]] = {}
        walks = 0
        while self.waiting:
            walks += 1
            if walks > _MAX_WALKS:
                raise Refusal("the probabilities go through more of the program than the analysis follows")
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

    def node(self, *key: Any) -> int:
        found = self.ids.get(key)
        if found is None:
            found = self.ids[key] = len(self.keys)
            self.keys.append(key)
            self.before.append(set())
        return found

    def fed(self, flow: Flow, *key: Any) -> Flow:
        """A node of the graph that gets a flow."""
        id_ = self.node(*key)
        self.before[id_] |= flow.ids
        if flow.mixed:
            self.mixed.add(id_)
        return Flow(frozenset([id_]), False, flow.picked)

    def occurs(self, node: Node, flow: Flow) -> Flow:
        """An expression that has the flow as its value: a place where a sigmoid can go."""
        return self.fed(flow, "at", self.path, node[1], node[0])

    def block(self, value: Val, node: Node, what: str) -> None:
        """Something happens to the value that cannot be put right by a sigmoid."""
        for flow in flows(value):
            for id_ in flow.ids:
                self.blocks.setdefault(id_, f"{place_text(self.path, node[1])}: {what}")

    def change(self, value: Val, node: Node, what: str) -> None:
        """The value itself becomes another one."""
        self.changed |= {id_ for flow in flows(value) for id_ in flow.ids}
        self.block(value, node, what)

    # functions

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
        elif kind == "if":
            self.use(node[2], env)
            return self._branches(env, [node[3], node[4]])
        elif kind == "while":
            self.use(node[2], env)
            self._loop(env, node[3])
            self._block(node[4], env)
        elif kind == "for":
            self._loop(env, node[4], node[2], _element(self.eval(node[3], env)))
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
                inner = _join_environments(before, env)
                self.use(trouble, inner)
                if not self._block(body, inner):
                    self._set(env, _join_environments(env, inner))
            self._block(node[5], env)
        elif kind == "match":
            self.use(node[2], env)
            for names, guard, body in node[3]:
                inner = {**env, **dict.fromkeys(names)}
                self.use(guard, inner)
                if not self._block(body, inner):
                    self._set(env, _join_environments(env, inner))
        elif kind == "def":
            self._closure(self.places.module(self.path).functions[node[2]], node, env)
        elif kind == "del":
            for target in node[2]:
                if target[0] == "name":
                    env.pop(target[2], None)
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
                result = _join_environments(result, other)
            self._set(env, result)
        return not ends

    def _loop(self, env: Env, body: list[Node], target: Node | None = None, value: Val = None) -> None:
        for _ in range(2):
            inner = dict(env)
            if target is not None:
                self.bind(target, value, inner)
            self._block(body, inner)
            self._set(env, _join_environments(env, inner))

    def _closure(self, facts: FunctionFacts, node: Node, env: Env) -> None:
        """A nested function that reads a value may run at any time."""
        read = facts.names() - {row[0] for row in facts.parameters}
        for name, value in env.items():
            if value is not None and name in read:
                self.block(value, node, f"`{facts.name}` reads `{name}` from around it")

    def _augmented(self, node: Node, env: Env) -> None:
        target = node[2]
        path = _path(target)
        value = env.get(path) if path else self._stored(target, env)
        if value is not None:
            self.change(value, node, "it is changed in place")
        added = self.eval(node[4], env)
        if not isinstance(added, Flow):
            self.block(added, node, "it goes into a list")

    def _stored(self, target: Node, env: Env) -> Val:
        """What `x[...]` on the left is a part of."""
        while target[0] in ("sub", "attr"):
            target = target[2]
            known = env.get(_path(target)) if _path(target) else None
            if known is not None:
                return known
        return None

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

    def bind(self, target: Node, value: Val, env: Env) -> None:
        kind = target[0]
        if kind == "name":
            for stale in [name for name in env if name.startswith(f"{target[2]}.")]:
                del env[stale]
            env[target[2]] = self._defined(target, value)
            if self.function is None and value is not None:
                self._read_elsewhere(target, target[2], value, True)
        elif kind == "attr":
            path = _path(target)
            if path:
                env[path] = self._defined(target, value)
                if value is not None:
                    self._read_elsewhere(target, target[3], value, False)
            else:
                self.block(value, target, "it is kept in an attribute")
        elif kind == "sub":
            self._bind_item(target, value, env)
        elif kind in ("tuple", "list"):
            items: list[Val] = [_element(value)] * len(target[2])
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
        path = _path(base)
        self.use(index, env)
        held = env.get(path) if path else None
        if isinstance(held, Table) and index[0] == "const":
            env[path] = Table(tuple({**dict(held.entries), index[2]: value}.items()))
        elif held is not None or (not path and self._stored(target, env) is not None):
            self.change(held if held is not None else self._stored(target, env), target, "parts of it are overwritten")
            self.block(value, target, "it overwrites a part of something")
        elif value is not None and not isinstance(value, Flow):
            self.block(value, target, "it is stored in a container")

    # expressions

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
        path = _path(node)
        if path and path in env:
            value = env[path]
            return self.occurs(node, value) if isinstance(value, Flow) else value
        base = self.eval(node[2], env)
        if isinstance(base, Flow):
            if node[3] in _SAME:
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
            self.bind(target, _element(self.eval(iterable, inner)), inner)
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

    # calls

    def _call(self, node: Node, env: Env) -> Val:
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
            if isinstance(value, Flow) and name in _SAME_CALLS:
                self.same |= value.ids
            else:
                self._ends(child, value)
        return None

    def _is_unseen_loss(self, node: Node, spot: Spot) -> bool:
        """A call of the loss in a branch that does not run here."""
        return (
            node[2][0] in ("attr", "name")
            and node[2][-1] == "binary_cross_entropy"
            and spot not in self.seen.others
            and spot not in self.seen.functions
        )

    def _wrapped_layer(self, node: Node) -> Spot | None:
        """The layer of `data_parallel(self.main, x)` where `self.main(x)` stands in the same function."""
        if node[2][-1] != "data_parallel" or not node[3]:
            return None
        for spot, layer in self.layers.items():
            stand = self.places.stand(spot)
            here = stand.path == self.path and stand.function is self.function
            if here and dotted(stand.call[2]) == dotted(node[3][0]) != "":
                return layer
        return None

    def _carried(self, spot: Spot, name: str, node: Node, arguments: list[tuple[Node, Val]]) -> Val:
        """The result of a function that only arranges what it gets."""
        if name not in _CARRIES or spot not in self.seen.carried or not arguments:
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
        if name in _SAME:
            self.same |= receiver.ids
            return None
        if name.endswith("_") or name in _TIED:
            for id_ in receiver.ids:
                self.change(Flow(frozenset(self.before[id_])), node, f"`{name}` is called on it")
            return None
        if receiver.picked:
            if spot in self.seen.carried:
                return self.occurs(node, Flow(receiver.ids, receiver.mixed))
            self.block(receiver, node, "entries of it are picked by a product")
            return None
        if name in _CARRIES or (name == "to" and not given):
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

    # what comes of it

    def logits(self) -> set[int]:
        """The nodes from which a loss is reached."""
        found: set[int] = set()
        after: dict[int, set[int]] = defaultdict(set)
        for id_, before in enumerate(self.before):
            for one in before:
                after[one].add(id_)
        stack = [id_ for ids in self.hits.values() for id_ in ids]
        while stack:
            id_ = stack.pop()
            if id_ in found:
                continue
            found.add(id_)
            stack.extend(self.before[id_])
            for one in after[id_]:
                if self.keys[one][0] != "at":
                    stack.append(one)
                else:
                    # where one of several values becomes logits all of them do
                    stack.extend(self.before[one])
        return found

    def probabilities(self, logits: set[int]) -> list[int]:
        """The expressions that need a sigmoid of their own."""
        return [
            id_
            for id_, key in enumerate(self.keys)
            if key[0] == "at" and id_ not in logits and id_ not in self.same and self.before[id_] & logits
        ]

    def check(self, logits: set[int], wrapped: Iterable[int]) -> None:
        """Raise `Refusal` where the values meet others or something is done to them."""
        for id_ in sorted(logits):
            if id_ in self.blocks:
                raise Refusal(f"{self.blocks[id_]}, so the probabilities have to stay there")
        for id_ in sorted({*logits, *wrapped}):
            if id_ in self.mixed:
                raise Refusal(f"at {self._text(id_)} it may also be something that is no sigmoid's output")

    def _text(self, id_: int) -> str:
        key = self.keys[id_]
        if key[0] in ("at", "name"):
            return place_text(key[1], key[2])
        if key[0] in ("parameter", "result"):
            facts = self.facts[key[1]]
            part = f"the parameter `{key[2]}` of" if key[0] == "parameter" else "the result of"
            return f"{part} `{facts.qualname}`"
        return "the layer"


def place_text(path: str, position: int) -> str:
    return f"{path}:{position >> 44}"


def dotted(node: Node) -> str:
    """`a.b.c` as it is written; empty for anything else."""
    if node[0] == "name":
        return str(node[2])
    owner = dotted(node[2]) if node[0] == "attr" else ""
    return f"{owner}.{node[3]}" if owner else ""


def binds(facts: FunctionFacts, name: str) -> bool:
    """Whether a name is the function's own."""
    if any(row[0] == name for row in facts.parameters):
        return True
    for statement, _ in statements_of(facts.body):
        if statement[0] == "global" and name in statement[2]:
            return False
        if any(node[0] == "name" and node[2] == name for target in targets_of(statement) for node in names_in(target)):
            return True
    return False


def targets_of(statement: Node) -> list[Node]:
    """What a statement binds or changes."""
    kind = statement[0]
    if kind == "assign":
        return list(statement[2])
    if kind in ("aug", "ann", "for"):
        return [statement[2]]
    if kind == "with":
        return [item[1] for item in statement[2] if item[1] is not None]
    return []


def names_in(target: Node) -> Iterator[Node]:
    """The names that a target binds; those in `x[...] = ...` are only read."""
    if target[0] == "name":
        yield target
    elif target[0] in ("tuple", "list"):
        for one in target[2]:
            yield from names_in(one)
    elif target[0] == "star":
        yield from names_in(target[2])


def _path(node: Node) -> str:
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
    "name": Walk._name,
    "attr": Walk._attribute,
    "sub": Walk._subscript,
    "tuple": Walk._sequence,
    "list": Walk._sequence,
    "set": Walk._sequence,
    "dict": Walk._dict,
    "bin": Walk._binary,
    "cmp": Walk._compare,
    "ifexp": Walk._conditional,
    "lambda": Walk._lambda,
    "comp": Walk._comprehension,
    "yield": Walk._yield,
    "yieldfrom": Walk._yield,
    "await": Walk._await,
    "walrus": Walk._walrus,
    "call": Walk._call,
}
