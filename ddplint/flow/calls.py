"""Calls of the program's own functions and classes, and attributes of its objects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ddplint.facts.nodes import Node, last_of
from ddplint.flow.contexts import flags_of
from ddplint.flow.events import CallEvent, Guard
from ddplint.flow.frame import Environment, Frame
from ddplint.flow.library import Library
from ddplint.flow.roles import NOTED
from ddplint.flow.values import (
    NONE,
    UNKNOWN,
    UNKNOWN_SHAPE,
    ClassValue,
    Const,
    Elements,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Lib,
    Made,
    Method,
    Partial,
    Place,
    Tag,
    Tags,
    Union,
    Unknown,
    Value,
    contradict,
    join_all,
    merge_tags,
    unknown,
)
from ddplint.program.program import FunctionFacts

if TYPE_CHECKING:
    from ddplint.flow.interpreter import Interpreter

MAX_DEPTH = 40
MAX_CONTEXTS = 6
# of functions that only pass values on
MAX_PASSING_CONTEXTS = 4
MAX_ACTIVE = 2


class Calls(Library):
    """Mixed into the interpreter."""

    def call_node(self: Interpreter, node: Node) -> Value:  # type: ignore[misc]
        callee = self.evaluate(node[2])
        arguments: list[Value] = []
        for child in node[3]:
            if child[0] != "star":
                arguments.append(self.evaluate(child))
                continue
            inner = self.evaluate(child[2])
            if isinstance(inner.shape, Items) and inner.shape.rest is None:
                arguments.extend(inner.shape.items)
            else:
                arguments.append(Value(UNKNOWN_SHAPE, self.element(inner).tags))
        keywords: dict[str, Value] = {}
        for name, child in node[4]:
            value = self.evaluate(child)
            if name is not None:
                keywords[name] = value
            elif isinstance(value.shape, Entries):
                keywords.update({key: one for key, one in value.shape.entries.items() if isinstance(key, str)})
        return self.call(callee, arguments, keywords, node)

    def call(  # type: ignore[misc]
        self: Interpreter, callee: Value, arguments: list[Value], keywords: dict[str, Value], node: Node
    ) -> Value:
        """The result of a call; one call event per option of the callee that it can be here."""
        if not isinstance(callee.shape, Union):
            return self._call_one(callee, arguments, keywords, node)
        frame = self.frame
        held = frame.conditions
        results = []
        for option in callee.shape.options:
            if contradict(option.conditions, held):
                continue
            frame.conditions = held | option.conditions
            value = self._call_one(option, arguments, keywords, node)
            frame.conditions = held
            for condition in option.conditions:
                value = value.under(condition)
            results.append(value)
        return join_all(results)

    def _call_one(  # type: ignore[misc]
        self: Interpreter, callee: Value, arguments: list[Value], keywords: dict[str, Value], node: Node
    ) -> Value:
        shape = callee.shape
        if isinstance(shape, FunctionValue):
            result = self.call_function(shape, arguments, keywords, node)
            result = self.after_call(shape, arguments, keywords, node, result)
            return self._called(node, "", None, callee, arguments, keywords, result)
        if isinstance(shape, ClassValue):
            result = self.instantiate(shape, arguments, keywords, node)
            self._called(node, "", None, callee, arguments, keywords, result)
            return result
        if isinstance(shape, Instance):
            return self._call_instance(callee, shape, arguments, keywords, node)
        if isinstance(shape, Partial):
            merged = {**shape.keywords, **keywords}
            return self.call(shape.function, [*shape.arguments, *arguments], merged, node)
        if isinstance(shape, Lib):
            return self.call_library(shape.name, callee, arguments, keywords, node)
        if isinstance(shape, Made):
            return self.call_object(callee, shape, arguments, keywords, node)
        if isinstance(shape, Method):
            return self.call_method(callee, shape, arguments, keywords, node)
        result = self._unknown_result(callee, arguments, keywords)
        result = self.unresolved(last_of(node[2]), arguments, keywords, node, result)
        return self._called(node, "", None, callee, arguments, keywords, result)

    def _unknown_result(  # type: ignore[misc]
        self: Interpreter, callee: Value, arguments: list[Value], keywords: dict[str, Value], kind: str = "objects"
    ) -> Value:
        tags: Tags = self.carried(callee.tags, kind)
        for value in [*arguments, *keywords.values()]:
            tags = merge_tags(tags, self.carried(self.deep_tags(value), kind))
        return unknown(tags)

    def _called(  # type: ignore[misc]
        self: Interpreter,
        node: Node,
        name: str,
        effect: Any,
        callee: Value,
        arguments: list[Value],
        keywords: dict[str, Value],
        result: Value,
        receiver: Value | None = None,
    ) -> Value:
        """Tell the rules of a call; the result, or what a rule made of it."""
        if effect is not None and effect.kinds & NOTED:
            result = self.roles.note(node, name, effect, arguments, keywords, result, receiver)
        transforms = self.listeners["call_result"]
        if not transforms and not self.listeners["call"]:
            return result
        event = CallEvent(node, self.scope(), name, effect, callee, arguments, keywords, result, receiver)
        self.emit("call", event)
        for transform in transforms:
            changed: Any = self.offer(transform, event)
            if changed is not None:
                result, event = changed, replace(event, result=changed)
        return result

    # functions

    def call_function(  # type: ignore[misc]
        self: Interpreter, function: FunctionValue, arguments: list[Value], keywords: dict[str, Value], node: Node
    ) -> Value:
        facts = function.facts
        identity = id(facts)
        if len(self.frames) > MAX_DEPTH or self.active[identity] >= MAX_ACTIVE:
            return UNKNOWN
        if function.bound is not None and function.kind != "static":
            arguments = [function.bound, *arguments]
        caller = self.frame
        key: Any = (
            identity,
            tuple(value.key() for value in arguments),
            tuple((name, value.key()) for name, value in keywords.items()),
            function.closure,
        )
        sides = tuple(guard.side for guard in caller.guards)
        key = (*key, caller.no_grad, caller.autocast, sides)
        plain = self.plain.get(key)
        if plain is not None:
            return plain
        anywhere, key = key, (*key, caller.conditions or None)
        here = (*key, caller.module.path, node[1])
        if key in self.loading:
            # each call makes loaders of its own
            key = here
        known = self.memo.get(key)
        if known is not None:
            caller.collective |= key in self.reducing
            self.roles.replayed(self.seeding.get(key), node)
            return known
        limit = MAX_CONTEXTS if self.matters(facts) else MAX_PASSING_CONTEXTS
        if not self.contexts.admit_call(identity, limit, flags_of(arguments, keywords.items())):
            return UNKNOWN
        outer, caller.collective = caller.collective, False
        made, seeds = self.roles.made, len(self.roles.seedings)
        result = self._run_function(function, arguments, keywords, node)
        if self.roles.made != made and key is not here:
            self.loading.add(key)
            key = here
        if len(self.roles.seedings) != seeds:
            self.seeding[key] = self.roles.since(seeds)
        if caller.collective:
            self.reducing.add(key)
        caller.collective |= outer
        self.memo[key] = result
        silent = key is not here and key not in self.seeding and key not in self.reducing
        if silent and not self.matters(facts) and not result.tags and isinstance(result.shape, (Const, Unknown)):
            self.plain[anywhere] = result
        return result

    def matters(self: Interpreter, facts: FunctionFacts) -> bool:  # type: ignore[misc]
        """Whether what happens in a function can matter to a rule, or only what it returns and sets."""
        return self.relevant is None or id(facts) in self.relevant

    def _run_function(  # type: ignore[misc]
        self: Interpreter, function: FunctionValue, arguments: list[Value], keywords: dict[str, Value], node: Node
    ) -> Value:
        facts, caller = function.facts, self.frame
        self.entered.add(id(facts))
        frame = Frame(facts.module, {}, function.closure, facts)
        frame.env = self.bind_arguments(function, arguments, keywords)
        frame.owner = function.owner
        frame.instance = function.bound or caller.instance
        frame.no_grad = caller.no_grad or "no_grad" in function.marks
        frame.autocast = caller.autocast or "autocast" in function.marks
        frame.conditions = caller.conditions
        frame.guards = caller.guards
        frame.iterating = caller.iterating
        self.calls += 1
        frame.context = self.calls
        if "main" in function.marks:
            place = Place(facts.module.path, facts.position, f"`{facts.name}` runs on rank 0 only")
            frame.guards = (*frame.guards, Guard("main", place, len(self.frames)))
        here = Place(caller.module.path, node[1], f"calls `{facts.name}`")
        frame.callers = (*caller.callers[-8:], here)
        self.active[id(facts)] += 1
        self.enter(frame)
        try:
            self.block(facts.body)
        finally:
            self.leave()
            self.active[id(facts)] -= 1
        caller.collective |= frame.collective
        if facts.generator:
            return Value(Elements(join_all(frame.yielded)))
        if not frame.returned:
            return NONE
        result = join_all(frame.returned)
        if (frame.collective or self.knowledge.matches("gathers", facts.name)) and "shard" in self.deep_tags(result):
            place = here._replace(message=f"`{facts.name}` brings the ranks' values together")
            result = self.deep_tagged(result, "reduced", Tag((place,)))
        return self._after_return(result, here, facts)

    def _after_return(self: Interpreter, value: Value, here: Place, facts: FunctionFacts) -> Value:  # type: ignore[misc]
        """Add the return to the trace of tags that come out of a function."""
        place = here._replace(message=f"`{facts.name}` returns it")
        return self.map_tags(value, lambda tags: {name: tag.then(place) for name, tag in tags.items()})

    def bind_arguments(  # type: ignore[misc]
        self: Interpreter, function: FunctionValue, arguments: list[Value], keywords: dict[str, Value]
    ) -> Environment:
        """Parameter names to values: given ones, else defaults, else unknown."""
        env: Environment = {}
        rest = list(arguments)
        left = dict(keywords)
        for name, kind, default, annotation in function.facts.parameters:
            if kind == "star":
                env[name] = Value(Items("tuple", rest))
                rest = []
            elif kind == "stars":
                env[name] = Value(Entries(dict(left)))
            elif kind != "keyword" and rest:
                env[name] = rest.pop(0)
                left.pop(name, None)
            elif name in left:
                env[name] = left.pop(name)
            elif default is not None:
                env[name] = self._default(function, default)
            else:
                env[name] = UNKNOWN
            value = env[name]
            if isinstance(value.shape, Unknown):
                if annotation is not None:
                    value = self.annotated(function, annotation, value)
                if value.identity == 0:
                    value = Value(value.shape, value.tags, value.conditions, self.fresh())
                env[name] = value
        return env

    def _default(self: Interpreter, function: FunctionValue, default: Node) -> Value:  # type: ignore[misc]
        if default[0] == "const":
            return Value(Const(default[2]))
        self.enter(Frame(function.module, {}, function.closure))
        try:
            return self.evaluate(default)
        finally:
            self.leave()

    def annotated(self: Interpreter, function: FunctionValue, annotation: Node, value: Value) -> Value:  # type: ignore[misc]
        """An unknown argument annotated with a class of the program is some object of it."""
        self.enter(Frame(function.module, {}, function.closure))
        try:
            class_ = self.evaluate(annotation)
        finally:
            self.leave()
        if isinstance(class_.shape, ClassValue):
            known = self.instances.get(id(class_.shape.facts))
            if known:
                return Value(known[0].shape, value.tags)
        return value

    # objects

    def ancestors(self: Interpreter, class_: ClassValue) -> list[ClassValue | Lib]:  # type: ignore[misc]
        """The class and what it inherits from, in order of lookup; library classes as their names."""
        order = self.orders.get(class_)
        if order is None:
            order = self.orders[class_] = self._order_of_lookup(class_)
        return order

    def _order_of_lookup(self: Interpreter, class_: ClassValue) -> list[ClassValue | Lib]:  # type: ignore[misc]
        order: list[ClassValue | Lib] = []
        stack: list[Value] = [Value(class_)]
        seen: set[Any] = set()
        while stack and len(order) < 64:
            for option in stack.pop(0).options():
                shape = option.shape
                if isinstance(shape, Made) and shape.name in ("builtins.type", "abc.ABCMeta"):
                    continue
                if not isinstance(shape, (ClassValue, Lib)) or shape.key() in seen:
                    continue
                seen.add(shape.key())
                order.append(shape)
                if isinstance(shape, ClassValue):
                    stack[:0] = shape.bases
        return order

    def library_bases(self: Interpreter, class_: ClassValue) -> list[str]:  # type: ignore[misc]
        return [self.knowledge.canonical(one.name) for one in self.ancestors(class_) if isinstance(one, Lib)]

    def own_method(self: Interpreter, class_: ClassValue, name: str) -> str:  # type: ignore[misc]
        """The full name by which a team describes a method of the class or of one it inherits from; else empty."""
        if not self.knowledge.own:
            return ""
        found = (
            self.knowledge.own_name(one.module.path, f"{one.facts.qualname}.{name}")
            for one in self.ancestors(class_)
            if isinstance(one, ClassValue)
        )
        return next(filter(None, found), "")

    def class_attribute(  # type: ignore[misc]
        self: Interpreter, class_: ClassValue, name: str, bound: Value | None, after: ClassValue | None = None
    ) -> Value | None:
        """A member found on the class or what it inherits from, bound to an object; None where there is none."""
        order = self.ancestors(class_)
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for one in order:
            if isinstance(one, ClassValue) and name in one.members:
                return self._bind_member(one.members[name], bound, class_)
        return None

    def _bind_member(self: Interpreter, member: Value, bound: Value | None, class_: ClassValue) -> Value:  # type: ignore[misc]
        shape = member.shape
        if not isinstance(shape, FunctionValue):
            return member
        if shape.kind == "class":
            return Value(shape.bind(Value(class_)))
        if shape.kind == "static" or bound is None:
            return member
        return Value(shape.bind(bound), member.tags, member.conditions)

    def instance_attribute(  # type: ignore[misc]
        self: Interpreter, owner: Value, shape: Instance, name: str, node: Node
    ) -> Value:
        value = shape.attributes.get(name)
        if value is not None:
            return value
        member = self.class_attribute(shape.class_, name, owner)
        if member is not None:
            inner = member.shape
            if isinstance(inner, FunctionValue) and inner.kind == "property":
                return self.call_function(inner, [], {}, node)
            return member
        if name == "__class__":
            return Value(shape.class_)
        if self._set_lazily(owner, shape, name, node):
            return shape.attributes.get(name, UNKNOWN)
        base = shape.attributes.get("<base>")
        if base is not None and isinstance(base.shape, Made):
            found = self.made_attribute(base, base.shape, name)
            if not isinstance(found.shape, Method):
                return found
        if name == "module":
            return owner
        tags = self.carried(owner.tags, "attribute")
        return Value(Method(owner, name), tags, identity=self.identity_of(shape, name))

    def _set_lazily(self: Interpreter, owner: Value, shape: Instance, name: str, node: Node) -> bool:  # type: ignore[misc]
        """An attribute that only another method sets: run that method once, as its caller would have before."""
        if len(self.frames) > MAX_DEPTH - 8:
            return False
        for one in self.ancestors(shape.class_):
            if not isinstance(one, ClassValue):
                continue
            for method in self._setters_of(one).get(name, ()):
                mark = (id(shape), method)
                member = one.members.get(method)
                if mark in self.lazy or member is None or not isinstance(member.shape, FunctionValue):
                    continue
                self.lazy.add(mark)
                frame = self.frame
                held = frame.guards, frame.conditions, frame.no_grad
                frame.guards, frame.conditions, frame.no_grad = (), frozenset(), False
                try:
                    self.call_function(member.shape.bind(owner), [], {}, node)
                finally:
                    frame.guards, frame.conditions, frame.no_grad = held
                if name in shape.attributes:
                    return True
        return False

    def _setters_of(self: Interpreter, class_: ClassValue) -> dict[str, list[str]]:  # type: ignore[misc]
        known = self.setters.get(class_)
        if known is None:
            known = {}
            for method, member in class_.members.items():
                if isinstance(member.shape, FunctionValue) and member.shape.facts.parameters:
                    own = member.shape.facts.parameters[0][0]
                    for attribute in _attributes_set(member.shape.facts.body, own):
                        known.setdefault(attribute, []).append(method)
            self.setters[class_] = known
        return known

    def instantiate(  # type: ignore[misc]
        self: Interpreter, class_: ClassValue, arguments: list[Value], keywords: dict[str, Value], node: Node
    ) -> Value:
        """A new object; the same call with the same arguments gives the same one."""
        key = (
            id(class_.facts), self.frame.module.path, node[1],
            tuple(value.key() for value in arguments), tuple((name, value.key()) for name, value in keywords.items()),
            # what collects numbers is made anew for each loader
            self.frame.context if self.knowledge.matches("collector_class", class_.facts.name) else 0,
        )  # fmt: skip
        known = self.objects.get(key)
        if known is not None:
            return known
        if not self.contexts.admit(id(class_.facts), MAX_CONTEXTS):
            existing = self.instances.get(id(class_.facts))
            return existing[-1] if existing else UNKNOWN
        place = self.frame.place(node, f"makes a `{class_.facts.name}`")
        value = Value(Instance(class_, place))
        self.objects[key] = value
        self.instances[id(class_.facts)].append(value)
        self.construct(value, arguments, keywords, node)
        return value

    def construct(  # type: ignore[misc]
        self: Interpreter, value: Value, arguments: list[Value], keywords: dict[str, Value], node: Node
    ) -> None:
        shape = value.shape
        assert isinstance(shape, Instance)
        init = self.class_attribute(shape.class_, "__init__", value)
        if init is not None and isinstance(init.shape, FunctionValue):
            if self.matters(init.shape.facts):
                self.call_function(init.shape, arguments, keywords, node)
            else:
                self._initialise(shape, init.shape, arguments, keywords, node)
            return
        self._dataclass_fields(shape, arguments, keywords)
        for base in self.library_bases(shape.class_):
            effect = self.knowledge.call(base)
            if effect is not None:
                shape.attributes["<base>"] = self.call_library(base, Value(Lib(base)), arguments, keywords, node)
                return

    def _initialise(  # type: ignore[misc]
        self: Interpreter,
        shape: Instance,
        init: FunctionValue,
        arguments: list[Value],
        keywords: dict[str, Value],
        node: Node,
    ) -> None:
        """Run an `__init__` of which only the attributes count: once for the same arguments."""
        given = tuple(value.key() for value in arguments), tuple((one, value.key()) for one, value in keywords.items())
        key = ("attributes", id(shape.class_.facts), given)
        known = self.attributes.get(key)
        if known is None:
            self.call_function(init, arguments, keywords, node)
            self.attributes[key] = {name: value.copied() for name, value in shape.attributes.items()}
        else:
            shape.attributes.update({name: value.copied() for name, value in known.items()})

    def _dataclass_fields(  # type: ignore[misc]
        self: Interpreter, shape: Instance, arguments: list[Value], keywords: dict[str, Value]
    ) -> None:
        names = [name for name, member in shape.class_.members.items() if not isinstance(member.shape, FunctionValue)]
        for name, value in [*zip(names, arguments, strict=False), *keywords.items()]:
            shape.attributes[name] = value

    def _call_instance(  # type: ignore[misc]
        self: Interpreter,
        callee: Value,
        shape: Instance,
        arguments: list[Value],
        keywords: dict[str, Value],
        node: Node,
    ) -> Value:
        for name in ("__call__", "forward"):
            method = shape.attributes.get(name) or self.class_attribute(shape.class_, name, callee)
            if method is not None:
                result = self.call(method, arguments, keywords, node)
                result = self.map_tags(result, lambda tags: self.outlasting(tags, "forward"))
                self._called(node, "", None, callee, arguments, keywords, result)
                return result
        for base in self.library_bases(shape.class_):
            effect = self.knowledge.object_(base)
            if effect is not None:
                made = shape.attributes.get("<base>")
                inner = (
                    made.shape
                    if made is not None and isinstance(made.shape, Made)
                    else Made(base, [], {}, shape.place or Place("", 0, ""))
                )
                return self.call_object(Value(inner), inner, arguments, keywords, node)
        result = self._unknown_result(callee, arguments, keywords)
        return self._called(node, "", None, callee, arguments, keywords, result)

    def instance_element(self: Interpreter, value: Value, shape: Instance) -> Value:  # type: ignore[misc]
        node = self._here()
        method = self.class_attribute(shape.class_, "__iter__", value)
        if method is not None:
            given = self.call(method, [], {}, node)
            if given.shape is not shape:
                return self.element(given)
            step = self.class_attribute(shape.class_, "__next__", value)
            return self.call(step, [], {}, node) if step is not None else UNKNOWN
        base = shape.attributes.get("<base>")
        if base is not None and isinstance(base.shape, Made):
            return self.element(base)
        method = self.class_attribute(shape.class_, "__getitem__", value)
        if method is not None:
            return self.call(method, [UNKNOWN], {}, node)
        return unknown(self.carried(value.tags, "shape"))

    def _here(self: Interpreter) -> Node:  # type: ignore[misc]
        callers = self.frame.callers
        return ["call", callers[-1].position if callers else 0, ["const", 0, None], [], []]

    # decorators

    def decorate(self: Interpreter, decorator: Node, value: Value) -> Value:  # type: ignore[misc]
        shape = value.shape
        if not isinstance(shape, FunctionValue):
            return value
        maker = decorator[2] if decorator[0] == "call" else decorator
        if maker[0] == "attr" and maker[3] in ("setter", "deleter"):
            return value
        callee = self.evaluate(maker)
        if isinstance(callee.shape, Lib):
            name = self.knowledge.canonical(callee.shape.name)
            kind = _DECORATORS.get(name.rpartition(".")[2], "")
            effect = self.knowledge.call(name)
            mark = ""
            if effect is not None:
                mark = next((one for one in ("no_grad", "autocast") if one in effect.kinds), "")
                mark = "main" if "main-only" in effect.kinds else mark
            return Value(shape.marked(kind, mark), value.tags)
        if isinstance(callee.shape, FunctionValue):
            given = self.evaluate(decorator)
            here = ["call", decorator[1], decorator, [], []]
            wrapped = (
                self.call(given, [value], {}, here) if decorator[0] == "call" else self.call(callee, [value], {}, here)
            )
            if isinstance(wrapped.shape, FunctionValue):
                return wrapped
        elif isinstance(callee.shape, (Unknown, Method)):
            tail = maker[3] if maker[0] == "attr" else maker[2] if maker[0] == "name" else ""
            if self.knowledge.matches("main_only_decorator", tail):
                return Value(shape.marked("", "main"), value.tags)
        return value


def _attributes_set(body: list[Node], own: str) -> set[str]:
    """Names X of the assignments `own.X = ...` in a body."""
    names: set[str] = set()
    stack: list[Any] = list(body)
    while stack:
        node = stack.pop()
        if not isinstance(node, list) or not node:
            continue
        if node[0] == "assign" and isinstance(node[1], int):
            for target in node[2]:
                targets = target[2] if target[0] in ("tuple", "list") else [target]
                names.update(one[3] for one in targets if one[0] == "attr" and one[2][0] == "name" and one[2][2] == own)
        elif node[0] in ("expr", "return"):
            continue
        stack.extend(part for part in node if isinstance(part, list))
    return names


_DECORATORS = {
    "staticmethod": "static",
    "classmethod": "class",
    "property": "property",
    "cached_property": "property",
    "abstractproperty": "property",
}
