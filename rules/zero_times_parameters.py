"""Zero times a sum of parameters, to keep gradients in step

## What it does
Reports a literal zero times a sum, a mean or an element of a module's parameters, in any spelling: a generator, a
loop with the zero inside or applied later, `next(parameters())`, a stack of sums, through a helper, a single
`weight[0, 0]`.

## Why it is a bug
The product is written to give every parameter a gradient of zero, so that `DistributedDataParallel` finds nothing
unused. Its value is not always zero: it is nan as soon as one parameter is inf or nan, and in fp16 also where a sum
of parameters exceeds 65504. The nan goes into the loss that is logged, tested or added. Every parameter is read for
it: with 100 million fp32 parameters forward and backward took 69 ms, against 18 ms for empty slices.

Where the product stands for the loss of a step, it keeps the gradients in step only if the wrapped model's forward
ran in that step and every collective of the normal path is still made. The product itself does not hang.

`p.flatten()[:0].sum()` is 0 with gradient 0, whatever the parameter holds, and the hooks of `DistributedDataParallel`
fire as before. Often a better design needs no such term: `find_unused_parameters=True`, or running the unused module
on an empty batch.

## Example
```python
import torch
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 4)
        self.second = nn.Linear(16, 4)

    def forward(self, x, use_second):
        return self.second(x) if use_second else self.first(x)


def step(model, x, y, use_second):
    loss = nn.functional.cross_entropy(model(x, use_second), y)
    unused = model.first if use_second else model.second
    return loss + 0.0 * sum(p.sum() for p in unused.parameters())


net = TwoHeads()
step(net, torch.randn(8, 16), torch.randint(4, (8,)), use_second=False).backward()
```

## Instead
```python
import torch
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 4)
        self.second = nn.Linear(16, 4)

    def forward(self, x, use_second):
        return self.second(x) if use_second else self.first(x)


def step(model, x, y, use_second):
    loss = nn.functional.cross_entropy(model(x, use_second), y)
    unused = model.first if use_second else model.second
    return loss + 0.0 * sum(p.flatten()[:0].sum() for p in unused.parameters())


net = TwoHeads()
step(net, torch.randn(8, 16), torch.randint(4, (8,)), use_second=False).backward()
```

## Not reported
- Zero times an output or a loss: that is another trick, and an empty slice does not cure it.
- Factors that are not zero (`1e-8`) and factors that are variables: a weight that happens to be zero may be set.
- Initial values, products under `no_grad`, products of `.data`, and parameters that a module's forward returned.
- A parameter zeroed in place, and an element-wise product that is never summed.

## Fix safety
Safe: value 0 and gradient 0 are what was meant. `.mean()` becomes `.sum()`, for the mean of nothing is nan; loops,
filters and the factor 0 stay, only `(p * 0).sum()` loses it. Unsafe where an index such as `weight[0]` need not leave
a single number. No fix where the sums are used for something else too, or come from a function that other code may
call. The fix does not make up for a forward or a collective that this step leaves out.

## References
- [Distributed Data Parallel](https://docs.pytorch.org/docs/stable/notes/ddp.html)
- [DistributedDataParallel](https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ddplint.findings import Action, Fix, RankEvent, Span
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, Scope, reachable
from ddplint.flow.knowledge import Effect, Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import Elements, Items, Part, Place, Tag, Value
from ddplint.rules.base import Check, Rule, span_of
from ddplint.rules.ranks import Does, in_order, together

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter

Node = Sequence[Any]
PARAMETER = "parameter"
ZEROED = "zeroed_parameters"
_SUMS = ("sum-reduction", "mean-reduction")
_EMPTY = "sum-empty-slice"
# a sum of selections, as other sums say which call makes them
_SELECTIONS = "selections"


@dataclass(slots=True)
class _Site:
    """One product: where, the steps by which the parameters got there, who calls it, and whether it is a whole loss.

    `operand` is the factor beside the zero, `summed` what summed it, `parts` how often it is a selection of a
    parameter, `sums` the calls that sum the product, with what each sums.
    """

    path: str
    node: Sequence[Any]
    scope: Scope
    operand: Node
    tag: Tag
    summed: str
    parts: int
    complete: bool
    whole_loss: bool = False
    backward: Place | None = None
    callers: dict[Place, None] = field(default_factory=dict)
    sums: dict[int, tuple[Node, Node]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Source:
    """What a library call works on: whole parameters or sums of them, how often selected, a list of them or one."""

    effect: Effect
    node: Node
    whole: bool
    parts: int
    many: bool


class ZeroTimesParametersCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.sites: dict[tuple[str, int], _Site] = {}
        # what a codemod needs, by file and position: library calls on parameters (None where several ways of getting
        # there disagree), operations with the selections of each side that is made of parameters, such assignments
        self.sources: dict[tuple[str, int], _Source | None] = {}
        self.operations: dict[tuple[str, int], tuple[int | None, int | None]] = {}
        self.assigned: dict[tuple[str, int], bool] = {}

    def on_binary(self, event: BinaryEvent) -> None:
        left, right = _parts(event.left), _parts(event.right)
        if left is not None or right is not None:
            key = (event.scope.module.path, event.node[1])
            known = self.operations.get(key, (None, None))
            self.operations[key] = (known[0] if left is None else left, known[1] if right is None else right)

    def on_assign(self, event: AssignEvent) -> None:
        tag = event.value.tags.get(PARAMETER)
        if tag is not None:
            self.assigned[event.scope.module.path, event.node[1]] = not tag.detail

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        if event.operator in ("+", "-"):
            return _sum_of_selections(event.result, event.left, event.right)
        if event.operator != "*":
            return None
        left, right = (event.node[2], event.node[4]) if event.in_place else (event.node[3], event.node[4])
        if _is_zero(right):
            return self._product(event.scope, event.node, left, event.left, event.result, event.in_place)
        if _is_zero(left):
            return self._product(event.scope, event.node, right, event.right, event.result, False)
        return None

    def on_call_result(self, event: CallEvent) -> Value | None:
        if event.name == "builtins.sum" and event.arguments and isinstance(event.arguments[0].shape, Elements):
            return _sum_of_selections(event.result, event.arguments[0].shape.element)
        if event.effect is None or "product" not in event.effect.kinds:
            return None
        one, other = ("input", "other") if event.receiver is None else ("", "other")
        value = event.receiver or event.argument(0, one)
        node = event.argument_node(1 if event.receiver is None else 0, other)
        if value is None or node is None or not _is_zero(node):
            return None
        operand = event.node[2][2] if event.receiver is not None else event.argument_node(0, one)
        return self._product(event.scope, event.node, operand or node, value, event.result, False)

    def _product(
        self, scope: Scope, node: Node, operand: Node, value: Value, result: Value, in_place: bool
    ) -> Value | None:
        """The product, tagged, where the factor beside the zero consists of parameters."""
        tag = value.tags.get(PARAMETER)
        if tag is None or not scope.records_gradients or (in_place and not tag.detail) or not reachable(tag, scope):
            return None
        key = (scope.module.path, node[1])
        site = self.sites.get(key)
        if site is None:
            parts = _parts(value) or 0
            site = _Site(key[0], node, scope, operand, tag, tag.detail, parts, bool(tag.detail) or parts > 0)
            self.sites[key] = site
        if scope.callers:
            site.callers[scope.callers[-1]] = None
        place = Place(scope.module.path, node[1], "zero times parameters")
        return result.tagged(ZEROED, Tag((place,), tag.conditions, frozenset([key])))

    def on_call(self, event: CallEvent) -> None:
        effect = event.effect
        if effect is None:
            return
        value = event.receiver or event.argument(0, "input")
        if value is not None:
            self._note(event, effect, value)
        if not effect.kinds:
            return
        if not effect.kinds.isdisjoint(_SUMS):
            for site in self._sites(value):
                site.complete = True
                site.sums[event.node[1]] = (event.node, _source_node(event))
        elif "backward" in effect.kinds:
            self._is_loss(event.receiver, event)
        elif "backward-of-argument" in effect.kinds:
            self._is_loss(event.argument(0, "loss"), event)

    def _note(self, event: CallEvent, effect: Effect, value: Value) -> None:
        many = isinstance(value.shape, (Items, Elements))
        # a list that grew has no tags of its own
        tag = value.tags.get(PARAMETER) or (event.result.tags.get(PARAMETER) if many else None)
        if tag is None:
            return
        source = _Source(effect, _source_node(event), not tag.detail, _parts(value) or 0, many)
        key = (event.scope.module.path, event.node[1])
        known = self.sources.setdefault(key, source)
        if known is not None and (known.whole, known.parts, known.many) != (source.whole, source.parts, source.many):
            self.sources[key] = None

    def on_return(self, event: ReturnEvent) -> None:
        if event.value.tags:
            self._is_loss(event.value)

    def _is_loss(self, value: Value | None, backward: CallEvent | None = None) -> None:
        for site in self._sites(value):
            site.whole_loss = True
            if backward is not None:
                site.backward = Place(backward.scope.module.path, backward.node[1], "")

    def _sites(self, value: Value | None) -> list[_Site]:
        tag = value.tags.get(ZEROED) if value is not None else None
        return [self.sites[key] for key in tag.origins] if tag is not None else []

    def finish(self, run: Run) -> None:
        for site in self.sites.values():
            if site.complete:
                fix, reason = _repair(self, site)
                steps, ranks = site.tag.steps, _ranks(site)
                self.report(site.path, site.node, _message(site), steps, None, fix, reason, site.callers, ranks)


def _message(site: _Site) -> str:
    nan = "is nan as soon as one of them is inf or nan"
    if site.summed not in ("", _SELECTIONS):
        nan += ", or in fp16 their sum overflows, and reads every one of them"
    text = f"zero times parameters {nan}; sum an empty slice instead: `p.flatten()[:0].sum()`"
    if site.whole_loss:
        text += (
            ". Where it is the loss of a step, it keeps gradients in step only if the wrapped forward ran in that step"
            " and every collective of the normal path is still made"
        )
    return text


def _ranks(site: _Site) -> tuple[RankEvent, ...]:
    """A rank whose whole loss this is, beside one with a loss of its samples."""
    if site.backward is None:
        return ()
    here, there = "a rank that comes here", "a rank with samples"
    place = Place(site.path, site.node[1], "")
    return in_order(
        {here: Does("work", "loss = 0 x its parameters", place), there: Does("work", "loss of its samples")},
        {here: Does("result", "0, but nan once a parameter is inf or nan", place)},
        together(
            (here, there),
            Does("meet", "gradients are averaged, if the wrapped forward ran on both", site.backward),
        ),
    )


def _parts(value: Value) -> int | None:
    """How often a value is a selection of a parameter; None if it is none of parameters."""
    if PARAMETER not in value.tags:
        return None
    return min(1 + len(one.shape.above) if isinstance(one.shape, Part) else 0 for one in value.options())


def _sum_of_selections(total: Value, *terms: Value) -> Value | None:
    """The sum of some terms, marked where it is one of selections of parameters."""
    tag = total.tags.get(PARAMETER)
    if tag is None or tag.detail or isinstance(total.shape, Part) or not any(map(_parts, terms)):
        return None
    return total.with_tags({**total.tags, PARAMETER: tag._replace(detail=_SELECTIONS)})


def _source_node(event: CallEvent) -> Node:
    """The facts of the receiver or else the first argument."""
    if event.receiver is not None:
        receiver: Node = event.node[2][2] if event.node[2][0] == "attr" else event.node[2]
        return receiver
    return event.argument_node(0, "input") or event.node


def _is_zero(node: Sequence[Any]) -> bool:
    """Whether an expression is a literal zero, with or without a sign."""
    if node[0] == "unary" and node[2] in ("u-", "u+"):
        node = node[3]
    return node[0] == "const" and type(node[2]) in (int, float) and node[2] == 0


class _Refused(Exception):
    """No codemod can be right; the message says what stands in the way."""


_ELSEWHERE = "the sum of the parameters is made at a place that other code may use too"
_SEPARATE = "the parameters are zeroed in one statement and summed in another one"


def _repair(check: ZeroTimesParametersCheck, site: _Site) -> tuple[Fix | None, str]:
    sums = _Sums(check, site)
    try:
        if site.summed:
            sums.number(site.operand, {}, site.parts)
        elif site.sums and (not site.parts or all(one[1] == site.node[1] for _, one in site.sums.values())):
            sums.elementwise()
        else:
            sums.selection(site.operand, site.parts)
    except _Refused as refused:
        return None, str(refused)
    if not sums.actions:
        return None, _ELSEWHERE
    actions, title = tuple(sums.actions), "Sum an empty slice of each parameter"
    if sums.guessed:
        return Fix("unsafe", title, actions, f"takes `{sums.guessed}` for a single number"), ""
    return Fix("safe", title, actions), ""


class _Sums:
    """The sums of parameters that make up a product, all within its function and of no other use."""

    def __init__(self, check: ZeroTimesParametersCheck, site: _Site) -> None:
        self.check = check
        self.site = site
        self.module = site.scope.module
        self.function = site.scope.function
        self.body = self.function.body if self.function is not None else self.module.statements()
        self.actions: dict[Action, None] = {}
        self.guessed = ""
        self.names: set[str] = set()

    def key(self, node: Node) -> tuple[str, int]:
        return (self.site.path, node[1])

    def act(self, node: Node, parameter: Node) -> None:
        """Put the sum of an empty slice of `parameter` in the place of `node`."""
        span = span_of(self.site.path, parameter[1])
        place = f"{span.row}:{span.column}:{span.end_row}:{span.end_column}"
        self.actions[Action(_EMPTY, span_of(self.site.path, node[1]), (("parameter", place),))] = None

    def elementwise(self) -> None:
        """`(p * 0).sum()`"""
        site = self.site
        for call, source in site.sums.values():
            if source[1] != site.node[1] or not _is_full(call, source):
                raise _Refused(_SEPARATE)
            self.act(call, self.stripped(site.operand, True, site.parts)[0])

    def selection(self, node: Node, parts: int) -> None:
        """`p.view(-1)[0]`"""
        parameter, whole = self.stripped(node, True, max(parts, 1))
        if not whole:
            raise _Refused(_ELSEWHERE)
        if not self.is_number(node):
            self.guessed = self.guessed or _text(node)
        self.act(node, parameter)

    def is_number(self, node: Node) -> bool:
        """Whether an index certainly leaves one number: two positions, or one in something flat."""
        if node[0] != "sub":
            return False
        index = node[3][2] if node[3][0] == "tuple" else [node[3]]
        if not all(one[0] == "const" and type(one[2]) is int for one in index):
            return False
        base = node[2]
        source = self.check.sources.get(self.key(base)) if base[0] == "call" else None
        if source is not None:
            given = _given(base, source.node)
            return len(index) == 1 and (not given or (len(given) == 1 and given[0][0] == "const" and given[0][2] == -1))
        return len(index) > 1 or base[0] == "sub" or (base[0] == "attr" and base[3] == "bias")

    def number(self, node: Node, bound: Mapping[str, Node], parts: int = 0) -> None:
        """An expression that is a sum of parameters."""
        kind = node[0]
        if kind == "const":
            return
        if kind == "bin" and node[2] in ("+", "-"):
            for child, side in zip(node[3:5], self.check.operations.get(self.key(node), (None, None)), strict=True):
                if side is not None:
                    self.number(child, bound, side)
        elif kind == "unary" and node[2] in ("u-", "u+"):
            self.number(node[3], bound)
        elif kind == "ifexp":
            self.number(node[3], bound)
            self.number(node[4], bound)
        elif kind == "sub" and (parts or self.is_tensor(node[2], bound)):
            self.selection(node, parts)
        elif kind == "call":
            self.call(node, bound)
        elif kind == "name" and node[2] not in bound:
            self.variable(node[2], many=False)
        elif kind == "name" and bound[node[2]][0] != "for":
            self.numbers(bound[node[2]], {name: one for name, one in bound.items() if name != node[2]})
        else:
            raise _Refused(_ELSEWHERE)

    def numbers(self, node: Node, bound: Mapping[str, Node]) -> None:
        """An expression that is a list or the like of sums of parameters."""
        if node[0] == "comp" and node[2] != "dict":
            inner = dict(bound)
            for target, iterable, _ in node[4]:
                # names out of a tuple are known to no more than their loop
                plain = target[0] == "name"
                inner.update({one[2]: iterable if plain else ["for", 0] for one in _names(target)})
            self.number(node[3], inner)
        elif node[0] in ("list", "tuple"):
            for child in node[2]:
                if child[0] == "star":
                    self.numbers(child[2], bound)
                else:
                    self.number(child, bound)
        elif node[0] == "name" and node[2] not in bound:
            self.variable(node[2], many=True)
        else:
            raise _Refused(_ELSEWHERE)

    def call(self, node: Node, bound: Mapping[str, Node]) -> None:
        source = self.check.sources.get(self.key(node))
        if source is None:
            if node[2][0] == "name" and node[2][2] == "sum" and node[3]:
                self.numbers(node[3][0], bound)
                return
            raise _Refused(_made_in(node))
        kinds = source.effect.kinds
        if source.many:
            if source.whole:
                raise _Refused(_ELSEWHERE)
            self.numbers(source.node, bound)
        elif not self.is_full(node, source):
            if source.whole or not self.passes_on(source):
                raise _Refused("what becomes of the parameters before they are zeroed is not a plain sum")
            self.number(source.node, bound, source.parts)
        else:
            parameter, whole = self.stripped(source.node, source.whole, source.parts)
            if whole:
                self.act(node, parameter)
            elif kinds.isdisjoint(_SUMS):
                raise _Refused("what becomes of the parameters before they are zeroed is not a plain sum")
            else:
                self.number(parameter, bound)

    def is_full(self, node: Node, source: _Source) -> bool:
        """Whether a call gives one number, whatever it gets."""
        if source.effect.kinds.isdisjoint(_SUMS):
            callee = node[2][3] if node[2][0] == "attr" else ""
            if not self.check.knowledge.matches("gives_one_number", callee):
                return False
        return _is_full(node, source.node)

    @staticmethod
    def passes_on(source: _Source) -> bool:
        return source.effect.carries in ("all", "shape") or source.effect.returns in ("receiver", "first")

    def stripped(self, node: Node, whole: bool, parts: int) -> tuple[Node, bool]:
        """An expression without views, selections and elementwise functions, and whether that is a parameter."""
        while True:
            if node[0] == "call":
                source = self.check.sources.get(self.key(node))
                if source is None or source.many:
                    return node, whole
                kinds = source.effect.kinds
                if source.effect.carries not in ("all", "shape") and kinds.isdisjoint((*_SUMS, "elementwise")):
                    return node, whole
                node, whole = source.node, source.whole
                parts = source.parts if whole else 0
            elif node[0] == "sub" and whole and parts:
                node, parts = node[2], parts - 1
            elif whole and (node[0] == "unary" or (node[0] == "bin" and node[2] == "**")):
                node = node[3]
            else:
                return node, whole

    def is_tensor(self, node: Node, bound: Mapping[str, Node]) -> bool:
        """Whether what is selected from is a parameter or a view of one rather than a list."""
        if node[0] == "call":
            source = self.check.sources.get(self.key(node))
            return source is not None and source.whole and not source.many
        return node[0] == "name" and node[2] in bound

    # names

    def variable(self, name: str, many: bool) -> None:
        """A variable that gathers sums of parameters."""
        if name in self.names:
            return
        self.names.add(name)
        if self.function is None or any(row[0] == name for row in self.function.parameters):
            raise _Refused(f"the sums in `{name}` come from elsewhere")
        gathering: set[int] = set()
        for statement in _statements(self.body):
            for value in self.gathered(statement, name):
                gathering.add(statement[1])
                if many and not _appended(statement, name):
                    self.numbers(value, {})
                else:
                    self.number(value, {}, (self.check.operations.get(self.key(statement)) or (0, 0))[1] or 0)
        if not gathering:
            raise _Refused(f"the sums in `{name}` come from elsewhere")
        _Uses(self, name, gathering).block(self.body, False)

    def gathered(self, statement: Node, name: str) -> Iterator[Node]:
        """What a statement puts into a variable, as far as it is sums of parameters."""
        kind = statement[0]
        if kind in ("assign", "ann"):
            targets = statement[2] if kind == "assign" else [statement[2]]
            value = statement[3] if kind == "assign" else statement[4]
            if self.key(statement) in self.check.assigned and any(_is_name(one, name) for one in targets):
                yield value
        elif kind == "aug" and _is_name(statement[2], name):
            right = self.check.operations.get(self.key(statement), (None, None))[1]
            if statement[3] in ("+", "-") and (right is not None or statement[4][0] in ("list", "comp")):
                yield statement[4]
        elif _appended(statement, name):
            yield statement[2][3][0]


class _Uses:
    """A walk over a function that refuses any use of a variable while it holds sums that no zero has met yet."""

    def __init__(self, sums: _Sums, name: str, gathering: set[int]) -> None:
        self.sums = sums
        self.name = name
        self.gathering = gathering

    def block(self, body: Sequence[Node], held: bool) -> bool:
        """Whether the variable may hold sums after the statements, given whether it does before them."""
        for statement in body:
            held = self.statement(statement, held)
        return held

    def statement(self, node: Node, held: bool) -> bool:
        kind = node[0]
        if kind in ("assign", "ann", "aug") or node[1] in self.gathering:
            return self.binding(node, held)
        if kind == "if":
            self.read(node[2], held)
            one = self.block(node[3], held)
            return self.block(node[4], held) or one
        if kind in ("for", "while"):
            head, body, other = (node[2:4], node[4], node[5]) if kind == "for" else (node[2:3], node[3], node[4])
            again = self.block(body, held) or held
            self.read(head, again)
            again = self.block(body, again) or again
            return self.block(other, again)
        if kind == "with":
            self.read(node[2], held)
            return self.block(node[3], held)
        if kind == "try":
            after = self.block(node[2], held)
            failed = held or after or any(one[1] in self.gathering for one in _statements(node[2]))
            ends = [self.block(handler[2], failed) for handler in node[3]]
            ends.append(self.block(node[4], after))
            return self.block(node[5], any(ends) or failed) if node[5] else any(ends)
        if kind == "match":
            self.read(node[2], held)
            return any([held, *(self.block(case[2], held) for case in node[3])])
        if kind == "def":
            self.nested(node[2])
            return held
        self.read(node, held)
        return held and kind not in ("return", "raise")

    def binding(self, node: Node, held: bool) -> bool:
        if node[1] in self.gathering:
            return True
        value = node[4] if node[0] in ("ann", "aug") else node[3]
        targets = node[2] if node[0] == "assign" else [node[2]]
        zeroes = self.sums.key(node) in self.sums.check.sites
        own = any(_is_name(one, self.name) for one in targets)
        if value is not None:
            self.read(value, held)
        if not own:
            self.read(targets, held)
            return held
        if node[0] == "aug" and held and not zeroes:
            self.refuse(node)
        return held if node[0] == "ann" and value is None else False

    def read(self, node: Any, held: bool) -> None:
        """Refuse if an expression reads the variable elsewhere than in a product with zero."""
        if not isinstance(node, (list, tuple)):
            return
        if len(node) > 1 and isinstance(node[0], str) and type(node[1]) is int:
            if node[0] in ("bin", "call") and self.sums.key(node) in self.sums.check.sites:
                return
            if node[0] == "lambda":
                self.nested(node[2])
            if held and _is_name(node, self.name):
                self.refuse(node)
        for child in node:
            self.read(child, held)

    def nested(self, index: int) -> None:
        if self.name in self.sums.module.functions[index].names():
            raise _Refused(f"a nested function reads `{self.name}` too")

    def refuse(self, node: Node) -> None:
        row = span_of("", node[1]).row
        raise _Refused(f"the sums in `{self.name}` are used in line {row} too, where they are not multiplied by zero")


def _given(node: Node, source: Node) -> Node:
    """The positional arguments of a call beside what it works on."""
    given: Node = node[3]
    return given if node[2][0] == "attr" and node[2][2][1] == source[1] else given[1:]


def _is_full(node: Node, source: Node) -> bool:
    """Whether a call of a reduction is told nothing that keeps dimensions."""
    return not _given(node, source) and all(name in ("dtype", "input") for name, _ in node[4])


def _is_name(node: Node, name: str) -> bool:
    return bool(node[0] == "name" and node[2] == name)


def _appended(node: Node, name: str) -> bool:
    """Whether a statement is `name.append(...)`."""
    call = node[2] if node[0] == "expr" else None
    if call is None or call[0] != "call" or call[2][0] != "attr" or len(call[3]) != 1:
        return False
    return bool(call[2][3] == "append" and _is_name(call[2][2], name))


def _names(node: Any) -> Iterator[Node]:
    """The names in an expression."""
    if isinstance(node, (list, tuple)):
        if len(node) > 2 and node[0] == "name" and type(node[1]) is int:
            yield node
            return
        for child in node:
            yield from _names(child)


def _statements(body: Iterable[Node]) -> Iterator[Node]:
    """All statements of a function, those of nested functions left out."""
    for node in body:
        yield node
        kind = node[0]
        if kind in ("if", "while"):
            yield from _statements([*node[3], *node[4]])
        elif kind == "for":
            yield from _statements([*node[4], *node[5]])
        elif kind == "with":
            yield from _statements(node[3])
        elif kind == "try":
            yield from _statements([*node[2], *(one for handler in node[3] for one in handler[2]), *node[4], *node[5]])
        elif kind == "match":
            yield from _statements(one for case in node[3] for one in case[2])


def _made_in(node: Node) -> str:
    callee = node[2]
    if callee[0] == "name":
        return f"the sums are made in `{callee[2]}`, which other code may call too"
    return (
        f"what `{callee[3]}` gives here is not in view, or not always the same" if callee[0] == "attr" else _ELSEWHERE
    )


def _text(node: Node) -> str:
    """A short text for a selection."""
    base = node[2] if node[0] == "sub" else node
    name = base[3] if base[0] == "attr" else base[2] if base[0] == "name" else "it"
    return f"{name}[{node[3][2]}]" if node[0] == "sub" and node[3][0] == "const" else f"{name}[...]"


class ZeroTimesParameters(Rule):
    code = "DDP201"
    name = "zero-times-parameters"
    severity = "warning"
    words = (
        frozenset({"parameters", "Parameter", "weight", "bias"}),
        frozenset({"0*"}),
    )
    check = ZeroTimesParametersCheck

    def rewrite(self, action: Action, file: FileRewriter) -> None:
        if action.kind != _EMPTY:
            super().rewrite(action, file)
            return
        import libcst as cst

        node = file.expression_at(action.span)
        place = [int(number) for number in dict(action.arguments)["parameter"].split(":")]
        parameter = file.expression_at(Span(action.span.path, place[0], place[1], place[2], place[3]))
        code = file.code_of(parameter)
        if not isinstance(parameter, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
            code = f"({code})"
        if not isinstance(node, cst.Call):
            file.replace(node, f"{code}.flatten()[:0].sum()")
            return
        options = "".join(f", {file.code_of(one)}" for one in node.args if one.keyword and one.keyword.value == "dtype")
        argument = not {*node.args}.isdisjoint(file.ancestors(parameter))
        if argument and file.code_of(node.func).endswith("sum"):
            file.replace(node, f"{file.code_of(node.func)}({code}.flatten()[:0]{options})")
        else:
            file.replace(node, f"{code}.flatten()[:0].sum({options[2:]})")


RULE = ZeroTimesParameters()
