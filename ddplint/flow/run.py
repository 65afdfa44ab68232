"""Running the program's roots: main blocks, then every function and method that nothing has entered."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ddplint.facts.lower import pack, unpack
from ddplint.flow.frame import Frame
from ddplint.flow.interpreter import Interpreter, OutOfBudget
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import UNKNOWN, ClassValue, FunctionValue, Instance, Place, Tag, Value
from ddplint.program.program import FunctionFacts, Module, Program

_STACK_BYTES = 512 * 1024 * 1024
_RECURSION = 60_000
# calls whose results are held between roots
MAX_REMEMBERED = 20_000


@dataclass(slots=True)
class Trouble:
    """A crash while a root ran: what was being analysed, and the error."""

    where: str
    error: BaseException


@dataclass(slots=True)
class Run:
    """What is left of an interpretation for rules that judge at the end."""

    interpreter: Interpreter
    troubles: list[Trouble] = field(default_factory=list)


def in_deep_thread(run: Callable[[], Any]) -> Any:
    """Call `run` in a thread whose stack holds deeply nested calls; its exception is raised here."""
    result: list[Any] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            result.append(run())
        except BaseException as problem:  # noqa: BLE001 - carried to the caller's thread and raised there
            failure.append(problem)

    limit, size = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
    collected = gc.get_threshold()
    sys.setrecursionlimit(_RECURSION)
    # abstract values rarely form cycles; the default would look for some every 700 of them
    gc.set_threshold(200_000, 10, 10)
    try:
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        gc.set_threshold(*collected)
        threading.stack_size(size)
    if failure:
        raise failure[0]
    return result[0]


def run_program(
    program: Program,
    knowledge: Knowledge,
    listeners: dict[str, list[Callable[[Any], None]]],
    reach: set[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Interpret the roots of a program; `listeners` get the events by kind. Functions that nothing enters are roots
    of their own where `reach` has them (all of them without it).
    """
    interpreter = Interpreter(program, knowledge)
    interpreter.relevant = reach
    for kind, functions in interpreter.roles.listeners().items():
        interpreter.listeners[kind].extend(functions)
    for kind, functions in listeners.items():
        interpreter.listeners[kind].extend(functions)
    run = Run(interpreter)
    roots = _Roots(run)
    roots.modules()
    roots.main_blocks()
    roots.functions(reach, progress)
    return run


class _Roots:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.interpreter = run.interpreter
        self.program = run.interpreter.program
        self.folder = self.file = ""

    def attempt(self, name: str, work: Callable[[], Any]) -> None:
        """Run one root; out of budget ends it, a crash is recorded and the other roots go on."""
        interpreter = self.interpreter
        file = name.partition(":")[0]
        folder = file.rpartition("/")[0]
        if folder != self.folder:
            # each folder may call shared helpers as often as if it were alone
            self.folder = folder
            interpreter.contexts.start_folder()
        if file != self.file:
            self.file = file
            interpreter.contexts.start_file()
        if len(interpreter.memo) > MAX_REMEMBERED:
            interpreter.forget_calls()
        interpreter.root += 1
        interpreter.roots[interpreter.root] = name
        interpreter.steps = 0
        interpreter.frames.clear()
        interpreter.active.clear()
        try:
            work()
        except OutOfBudget:
            pass
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
            AssertionError,
        ) as problem:
            self.run.troubles.append(Trouble(name, problem))

    def modules(self) -> None:
        for module in self.program.modules:
            self.attempt(module.path, partial(self.interpreter.module_environment, module))

    def main_blocks(self) -> None:
        for module, node in list(self.interpreter.main_blocks):
            self.attempt(module.path, partial(self._main, module, node))

    def _main(self, module: Module, node: list[Any]) -> None:
        # each script may call shared helpers as often as if it were alone
        self.interpreter.contexts.start_folder()
        frame = Frame(module, self.interpreter.module_environment(module), None)
        self.interpreter.main_roots.add(self.interpreter.root)
        self.interpreter.run_at_module_level(frame, node[3])

    def functions(self, reach: set[int] | None, progress: Callable[[int, int], None] | None) -> None:
        """Functions nobody has entered: those that no other function names first, for they are nearer to the top."""
        interpreter = self.interpreter
        waiting = [(module, facts) for module in self.program.modules for facts in module.functions]
        if reach is not None:
            waiting = [row for row in waiting if id(row[1]) in reach]
        named = self._named_functions()
        waiting.sort(key=lambda row: (row[1].name in named, row[0].path, row[1].position))
        for number, (module, facts) in enumerate(waiting):
            if id(facts) not in interpreter.entered:
                self.attempt(f"{module.path}:{facts.qualname}", partial(self._function, module, facts))
            if progress is not None and number % 64 == 0:
                progress(number, len(waiting))
        # what only other arguments reach than those of the calls in view, such as those of a framework
        for module, facts in waiting:
            if interpreter.skipped_branches(facts):
                name = f"{module.path}:{facts.qualname}"
                self.attempt(name, partial(self._function, module, facts, with_defaults=False))

    def _named_functions(self) -> set[str]:
        names: set[str] = set()
        for module in self.program.modules:
            names.update(module.names())
        return names

    def _function(self, module: Module, facts: FunctionFacts, with_defaults: bool = True) -> None:
        """Call a function with unknown arguments; those that have a default get it, or are unknown as well."""
        interpreter = self.interpreter
        interpreter.enter(Frame(module, interpreter.module_environment(module), None))
        value = self._value(module, facts)
        if value is None or not isinstance(value.shape, FunctionValue):
            return
        node = ["call", facts.position, ["const", 0, None], [], []]
        given = self._hook_arguments(value.shape)
        keywords = (
            {} if with_defaults else {name: UNKNOWN for name, _, default, _ in facts.parameters if default is not None}
        )
        interpreter.call_function(value.shape, given, keywords, node)

    def _value(self, module: Module, facts: FunctionFacts) -> Value | None:
        """The function as a value: bound to an object of its class, or as its outer function defined it."""
        interpreter = self.interpreter
        known = interpreter.defined.get(id(facts))
        if known is None:
            return Value(FunctionValue(facts, module, None)) if facts.owner is None else None
        shape = known.shape
        if not isinstance(shape, FunctionValue) or shape.owner is None:
            return known
        if shape.kind == "static":
            return known
        if shape.kind == "class":
            return Value(shape.bind(Value(shape.owner)))
        return Value(shape.bind(self._object(shape.owner)))

    def _object(self, class_: ClassValue) -> Value:
        """An object of a class: one that the program makes, else one made with unknown arguments."""
        interpreter = self.interpreter
        known = interpreter.instances.get(id(class_.facts))
        if known:
            return known[0]
        place = Place(class_.module.path, class_.facts.position, f"`{class_.facts.name}`")
        value = Value(Instance(class_, place))
        interpreter.instances[id(class_.facts)].append(value)
        node = ["call", class_.facts.position, ["const", 0, None], [], []]
        init = interpreter.class_attribute(class_, "__init__", value)
        count = 0
        if init is not None and isinstance(init.shape, FunctionValue):
            count = sum(
                1 for row in init.shape.facts.parameters[1:] if row[1] in ("position", "both") and row[2] is None
            )
        interpreter.construct(value, [UNKNOWN] * count, {}, node)
        return value

    def _bound_class(self, function: FunctionValue) -> Any:
        """The facts of the class of the object that a method is bound to."""
        bound = function.bound.shape if function.bound is not None else None
        return bound.class_.facts if isinstance(bound, Instance) else None

    def _hook_arguments(self, function: FunctionValue) -> list[Value]:
        """What a framework hands a hook that it calls: an unknown batch, tagged as knowledge says."""
        if function.owner is None:
            return []
        for base in self.interpreter.library_bases(function.owner):
            hooks: dict[str, Any] = self.interpreter.knowledge.frameworks.get(base, {})
            tags = hooks.get(function.facts.name)
            if tags:
                message = f"`{function.facts.name}` gets it from the framework"
                place = Place(function.module.path, _header(function.facts), message)
                known = self.interpreter.batches.get((id(self._bound_class(function)), function.facts.name))
                value = known or UNKNOWN
                for name in tags:
                    if known is None or name not in self.interpreter.deep_tags(known):
                        tag = Tag((place,), origins=frozenset([function.facts.name]))
                        value = self.interpreter.deep_tagged(value, name, tag)
                return [Value(value.shape, value.tags, identity=value.identity or self.interpreter.fresh())]
        return []


def _header(function: FunctionFacts) -> int:
    """Where a function's name is said, without its body."""
    row, column, _, _ = unpack(function.position)
    return pack(row, column, row, column + len(f"def {function.name}"))
