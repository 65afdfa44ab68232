"""Evaluation of expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ddplint.flow.events import BinaryEvent, CompareEvent, Guard, LoopEvent
from ddplint.flow.frame import Frame
from ddplint.flow.values import (
    NO_TAGS,
    NONE,
    OPAQUE,
    UNKNOWN,
    UNKNOWN_SHAPE,
    ClassValue,
    Condition,
    Conditions,
    Const,
    Elements,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Lib,
    Made,
    Method,
    ModuleValue,
    Part,
    Super,
    Tag,
    Tags,
    Union,
    Unknown,
    Value,
    constant,
    join,
    join_all,
    merge_tags,
    truth,
    unknown,
)
from ddplint.flow.vocabulary import TAGS

if TYPE_CHECKING:
    from ddplint.flow.interpreter import Interpreter

Node = list[Any]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
}
_MIRROR = {"==": "==", "!=": "!=", "is": "is", "is not": "is not"}
MAX_LITERAL = 64
# wraps a call of a rank: what `rank == 0` and its like mean for who passes
_SIDES = {"main": "other", "other": "main"}


class Expressions:
    """Mixed into the interpreter: `evaluate` and what it needs."""

    def evaluate(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        method = _EXPRESSIONS.get(node[0])
        return method(self, node) if method else UNKNOWN

    def evaluate_or_none(self: Interpreter, node: Node | None) -> Value:  # type: ignore[misc]
        return NONE if node is None else self.evaluate(node)

    # names and attributes

    def _name(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        name = node[2]
        frame: Frame | None = self.frame
        while frame is not None:
            value = frame.env.get(name)
            if value is not None:
                return self.named(value, name, node)
            frame = frame.closure
        value = self.module_environment(self.frame.module).get(name)
        if value is None:
            value = Value(Lib("builtins." + name)) if name in BUILTINS else UNKNOWN
            star = self.module_environment(self.frame.module).get("*")
            if star is not None and name not in BUILTINS and isinstance(star.shape, Lib):
                value = Value(Lib(f"{star.shape.name}.{name}"))
        return self.named(value, name, node)

    def named(self: Interpreter, value: Value, name: str, node: Node) -> Value:  # type: ignore[misc]
        """An unknown value read by a name that says what it is (`local_rank`) has that tag."""
        tag = self.knowledge.names.get(name)
        if tag is None or tag in value.tags or not isinstance(value.shape, OPAQUE):
            return value
        return value.tagged(tag, Tag((self.frame.place(node, f"`{name}` {self.knowledge_message(tag)}"),)))

    def knowledge_message(self: Interpreter, tag: str) -> str:  # type: ignore[misc]
        return TAGS.get(tag, "is used")

    def _attr(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        path = self.path_of(node)
        if path:
            exact = self.frame.env.get(path)
            if exact is not None:
                return exact
        return self.attribute(self.evaluate(node[2]), node[3], node)

    def attribute(self: Interpreter, owner: Value, name: str, node: Node) -> Value:  # type: ignore[misc]
        shape = owner.shape
        if isinstance(shape, Union):
            found = []
            for option in shape.options:
                value = self.attribute(option, name, node)
                for condition in option.conditions - value.conditions:
                    value = value.under(condition)
                found.append(value)
            return join_all(found)
        if isinstance(shape, Lib):
            return Value(Lib(f"{shape.name}.{name}"))
        if isinstance(shape, Super):
            bound = shape.bound.shape
            if isinstance(bound, Instance):
                member = self.class_attribute(bound.class_, name, shape.bound, after=shape.owner)
                if member is not None:
                    return member
            return Value(Method(owner, name))
        if isinstance(shape, ModuleValue):
            return self.module_member(shape.module, name)
        if isinstance(shape, Instance):
            value = self.instance_attribute(owner, shape, name, node)
        elif isinstance(shape, ClassValue):
            value = self.class_attribute(shape, name, None) or Value(Method(owner, name))
        elif isinstance(shape, Made):
            value = self.made_attribute(owner, shape, name)
        elif isinstance(shape, (Const, Items, Entries, Elements)):
            value = Value(Method(owner, name), owner.tags)
        else:
            identity = self.identity_of(owner.identity, name) if owner.identity else 0
            carried = self.carried(owner.tags, "attribute")
            if name in TENSOR_VIEWS:
                carried = self.outlasting(owner.tags, name)
            value = Value(Method(owner, name), carried, NO_CONDITIONS_, identity)
        if isinstance(value.shape, (Unknown, Method)):
            tag = self.knowledge.names.get(name)
            if tag is not None and tag not in value.tags:
                place = self.frame.place(node, f"`{name}` {self.knowledge_message(tag)}")
                value = value.tagged(tag, Tag((place,)))
        return value

    def made_attribute(self: Interpreter, owner: Value, shape: Made, name: str) -> Value:  # type: ignore[misc]
        effect = self.knowledge.call(shape.name)
        if name in shape.attributes:
            found = shape.attributes[name]
            # a file or the command line may replace what the program wrote into a configuration
            is_default = isinstance(found.shape, Const) and effect is not None and "config" in effect.kinds
            return join(found, UNKNOWN) if is_default else found
        if effect is not None and name in effect.parameters:
            given = shape.argument(effect.argument_index(name), name)
            if given is not None:
                return given
        if effect is not None and name in effect.detail.get("attributes", {}):
            tag = effect.detail["attributes"][name]
            added = Tag((shape.place,), origins=frozenset([id(shape)]))
            return Value(Method(owner, name), {tag: added}, identity=self.identity_of(shape, name))
        return Value(Method(owner, name), self.carried(owner.tags, "attribute"))

    # literals

    def _const(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        return constant(node[2])

    def _sequence(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        items: list[Value] = []
        rest: Value | None = None
        for child in node[2][:MAX_LITERAL]:
            if child[0] == "star":
                inner = self.evaluate(child[2])
                if isinstance(inner.shape, Items) and inner.shape.rest is None and rest is None:
                    items.extend(inner.shape.items)
                else:
                    element = self.element(inner)
                    rest = element if rest is None else join(rest, element)
            elif rest is not None:
                rest = join(rest, self.evaluate(child))
            else:
                items.append(self.evaluate(child))
        tags: Tags = NO_TAGS
        for item in items:
            tags = merge_tags(tags, self.carried(item.tags, "pack"))
        return Value(Items("tuple" if node[0] == "tuple" else "list", items, rest), tags)

    def _set(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        return Value(Elements(join_all(self.evaluate(child) for child in node[2][:MAX_LITERAL])))

    def _dict(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        entries: dict[Any, Value] = {}
        rest: Value | None = None
        for key, child in node[2][:256]:
            value = self.evaluate(child)
            if key is None:
                if isinstance(value.shape, Entries):
                    entries.update(value.shape.entries)
                    rest = value.shape.rest or rest
                else:
                    rest = unknown(value.tags) if rest is None else rest
                continue
            name = self.evaluate(key)
            if isinstance(name.shape, Const) and isinstance(name.shape.value, (str, int)):
                if value.identity == 0 and isinstance(value.shape, OPAQUE):
                    value = Value(value.shape, value.tags, value.conditions, self.fresh())
                entries[name.shape.value] = value
            else:
                rest = value if rest is None else join(rest, value)
        return Value(Entries(entries, rest))

    def _fstr(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        tags: Tags = NO_TAGS
        for child in node[2]:
            tags = merge_tags(tags, self.carried(self.deep_tags(self.evaluate(child)), "pack"))
        return unknown(tags)

    # operators

    def _bin(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        return self.binary(node, node[2], self.evaluate(node[3]), self.evaluate(node[4]))

    def binary(  # type: ignore[misc]
        self: Interpreter, node: Node, operator: str, left: Value, right: Value, in_place: bool = False
    ) -> Value:
        result = self._binary_result(operator, left, right)
        event = BinaryEvent(node, self.scope(), operator, left, right, result, in_place)
        self.emit("binary", event)
        for transform in self.listeners["binary_result"]:
            changed = self.offer(transform, event)
            if changed is not None:
                result, event = changed, replace(event, result=changed)
        return result

    def _binary_result(self: Interpreter, operator: str, left: Value, right: Value) -> Value:  # type: ignore[misc]
        one, other = left.shape, right.shape
        if isinstance(one, Const) and isinstance(other, Const) and operator in _ARITHMETIC:
            try:
                value = _ARITHMETIC[operator](one.value, other.value)
            except (TypeError, ValueError, ZeroDivisionError, OverflowError):
                return UNKNOWN
            if isinstance(value, (int, float)) or (isinstance(value, str) and len(value) < 400):
                return constant(value)
            return UNKNOWN
        if isinstance(one, Items) and isinstance(other, Items) and operator == "+" and one.rest is None:
            return Value(Items(one.kind, [*one.items, *other.items], other.rest), merge_tags(left.tags, right.tags))
        if isinstance(one, Items) and operator == "*" and isinstance(other, Const):
            return Value(Elements(self.element(left)), left.tags)
        kind = "operator " + operator
        tags = merge_tags(self.carried(left.tags, kind), self.carried(right.tags, kind))
        if left.tags or right.tags:
            both = merge_tags(self.shared(operator, left.tags, right), self.shared(operator, right.tags, left))
            tags = merge_tags(tags, both)
        if operator in "+/" and isinstance(one, Part) and isinstance(other, Part) and one.base == other.base:
            return Value(
                Part(one.base, _merge_index(one.index, other.index), one.above), tags, NO_CONDITIONS_, self.fresh()
            )
        if operator in ("*", "/") and isinstance(one, Part) and isinstance(other, Const):
            return Value(one, tags, NO_CONDITIONS_, self.fresh())
        return unknown(tags)

    def _unary(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        value = self.evaluate(node[3])
        if node[2] == "not":
            known = truth(value)
            if known is not None:
                return constant(not known)
            held = None if value.tags else self.condition(node[3])
            if held is not None:
                return join(constant(True).under(held.negated()), constant(False).under(held))
            return unknown(_swap_sides(value.tags))
        if isinstance(value.shape, Const) and node[2] == "u-" and isinstance(value.shape.value, (int, float)):
            return constant(-value.shape.value)
        return unknown(self.carried(value.tags, "operator -"))

    def _bool(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        values: list[Value] = []
        for child in node[3]:
            value = self.evaluate(child)
            known = truth(value)
            if node[2] == "and" and known is False:
                return value if not values else constant(False)
            if node[2] == "or" and known is True:
                return value if value.constant is True else join_all([*values, value])
            if known is None or child is node[3][-1]:
                values.append(value)
        if not values:
            return constant(node[2] == "and")
        if len(values) == 1:
            return values[0]
        tags: Tags = NO_TAGS
        for value in values:
            tags = merge_tags(tags, value.tags)
        tags = _sides_of(node[2], values, tags)
        joined = join_all(values)
        return joined.with_tags(tags)

    def _cmp(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        left = self.evaluate(node[2])
        rights = [self.evaluate(child) for child in node[4]]
        right, operator = rights[0], node[3][0]
        if len(rights) == 1:
            self.emit("compare", CompareEvent(node, self.scope(), operator, left, right))
            known = compare(operator, left, right)
            if known is not None:
                return constant(known)
            answers = _none_answers(operator, left, right)
            if answers is not None:
                return answers
        tags = merge_tags(self.carried(left.tags, "compare"), self.carried(right.tags, "compare"))
        return unknown(self._rank_test(node, operator, left, right, tags))

    def _rank_test(self: Interpreter, node: Node, operator: str, left: Value, right: Value, tags: Tags) -> Tags:  # type: ignore[misc]
        """`rank == 0` holds on rank 0 alone."""
        if "rank" in right.tags and "rank" not in left.tags:
            left, right = right, left
            operator = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator)
        tag = left.tags.get("rank")
        tags = {name: one for name, one in tags.items() if name != "rank"}
        side = ""
        if tag is not None:
            side = _rank_side(operator, right)
        elif isinstance(right.shape, Const) and isinstance(right.shape.value, bool) and operator in ("==", "is"):
            side = next((one for one in ("main", "other") if one in left.tags), "")
            side = side if right.shape.value else _SIDES.get(side, "")
            tag = next((left.tags[one] for one in ("main", "other") if one in left.tags), None)
        elif operator in ("is not", "!=", "is", "==") and right.is_none() and "main_only" in left.tags:
            tag = left.tags["main_only"]
            side = "main" if operator in ("is not", "!=") else "other"
        if side and tag is not None:
            tags[side] = Tag(
                (*tag.steps, self.frame.place(node, "true on rank 0 only" if side == "main" else "false on rank 0"))
            )
        if side == "single":
            tags.pop("main", None)
        return tags

    def _ifexp(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        test = self.evaluate(node[2])
        known = truth(test)
        if known is not None:
            return self.evaluate(node[3] if known else node[4])
        when, otherwise = self.decisions(node[2])
        frame = self.frame
        conditions, guards = frame.conditions, frame.guards
        sides = self.guard_sides(test, node)
        self._enter_branch(when, sides[0])
        one = self.evaluate(node[3])
        frame.conditions, frame.guards = conditions, guards
        self._enter_branch(otherwise, sides[1])
        other = self.evaluate(node[4])
        frame.conditions, frame.guards = conditions, guards
        one, other = one.under_all(when), other.under_all(otherwise)
        result = join(one, other)
        if sides[0] is not None and (node[4][0] == "const" and node[4][2] is None):
            result = result.tagged("main_only", Tag((frame.place(node, "made on rank 0 only"),)))
        return result

    # selections

    def _sub(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        path = self.path_of(node)
        if path:
            exact = self.frame.env.get(path)
            if exact is not None:
                return exact
        owner = self.evaluate(node[2])
        return self.item(owner, node[3], node)

    def item(self: Interpreter, owner: Value, index: Node, node: Node) -> Value:  # type: ignore[misc]
        found = []
        for option in owner.options():
            value = self._item(option, index, node)
            if isinstance(owner.shape, (Union, Entries)):
                value = value.under_all(option.conditions - value.conditions)
            found.append(value)
        result = join_all(found)
        if index[0] == "const" and isinstance(index[2], str) and isinstance(result.shape, OPAQUE):
            return self.named(result, index[2], node)
        return result

    def _item(self: Interpreter, owner: Value, index: Node, node: Node) -> Value:  # type: ignore[misc]
        shape = owner.shape
        if index[0] == "slice":
            low, high, step = (self.evaluate_or_none(part) for part in index[2:5])
            return self._sliced(owner, low, high, step, index)
        key = self.evaluate(index)
        return self.item_by_value(owner, key, index, node) if not isinstance(shape, Lib) else UNKNOWN

    def item_by_value(self: Interpreter, owner: Value, key: Value, index: Node, node: Node) -> Value:  # type: ignore[misc]
        shape = owner.shape
        text = key.constant
        if isinstance(shape, Entries):
            if text is not None and text in shape.entries:
                return shape.entries[text]
            if shape.rest is not None and text is not None:
                return shape.rest
            if text is not None:
                return UNKNOWN
            options = [*shape.entries.values(), *([shape.rest] if shape.rest is not None else [])]
            return join_all(options) if options else UNKNOWN
        if isinstance(shape, Items):
            if isinstance(text, int) and shape.rest is None and -len(shape.items) <= text < len(shape.items):
                return shape.items[text]
            if isinstance(text, int) and 0 <= text < len(shape.items):
                return shape.items[text]
            return self.element(owner)
        if isinstance(shape, Elements):
            return shape.element
        if isinstance(shape, Instance):
            method = self.class_attribute(shape.class_, "__getitem__", owner)
            if method is not None:
                return self.call(method, [key], {}, node)
            return self.made_item(owner, key)
        if isinstance(shape, Made):
            return self.made_item(owner, key)
        return self._selected(owner, index)

    def _selected(self: Interpreter, owner: Value, index: Node) -> Value:  # type: ignore[misc]
        """A selection from something of which only tags and identity are known."""
        text = self.index_text(index)
        tags = self.carried(owner.tags, "shape")
        if not owner.identity:
            return unknown(tags)
        identity = self.identity_of(owner.identity, text)
        if index[0] == "const" and isinstance(index[2], str):
            return Value(UNKNOWN_SHAPE, tags, NO_CONDITIONS_, identity)
        base, before = owner.identity, ""
        if isinstance(owner.shape, Part) and _only_new_axes(text):
            return Value(owner.shape, tags, NO_CONDITIONS_, identity)
        above = (owner.shape.base, *owner.shape.above[:8]) if isinstance(owner.shape, Part) else ()
        return Value(Part(base, before + text, above), tags, NO_CONDITIONS_, identity)

    def _sliced(self: Interpreter, owner: Value, low: Value, high: Value, step: Value, index: Node) -> Value:  # type: ignore[misc]
        shape = owner.shape
        if "random-order" in owner.tags:
            self.roles.cut(owner, self.frame.place(index, "only a part of it is kept"))
        if "rank" in low.tags and not step.is_none():
            place = self.frame.place(index, "every rank takes its own slice")
            owner, shape = unknown(owner.tags).tagged("shard", Tag((place,))), UNKNOWN_SHAPE
        if isinstance(shape, Items) and shape.rest is None:
            try:
                return Value(Items(shape.kind, shape.items[low.constant : high.constant : step.constant]), owner.tags)
            except (TypeError, ValueError):
                return Value(Elements(self.element(owner)), owner.tags)
        if isinstance(shape, (Items, Elements)):
            return owner
        if isinstance(shape, Made):
            return self.made_slice(owner, low, high, step)
        if high.constant == 0 and isinstance(high.shape, Const) and low.is_none():
            owner = owner.with_tags(self.outlasting(owner.tags, "nothing"))
        return self._selected(owner, index)

    def index_text(self: Interpreter, index: Node) -> str:  # type: ignore[misc]
        """A canonical text for an index: constants evaluated, names by their last part, full slices as `:`."""
        kind = index[0]
        if kind == "tuple":
            return ",".join(self.index_text(part) for part in index[2])
        if kind == "slice":
            low, high = (self.index_text(part) if part is not None else "" for part in index[2:4])
            if low.isdigit() and high == str(int(low) + 1):
                return low
            if not low and high == "1":
                return "0"
            if low and _is_next(index[2], index[3]):
                return low
            return f"{low}:{high}"
        if kind == "list":
            return "+".join(self.index_text(part) for part in index[2])
        if kind == "opaque":
            return "..."
        value = self.evaluate(index)
        if isinstance(value.shape, Const):
            return "None" if value.shape.value is None else str(value.shape.value)
        if isinstance(value.shape, Items) and all(isinstance(one.shape, Const) for one in value.shape.items):
            return "+".join(str(one.constant) for one in value.shape.items)
        return _tail(index) or f"@{self.frame.module.path}:{index[1]}"

    def covers_all(self: Interpreter, index: Node) -> bool:  # type: ignore[misc]
        """Whether `x[index] = y` writes the whole of x."""
        text = self.index_text(index)
        return all(part in (":", "...") for part in text.split(","))

    # iteration

    def element(self: Interpreter, value: Value) -> Value:  # type: ignore[misc]
        """What iterating over a value gives."""
        found = []
        for option in value.options():
            one = self._element(option)
            if isinstance(value.shape, Union):
                for condition in option.conditions - one.conditions:
                    one = one.under(condition)
            found.append(one)
        return join_all(found)

    def _element(self: Interpreter, value: Value) -> Value:  # type: ignore[misc]
        shape = value.shape
        if isinstance(shape, Elements):
            return shape.element
        if isinstance(shape, Items):
            parts = [*shape.items, *([shape.rest] if shape.rest is not None else [])]
            return join_all(parts) if parts else UNKNOWN
        if isinstance(shape, Entries):
            return join_all([constant(key) for key in shape.entries]) if shape.entries and not shape.rest else UNKNOWN
        if isinstance(shape, Instance):
            return self.instance_element(value, shape)
        if isinstance(shape, Made):
            return self.made_element(value, shape)
        identity = self.identity_of(value.identity, "element") if value.identity else 0
        return Value(UNKNOWN_SHAPE, self.carried(value.tags, "shape"), NO_CONDITIONS_, identity)

    def _comp(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        frame = self.frame
        outer, iterating = frame.env, frame.iterating
        frame.env = dict(outer)
        frame.loops += 1
        try:
            rows = self._generate(node, node[4], 0)
        finally:
            frame.loops -= 1
            frame.env, frame.iterating = outer, iterating
        if node[2] == "dict":
            entries = {key.constant: value for key, value in rows if isinstance(key.constant, (str, int))}
            others = [value for key, value in rows if not isinstance(key.constant, (str, int))]
            return Value(Entries(entries, join_all(others) if others else None))
        values = [value for _, value in rows]
        tags: Tags = NO_TAGS
        for value in values:
            tags = merge_tags(tags, self.carried(value.tags, "pack"))
        if len(values) > 1:
            return Value(Items("list", values), tags)
        return Value(Elements(join_all(values)), tags)

    def _generate(self: Interpreter, node: Node, generators: list[Node], depth: int) -> list[tuple[Value, Value]]:  # type: ignore[misc]
        if depth == len(generators):
            if node[2] == "dict":
                return [(self.evaluate(node[3][0]), self.evaluate(node[3][1]))]
            return [(NONE, self.evaluate(node[3]))]
        target, iterable, conditions = generators[depth]
        source = self.evaluate(iterable)
        shape = source.shape
        literal = isinstance(shape, Items) and shape.rest is None and 0 < len(shape.items) <= 8
        items = list(shape.items) if literal and isinstance(shape, Items) else [self.element(source)]
        if not literal:
            self.emit(
                "loop",
                LoopEvent(
                    node, self.scope(), source, items[0], [["expr", node[1], node[3]]] if node[2] != "dict" else []
                ),
            )
            tags = self.deep_tags(items[0])
            for name in ("batch", "shard"):
                self.frame.iterating |= tags[name].origins if name in tags else frozenset()
        rows: list[tuple[Value, Value]] = []
        for item in items:
            self.bind(target, item, node)
            if all(truth(self.evaluate(test)) is not False for test in conditions):
                rows.extend(self._generate(node, generators, depth + 1))
        return rows

    # the rest

    def _lambda(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        frame = self.frame
        closure = frame if frame.function is not None else frame.closure
        return Value(FunctionValue(frame.module.functions[node[2]], frame.module, closure))

    def _star(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        return self.element(self.evaluate(node[2]))

    def _yield(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        if node[2] is not None:
            value = self.evaluate(node[2])
            self.frame.yielded.append(self.element(value) if node[0] == "yieldfrom" else value)
        return UNKNOWN

    def _await(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        return self.evaluate(node[2])

    def _walrus(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        value = self.evaluate(node[3])
        self.frame.env[node[2]] = value
        return value

    # branch decisions

    def condition(self: Interpreter, test: Node) -> Condition | None:  # type: ignore[misc]
        """The decision that a test stands for, in a form that another test of the same flag shares; None if there is
        none.
        """
        kind = test[0]
        if kind == "unary" and test[2] == "not":
            inner = self.condition(test[3])
            return inner.negated() if inner else None
        if kind in ("name", "attr", "sub"):
            subject = _tail(test)
            return Condition(subject, "true", None, True) if subject else None
        if kind == "cmp" and len(test[4]) == 1:
            operator, other = test[3][0], test[4][0]
            subject = _tail(test[2])
            value = self.evaluate(other) if other[0] in ("const", "name", "attr") else None
            if not subject or value is None or not isinstance(value.shape, Const):
                return None
            if operator in ("==", "is"):
                return Condition(subject, "==", value.shape.value, True)
            if operator in ("!=", "is not"):
                return Condition(subject, "==", value.shape.value, False)
            return Condition(subject, operator, value.shape.value, True)
        return None

    def decisions(self: Interpreter, test: Node) -> tuple[Conditions, Conditions]:  # type: ignore[misc]
        """What holds where a test came out true, and where it came out false."""
        held = self.condition(test)
        if held is not None:
            return frozenset([held]), frozenset([held.negated()])
        return self.implied(test, True), self.implied(test, False)

    def implied(self: Interpreter, test: Node, holds: bool) -> frozenset[Condition]:  # type: ignore[misc]
        """What holds of the parts of an `and` that came out true, or of an `or` that came out false."""
        if test[0] != "bool" or (test[2] == "and") is not holds:
            return NO_CONDITIONS_
        found: set[Condition] = set()
        for child in test[3]:
            if child[0] == "bool":
                found |= self.implied(child, holds)
            else:
                held = self.condition(child)
                if held is not None:
                    found.add(held if holds else held.negated())
        return frozenset(found)

    def guard_sides(self: Interpreter, test: Value, node: Node) -> tuple[Guard | None, Guard | None]:  # type: ignore[misc]
        """The guards that the two sides of a branch put on who runs them."""
        for side in ("main", "other"):
            tag = test.tags.get(side)
            if tag is not None:
                place = tag.steps[-1] if tag.steps else self.frame.place(node, "rank test")
                depth = len(self.frames)
                return Guard(side, place, depth), Guard(_SIDES[side], place, depth)
        tag = test.tags.get("main_only")
        if tag is not None and isinstance(test.shape, (Unknown, Union, Made, Method)):
            return Guard("main", tag.steps[-1], len(self.frames)), None
        return None, None

    def is_main_test(self: Interpreter, test: Node) -> bool:  # type: ignore[misc]
        return bool(
            test[0] == "cmp"
            and test[2][0] == "name"
            and test[2][2] == "__name__"
            and self.frame.function is None
            and test[3] == ["=="]
        )


def compare(operator: str, left: Value, right: Value) -> bool | None:
    """The outcome of a comparison of known values, or None."""
    one, other = left.shape, right.shape
    if operator in ("is", "is not") and isinstance(other, Const) and other.value is None:
        answers = {_is_none(option) for option in left.options()}
        if len(answers) == 1 and (answer := answers.pop()) is not None:
            return answer if operator == "is" else not answer
        return None
    if isinstance(one, Const) and operator in _COMPARISONS:
        rival: Any
        if isinstance(other, Const):
            rival = other.value
        elif isinstance(other, Items) and other.rest is None and all(isinstance(i.shape, Const) for i in other.items):
            rival = [item.constant for item in other.items]
        elif isinstance(other, Entries) and other.rest is None and operator in ("in", "not in"):
            rival = list(other.entries)
        else:
            return None
        try:
            return bool(_COMPARISONS[operator](one.value, rival))
        except TypeError:
            return None
    return None


def _none_answers(operator: str, left: Value, right: Value) -> Value | None:
    """`x is None` where some alternatives of x are None and the others are not: each answer under its alternative's
    conditions.
    """
    if operator not in ("is", "is not") or not right.is_none() or not isinstance(left.shape, Union) or left.tags:
        return None
    answers: Value | None = None
    for option in left.shape.options:
        answer = _is_none(option)
        if answer is None:
            return None
        one = constant(answer if operator == "is" else not answer)
        for condition in option.conditions:
            one = one.under(condition)
        answers = one if answers is None else join(answers, one)
    return answers


def _is_none(value: Value) -> bool | None:
    if isinstance(value.shape, (Unknown, Method, Part, Lib)):
        return None
    return isinstance(value.shape, Const) and value.shape.value is None


def _rank_side(operator: str, right: Value) -> str:
    """Which side a comparison of the rank lets pass: main, other, or nothing certain."""
    shape = right.shape
    if isinstance(shape, Items) and operator in ("in", "not in"):
        numbers = {item.constant for item in shape.items}
        if numbers <= {0, -1} and 0 in numbers:
            return "main" if operator == "in" else "other"
        return ""
    if not isinstance(shape, Const) or isinstance(shape.value, bool) or not isinstance(shape.value, int):
        return ""
    table = {
        ("==", 0): "main",
        ("!=", 0): "other",
        (">", 0): "other",
        ("<", 1): "main",
        ("<=", 0): "main",
        (">=", 1): "other",
    }
    if operator == "is" and shape.value == 0:
        return "main"
    return table.get((operator, shape.value), "")


def _swap_sides(tags: Tags) -> Tags:
    """Tags of `not x`."""
    swapped = {name: tag for name, tag in tags.items() if name not in ("main", "other", "main_only", "rank")}
    if "main" in tags:
        swapped["other"] = tags["main"]
    if "other" in tags:
        swapped["main"] = tags["other"]
    if "rank" in tags:
        swapped["main"] = tags["rank"]
    return swapped


def _sides_of(operator: str, values: list[Value], tags: Tags) -> Tags:
    """`a and b` holds on rank 0 only if one of them does; `a or b` if a rank test is among them and the others are no
    more than
    tests for a single process; what only some options say is dropped."""
    result = {name: tag for name, tag in tags.items() if name not in ("main", "other")}
    mains = [value.tags["main"] for value in values if "main" in value.tags]
    others = [value.tags["other"] for value in values if "other" in value.tags]
    if operator == "and":
        if mains:
            result["main"] = mains[0]
        elif others:
            result["other"] = others[0]
    elif mains and not others:
        result["main"] = mains[0]
    elif len(others) == len(values):
        result["other"] = others[0]
    return result


def _merge_index(one: str, other: str) -> str:
    return one if one == other else "+".join(sorted({*one.split("+"), *other.split("+")}))


def _is_next(low: Node, high: Node | None) -> bool:
    """Whether `high` is written as `low + 1`."""
    if high is None or high[0] != "bin" or high[2] != "+" or high[4][0] != "const" or high[4][2] != 1:
        return False
    return bool(_tail(low)) and _tail(low) == _tail(high[3])


def _only_new_axes(text: str) -> bool:
    return all(part in (":", "None", "...") for part in text.split(","))


def _tail(node: Node) -> str:
    """The last name of `a.b.c` or `a["c"]`, by which tests of one flag are told to be the same."""
    if node[0] == "name":
        return str(node[2])
    if node[0] == "attr":
        return str(node[3])
    if node[0] == "sub" and node[3][0] == "const" and isinstance(node[3][2], str):
        return str(node[3][2])
    return ""


TENSOR_VIEWS = frozenset({"data", "T", "mT", "real", "values", "grad_fn"})
NO_CONDITIONS_: frozenset[Condition] = frozenset()
BUILTINS = frozenset(
    {
        "abs", "all", "any", "bool", "bytes", "callable", "dict", "dir", "divmod", "enumerate", "eval",
        "filter", "float", "format", "frozenset", "getattr", "hasattr", "hash", "id", "input", "int",
        "isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "object", "open", "pow",
        "print", "property", "range", "repr", "reversed", "round", "set", "setattr", "slice", "sorted",
        "staticmethod", "classmethod", "str", "sum", "super", "tuple", "type", "vars", "zip", "Exception",
        "ValueError", "RuntimeError", "StopIteration", "NotImplementedError", "KeyError", "TypeError",
        "IndexError", "AssertionError",
    }
)  # fmt: skip

_EXPRESSIONS: dict[str, Callable[[Interpreter, Node], Value]] = {
    "name": Expressions._name,
    "attr": Expressions._attr,
    "const": Expressions._const,
    "call": lambda self, node: self.call_node(node),
    "bin": Expressions._bin,
    "unary": Expressions._unary,
    "bool": Expressions._bool,
    "cmp": Expressions._cmp,
    "tuple": Expressions._sequence,
    "list": Expressions._sequence,
    "set": Expressions._set,
    "dict": Expressions._dict,
    "sub": Expressions._sub,
    "ifexp": Expressions._ifexp,
    "lambda": Expressions._lambda,
    "comp": Expressions._comp,
    "star": Expressions._star,
    "yield": Expressions._yield,
    "yieldfrom": Expressions._yield,
    "await": Expressions._await,
    "fstr": Expressions._fstr,
    "walrus": Expressions._walrus,
}
