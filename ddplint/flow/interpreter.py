"""The interpreter: runs the program's roots over abstract values and hands events to listeners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ddplint.flow.calls import Calls
from ddplint.flow.contexts import Contexts
from ddplint.flow.events import AssignEvent, Guard, LoopEvent, ReturnEvent, Scope
from ddplint.flow.expressions import Expressions
from ddplint.flow.frame import Environment, Frame, join_environments
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.roles import Roles
from ddplint.flow.values import (
    NONE,
    OPAQUE,
    UNKNOWN,
    UNKNOWN_SHAPE,
    ClassValue,
    Conditions,
    Const,
    Elements,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Lib,
    Made,
    ModuleValue,
    Tag,
    Value,
    join,
    join_all,
    merge_tags,
    truth,
    unknown,
)
from ddplint.problems import described
from ddplint.program.program import ClassFacts, FunctionFacts, Module, Package, Program

Node = list[Any]
Listener = Callable[[Any], Any]

MAX_STEPS_PER_ROOT = 150_000


class OutOfBudget(Exception):
    """A root has used up its steps; what it would still find stays unknown."""


class Interpreter(Expressions, Calls):
    """Evaluates modules and functions. One object serves one run over one program."""

    def __init__(self, program: Program, knowledge: Knowledge) -> None:
        self.program = program
        self.knowledge = knowledge
        self.listeners: dict[str, list[Listener]] = defaultdict(list)
        # each module's body, as far as it ran
        self.module_frames: dict[str, Frame] = {}
        self.main_blocks: list[tuple[Module, Node]] = []
        self.frames: list[Frame] = []
        # the innermost of them
        self.frame: Frame
        self.entered: set[int] = set()
        self.instances: dict[int, list[Value]] = defaultdict(list)
        self.classes: dict[int, Value] = {}
        # orders of lookup, while no class gets other bases
        self.orders: dict[ClassValue, list[ClassValue | Lib]] = {}
        self.memo: dict[Any, Value] = {}
        # objects by class, place and arguments
        self.objects: dict[Any, Value] = {}
        self.calls = 0
        self.batches: dict[tuple[int, str], Value] = {}
        self.reducing: set[Any] = set()
        self.contexts = Contexts()
        self.active: dict[int, int] = defaultdict(int)
        self.derived: dict[Any, int] = {}
        self.identities = 0
        self.root = 0
        self.roots: dict[int, str] = {}
        self.steps = 0
        self.crashes: list[tuple[Any, str]] = []
        self.lazy: set[tuple[int, str]] = set()
        self.defined: dict[int, Value] = {}
        self.setters: dict[ClassValue, dict[str, list[str]]] = {}
        self.branches: dict[int, dict[int, int]] = {}
        # loaders are told apart by id(): held, so that no id is given twice
        self.loaders: dict[int, Made] = {}
        # roots that are main blocks; calls that make loaders; calls that seed, with the families that they seed
        self.main_roots: set[int] = set()
        self.loading: set[Any] = set()
        self.seeding: dict[Any, frozenset[str]] = {}
        # functions that can matter to a rule; None for all
        self.relevant: set[int] | None = None
        # results that say nothing, of calls that matter to no rule: they hold whatever branch decisions do
        self.plain: dict[Any, Value] = {}
        # attributes that an `__init__` sets, by class and arguments
        self.attributes: dict[Any, dict[str, Value]] = {}
        self.roles = Roles(self)

    # events

    def emit(self, kind: str, event: Any) -> None:
        for listener in self.listeners[kind]:
            try:
                listener(event)
            except OutOfBudget:
                raise
            except Exception as problem:  # noqa: BLE001 - as in `offer`
                self._broken(listener, event, problem)

    def offer(self, listener: Listener, event: Any) -> Any:
        """What a rule answers to an event; one that crashes gets no more events."""
        try:
            answer = listener(event)
            if answer is not None and not isinstance(answer, Value):
                raise TypeError(f"the answer must be a Value or None, not {type(answer).__name__}")
            return answer
        except OutOfBudget:
            raise
        except Exception as problem:  # noqa: BLE001 - one broken rule must not end the run; it is reported and exits 2
            self._broken(listener, event, problem)
            return None

    def _broken(self, listener: Listener, event: Any, problem: Exception) -> None:
        owner = getattr(listener, "__self__", listener)
        # new lists: the event may still be going round in the old ones
        for kind, listeners in self.listeners.items():
            self.listeners[kind] = [one for one in listeners if getattr(one, "__self__", one) is not owner]
        scope = getattr(event, "scope", None)
        place = f" at an event in {scope.module.path}" if scope is not None else ""
        self.crashes.append((owner, f"crashed{place}: {described(problem)}"))

    def scope(self) -> Scope:
        frame = self.frame
        return Scope(
            frame.module, frame.function, frame.conditions, frame.guards, frame.no_grad, frame.autocast,
            frame.callers, frame.instance, self.root, frame.loops > 0, len(self.frames), frame.iterating,
        )  # fmt: skip

    def enter(self, frame: Frame) -> None:
        """Go on in a frame until `leave`."""
        self.frames.append(frame)
        self.frame = frame

    def leave(self) -> None:
        self.frames.pop()
        if self.frames:
            self.frame = self.frames[-1]

    def forget_calls(self) -> None:
        """Forget what calls gave, so that memory does not grow with the program; objects stay the same."""
        self.memo.clear()
        self.plain.clear()
        self.attributes.clear()
        self.loading.clear()
        self.seeding.clear()
        self.reducing.clear()
        self.contexts.start_folder()
        self.derived.clear()

    def fresh(self) -> int:
        self.identities += 1
        return self.identities

    def identity_of(self, *parts: Any) -> int:
        """The identity of what is selected from a value in one way: the same each time."""
        known = self.derived.get(parts)
        if known is None:
            known = self.derived[parts] = self.fresh()
        return known

    # modules

    def module_environment(self, module: Module) -> Environment:
        """The names that a module defines, so far where its body still runs; it is evaluated when first asked for."""
        known = self.module_frames.get(module.path)
        if known is not None:
            return known.env
        frame = Frame(module, {"__name__": UNKNOWN, "__file__": UNKNOWN}, None)
        self.run_at_module_level(frame, module.statements())
        return frame.env

    def run_at_module_level(self, frame: Frame, statements: list[Node]) -> None:
        """Run statements whose names are the module's: functions see what is bound, also after they are defined."""
        self.module_frames[frame.module.path] = frame
        self.enter(frame)
        try:
            self.block(statements)
        finally:
            self.leave()

    def module_value(self, found: Module | Package | None, dotted: str) -> Value:
        if isinstance(found, Module):
            return Value(ModuleValue(found))
        if isinstance(found, Package):
            return Value(ModuleValue(Module(found.folder + "/__init__.py", b"")))
        return Value(Lib(dotted))

    def module_member(self, module: Module, name: str) -> Value:
        """`module.name`: what a team says it is, what its body binds, else its submodule, else unknown."""
        described = self.knowledge.own_name(module.path, name)
        if described is not None and self.knowledge.is_call(described):
            return Value(Lib(described))
        env = self.module_environment(module)
        value = env.get(name)
        if value is not None:
            return value
        package = Package(module.package) if module.path.endswith("__init__.py") else module
        found = self.program.member(package, name)
        if found is not None:
            return self.module_value(found, name)
        fallback = env.get("*")
        if fallback is not None and isinstance(fallback.shape, Lib):
            return Value(Lib(f"{fallback.shape.name}.{name}"))
        return UNKNOWN

    # statements

    def block(self, statements: list[Node]) -> bool:
        """Run statements; True where control leaves the block (return, raise, break, continue)."""
        frame = self.frame
        conditions, guards = frame.conditions, frame.guards
        stopped = False
        for statement in statements:
            self.steps += 1
            if self.steps > MAX_STEPS_PER_ROOT:
                raise OutOfBudget
            if self.statement(statement):
                stopped = True
                break
        frame.conditions, frame.guards = conditions, guards
        return stopped

    def statement(self, node: Node) -> bool:
        method = _STATEMENTS.get(node[0])
        return bool(method(self, node)) if method else False

    def _expr(self, node: Node) -> None:
        self.evaluate(node[2])

    def _assign(self, node: Node) -> None:
        value = self.evaluate(node[3])
        for target in node[2]:
            self.bind(target, value, node)

    def _ann(self, node: Node) -> None:
        if node[4] is not None:
            self.bind(node[2], self.evaluate(node[4]), node)
        elif node[2][0] == "name" and self.frame.owner is not None:
            self.frame.env.setdefault(node[2][2], UNKNOWN)

    def _aug(self, node: Node) -> None:
        left, right = self.evaluate(node[2]), self.evaluate(node[4])
        if node[3] == "+" and isinstance(left.shape, Items) and left.shape.kind == "list":
            self.extend(left.shape, right)
            return
        result = self.binary(node, node[3], left, right, in_place=True)
        self.bind(node[2], result, node)

    def bind(self, target: Node, value: Value, node: Node) -> None:
        """Bind a value to an assignment's target."""
        kind = target[0]
        if kind == "name":
            if value.identity == 0 and isinstance(value.shape, OPAQUE):
                value = Value(value.shape, value.tags, value.conditions, self.fresh())
            name = target[2]
            self.frame.env[name] = value
            if name in self.frame.globals_:
                self.module_environment(self.frame.module)[name] = value
            self._forget_attributes(name)
            self._assigned(node, name, target, value)
        elif kind == "attr":
            owner = self.evaluate(target[2])
            self.set_attribute(owner, target[3], self._as_kept(value))
            self._overlay(target, value)
            self._assigned(node, target[3], target, value)
        elif kind == "sub":
            self._bind_item(target, value, node)
        elif kind in ("tuple", "list"):
            self._bind_tuple(target[2], value, node)
        elif kind == "star":
            self.bind(target[2], unknown(value.tags), node)

    def _assigned(self, node: Node, name: str, target: Node, value: Value, owner: Value | None = None) -> None:
        if self.listeners["assign"]:
            self.emit("assign", AssignEvent(node, self.scope(), name, target, value, owner))

    def _as_kept(self, value: Value) -> Value:
        """A value as an attribute has it: library objects under the decisions by which the function came to make them.

        Objects of the program go without: what is called under many decisions is followed less often.
        """
        held = self.frame.conditions
        if not held or not all(isinstance(option.shape, Made) for option in value.options()):
            return value
        return value.under_all(held - self.frames[-2].conditions if len(self.frames) > 1 else held)

    def _overlay(self, target: Node, value: Value) -> None:
        """Remember in this frame what was last assigned to `name.attribute`, exactly."""
        if target[2][0] == "name":
            self.frame.env[f"{target[2][2]}.{target[3]}"] = value

    def _forget_attributes(self, name: str) -> None:
        prefix = name + "."
        stale = [key for key in self.frame.env if "." in key and key.startswith(prefix)]
        for key in stale:
            del self.frame.env[key]

    def set_attribute(self, owner: Value, name: str, value: Value) -> None:
        for option in owner.options():
            shape = option.shape
            if isinstance(shape, Instance):
                known = _unless_made_anew(shape.attributes.get(name), value)
                joined = value if known is None or known.is_none() else join(known, value)
                if known is None or joined.key() != known.key():
                    shape.version += 1
                shape.attributes[name] = joined
            elif isinstance(shape, Made):
                shape.attributes[name] = value
            elif isinstance(shape, ClassValue):
                shape.members[name] = value

    def _bind_item(self, target: Node, value: Value, node: Node) -> None:
        owner, index = self.evaluate(target[2]), self.evaluate(target[3])
        text = index.constant
        for option in owner.options():
            shape = option.shape
            if isinstance(shape, Entries):
                if isinstance(index.shape, Const) and isinstance(text, (str, int)):
                    shape.entries[text] = value
                else:
                    shape.rest = value if shape.rest is None else join(shape.rest, value)
            elif isinstance(shape, Items) and shape.kind == "list":
                if isinstance(text, int) and -len(shape.items) <= text < len(shape.items):
                    shape.items[text] = join(shape.items[text], value)
                else:
                    shape.rest = value if shape.rest is None else join(shape.rest, value)
            elif isinstance(shape, Elements) and value.tags:
                shape.element = join(shape.element, value)
        self._store_item(target, owner, value, index)
        self._assigned(node, text if isinstance(text, str) else "", target, value, owner)

    def _store_item(self, target: Node, owner: Value, value: Value, index: Value) -> None:
        """`x[...] = value` on something unknown: remember it in this frame, and let the whole have the tags of its
        part.
        """
        text = index.constant
        if isinstance(text, str):
            if not isinstance(owner.shape, Entries):
                path = self.path_of(target)
                if path:
                    self.frame.env[path] = value
            return
        base = target[2]
        if base[0] in ("name", "attr") and isinstance(owner.shape, OPAQUE):
            tags = value.tags if value.tags and self.covers_all(target[3]) else merge_tags(owner.tags, value.tags)
            # a tag with a detail says how the value is now
            tags = {name: value.tags[name] if tag.detail and name in value.tags else tag for name, tag in tags.items()}
            changed = Value(owner.shape, tags, owner.conditions, self.fresh())
            if base[0] == "name":
                self.frame.env[base[2]] = changed
            else:
                self.set_attribute(self.evaluate(base[2]), base[3], changed)
                self._overlay(base, changed)
        elif base[0] == "sub" and base[2][0] == "name" and value.tags:
            # `rows[i][...] = value`: the rows have the tags of what is written into one of them
            held = self.evaluate(base[2]).shape
            if isinstance(held, Elements):
                held.element = held.element.with_tags(merge_tags(held.element.tags, value.tags))

    def path_of(self, node: Node) -> str:
        """`name.a['b']` as a dotted path for frame-exact stores; empty if it is no such chain."""
        if node[0] == "name":
            return str(node[2])
        if node[0] == "attr":
            base = self.path_of(node[2])
            return f"{base}.{node[3]}" if base else ""
        if node[0] == "sub" and node[3][0] == "const" and isinstance(node[3][2], str):
            base = self.path_of(node[2])
            return f"{base}.[{node[3][2]}]" if base else ""
        return ""

    def _bind_tuple(self, targets: list[Node], value: Value, node: Node) -> None:
        count = len(targets)
        star = next((number for number, one in enumerate(targets) if one[0] == "star"), None)
        columns: list[list[Value]] = [[] for _ in targets]
        for option in value.options():
            for number, item in enumerate(self.unpack(option, count, star)):
                columns[number].append(item)
        for target, column in zip(targets, columns, strict=True):
            self.bind(target[2] if target[0] == "star" else target, join_all(column), node)

    def unpack(self, value: Value, count: int, star: int | None) -> list[Value]:
        """The values that a target list of `count` names gets."""
        shape = value.shape
        if isinstance(shape, Items) and shape.rest is None:
            items = shape.items
            if star is None and len(items) == count:
                return list(items)
            if star is not None and len(items) >= count - 1:
                tail = count - 1 - star
                middle = Value(Items("list", items[star : len(items) - tail]))
                return [*items[:star], middle, *items[len(items) - tail :]]
        if isinstance(shape, OPAQUE):
            identity = value.identity
            return [
                Value(
                    UNKNOWN_SHAPE, value.tags, value.conditions, self.identity_of(identity, number) if identity else 0
                )
                for number in range(count)
            ]
        element = self.element(value)
        if isinstance(element.shape, Made):
            return [element, *(self.roles.copied(element) for _ in range(count - 1))]
        return [element for _ in range(count)]

    def _if(self, node: Node) -> bool:
        test = self.evaluate(node[2])
        known = truth(test)
        if self.is_main_test(node[2]):
            self.main_blocks.append((self.frame.module, node))
            return False
        self._saw_branch(node, known)
        if known is True:
            return self.block(node[3])
        if known is False:
            return self.block(node[4])
        frame = self.frame
        sides = self.guard_sides(test, node)
        when, otherwise = self.decisions(node[2])
        before = frame.env
        conditions, guards = frame.conditions, frame.guards
        frame.env = dict(before)
        self._enter_branch(when, sides[0])
        stopped_one = self.block(node[3])
        one = frame.env
        frame.conditions, frame.guards = conditions, guards
        frame.env = dict(before)
        self._enter_branch(otherwise, sides[1])
        stopped_other = self.block(node[4])
        other = frame.env
        frame.conditions, frame.guards = conditions, guards
        if stopped_one and stopped_other:
            frame.env = one
            return True
        if stopped_one:
            frame.env = other
            self._enter_branch(otherwise, sides[1])
        elif stopped_other:
            frame.env = one
            self._enter_branch(when, sides[0])
        else:
            frame.env = join_environments(one, other, before, when, otherwise, self.fresh)
        return False

    def _saw_branch(self, node: Node, known: bool | None) -> None:
        """Remember which sides of a branch ran, so that a function of which no call reached a side is seen on its own
        as well.
        """
        function = self.frame.function
        if function is not None:
            sides = self.branches.setdefault(id(function), {})
            ran = {True: 1, False: 2, None: 3}[known]
            sides[node[1]] = sides.get(node[1], 0 if node[4] else 2) | ran

    def skipped_branches(self, function: FunctionFacts) -> bool:
        """Whether a side of a branch in a function never ran, whatever it was called with."""
        return any(sides != 3 for sides in self.branches.get(id(function), {}).values())

    def _enter_branch(self, held: Conditions, guard: Guard | None) -> None:
        frame = self.frame
        frame.conditions = frame.conditions | held
        if guard:
            frame.guards = (*frame.guards, guard)

    def _for(self, node: Node) -> bool:
        iterable = self.evaluate(node[3])
        if self._unroll(node, iterable):
            return False
        element = self._own_share(self.element(iterable), node)
        self.emit("loop", LoopEvent(node, self.scope(), iterable, element, node[4]))
        frame = self.frame
        iterating, tags = frame.iterating, self.deep_tags(element)
        for name in ("batch", "shard"):
            frame.iterating |= tags[name].origins if name in tags else frozenset()
        for name in _targets(["assign", 0, node[2][2] if node[2][0] == "tuple" else [node[2]]]):
            frame.sources[name] = node[3]
        self._loop(node[4], lambda: self.bind(node[2], element, node))
        frame.iterating = iterating
        self.block(node[5])
        return False

    def _own_share(self, element: Value, node: Node) -> Value:
        """Samples that a rank took for itself, without a loader, come from the loop over them."""
        shard = self.deep_tags(element).get("shard")
        if shard is None or shard.origins:
            return element
        return self.deep_tagged(
            element, "shard", shard._replace(origins=frozenset([(self.frame.module.path, node[1])]))
        )

    def _unroll(self, node: Node, iterable: Value) -> bool:
        """Run the body once per item of a short literal, so that `for split in ["train", "val"]` keeps its values
        apart.
        """
        shape = iterable.shape
        if not isinstance(shape, Items) or shape.rest is not None or not 0 < len(shape.items) <= 4:
            return False
        if not any(isinstance(item.shape, (Const, Items, Made, Instance)) for item in shape.items):
            return False
        frame = self.frame
        frame.loops += 1
        for item in list(shape.items):
            self.bind(node[2], item, node)
            self.block(node[4])
        frame.loops -= 1
        self.block(node[5])
        return True

    def _loop(self, body: list[Node], bind: Callable[[], None]) -> None:
        """Run a loop's body, a second time where the first run changed what it reads."""
        frame = self.frame
        frame.loops += 1
        self._widen(body)
        for round_ in range(2):
            start = frame.env
            frame.env = dict(start)
            bind()
            self.block(body)
            after = frame.env
            frame.env = join_environments(start, after, start)
            if round_ or frame.loops > 2 or not _carries_more(start, frame.env):
                break
        frame.loops -= 1

    def _widen(self, body: list[Node]) -> None:
        """A number that the loop changes is no constant in it."""
        env = dict(self.frame.env)
        for statement in body:
            for target in _targets(statement):
                known = env.get(target)
                if known is not None and isinstance(known.shape, Const) and not isinstance(known.shape.value, str):
                    started = {"blank": Tag(())} if known.shape.value == 0 else {}
                    env[target] = unknown({**known.tags, **started})
        self.frame.env = env

    def _while(self, node: Node) -> bool:
        test = self.evaluate(node[2])
        if truth(test) is False:
            return self.block(node[4])
        self._loop(node[3], lambda: None)
        self.block(node[4])
        return False

    def _with(self, node: Node) -> bool:
        frame = self.frame
        no_grad, autocast, guards = frame.no_grad, frame.autocast, frame.guards
        for context, target in node[2]:
            value = self.evaluate(context)
            self.enter_context(value)
            if target is not None:
                self.bind(target, value, node)
        stopped = self.block(node[3])
        frame.no_grad, frame.autocast, frame.guards = no_grad, autocast, guards
        return stopped

    def _try(self, node: Node) -> bool:
        frame = self.frame
        before = dict(frame.env)
        stopped = self.block(node[2])
        if not stopped:
            stopped = self.block(node[4])
        done = frame.env
        ends = [] if stopped else [done]
        for kind, name, body in node[3]:
            frame.env = join_environments(before, done, before)
            if kind is not None:
                self.evaluate(kind)
            if name:
                frame.env[name] = UNKNOWN
            if not self.block(body):
                ends.append(frame.env)
        if ends:
            frame.env = ends[0]
            for other in ends[1:]:
                frame.env = join_environments(frame.env, other, before)
        return self.block(node[5]) or not ends

    def _match(self, node: Node) -> bool:
        self.evaluate(node[2])
        before = self.frame.env
        result = before
        for names, guard, body in node[3]:
            self.frame.env = dict(before)
            for name in names:
                self.frame.env[name] = UNKNOWN
            if guard is not None:
                self.evaluate(guard)
            if not self.block(body):
                result = join_environments(result, self.frame.env, before)
        self.frame.env = result
        return False

    def _return(self, node: Node) -> bool:
        value = NONE if node[2] is None else self.evaluate(node[2])
        frame = self.frame
        for condition in frame.conditions:
            value = value.under(condition)
        frame.returned.append(value)
        self.emit("return", ReturnEvent(node, self.scope(), value))
        return True

    def _def(self, node: Node) -> None:
        facts = self.frame.module.functions[node[2]]
        frame = self.frame
        closure = frame if frame.function is not None else frame.closure
        owner = frame.owner if frame.function is None else None
        value = Value(FunctionValue(facts, frame.module, closure, owner=owner))
        self.defined[id(facts)] = value
        if self._is_described(facts):
            return
        for decorator in reversed(facts.decorators):
            value = self.decorate(decorator, value)
        if isinstance(value.shape, FunctionValue) and value.shape.facts is facts:
            self.defined[id(facts)] = value
        frame.env[facts.name] = value

    def _is_described(self, facts: FunctionFacts | ClassFacts) -> bool:
        """Whether a team says what a function, method or class does: then that counts, not its body."""
        if self.frame.function is not None:
            return False
        name = self.knowledge.own_name(self.frame.module.path, facts.qualname)
        if name is None or not self.knowledge.is_call(name):
            return False
        if self.frame.owner is None:
            self.frame.env[facts.name] = Value(Lib(name))
        return True

    def _class(self, node: Node) -> None:
        facts = self.frame.module.classes[node[2]]
        if self._is_described(facts):
            return
        known = self.classes.get(id(facts))
        if known is None or self.frame.function is not None:
            known = Value(ClassValue(facts, self.frame.module))
            self.classes[id(facts)] = known
        shape = known.shape
        assert isinstance(shape, ClassValue)
        shape.bases = [self.evaluate(base) for base in facts.bases]
        self.orders.clear()
        outer = self.frame
        closure = outer if outer.function is not None else outer.closure
        inner = Frame(outer.module, {}, closure, owner=shape)
        self.enter(inner)
        try:
            self.block(facts.body)
        finally:
            self.leave()
        shape.members = inner.env
        outer.env[facts.name] = known

    def _import(self, node: Node) -> None:
        env = self.frame.env
        for dotted, alias in node[2]:
            if alias:
                env[alias] = self.module_value(self.program.resolve(self.frame.module, dotted), dotted)
            else:
                first = dotted.partition(".")[0]
                found = self.program.resolve(self.frame.module, first)
                if found is None and self.program.resolve(self.frame.module, dotted) is not None:
                    found = None
                env[first] = self.module_value(found, first)

    def _from(self, node: Node) -> None:
        _, _, dotted, level, names = node
        env = self.frame.env
        found = self.program.resolve(self.frame.module, dotted, level)
        for name, alias in names:
            if name == "*":
                self._import_all(found, dotted)
            elif not level and self.knowledge.describes(f"{dotted}.{name}"):
                env[alias or name] = Value(Lib(f"{dotted}.{name}"))
            elif found is None:
                env[alias or name] = UNKNOWN if level else Value(Lib(f"{dotted}.{name}"))
            elif isinstance(found, Module):
                env[alias or name] = self.module_member(found, name)
            else:
                member = self.program.member(found, name)
                env[alias or name] = self.module_value(member, name) if member else UNKNOWN

    def _import_all(self, found: Module | Package | None, dotted: str) -> None:
        env = self.frame.env
        if isinstance(found, Module):
            for name, value in list(self.module_environment(found).items()):
                if not name.startswith("_") and "." not in name:
                    env[name] = value
        elif found is None:
            env["*"] = Value(Lib(dotted))

    def _raise(self, node: Node) -> bool:
        if node[2] is not None:
            self.evaluate(node[2])
        return True

    def _assert(self, node: Node) -> None:
        self.evaluate(node[2])

    def _del(self, node: Node) -> None:
        for target in node[2]:
            if target[0] == "name":
                self.frame.env.pop(target[2], None)

    def _global(self, node: Node) -> None:
        if self.frame.function is not None:
            self.frame.globals_.update(node[2])

    def _stop(self, node: Node) -> bool:
        return True


def _unless_made_anew(known: Value | None, value: Value) -> Value | None:
    """What an attribute was so far, without library objects that the same place makes again, now under a condition."""
    if known is None or not value.options()[0].conditions:
        return known
    places = {one.shape.place[:2] for one in value.options() if isinstance(one.shape, Made) and one.conditions}
    kept = [
        one
        for one in known.options()
        if one.conditions or not isinstance(one.shape, Made) or one.shape.place[:2] not in places
    ]
    if len(kept) == len(known.options()):
        return known
    return join_all(kept) if kept else None


def _carries_more(before: Environment, after: Environment) -> bool:
    """Whether a loop's body gave a name tags or a shape that the next round would read."""
    for name, value in after.items():
        old = before.get(name)
        if old is None or old is value:
            continue
        if set(value.tags) - set(old.tags) or (value.shape is not old.shape and value.shape.key() != old.shape.key()):
            return True
    return False


def _targets(statement: Node) -> list[str]:
    """Names that a statement, or a block in it, binds."""
    kind = statement[0]
    if kind == "assign":
        return [target[2] for target in statement[2] if target[0] == "name"]
    if kind == "aug":
        return [statement[2][2]] if statement[2][0] == "name" else []
    names: list[str] = []
    for part in statement[2:]:
        if isinstance(part, list) and part and isinstance(part[0], list):
            for inner in part:
                if inner and isinstance(inner[0], str):
                    names.extend(_targets(inner))
    return names


_STATEMENTS: dict[str, Callable[[Interpreter, Node], Any]] = {
    "expr": Interpreter._expr,
    "assign": Interpreter._assign,
    "ann": Interpreter._ann,
    "aug": Interpreter._aug,
    "if": Interpreter._if,
    "for": Interpreter._for,
    "while": Interpreter._while,
    "with": Interpreter._with,
    "try": Interpreter._try,
    "match": Interpreter._match,
    "return": Interpreter._return,
    "def": Interpreter._def,
    "class": Interpreter._class,
    "import": Interpreter._import,
    "from": Interpreter._from,
    "raise": Interpreter._raise,
    "assert": Interpreter._assert,
    "del": Interpreter._del,
    "global": Interpreter._global,
    "break": Interpreter._stop,
    "continue": Interpreter._stop,
}
