"""What is made of a loader's batches, where the result depends on which samples share a batch.

A number of one batch (its mean loss, a score of it) that is added up, or averaged, over the batches without the batch's
size; batches that a model in training mode sees; results told apart by their position. Only what is seen counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ddplint.facts.nodes import Node, covers
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, LoopEvent, Scope
from ddplint.flow.values import (
    Const,
    Elements,
    Entries,
    FunctionValue,
    Items,
    Made,
    Method,
    Place,
    Tag,
    Tags,
    Value,
    merge_tags,
)
from ddplint.program.program import FunctionFacts

if TYPE_CHECKING:
    from ddplint.flow.interpreter import Interpreter

Token = Any

MEAN, SCORE, TOTAL = "batch_mean", "batch_score", "batch_total"
# how the order matters: to a mean of batch means, to scores of batches, to a model's statistics, to who gets a result
AVERAGED, SCORED, STATE, POSITION = "averaged", "scored", "state", "position"
_KINDS = ((MEAN, AVERAGED), (SCORE, SCORED))


class Use(NamedTuple):
    """A place at which the order of a loader's samples changes a result, and how."""

    kind: str
    place: Place
    # in the function that goes through the loader, rather than in one that it calls
    near: bool


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop over the batches of a loader."""

    path: str
    function: FunctionFacts | None
    node: Node

    def holds(self, scope: Scope, position: int) -> bool:
        same = self.function is scope.function and self.path == scope.module.path
        return same and covers(self.node[1], position)


class Batches:
    """Notes such uses while the program is interpreted. One object serves one run."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.knowledge = interpreter.knowledge
        self.uses: dict[Token, Use] = {}
        self._loops: dict[Token, list[_Loop]] = defaultdict(list)
        # loops inside them that go through single samples rather than through the names of several numbers, by file
        self._samples: dict[str, set[int]] = defaultdict(set)
        # models in training mode, by function and name
        self._training: dict[tuple[str, int, str], Place] = {}
        self._meters: dict[int, tuple[str, str] | None] = {}

    def listeners(self) -> dict[str, list[Any]]:
        return {
            "call_result": [self.on_call_result],
            "binary_result": [self.on_binary_result],
            "assign": [self.on_assign],
            "loop": [self.on_loop],
        }

    # numbers of one batch

    def on_call_result(self, event: CallEvent) -> Value | None:
        """The result of a call, tagged if it is a number of one batch."""
        shape = event.callee.shape
        given = [*event.arguments, *event.keywords.values(), *([event.receiver] if event.receiver is not None else [])]
        if isinstance(shape, FunctionValue):
            self._meter(event, shape)
            return self._returned(event, given)
        if isinstance(shape, Method):
            self._mode(event, shape)
        self._library_meter(event)
        kinds = event.effect.kinds if event.effect is not None else frozenset()
        if "mean-reduction" in kinds or self.knowledge.matches("averages_list", event.name):
            self._list_averaged(event, given)
        if "logs-metric" in kinds:
            self._logged(event)
        if not event.scope.iterating:
            return None
        origins = self._origins(given) & event.scope.iterating
        if not origins:
            return None
        self._forward(event, origins)
        name = self._number(event, kinds)
        if not name or (name != TOTAL and self._by_sample(event.scope, event.node[1])):
            return None
        place = Place(event.scope.module.path, event.node[1], "a number of one batch")
        tag = Tag((place,), event.scope.conditions, origins)
        dropped = (MEAN, SCORE, TOTAL) if name == TOTAL else (TOTAL,)
        kept = {key: one for key, one in event.result.tags.items() if key not in dropped}
        return event.result.with_tags(merge_tags(kept, {name: tag}))

    def _returned(self, event: CallEvent, given: list[Value]) -> Value | None:
        """What a function of the program gives for one sample is no number of the batch."""
        if not event.scope.iterating:
            return None
        self._forward(event, self._origins(given) & event.scope.iterating)
        tags = self._deep(event.result)
        if (MEAN not in tags and SCORE not in tags) or not self._by_sample(event.scope, event.node[1]):
            return None
        return self.interpreter.map_tags(event.result, _of_sample)

    def _number(self, event: CallEvent, kinds: frozenset[str]) -> str:
        """Which number of the batch a call gives, if any."""
        known = self.knowledge
        if "loss" in kinds or known.matches("averaging_loss", event.name):
            return {"mean": MEAN, "sum": TOTAL}.get(self._reduction(event), "")
        if known.matches("scores_at_once", event.name):
            return MEAN if known.matches("mean_of_samples", event.name) else SCORE
        if kinds & {"mean-reduction", "sum-reduction"}:
            effect = event.effect
            assert effect is not None
            dimension = event.argument(effect.argument_index("dim"), "dim") or event.keywords.get("axis")
            if dimension is not None and not dimension.is_none() and dimension.constant != 0:
                return ""
            return MEAN if "mean-reduction" in kinds else TOTAL
        return ""

    def _reduction(self, event: CallEvent) -> str:
        """`mean`, `sum`, or something else that a loss was told."""
        given = dict(event.keywords)
        maker = event.callee.shape
        if isinstance(maker, Made):
            given = dict(maker.keywords)
            effect = self.knowledge.call(maker.name)
            if effect is not None:
                given.update(zip(effect.parameters, maker.arguments, strict=False))
        elif event.effect is not None:
            given.update(zip(event.effect.parameters, event.arguments, strict=False))
        reduction = given.get("reduction")
        if reduction is not None and not reduction.is_none():
            return str(reduction.constant)
        for old, told in (("size_average", "sum"), ("reduce", "none")):
            if old in given and given[old].constant is False:
                return told
        return "mean"

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        """Sums over the batches are noted; products and quotients make or end numbers of one batch."""
        if event.in_place and event.operator == "+":
            return self._added(event)
        if event.operator == "*":
            return self._product(event)
        if event.operator == "/":
            return self._quotient(event)
        return None

    def _product(self, event: BinaryEvent) -> Value | None:
        result = event.result
        nodes = event.node[2:5] if event.in_place else event.node[3:5]
        pairs = ((event.left, event.right, nodes[-1]), (event.right, event.left, nodes[0]))
        for value, weight, node in pairs:
            mean, score = value.tags.get(MEAN), value.tags.get(SCORE)
            if mean is not None:
                result = result.tagged(TOTAL if self._is_size(weight, node) else MEAN, mean)
            if score is not None and score.detail and score.detail == _last_name(node):
                result = result.with_tags({name: tag for name, tag in result.tags.items() if name != SCORE})
        return result if result is not event.result else None

    def _is_size(self, value: Value, node: Node) -> bool:
        """Whether a factor may be the number of samples of the batch."""
        if isinstance(value.shape, Const):
            return False
        return "batch" in self._deep(value) or self.knowledge.matches("batch_size_name", _last_name(node))

    def _quotient(self, event: BinaryEvent) -> Value | None:
        total = event.left.tags.get(TOTAL)
        if total is None:
            self._divided(event)
            return None
        if "batch" not in self._deep(event.right):
            return None
        origins = total.origins & event.scope.iterating
        if not origins or self._by_sample(event.scope, event.node[1]):
            return None
        divisor = event.node[4]
        place = Place(event.scope.module.path, event.node[1], "a number of one batch")
        size = self._is_count(divisor)
        tag = Tag((place,), total.conditions, origins, "" if size else _last_name(divisor))
        kept = {name: one for name, one in event.result.tags.items() if name != TOTAL}
        return event.result.with_tags(merge_tags(kept, {MEAN if size else SCORE: tag}))

    def _is_count(self, node: Node) -> bool:
        """Whether a divisor is written as the number of samples."""
        while node[0] == "call" and node[2][0] == "name" and node[2][2] in ("float", "int", "max") and node[3]:
            node = node[3][0]
        if node[0] == "call":
            return _last_name(node[2]) in ("len", "size", "numel", "__len__")
        if node[0] == "sub":
            return _last_name(node[2]) in ("shape", "size")
        return self.knowledge.matches("batch_size_name", _last_name(node))

    # what becomes of them

    def _divided(self, event: BinaryEvent) -> None:
        """What the batches gave, divided by their number after the loop over them."""
        tag = event.left.tags.get("batch")
        if tag is None:
            return
        scope, position = event.scope, event.node[1]
        for token in tag.origins - scope.iterating:
            if self._counts_batches(scope, event.node[4], token):
                what = "what the batches gave is divided by their number here"
                self._use(token, Use(AVERAGED, Place(scope.module.path, position, what), True))

    def _counts_batches(self, scope: Scope, node: Node, token: Token) -> bool:
        """Whether a divisor is written as the number of batches: `len(loader)`, `index + 1`, a counter."""
        while node[0] == "call" and node[2][0] == "name" and node[2][2] in ("float", "int", "max") and node[3]:
            node = node[3][0]
        if node[0] == "call" and _last_name(node[2]) == "len" and node[3] and node[3][0][0] in ("name", "attr", "sub"):
            held = self.interpreter.evaluate(node[3][0])
            return any(token == found for _, found in self.interpreter.roles.tokens(held))
        if node[0] == "bin" and node[2] == "+" and node[4][0] == "const" and node[4][2] == 1:
            node = node[3]
        name = _text(node)
        loops = [loop for loop in self._loops[token] if loop.function is scope.function]
        return bool(name) and any(_counted(loop.node, name) for loop in loops if loop.path == scope.module.path)

    def _added(self, event: BinaryEvent) -> Value | None:
        """`total += number`: the sum is no number of one batch."""
        if not any(name in event.right.tags for name in (MEAN, SCORE, TOTAL)):
            return None
        if self._by_sample(event.scope, event.node[1]):
            return event.result.with_tags(_of_sample(event.result.tags))
        if not self._over_batches(event.scope, event.node[2], event.node[1], event.right):
            return None
        self._note(event.scope, event.node[1], event.right, "numbers of single batches are added up here")
        return event.result.with_tags(
            {name: tag for name, tag in event.result.tags.items() if name not in (MEAN, SCORE)}
        )

    def on_assign(self, event: AssignEvent) -> None:
        """`total = total + number`."""
        node, tags = event.node, event.value.tags
        if node[0] != "assign" or (MEAN not in tags and SCORE not in tags) or node[3][0] != "bin" or node[3][2] != "+":
            return
        target = _text(event.target)
        if not target or target not in (_text(node[3][3]), _text(node[3][4])):
            return
        if self._over_batches(event.scope, event.target, node[1], event.value, node):
            self._note(event.scope, node[1], event.value, "numbers of single batches are added up here")

    def _over_batches(self, scope: Scope, target: Node, position: int, value: Value, own: Node | None = None) -> bool:
        """Whether what a statement adds to outlives the batch, and each batch adds to it once."""
        name = _text(target)
        origins = frozenset().union(*(value.tags[key].origins for key in (MEAN, SCORE, TOTAL) if key in value.tags))
        loops = [loop for token in origins for loop in self._loops[token] if loop.holds(scope, position)]
        if loops:
            return not _is_bound(loops[-1].node[4], name, own)
        held = target[2] if target[0] == "sub" else target
        return held[0] == "attr" and not _is_bound(scope.function.body if scope.function else [], name, own)

    def _by_sample(self, scope: Scope, position: int) -> bool:
        """Whether a place is in a loop over the samples of a batch."""
        around = [one for one in self._samples[scope.module.path] if covers(one, position)]
        if not around:
            return False
        loops = [loop.node[1] for rows in self._loops.values() for loop in rows if loop.holds(scope, position)]
        return any(all(one != loop and covers(loop, one) for loop in loops) for one in around)

    def _note(self, scope: Scope, position: int, value: Value, what: str, scores_only: bool = False) -> None:
        for name, kind in ((SCORE, SCORED),) if scores_only else _KINDS:
            tag = value.tags.get(name)
            for token in tag.origins if tag is not None else ():
                near = any(loop.holds(scope, position) for loop in self._loops[token])
                self._use(token, Use(kind, Place(scope.module.path, position, what), near))

    def _use(self, token: Token, use: Use) -> None:
        known = self.uses.get(token)
        if known is None or (use.near and not known.near):
            self.uses[token] = use

    def _list_averaged(self, event: CallEvent, given: list[Value]) -> None:
        """The mean of a list of numbers, each of one batch, after the loop that made them."""
        if "weights" in event.keywords:
            return
        for value in given:
            if not isinstance(value.shape, (Items, Elements)) and value is not event.receiver:
                continue
            tags = self._deep(value)
            for name, kind in _KINDS:
                tag = tags.get(name)
                for token in tag.origins - event.scope.iterating if tag is not None else ():
                    what = "numbers of single batches are averaged here"
                    self._use(token, Use(kind, Place(event.scope.module.path, event.node[1], what), True))

    def _meter(self, event: CallEvent, function: FunctionValue) -> None:
        """A method of the program that adds a number to a sum, times a weight if it has one."""
        if function.owner is None or not event.arguments or not event.scope.iterating:
            return
        value = event.arguments[0]
        if MEAN not in value.tags and SCORE not in value.tags:
            return
        facts = function.facts
        if id(facts) not in self._meters:
            self._meters[id(facts)] = _adds_to_sum(facts)
        row = self._meters[id(facts)]
        if row is None:
            return
        weight = event.argument(1, row[1]) if row[1] else None
        weighted = weight is not None and not isinstance(weight.shape, Const)
        self._averaged(event, value, weighted, event.argument_node(1, row[1]) if weighted else None)

    def _logged(self, event: CallEvent) -> None:
        """A framework averages what it is given over the batches, here each for a fixed number of samples."""
        size = event.keywords.get("batch_size")
        if size is None or not isinstance(size.shape, Const) or size.is_none():
            return
        place = Place(event.scope.module.path, event.node[1], f"each batch counts for {size.constant} samples here")
        for token in self._origins(event.arguments):
            self._use(token, Use(AVERAGED, place, True))

    def _library_meter(self, event: CallEvent) -> None:
        receiver = event.receiver.shape if event.receiver is not None else event.callee.shape
        if not isinstance(receiver, Made) or not event.arguments or not event.scope.iterating:
            return
        method = _last_name(event.node[2]) if event.receiver is not None else "__call__"
        if not self.knowledge.matches("averaging_class", receiver.name.rpartition(".")[2]):
            return
        if self.knowledge.matches("takes_a_number", method):
            weights = [*event.arguments[1:], *event.keywords.values()]
            weighted = any(not isinstance(weight.shape, Const) for weight in weights)
            self._averaged(event, event.arguments[0], weighted, event.argument_node(1, "n"))

    def _averaged(self, event: CallEvent, value: Value, weighted: bool, node: Node | None) -> None:
        score = value.tags.get(SCORE)
        if weighted and (score is None or (score.detail and node is not None and score.detail == _last_name(node))):
            return
        if not self._by_sample(event.scope, event.node[1]):
            self._note(event.scope, event.node[1], value, "numbers of single batches are averaged here", weighted)

    # models in training mode

    def _mode(self, event: CallEvent, method: Method) -> None:
        """`model.train()` and `model.eval()`."""
        if method.name not in ("train", "eval") or len(event.node[3]) > 1:
            return
        key = (event.scope.module.path, id(event.scope.function), _text(event.node[2][2]))
        told = event.argument(0, "mode")
        if method.name == "eval" or (told is not None and told.constant is not True):
            self._training.pop(key, None)
        else:
            place = Place(event.scope.module.path, event.node[1], f"`{key[2]}` is in training mode from here on")
            self._training[key] = place

    def _forward(self, event: CallEvent, origins: frozenset[Token]) -> None:
        key = (event.scope.module.path, id(event.scope.function), _text(event.node[2]))
        place = self._training.get(key)
        if place is None or not event.scope.no_grad:
            return
        for token in origins:
            self._use(token, Use(STATE, Place(place.path, event.node[1], "the model is in training mode here"), True))

    # loops

    def on_loop(self, event: LoopEvent) -> None:
        """A loop over a loader, over something in a batch, or over what all batches gave."""
        node, scope = event.node, event.scope
        if node[0] not in ("for", "comp"):
            return
        origins = self._origins([event.element])
        new = origins - scope.iterating
        if node[0] == "for" and new and "batch" not in self._deep(event.iterable, 0):
            loop = _Loop(scope.module.path, scope.function, node)
            for token in new:
                if loop not in self._loops[token]:
                    self._loops[token].append(loop)
        if node[0] == "for" and new:
            self._positions(event, new)
        if scope.iterating and not _goes_through_names(node, event.iterable):
            self._samples[scope.module.path].add(node[1])

    def _positions(self, event: LoopEvent, origins: frozenset[Token]) -> None:
        """`for number, result in enumerate(results): table[number] = result` after the loop over the loader."""
        node = event.node
        target, iterable = node[2], node[3]
        if iterable[0] != "call" or _last_name(iterable[2]) != "enumerate" or not iterable[3]:
            return
        source = iterable[3][0]
        while source[0] == "call" and source[2][0] == "attr":
            source = source[2][2]
        if source[0] not in ("name", "attr") or target[0] != "tuple" or target[2][0][0] != "name":
            return
        origins -= {token for _, token in self.interpreter.roles.tokens(self.interpreter.evaluate(source))}
        number = target[2][0][2]
        for statement in node[4]:
            if statement[0] == "assign" and any(
                one[0] == "sub" and one[3][0] == "name" and one[3][2] == number for one in statement[2]
            ):
                what = "the position of a result is taken for the number of its sample here"
                for token in origins:
                    self._use(token, Use(POSITION, Place(event.scope.module.path, statement[1], what), True))

    def _deep(self, value: Value, depth: int = 3) -> Tags:
        return self.interpreter.deep_tags(value) if depth else value.tags

    def _origins(self, values: list[Value]) -> frozenset[Token]:
        found: frozenset[Token] = frozenset()
        for value in values:
            tag = self._deep(value).get("batch")
            if tag is not None:
                found |= tag.origins
        return found


def _of_sample(tags: Tags) -> Tags:
    """Tags of a number of one sample, or of a sum of such."""
    kept = {name: tag for name, tag in tags.items() if name not in (MEAN, SCORE)}
    known = tags.get(MEAN) or tags.get(SCORE)
    return merge_tags(kept, {TOTAL: known}) if known is not None else tags


def _goes_through_names(node: Node, iterable: Value) -> bool:
    """Whether a loop goes through the entries of a dict or a list of names, and not through samples."""
    source = node[3] if node[0] == "for" else node[4][0][1] if node[0] == "comp" else None
    while source is not None and source[0] == "call" and _last_name(source[2]) in ("list", "sorted") and source[3]:
        source = source[3][0]
    if source is not None and source[0] == "call" and _last_name(source[2]) in ("items", "keys", "values"):
        return True
    if isinstance(iterable.shape, Entries):
        return True
    return isinstance(iterable.shape, Items) and all(isinstance(one.shape, Const) for one in iterable.shape.items)


def _adds_to_sum(facts: FunctionFacts) -> tuple[str, str] | None:
    """The names of the number and of its weight (empty without one) that a method adds to an attribute."""
    names = [row[0] for row in facts.parameters]
    if len(names) < 2:
        return None
    for statement in _statements(facts.body):
        if statement[0] == "aug" and statement[3] == "+":
            value, target = statement[4], statement[2]
        elif statement[0] == "assign" and statement[3][0] == "bin" and statement[3][2] == "+":
            value, target = statement[3][4], statement[2][0]
        else:
            continue
        if target[0] != "attr" or target[2][0] != "name" or target[2][2] != names[0]:
            continue
        factors = [value] if value[0] == "name" else value[3:5] if value[0] == "bin" and value[2] == "*" else []
        used = [factor[2] for factor in factors if factor[0] == "name"]
        if used and names[1] in used and len(used) == len(factors):
            weight = next((name for name in used if name != names[1]), "")
            if not weight or weight in names:
                return names[1], weight
    return None


def _counted(loop: Node, name: str) -> bool:
    """Whether a name counts the rounds of a loop."""
    target, iterable = loop[2], loop[3]
    numbered = iterable[0] == "call" and _last_name(iterable[2]) == "enumerate" and target[0] == "tuple"
    if numbered and _text(target[2][0]) == name:
        return True
    return any(
        one[0] == "aug" and one[3] == "+" and one[4][0] == "const" and one[4][2] == 1 and _text(one[2]) == name
        for one in loop[4]
    )


def _statements(body: list[Node]) -> Iterator[Node]:
    """The statements of a body, nested ones too."""
    for statement in body:
        yield statement
        for part in statement[2:]:
            if isinstance(part, list) and part and isinstance(part[0], list):
                yield from _statements([one for one in part if one and isinstance(one[0], str)])


def _is_bound(body: list[Node], name: str, own: Node | None) -> bool:
    """Whether a statement of a body other than `own` gives the name (or what it names) a new value."""
    for statement in _statements(body):
        if statement is own or statement[0] != "assign":
            continue
        for target in statement[2]:
            parts = target[2] if target[0] in ("tuple", "list") else [target]
            if any(part[0] in ("name", "attr") and _text(part) == name for part in parts):
                return True
    return False


def _text(node: Node) -> str:
    """`a.b` of `a.b`, `a.b[...]`; empty for anything else."""
    if node[0] == "name":
        return str(node[2])
    if node[0] == "sub":
        return _text(node[2])
    if node[0] == "attr":
        base = _text(node[2])
        return f"{base}.{node[3]}" if base else ""
    return ""


def _last_name(node: Node) -> str:
    """The last name of `a.b`, `a.b(...)`, `a["b"]`."""
    if node[0] == "call":
        return _last_name(node[2])
    if node[0] == "sub":
        return str(node[3][2]) if node[3][0] == "const" and isinstance(node[3][2], str) else _last_name(node[2])
    return str(node[3]) if node[0] == "attr" else str(node[2]) if node[0] == "name" else ""
