"""What a loader is for (training or evaluation), which shuffles put samples into a random order, what is seeded where.

Values decide a loader's role: one whose batch reaches `backward()` trains. Else names, flags and hooks tell, and a
conflict among them, or nothing at all, leaves the role unknown. One object serves one run; rules ask it at the end.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ddplint.facts.nodes import Node, last_of
from ddplint.flow.batches import Batches
from ddplint.flow.events import AssignEvent, CallEvent, LoopEvent, ReturnEvent, Scope
from ddplint.flow.knowledge import Effect, Knowledge
from ddplint.flow.values import (
    ClassValue,
    Condition,
    Const,
    Elements,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Made,
    Place,
    Tag,
    Union,
    Value,
)
from ddplint.program.program import FunctionFacts, Module, Package

if TYPE_CHECKING:
    from ddplint.flow.interpreter import Interpreter

Token = Any

TRAINING = "training"
EVALUATION = "evaluation"
# kinds of calls that are noted as they happen
NOTED = frozenset({"loader", "shuffle", "shuffle-method", "seed", "random-sampler", "table-maker", "takes-part"})
# how sure a name is: the loader's own variable before the data set's name, a flag, or the function's name
OWN, INDIRECT = 0, 1
_DEPTH = 3
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


@dataclass(slots=True, eq=False)
class Source:
    """A call that puts samples into a random order without a seed of its own."""

    place: Place
    scope: Scope
    node: Node
    name: str
    family: str
    eager: bool
    moment: int
    effect: Effect
    arguments: list[Value]
    keywords: dict[str, Value]
    by: str = ""
    names: set[str] = field(default_factory=set)

    def argument(self, name: str) -> Value | None:
        index = self.effect.argument_index(name)
        return self.keywords.get(name) or (self.arguments[index] if 0 <= index < len(self.arguments) else None)


@dataclass(slots=True, eq=False)
class Loader:
    """A loader the program makes, with where it is made and the shuffles behind its data set."""

    made: Made
    scope: Scope
    node: Node
    effect: Effect
    names: set[str] = field(default_factory=set)


class Judgement(NamedTuple):
    """The role found (empty for unknown) and why."""

    role: str
    reasons: tuple[Place, ...] = ()


class Seeding(NamedTuple):
    """A call that seeds families of generators."""

    root: int
    families: frozenset[str]
    module: str
    top_level: bool
    moment: int
    function: FunctionFacts | None
    position: int

    def precedes(self, place: Source) -> bool:
        """Whether it comes before a shuffle that draws at once; in one function the order in the text tells."""
        if self.function is place.scope.function and self.module == place.place.path:
            return self.position < place.place.position
        return self.moment <= place.moment or self.root != place.scope.root


class Roles:
    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.knowledge: Knowledge = interpreter.knowledge
        self.loaders: dict[Token, Loader] = {}
        self.sources: dict[Token, Source] = {}
        self.samplers: dict[Token, tuple[Made, int]] = {}
        self.seedings: list[Seeding] = []
        # loaders and shuffles of a call that is not to be shared between its callers
        self.made = 0
        self.trained: dict[Token, Place] = {}
        self.observed: dict[Token, Place] = {}
        # loops that leave before the end, and calls that take a few batches only
        self.stopped: dict[Token, Place] = {}
        # loaders of which just the next batch is taken, and in which function or file
        self.taken_in: dict[Token, tuple[Place, Any]] = {}
        # loaders of which a batch is taken while gradients are recorded
        self.taken: set[Token] = set()
        self.limits: list[Place] = []
        # where only a part of something in random order is kept; data shuffled before a trainer shards them by index
        self.cuts: dict[Token, list[Place]] = defaultdict(list)
        self.resharded: dict[Token, Place] = {}
        self.drawn: dict[Token, Place] = {}
        self.scored: set[Token] = set()
        # the same with the functions (or files) that were running
        self.drawn_in: set[tuple[Token, Any]] = set()
        self.scored_in: set[tuple[Token, Any]] = set()
        self.evidence: dict[Token, dict[tuple[int, str], Place]] = defaultdict(dict)
        self.flagged: dict[int, tuple[Value, str, Place]] = {}
        self.linked: dict[Token, set[Token]] = defaultdict(set)
        # shuffled data sets whose value went anywhere; copies of one loader that several names got each of their own
        self.reached: set[Token] = set()
        self.copies: dict[Token, list[Token]] = defaultdict(list)
        self.bound: dict[int, tuple[Value, Place]] = {}
        self.batches = Batches(interpreter)
        self._words: dict[str, str] = {}
        self._calls: dict[str, str] = {}
        self._closures: dict[str, frozenset[str]] = {}

    def listeners(self) -> dict[str, list[Any]]:
        own: dict[str, list[Any]] = {
            "call": [self.on_call],
            "assign": [self.on_assign],
            "loop": [self.on_loop],
            "return": [self.on_return],
        }
        further = self.batches.listeners()
        return {kind: own.get(kind, []) + further.get(kind, []) for kind in {**own, **further}}

    # names

    def role_of_name(self, name: str) -> str:
        """What a name says of a loader's role; empty where it says nothing or both."""
        known = self._words.get(name)
        if known is None:
            found = set()
            for word in _WORD.findall(name):
                lower = word.lower()
                if self.knowledge.matches("evaluation_word", lower):
                    found.add(EVALUATION)
                elif self.knowledge.matches("training_word", lower):
                    found.add(TRAINING)
            known = self._words[name] = found.pop() if len(found) == 1 else ""
        return known

    def shows(self, name: str) -> bool:
        """Whether a name says that samples are only shown."""
        return any(self.knowledge.matches("showing_word", word.lower()) for word in _WORD.findall(name))

    def role_of_flag(self, name: str, value: Value) -> str:
        """What `name=value` at a call says of what the call makes."""
        if not isinstance(value.shape, Const):
            return ""
        given = value.shape.value
        if isinstance(given, bool):
            if self.knowledge.matches("training_flag", name):
                return TRAINING if given else EVALUATION
            if given and self.knowledge.matches("evaluation_flag", name):
                return EVALUATION
            return ""
        if isinstance(given, str) and len(given) < 24 and (not name or self.knowledge.matches("part_name", name)):
            return self.role_of_name(given) if re.fullmatch(r"[\w-]+", given) else ""
        return ""

    def role_of_condition(self, condition: Condition) -> str:
        """What a branch decision (`is_train`, `split == "val"`) says of what is made under it."""
        if condition.operator == "true":
            return self.role_of_flag(condition.subject, Value(Const(condition.holds)))
        if condition.operator == "==" and isinstance(condition.other, str):
            role = self.role_of_flag("", Value(Const(condition.other)))
            return role if condition.holds else EVALUATION if role == TRAINING else ""
        return ""

    # what is noted while calls are evaluated

    def note(
        self,
        node: Node,
        name: str,
        effect: Effect,
        arguments: list[Value],
        keywords: dict[str, Value],
        result: Value,
        receiver: Value | None,
    ) -> Value:
        """Keep what a call of one of the noted kinds means; the result, tagged where it is in random order."""
        kinds = effect.kinds
        if "seed" in kinds:
            self._seed(node, effect, arguments, keywords)
        if "loader" in kinds and isinstance(result.shape, Made):
            self._loader(node, effect, result.shape)
        if "random-sampler" in kinds and isinstance(result.shape, Made):
            self.made += 1
            self.samplers[id(result.shape)] = (result.shape, self.interpreter.root)
        if "shuffle" in kinds:
            return self._shuffle(node, name, effect, arguments, keywords, result)
        if "table-maker" in kinds:
            streaming = keywords.get("streaming")
            if streaming is not None and streaming.constant is True and "table" in result.tags:
                return result.with_tags({**result.tags, "table": result.tags["table"]._replace(detail="streaming")})
        if "takes-part" in kinds:
            place = self.interpreter.frame.place(node, f"`{name.rpartition('.')[2]}` keeps only a part of it")
            if receiver is not None and "random-order" in receiver.tags:
                self.cut(receiver, place)
            elif receiver is None and arguments:
                for _, token in self.tokens(arguments[0]):
                    self.stopped.setdefault(token, place)
        if "shuffle-method" in kinds and receiver is not None and "table" in receiver.tags:
            family = "none" if receiver.tags["table"].detail == "streaming" else "numpy"
            table = Effect(
                frozenset({"shuffle"}),
                parameters=("seed",),
                detail={"family": family, "fixed": ["seed", "seeds", "generator"], "when": "eager"},
            )
            return self._shuffle(node, "Dataset.shuffle", table, arguments, keywords, result)
        return result

    def _seed(self, node: Node, effect: Effect, arguments: list[Value], keywords: dict[str, Value]) -> None:
        given = next(
            (keywords[name] for name in ("seed", "seed_value", "worker_seed", *effect.parameters) if name in keywords),
            None,
        )
        given = given or (arguments[0] if arguments else None)
        # without a seed, the generators' own functions take one from the system; helpers take their default
        blank = given.is_none() if given is not None else len(effect.detail.get("families", ())) == 1
        if blank and "default" not in effect.detail:
            return
        self.seeded(frozenset(effect.detail.get("families", ())), node)

    def seeded(self, families: frozenset[str], node: Node | None) -> None:
        interpreter = self.interpreter
        frame = interpreter.frame
        moment = len(self.seedings) + len(self.sources)
        function, position = frame.function, node[1] if node is not None else 0
        self.seedings.append(
            Seeding(interpreter.root, families, frame.module.path, function is None, moment, function, position)
        )

    def replayed(self, families: frozenset[str] | None, node: Node) -> None:
        """A call that seeds was made again; its body is not run a second time."""
        if families:
            self.seeded(families, node)

    def since(self, count: int) -> frozenset[str]:
        """Families seeded by the calls noted after the first `count`."""
        return frozenset(family for row in self.seedings[count:] for family in row.families)

    def _loader(self, node: Node, effect: Effect, made: Made) -> None:
        self.made += 1
        interpreter = self.interpreter
        token = id(made)
        scope = interpreter.scope()
        loader = Loader(made, scope, node, effect)
        self.loaders[token] = loader
        dataset = made.argument(effect.argument_index("dataset"), "dataset")
        if dataset is not None:
            for source in self.orders(dataset):
                self.linked[source].add(token)
            self._dataset_role(token, dataset, made.place)
        index = effect.argument_index("dataset")
        given = next(
            (child for key, child in node[4] if key == "dataset"), node[3][index] if 0 <= index < len(node[3]) else None
        )
        if given is not None:
            self._names_in(token, given, made.place, INDIRECT)
        for key, child in node[4]:
            if key in ("sampler", "batch_sampler"):
                self._names_in(token, child, made.place, INDIRECT)
        self._circumstances(token, scope, made.place)

    def _circumstances(self, token: Token, scope: Scope, place: Place) -> None:
        """What the function and the branch in which something is made say of its role."""
        function = scope.function
        if (
            function is not None
            and not function.name.startswith("test_")
            and self.role_of_name(function.name) == EVALUATION
        ):
            self._tell(token, EVALUATION, INDIRECT, place._replace(message=f"made in `{function.name}`"))
        for condition in scope.conditions:
            role = self.role_of_condition(condition)
            if role:
                self._tell(token, role, INDIRECT, place._replace(message=f"made for {role}"))

    def _names_in(self, token: Token, node: Node, place: Place, sure: int, depth: int = 0) -> None:
        kind = node[0]
        name = ""
        if kind == "name":
            name = node[2]
        elif kind == "attr":
            name = node[3]
        elif kind == "sub":
            if node[3][0] == "const" and isinstance(node[3][2], str):
                name = node[3][2]
            elif depth < 2:
                self._names_in(token, node[2], place, sure, depth + 1)
                return
        elif kind == "call" and depth < 2:
            if node[2][0] in ("name", "attr"):
                self._names_in(token, node[2], place, sure, depth + 1)
            for child in node[3][:2]:
                if child[0] in ("name", "attr", "sub"):
                    self._names_in(token, child, place, sure, depth + 1)
            return
        role = self.role_of_name(name) if name else ""
        if role:
            self._tell(token, role, sure, place._replace(message=f"made for `{name}`"))

    def _dataset_role(self, token: Token, dataset: Value, place: Place, depth: int = 0) -> None:
        """What the construction of a data set says of its loader's role."""
        for option in dataset.options():
            shape = option.shape
            if isinstance(shape, Instance):
                known = self.flagged.get(id(shape))
                if known is not None:
                    self._tell(token, known[1], INDIRECT, known[2])
            elif isinstance(shape, Made):
                for name, value in shape.keywords.items():
                    role = self.role_of_flag(name, value)
                    if role:
                        self._tell(
                            token,
                            role,
                            INDIRECT,
                            shape.place._replace(message=f"the data set of {role}: {name}={value.constant!r}"),
                        )
                if depth < 2 and shape.arguments:
                    self._dataset_role(token, shape.arguments[0], place, depth + 1)

    def _shuffle(
        self, node: Node, name: str, effect: Effect, arguments: list[Value], keywords: dict[str, Value], result: Value
    ) -> Value:
        detail = effect.detail
        needed = detail.get("needs")
        values = {**dict(zip(effect.parameters, arguments, strict=False)), **keywords}
        self.made += 1
        if needed is not None:
            switch = values.get(needed)
            if switch is None or not isinstance(switch.shape, Const) or not switch.shape.value:
                return result
        size = values.get(detail.get("size", ""))
        if size is not None and isinstance(size.shape, Const) and not size.shape.value:
            return result
        for fixed in detail.get("fixed", ()):
            given = values.get(fixed)
            if (
                given is not None
                and given.constant is not False
                and not all(option.is_none() for option in given.options())
            ):
                return result
        interpreter = self.interpreter
        if any(frame.function is not None and frame.function.name == "__getitem__" for frame in interpreter.frames):
            # what is drawn there belongs to one sample; the order of the samples is another matter
            return result
        place = interpreter.frame.place(node, f"`{name.rpartition('.')[2]}` draws a random order")
        source = Source(
            place, interpreter.scope(), node, name, str(detail.get("family", "none")), detail.get("when") == "eager",
            len(self.seedings) + len(self.sources), effect, arguments, keywords, by=needed or "",
        )  # fmt: skip
        token = ("order", id(source))
        self.sources[token] = source
        self._circumstances(token, source.scope, place)
        tag = Tag((place,), source.scope.conditions, frozenset([token]))
        if "in-place-order" in effect.kinds:
            self._tag_held(node[3][0] if node[3] else None, tag)
            return result
        return result.tagged("random-order", tag)

    def _tag_held(self, node: Node | None, tag: Tag) -> None:
        """Tag what a name or an attribute of an object holds."""
        if node is None:
            return
        interpreter, frame = self.interpreter, self.interpreter.frame
        if node[0] == "name" and node[2] in frame.env:
            frame.env[node[2]] = frame.env[node[2]].tagged("random-order", tag)
        elif node[0] == "attr":
            value = interpreter.evaluate(node).tagged("random-order", tag)
            path = interpreter.path_of(node)
            if path:
                frame.env[path] = value
            for option in interpreter.evaluate(node[2]).options():
                if isinstance(option.shape, Instance):
                    option.shape.attributes[node[3]] = value

    def copied(self, value: Value) -> Value:
        """The loader that one of several names gets from a comprehension: each name has its own."""
        shape = value.shape
        if not isinstance(shape, Made) or id(shape) not in self.loaders:
            return value
        first = self.loaders[id(shape)]
        twin = Made(shape.name, shape.arguments, shape.keywords, shape.place)
        twin.attributes = shape.attributes
        self.loaders[id(twin)] = Loader(twin, first.scope, first.node, first.effect)
        self.evidence[id(twin)] = dict(self.evidence.get(id(shape), {}))
        self.copies[id(shape)].append(id(twin))
        for tokens in self.linked.values():
            if id(shape) in tokens:
                tokens.add(id(twin))
        return Value(twin, value.tags, value.conditions)

    def cut(self, value: Value, place: Place) -> None:
        """Only a part of something in random order is kept."""
        for token in value.tags["random-order"].origins if "batch" not in value.tags else ():
            self.stopped.setdefault(token, place)
            self.cuts[token].append(place)

    def orders(self, value: Value, depth: int = 0) -> set[Token]:
        """The shuffles whose order the samples of a data set may have."""
        found: set[Token] = set()
        tag = value.tags.get("random-order")
        if tag is not None:
            found |= tag.origins
        if depth > _DEPTH:
            return found
        for option in value.options():
            shape = option.shape
            if option is not value:
                found |= self.orders(option, depth + 1)
            if isinstance(shape, Instance):
                for key, held in shape.attributes.items():
                    if held.tags or isinstance(held.shape, (Instance, Made)) or key == "<base>":
                        found |= self.orders(held, depth + 1)
            elif isinstance(shape, Made):
                for held in [*shape.arguments[:3], *shape.keywords.values()]:
                    found |= self.orders(held, depth + 1)
            elif isinstance(shape, Items):
                for held in shape.items[:8]:
                    found |= self.orders(held, depth + 1)
        return found

    # evidence from events

    def _tell(self, token: Token, role: str, sure: int, place: Place) -> None:
        self.evidence[token].setdefault((sure, role), place)

    def tokens(self, value: Value, depth: int = 0) -> Iterator[tuple[str, Token]]:
        """The loaders and shuffled data sets in a value, each with the key that leads to it."""
        tag = value.tags.get("random-order")
        if tag is not None:
            for token in tag.origins:
                yield "", token
        for option in value.options():
            shape = option.shape
            if isinstance(shape, Made):
                if id(shape) in self.loaders:
                    yield "", id(shape)
            elif isinstance(shape, Instance):
                base = shape.attributes.get("<base>")
                if base is not None and isinstance(base.shape, Made) and id(base.shape) in self.loaders:
                    yield "", id(base.shape)
            elif isinstance(shape, Elements):
                batch = shape.element.tags.get("batch")
                for token in batch.origins if batch is not None else ():
                    yield "", token
            elif isinstance(shape, Entries) and depth < _DEPTH:
                for key, held in shape.entries.items():
                    for inner, token in self.tokens(held, depth + 1):
                        yield inner or (key if isinstance(key, str) else ""), token
            elif isinstance(shape, Items) and depth < _DEPTH:
                for held in shape.items[:8]:
                    yield from self.tokens(held, depth + 1)

    def on_assign(self, event: AssignEvent) -> None:
        value = event.value
        if not isinstance(value.shape, _HOLDERS) and "random-order" not in value.tags:
            return
        here = Place(event.scope.module.path, event.target[1], f"bound to `{event.name}`")
        several = isinstance(value.shape, (Entries, Items))
        found = list(self.tokens(value))
        mixed = len(found) > 1 and any((OWN, TRAINING) in self.evidence.get(token, ()) for _, token in found)
        for key, token in found:
            self.reached.add(token)
            name = key or event.name
            for named in (self.loaders.get(token), self.sources.get(token)):
                if named is not None:
                    named.names.add(name)
            role = self.role_of_name(name)
            # the name of several loaders, one of them for training, says nothing of each
            if role and (key or not mixed):
                self._tell(token, role, INDIRECT if several and not key else OWN, here)

    def on_return(self, event: ReturnEvent) -> None:
        function = event.scope.function
        if function is None or not isinstance(event.value.shape, _HOLDERS):
            return
        role = self.role_of_name(function.name)
        if not role:
            return
        place = Place(event.scope.module.path, event.node[1], f"returned by `{function.name}`")
        single = not isinstance(event.value.shape, Entries)
        for key, token in self.tokens(event.value):
            if single or not key or not self.role_of_name(key):
                hook = function.owner is not None and function.name.endswith("_dataloader")
                self._tell(token, role, OWN if hook else INDIRECT, place)

    def on_loop(self, event: LoopEvent) -> None:
        if "batch" in event.iterable.tags:
            return
        scope = event.scope
        self._stream(event)
        # what is already being gone through is a batch, not a loader
        origins = self._origins(event.element) - scope.iterating
        if not origins:
            return
        place = Place(scope.module.path, event.node[1], "its batches are gone through here")
        if scope.no_grad:
            for token in origins:
                self.observed.setdefault(token, place)
        if event.node[0] == "for":
            if _leaves(event.body):
                for token in origins:
                    self.stopped.setdefault(token, place._replace(message="this loop ends before the loader does"))
        elif event.node[0] == "call":
            if not scope.no_grad:
                self.taken |= origins
            key = running(scope.module, scope.function)
            for token in origins:
                self.taken_in.setdefault(token, (place._replace(message="only the next batch is taken"), key))

    def _stream(self, event: LoopEvent) -> None:
        """A loop over shuffled samples themselves that leaves before their end."""
        order = event.iterable.tags.get("random-order")
        if order is None or event.node[0] != "for" or not _leaves(event.body):
            return
        place = Place(event.scope.module.path, event.node[1], "this loop ends before the data do")
        for token in order.origins:
            if token in self.sources and not self.sources[token].eager:
                self.stopped.setdefault(token, place)

    def _origins(self, value: Value, depth: int = 0) -> frozenset[Any]:
        tag = value.tags.get("batch")
        if tag is not None:
            return tag.origins
        shape = value.shape
        if depth < 3 and isinstance(shape, Items):
            found: frozenset[Any] = frozenset()
            for item in shape.items[:6]:
                found |= self._origins(item, depth + 1)
            return found
        if depth < 3 and isinstance(shape, Entries):
            return frozenset().union(*(self._origins(item, depth + 1) for item in list(shape.entries.values())[:6]))
        if depth < 3 and isinstance(shape, Elements):
            return self._origins(shape.element, depth + 1)
        return frozenset()

    def on_call(self, event: CallEvent) -> None:
        effect, shape = event.effect, event.callee.shape
        if isinstance(shape, (FunctionValue, ClassValue)):
            self._own_call(event, shape)
            return
        if effect is not None:
            kinds = effect.kinds
            if "backward" in kinds or "backward-of-argument" in kinds:
                self._backward(event)
            if "loss" in kinds:
                self._score(event)
            if event.name == "functools.partial" and "shuffle" in event.keywords:
                value = event.keywords["shuffle"]
                self.bound[id(value)] = (
                    value,
                    Place(event.scope.module.path, event.node[1], "`shuffle` is bound here"),
                )
            if "shards-by-index" in kinds:
                self._reshards(event)
        last = last_of(event.node[2])
        kind = self._kind_of_call(last)
        if kind == "seeds" and effect is None and not self.knowledge.matches("numeric", event.name):
            self.seeded(frozenset({"torch", "numpy", "python"}), event.node)
        for name, value in event.keywords.items():
            if name.startswith("limit_") and self._limits(name, value):
                self.limits.append(Place(event.scope.module.path, event.node[1], f"{name}={value.constant}"))
            if isinstance(value.shape, _HOLDERS) or "random-order" in value.tags:
                role = self.role_of_name(name)
                if role:
                    for _, token in self.tokens(value):
                        self.reached.add(token)
                        self._tell(
                            token, role, OWN, Place(event.scope.module.path, event.node[1], f"given as `{name}`")
                        )
        if kind == "draws":
            for value in [*event.arguments, *event.keywords.values()]:
                for token in self._origins(value):
                    self.drawn.setdefault(token, Place(event.scope.module.path, event.node[1], f"shown by `{last}`"))
                    self.drawn_in.update((token, key) for key in self._running())
        elif kind == "scores":
            self._score(event)

    def _reshards(self, event: CallEvent) -> None:
        """A trainer takes the data that it is given apart by index, one part for each process."""
        place = Place(event.scope.module.path, event.node[1], "the trainer shards by index")
        for value in event.keywords.values():
            for _, token in self.tokens(value) if "random-order" in value.tags else ():
                self.resharded.setdefault(token, place)

    def _kind_of_call(self, name: str) -> str:
        """What the name of a function that is not the program's own says: it seeds, draws, scores, or nothing."""
        known = self._calls.get(name)
        if known is None:
            known = ""
            if name == "item" or self.knowledge.matches("measures", name):
                known = "scores"
            if self.knowledge.matches("draws", name):
                known = "draws"
            if self.knowledge.matches("seeding_name", name) and name not in ("seed", "manual_seed"):
                known = "seeds"
            self._calls[name] = known
        return known

    def _limits(self, name: str, value: Value) -> bool:
        """Whether `limit_val_batches=` and its like leave batches out: a fraction below 1 or a number of batches."""
        number = value.constant
        if type(number) not in (int, float) or repr(number) in ("0", "0.0", "1.0"):
            return False
        return self.role_of_name(name) == EVALUATION

    def _score(self, event: CallEvent) -> None:
        for value in [
            *event.arguments,
            *event.keywords.values(),
            *([event.receiver] if event.receiver is not None else []),
        ]:
            origins = self._origins(value)
            self.scored |= origins
            if last_of(event.node[2]) != "item":
                # a single number may be a label to be shown
                self.scored_in.update((token, key) for token in origins for key in self._running())

    def _running(self) -> list[Any]:
        """The functions, or files, that are running."""
        return [running(frame.module, frame.function) for frame in self.interpreter.frames]

    def _backward(self, event: CallEvent) -> None:
        assert event.effect is not None
        values = (
            [event.receiver]
            if event.receiver is not None and "backward" in event.effect.kinds
            else list(event.arguments[:1])
        )
        around = event.scope.iterating
        origins = frozenset().union(*(self._origins(value) for value in values))
        # an attribute holds the losses of both loops: what a loop without gradients gave does not count
        origins = around | {token for token in origins if token not in self.observed or token in self.taken}
        place = Place(event.scope.module.path, event.node[1], "its batches reach backward()")
        for token in origins:
            self.trained.setdefault(token, place)

    def _own_call(self, event: CallEvent, shape: FunctionValue | ClassValue) -> None:
        """A call of the program's own: its names and flags speak of the loaders that go in and come out."""
        parameters: list[Node] = []
        name = shape.facts.name
        if isinstance(shape, FunctionValue):
            parameters = shape.facts.parameters[1 if shape.bound is not None else 0 :]
        else:
            init = self.interpreter.class_attribute(shape, "__init__", None)
            if init is not None and isinstance(init.shape, FunctionValue):
                parameters = init.shape.facts.parameters[1:]
        given = [
            (row[0], value)
            for row, value in zip(parameters, event.arguments, strict=False)
            if row[1] in ("position", "both")
        ]
        given += list(event.keywords.items())
        for parameter, value in given:
            if isinstance(value.shape, _HOLDERS) or "random-order" in value.tags:
                role = self.role_of_name(parameter) or (
                    self.role_of_name(name) if isinstance(shape, FunctionValue) else ""
                )
                if role == TRAINING and not self.role_of_name(parameter):
                    continue
                if role:
                    place = Place(event.scope.module.path, event.node[1], f"handed to `{name}`")
                    for _, token in self.tokens(value):
                        self._tell(token, role, INDIRECT, place)
        result = event.result
        if (
            isinstance(result.shape, Instance)
            or (isinstance(result.shape, Made) and id(result.shape) in self.loaders)
            or "random-order" in result.tags
        ):
            self._flags(event, given, result, name)

    def _flags(self, event: CallEvent, given: Iterable[tuple[str, Value]], result: Value, name: str) -> None:
        roles = {}
        for parameter, value in given:
            role = self.role_of_flag(parameter, value)
            if role:
                roles[role] = f"{parameter}={value.constant!r}"
        if not roles:
            own = self.role_of_name(name)
            if own:
                roles[own] = name
        if len(roles) != 1:
            return
        role, text = next(iter(roles.items()))
        place = Place(event.scope.module.path, event.node[1], f"called for {role}: `{text}`")
        if isinstance(result.shape, Instance):
            self.flagged[id(result.shape)] = (result, role, place)
        for _, token in self.tokens(result):
            self._tell(token, role, INDIRECT, place)

    # answers

    def role(self, token: Token) -> Judgement:
        """The role of a loader or of a shuffled data set."""
        found = self._own_role(token)
        if found.role == TRAINING or token not in self.loaders:
            return found
        # the same call was evaluated again, in another round of a loop
        site = self._site(token)
        known = self._said(token)
        for other in self.trained:
            if other != token and other in self.loaders and self._site(other) == site and known <= self._said(other):
                return Judgement(TRAINING, (self.trained[other],))
        return found

    def _said(self, token: Token) -> set[tuple[int, str]]:
        return set(self.evidence.get(token, ()))

    def _site(self, token: Token) -> tuple[Any, ...]:
        loader = self.loaders[token]
        return (loader.made.place.path, loader.made.place.position, tuple(place[:2] for place in loader.scope.callers))

    def _own_role(self, token: Token) -> Judgement:
        if token in self.trained:
            return Judgement(TRAINING, (self.trained[token],))
        said = self.evidence.get(token, {})
        for sure in (OWN, INDIRECT):
            roles = {role: place for (level, role), place in said.items() if level == sure}
            if len(roles) > 1:
                return Judgement("")
            if roles:
                role, place = next(iter(roles.items()))
                return Judgement(role, (place,))
        if token in self.observed and token in self.scored:
            return Judgement(EVALUATION, (self.observed[token],))
        return Judgement("")

    def loaders_of(self, token: Token) -> list[Token]:
        """The loaders that a shuffle's order reaches, in the order in which they are made."""
        linked = self.linked.get(token, ())
        return [loader for loader in self.loaders if loader in linked] if linked else []

    def source_role(self, token: Token) -> Judgement:
        """The role of the loaders that a shuffle's order reaches; without any, of the shuffled data set itself."""
        judged = [self.role(loader) for loader in self.loaders_of(token)]
        own = self._own_role(token)
        if any(one.role == TRAINING for one in judged) or own.role == TRAINING:
            return Judgement(TRAINING if not any(one.role == EVALUATION for one in judged) else "")
        for one in judged:
            if one.role == EVALUATION:
                return one
        if (judged and not own.role) or not (judged or token in self.reached):
            return Judgement("")
        return own

    def cut_short(self, token: Token) -> Place | None:
        """Where only some of the batches, or of the samples, are kept."""
        taken, key = self.taken_in.get(token) or (None, None)
        shown = (token, key) in self.drawn_in and (token, key) not in self.scored_in
        return self.stopped.get(token) or (None if shown else taken)

    def only_shown(self, token: Token) -> bool:
        """Whether a loader's samples are only looked at: by its name, its function's, or the use of its batches."""
        if token in self.drawn and token not in self.scored:
            return True
        loader = self.loaders.get(token)
        source = self.sources.get(token)
        scope = loader.scope if loader is not None else source.scope if source is not None else None
        if scope is not None and scope.function is not None:
            # a helper that tries out a data set
            tries = scope.function.name.startswith("test_") and (OWN, EVALUATION) not in self.evidence.get(token, {})
            if tries or self.shows(scope.function.name):
                return True
        return loader is not None and any(self.shows(name) for name in loader.names)

    # seeds

    def is_seeded(self, family: str, scope: Scope, before: Source | None = None) -> bool:
        """Whether a family of global generators is seeded in the programs that run a place."""
        rows = [row for row in self.seedings if family in row.families and (before is None or row.precedes(before))]
        if not rows:
            return False
        path, _ = self.root_of(scope.root)
        inside = self.closure(path)
        if any(row.root == scope.root or (row.top_level and row.module in inside) for row in rows):
            return True
        if scope.root in self.interpreter.main_roots:
            return False
        dynamic = scope.function is not None and scope.function.owner is not None and not self._imported(path)
        for row in rows:
            other, starts = self.root_of(row.root)
            if self.knowledge.matches("test_file", other):
                continue
            if other == path:
                return True
            if starts and (
                not {path, scope.module.path}.isdisjoint(self.closure(other))
                or (dynamic and (self._framework_made(scope) or (self._loads_by_name(other) and not self._named(path))))
            ):
                return True
        return False

    def _loads_by_name(self, path: str) -> bool:
        """Whether a program imports modules, or makes objects, by names that it puts together."""
        inside = self.closure(path)
        for module in self.interpreter.program.modules:
            if module.path not in inside or not any(self._loads(word) for word in module.names()):
                continue
            for body in [module.statements(), *(function.body for function in module.functions)]:
                made = [call for call in _calls(body) if call[3] and self._loads(last_of(call[2]))]
                if any(_is_built(call[3][0]) for call in made):
                    return True
        return False

    def _loads(self, name: str) -> bool:
        return self.knowledge.matches("loads_by_name", name)

    def _named(self, path: str) -> bool:
        """Whether any file of the project imports a file by a name that is written out."""
        return any(path in self._imports(module) for module in self.interpreter.program.modules if module.path != path)

    def in_test(self, scope: Scope) -> bool:
        """Whether a place is part of a test, or run by one alone."""
        paths = {scope.module.path, self.root_of(scope.root)[0], *(place.path for place in scope.callers)}
        return any(self.knowledge.matches("test_file", path) for path in paths)

    def _framework_made(self, scope: Scope) -> bool:
        """Whether the place is a method of an object that a framework makes by its name in a configuration."""
        instance = scope.instance.shape if scope.instance is not None else None
        return isinstance(instance, Instance) and any(
            "lightning" in base.lower() for base in self.interpreter.library_bases(instance.class_)
        )

    def root_of(self, root: int) -> tuple[str, bool]:
        """The file of a root, and whether a user starts the program there."""
        name = self.interpreter.roots.get(root, "")
        path, _, function = name.rpartition(":")
        if not path:
            return name, True
        return path, bool(self.knowledge.matches("entry_name", function.rpartition(".")[2]))

    def callers(self, scope: Scope) -> tuple[Place, ...]:
        """The calls that lead to a place; a function that the analysis itself started with is none."""
        started = ":" in self.interpreter.roots.get(scope.root, "") and len(scope.callers) < 9
        return scope.callers[1:] if started else scope.callers

    def _imported(self, path: str) -> bool:
        """Whether a program that a user starts imports a file."""
        return any(
            path in self.closure(module.path) for module, _ in self.interpreter.main_blocks if module.path != path
        )

    def closure(self, path: str) -> frozenset[str]:
        """The file and all that it imports, directly or not."""
        known = self._closures.get(path)
        if known is not None:
            return known
        files = {module.path: module for module in self.interpreter.program.modules}
        seen, waiting = {path}, [path]
        while waiting:
            module = files.get(waiting.pop())
            for found in self._imports(module) if module is not None else ():
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)
        self._closures[path] = frozenset(seen)
        return self._closures[path]

    def _imports(self, module: Module) -> Iterator[str]:
        bodies = [module.statements(), *(function.body for function in module.functions)]
        program = self.interpreter.program
        for kind, dotted, level, names in _import_rows(bodies):
            found = program.resolve(module, dotted, level)
            if found is None:
                continue
            yield from _path_of(found)
            if kind == "from":
                for name in names:
                    inner = program.member(found, name)
                    if inner is not None:
                        yield from _path_of(inner)
            parts = dotted.split(".")
            for count in range(1, len(parts)):
                outer = program.resolve(module, ".".join(parts[:count]), level)
                if outer is not None:
                    yield from _path_of(outer)


def running(module: Module, function: FunctionFacts | None) -> Any:
    """What a frame runs, in a form that can be compared."""
    return id(function) if function is not None else module.path


def _path_of(found: Module | Package) -> Iterator[str]:
    yield found.path if isinstance(found, Module) else f"{found.folder}/__init__.py"


def _import_rows(bodies: Iterable[list[Node]]) -> Iterator[tuple[str, str, int, list[str]]]:
    stack: list[Any] = list(bodies)
    while stack:
        part = stack.pop()
        if not isinstance(part, list) or not part:
            continue
        if part[0] == "import" and len(part) == 3:
            for dotted, _ in part[2]:
                yield "import", dotted, 0, []
        elif part[0] == "from" and len(part) == 5:
            yield "from", part[2] or "", part[3], [name for name, _ in part[4]]
        elif not isinstance(part[0], str) or part[0] in _BLOCKS:
            stack.extend(part)


def _calls(body: list[Node]) -> Iterator[Node]:
    stack: list[Any] = list(body)
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            if len(part) == 5 and part[0] == "call":
                yield part
            stack.extend(part)


def _is_built(node: Node) -> bool:
    """Whether a text is put together where it stands."""
    return node[0] in ("fstr", "bin") or (node[0] == "call" and last_of(node[2]) in ("format", "join"))


def _leaves(body: list[Node]) -> bool:
    """Whether a loop's body has a `break` or `return` of its own."""
    for statement in body:
        kind = statement[0]
        if kind == "break":
            return True
        if kind in ("for", "while", "def", "class"):
            continue
        for part in statement[2:]:
            if (
                isinstance(part, list)
                and part
                and isinstance(part[0], list)
                and _leaves([one for one in part if one and isinstance(one[0], str)])
            ):
                return True
    return False


_BLOCKS = frozenset({"if", "for", "while", "with", "try", "match"})
_HOLDERS = (Made, Instance, Entries, Items, Elements, Union)
