"""The sums of parameters that a product with zero is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ddplint.facts.nodes import Node, walk
from ddplint.findings import Action, Fix
from ddplint.flow.knowledge import Knowledge
from ddplint.rules.base import span_of
from ddplint.rules.repairs import Refused, place_argument
from ddplint.rules.scopes import body_of
from ddplint.rules.statements import statements_of
from ddplint.rules.zeroed.sites import SUMS, Seen, Site, Source
from ddplint.rules.zeroed.uses import Uses, is_name

EMPTY = "sum-empty-slice"
_ELSEWHERE = "the sum of the parameters is made at a place that other code may use too"
_SEPARATE = "the parameters are zeroed in one statement and summed in another one"


def repair_of(seen: Seen, knowledge: Knowledge, site: Site) -> tuple[Fix | None, str]:
    """The repair of a product, or why there is none."""
    sums = Sums(seen, knowledge, site)
    try:
        if site.summed:
            sums.number(site.operand, {}, site.parts)
        elif site.sums and (not site.parts or all(one[1] == site.node[1] for _, one in site.sums.values())):
            sums.elementwise()
        else:
            sums.selection(site.operand, site.parts)
    except Refused as refused:
        return None, str(refused)
    if not sums.actions:
        return None, _ELSEWHERE
    actions, title = tuple(sums.actions), "Sum an empty slice of each parameter"
    if sums.guessed:
        return Fix("unsafe", title, actions, f"takes `{sums.guessed}` for a single number"), ""
    return Fix("safe", title, actions), ""


class Sums:
    """The sums of parameters that make up a product, all within its function and of no other use."""

    def __init__(self, seen: Seen, knowledge: Knowledge, site: Site) -> None:
        self.seen = seen
        self.knowledge = knowledge
        self.site = site
        self.module = site.scope.module
        self.function = site.scope.function
        self.body = body_of(site.scope)
        self.actions: dict[Action, None] = {}
        self.guessed = ""
        self.names: set[str] = set()

    def key(self, node: Node) -> tuple[str, int]:
        return (self.site.path, node[1])

    def act(self, node: Node, parameter: Node) -> None:
        """Put the sum of an empty slice of `parameter` in the place of `node`."""
        place = place_argument(span_of(self.site.path, parameter[1]))
        self.actions[Action(EMPTY, span_of(self.site.path, node[1]), (("parameter", place),))] = None

    def elementwise(self) -> None:
        """`(p * 0).sum()`"""
        site = self.site
        for call, source in site.sums.values():
            if source[1] != site.node[1] or not _is_full(call, source):
                raise Refused(_SEPARATE)
            self.act(call, self.stripped(site.operand, True, site.parts)[0])

    def selection(self, node: Node, parts: int) -> None:
        """`p.view(-1)[0]`"""
        parameter, whole = self.stripped(node, True, max(parts, 1))
        if not whole:
            raise Refused(_ELSEWHERE)
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
        source = self.seen.sources.get(self.key(base)) if base[0] == "call" else None
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
            for child, side in zip(node[3:5], self.seen.operations.get(self.key(node), (None, None)), strict=True):
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
            raise Refused(_ELSEWHERE)

    def numbers(self, node: Node, bound: Mapping[str, Node]) -> None:
        """An expression that is a list or the like of sums of parameters."""
        if node[0] == "comp" and node[2] != "dict":
            inner = dict(bound)
            for target, iterable, _ in node[4]:
                # names out of a tuple are known to no more than their loop
                plain = target[0] == "name"
                inner.update({one[2]: iterable if plain else ["for", 0] for one in walk(target) if one[0] == "name"})
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
            raise Refused(_ELSEWHERE)

    def call(self, node: Node, bound: Mapping[str, Node]) -> None:
        source = self.seen.sources.get(self.key(node))
        if source is None:
            if node[2][0] == "name" and node[2][2] == "sum" and node[3]:
                self.numbers(node[3][0], bound)
                return
            raise Refused(_made_in(node))
        kinds = source.effect.kinds
        if source.many:
            if source.whole:
                raise Refused(_ELSEWHERE)
            self.numbers(source.node, bound)
        elif not self.is_full(node, source):
            if source.whole or not self.passes_on(source):
                raise Refused("what becomes of the parameters before they are zeroed is not a plain sum")
            self.number(source.node, bound, source.parts)
        else:
            parameter, whole = self.stripped(source.node, source.whole, source.parts)
            if whole:
                self.act(node, parameter)
            elif kinds.isdisjoint(SUMS):
                raise Refused("what becomes of the parameters before they are zeroed is not a plain sum")
            else:
                self.number(parameter, bound)

    def is_full(self, node: Node, source: Source) -> bool:
        """Whether a call gives one number, whatever it gets."""
        if source.effect.kinds.isdisjoint(SUMS):
            callee = node[2][3] if node[2][0] == "attr" else ""
            if not self.knowledge.matches("gives_one_number", callee):
                return False
        return _is_full(node, source.node)

    @staticmethod
    def passes_on(source: Source) -> bool:
        return source.effect.carries in ("all", "shape") or source.effect.returns in ("receiver", "first")

    def stripped(self, node: Node, whole: bool, parts: int) -> tuple[Node, bool]:
        """An expression without views, selections and elementwise functions, and whether that is a parameter."""
        while True:
            if node[0] == "call":
                source = self.seen.sources.get(self.key(node))
                if source is None or source.many:
                    return node, whole
                kinds = source.effect.kinds
                if source.effect.carries not in ("all", "shape") and kinds.isdisjoint((*SUMS, "elementwise")):
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
            source = self.seen.sources.get(self.key(node))
            return source is not None and source.whole and not source.many
        return node[0] == "name" and node[2] in bound

    # names

    def variable(self, name: str, many: bool) -> None:
        """A variable that gathers sums of parameters."""
        if name in self.names:
            return
        self.names.add(name)
        if self.function is None or any(row[0] == name for row in self.function.parameters):
            raise Refused(f"the sums in `{name}` come from elsewhere")
        gathering: set[int] = set()
        for statement, _ in statements_of(self.body):
            for value in self.gathered(statement, name):
                gathering.add(statement[1])
                if many and not _appended(statement, name):
                    self.numbers(value, {})
                else:
                    self.number(value, {}, (self.seen.operations.get(self.key(statement)) or (0, 0))[1] or 0)
        if not gathering:
            raise Refused(f"the sums in `{name}` come from elsewhere")
        Uses(self.module, self.seen.sites, name, gathering).block(self.body, False)

    def gathered(self, statement: Node, name: str) -> Iterator[Node]:
        """What a statement puts into a variable, as far as it is sums of parameters."""
        kind = statement[0]
        if kind in ("assign", "ann"):
            targets = statement[2] if kind == "assign" else [statement[2]]
            value = statement[3] if kind == "assign" else statement[4]
            if self.key(statement) in self.seen.assigned and any(is_name(one, name) for one in targets):
                yield value
        elif kind == "aug" and is_name(statement[2], name):
            right = self.seen.operations.get(self.key(statement), (None, None))[1]
            if statement[3] in ("+", "-") and (right is not None or statement[4][0] in ("list", "comp")):
                yield statement[4]
        elif _appended(statement, name):
            yield statement[2][3][0]


def _given(node: Node, source: Node) -> Node:
    """The positional arguments of a call beside what it works on."""
    given: Node = node[3]
    return given if node[2][0] == "attr" and node[2][2][1] == source[1] else given[1:]


def _is_full(node: Node, source: Node) -> bool:
    """Whether a call of a reduction is told nothing that keeps dimensions."""
    return not _given(node, source) and all(name in ("dtype", "input") for name, _ in node[4])


def _appended(node: Node, name: str) -> bool:
    """Whether a statement is `name.append(...)`."""
    call = node[2] if node[0] == "expr" else None
    if call is None or call[0] != "call" or call[2][0] != "attr" or len(call[3]) != 1:
        return False
    return bool(call[2][3] == "append" and is_name(call[2][2], name))


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
