"""Whether all ranks get to a place of a program, and get there equally often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ddplint.facts.nodes import Node, covers, last_of, text_of, walk
from ddplint.flow.events import Scope
from ddplint.flow.run import Run
from ddplint.flow.values import Place
from ddplint.program.program import FunctionFacts, Module
from ddplint.rules.rank0.seen import Loop, Seen
from ddplint.rules.repairs import Refused
from ddplint.rules.statements import around, is_main, names_of, with_parents

_MAX_CALLERS = 6


@dataclass(slots=True)
class Where:
    """The body that a place stands in, and the statements around it, outermost first: block, index, statement."""

    module: Module
    function: FunctionFacts | None
    around: list[tuple[list[Node], int, Node]]

    @property
    def name(self) -> str:
        return self.function.name if self.function is not None else "the module"


class Reach:
    """Answers from the program's text and from what the flow saw; what is not certain is refused."""

    def __init__(self, seen: Seen, run: Run) -> None:
        self.seen = seen
        self.knowledge = seen.knowledge
        self.interpreter = run.interpreter
        self.program = run.interpreter.program
        self._mentions: dict[str, list[tuple[Module, FunctionFacts | None, Node, list[Node]]]] = {}
        self._in: dict[str, list[tuple[FunctionFacts | None, list[Node]]]] = {}

    def reached_alike(self, where: Where, scope: Scope) -> None:
        """Refuse where it is not certain that every rank gets to a place of a function as often as the others."""
        varying = self.seen.varying.get(place_of(where), set())
        for block, index, _ in where.around:
            for earlier in block[:index]:
                if self.leaves(earlier, varying):
                    raise Refused(f"a rank may leave `{where.name}` before the place where all ranks have to meet")
        for number, (_, _, statement) in enumerate(where.around[:-1]):
            kind = statement[0]
            following = where.around[number + 1]
            if kind == "if" and not is_main(statement) and not self.uniform(statement[2], varying):
                raise Refused(
                    "the place where all ranks have to meet stands under a condition that may differ between them"
                )
            if kind == "while" or (kind == "match") or (kind == "for" and self.differs(statement, where)):
                raise Refused(
                    "the loop around the place where all ranks have to meet may differ in its number of rounds"
                )
            if kind == "for" and following[0] is statement[4]:
                for inner in statement[4]:
                    if self.leaves(inner, varying, within=True):
                        raise Refused(
                            "a rank may leave the loop around the place where all ranks have to meet before the others"
                        )
            if kind == "try" and any(handler for handler in statement[3] if last_of(handler[0]) != "KeyboardInterrupt"):
                raise Refused(
                    "an exception that one rank alone handles would keep it from the place where all ranks have to meet"
                )
        if scope.function is not None:
            for decorator in scope.function.decorators:
                name = last_of(decorator[2] if decorator[0] == "call" else decorator)
                if not self.knowledge.matches("harmless_decorator", name):
                    raise Refused(f"a decorator of `{scope.function.name}` may call it on some ranks only")
            if scope.function.generator:
                raise Refused(f"`{scope.function.name}` is a generator, which a rank need not run to its end")

    def differs(self, loop: Node, where: Where) -> bool:
        seen = self.seen.loops.get((where.module.path, loop[1]))
        if seen is None or not seen.differs:
            return False
        # a DistributedSampler gives every rank as many batches
        loaders = [self.interpreter.loaders.get(origin) for origin in seen.origins]
        return not loaders or any(one is None or one.argument(3, "sampler") is None for one in loaders)

    def uniform(self, node: Node, varying: set[str]) -> bool:
        """Whether an expression has the same value on all ranks for sure."""
        kind = node[0]
        if kind in ("name", "attr", "sub"):
            words = names_of(node)
            if not words or words[0] in varying:
                return False
            if self.knowledge.matches("process_count", words[-1]):
                return True
            configured = any(self.knowledge.matches("configuration", word) for word in words[: min(2, len(words) - 1)])
            known = configured or (kind != "sub" and self.knowledge.matches("same_between_ranks", words[-1]))
            return bool(known) and not self.knowledge.matches("differs_between_ranks", words[-1])
        if kind == "cmp":
            sides = [node[2], *node[4]]
            if len(sides) == 2 and sides[1][0] == "const" and sides[0][0] in ("name", "attr"):
                name = text_of(sides[0])
                # no rank at all; an object that every rank makes
                if sides[1][2] == -1 and node[3][0] in ("==", "!="):
                    return True
                if (
                    sides[1][2] is None
                    and node[3][0] in ("is", "is not")
                    and self.knowledge.matches("optional_object", name)
                ):
                    return not self.knowledge.matches("differs_between_ranks", name)
            return all(self.uniform(one, varying) for one in sides)
        if kind == "call":
            given = [one[2] for one in walk(node[3]) if one[0] == "name"]
            same = not any(name in varying or self.knowledge.matches("differs_between_ranks", name) for name in given)
            return self.knowledge.matches("same_on_all_ranks", last_of(node[2])) and same
        parts: list[Node] = []
        if kind in ("unary", "bin"):
            parts = node[3:5]
        elif kind in ("bool", "tuple", "list"):
            parts = node[-1]
        return kind == "const" or (bool(parts) and all(self.uniform(one, varying) for one in parts))

    def leaves(
        self, statement: Node, varying: set[str], within: bool = True, sure: bool = True, inside: bool = False
    ) -> bool:
        """Whether a rank may leave the block here while another one goes on; `sure`: all ranks get to the statement."""
        kind = statement[0]
        if kind in ("return", "break", "continue"):
            return not sure and (kind == "return" or not inside)
        if (
            kind == "expr"
            and statement[2][0] == "call"
            and self.knowledge.matches("ends_process", last_of(statement[2][2]))
        ):
            return not sure
        if kind == "if":
            alike = sure and self.uniform(statement[2], varying)
            return any(self.leaves(one, varying, within, alike, inside) for one in [*statement[3], *statement[4]])
        if kind in ("for", "while"):
            body = statement[4] if kind == "for" else statement[3]
            return any(self.leaves(one, varying, within, False, True) for one in body)
        if kind == "with":
            return any(self.leaves(one, varying, within, sure, inside) for one in statement[3])
        if kind == "try":
            handled = [one for handler in statement[3] for one in handler[2]]
            tried = [*statement[2], *statement[4], *statement[5]]
            return any(self.leaves(one, varying, within, sure, inside) for one in tried) or any(
                self.leaves(one, varying, within, False, inside) for one in handled
            )
        if kind == "match":
            return any(self.leaves(one, varying, within, False, inside) for case in statement[3] for one in case[2])
        return False

    def callers_alike(
        self,
        function: FunctionFacts,
        module: Module,
        scope: Scope,
        exempt: tuple[str, int] | None = None,
        guarded: bool = False,
        seen: frozenset[int] = frozenset(),
    ) -> None:
        """Refuse where it is not certain that all ranks call a function; the call `exempt` moves out of its guard."""
        if id(function) in seen or len(seen) > _MAX_CALLERS:
            return
        called = False
        for other, owner, node, parents in self.mentioned(function.name):
            if not self.may_call(function, other, parents):
                continue
            call = parents[-1] if parents else None
            if call is None or call[0] != "call" or call[2] is not node:
                around_it = [last_of(one[2]) for one in parents if one[0] == "call"]
                if any(self.knowledge.matches("starts_processes", name) for name in around_it):
                    called = True
                    continue
                raise Refused(
                    f"`{function.name}` is passed on as a value, so it is not known whether all ranks call it"
                )
            called = True
            where = self.where(other, call[1], owner)
            if where is None:
                raise Refused(f"a call of `{function.name}` is not in view")
            if exempt == (other.path, call[1]):
                # judged where it moves to
                where.around = [*where.around[:-1]]
            inner = Scope(other, owner, frozenset(), (), False, False, (), None, 0, False)
            self.reached_alike(where, inner)
            if owner is not None:
                self.callers_alike(owner, other, inner, None, False, seen | {id(function)})
        if not called and not guarded and not self.knowledge.matches("entry_function", function.name):
            raise Refused(f"no call of `{function.name}` is in view, so it is not known whether all ranks call it")

    def callers_without_collectives(self, function: FunctionFacts) -> Iterator[list[Node]]:
        """The bodies that call a function; refused where one of them reduces values itself."""
        for module, owner, _, parents in self.mentioned(function.name):
            if not self.may_call(function, module, parents):
                continue
            body = owner.body if owner is not None else module.statements()
            for node in walk(body):
                name = last_of(node[2]) if node[0] == "call" and owner is not function else ""
                if name and self.knowledge.matches("gathers", name):
                    raise Refused(
                        f"`{owner.name if owner else 'the script'}` calls `{function.name}` and reduces values itself"
                    )
            yield body

    def may_call(self, function: FunctionFacts, module: Module, parents: list[Node]) -> bool:
        """Whether a mention of a function's name may mean this function."""
        call = parents[-1] if parents else None
        known = self.seen.targets.get((module.path, call[1])) if call is not None else None
        if known is not None:
            return id(function) in known
        others = [one for one in module.functions if one.name == function.name and one.owner is None]
        return module is function.module or not others

    def mentioned(self, name: str) -> list[tuple[Module, FunctionFacts | None, Node, list[Node]]]:
        """Where a name is read: module, function, node, the expressions around it."""
        known = self._mentions.get(name)
        if known is None:
            known = self._mentions[name] = []
            for module in self.program.modules:
                if name not in module.names():
                    continue
                for owner, body in self._bodies_with(module, name):
                    for node, parents in with_parents(body):
                        if (node[0] == "name" and node[2] == name) or (node[0] == "attr" and node[3] == name):
                            known.append((module, owner, node, parents))
        return known

    def _bodies_with(self, module: Module, name: str) -> Iterator[tuple[FunctionFacts | None, list[Node]]]:
        """As `bodies`, without the functions that do not read the name."""
        for one in module.functions:
            if name in one.names():
                yield one, one.body
        for class_ in module.classes:
            yield None, class_.body
        yield None, module.statements()

    def bodies(self, module: Module) -> list[tuple[FunctionFacts | None, list[Node]]]:
        known = self._in.get(module.path)
        if known is None:
            known = [(one, one.body) for one in module.functions]
            known += [(None, one.body) for one in module.classes]
            known.append((None, module.statements()))
            self._in[module.path] = known
        return known

    def where(self, module: Module, position: int, owner: FunctionFacts | None = None) -> Where | None:
        """The statements around a place, in the innermost function that holds it."""
        found: Where | None = None
        for function, body in self.bodies(module):
            held = around(body, position)
            if held and (
                found is None
                or (
                    function is not None
                    and (found.function is None or (len(body) and covers(found.function.position, function.position)))
                )
            ):
                found = Where(module, function, held)
        return found

    def after(self, where: Where) -> list[Node]:
        """The statements that stand after the last one of `where`, innermost block first."""
        after: list[Node] = []
        for block, index, _ in reversed(where.around):
            after += block[index + 1 :]
        return after

    def node_at(self, place: Place) -> Node | None:
        module = next((one for one in self.program.modules if one.path == place.path), None)
        for _, body in self.bodies(module) if module is not None else ():
            for node in walk(body):
                if node[1] == place.position and node[0] == "call":
                    return node
        return None

    def conditional(self, place: Place) -> bool:
        """Whether a place stands in a branch."""
        module = next((one for one in self.program.modules if one.path == place.path), None)
        where = self.where(module, place.position) if module is not None else None
        if where is None:
            return True
        branches = [one for _, _, one in where.around if one[0] in ("if", "try", "match", "while") and not is_main(one)]
        inner = [
            node
            for node in walk([where.around[-1][2]])
            if node[0] in ("ifexp", "bool") and covers(node[1], place.position)
        ]
        return bool(branches or inner)

    def no_errors_swallowed(self, loop: Loop) -> None:
        if any(node[0] == "return" for node in walk(loop.node[4])):
            raise Refused("the loop over the loader may return before the place where all ranks have to meet")


def place_of(where: Where) -> tuple[str, int]:
    """The function of a place, as names that differ between ranks are kept by."""
    return where.module.path, where.function.position if where.function is not None else 0


def after_with(loop: Loop, where: Where) -> Node:
    """The loop, or the outermost `with` that it ends."""
    anchor = loop.node
    for number in range(len(where.around) - 2, -1, -1):
        statement, inner = where.around[number][2], where.around[number + 1]
        if statement[0] != "with" or inner[1] != len(inner[0]) - 1:
            break
        anchor = statement
    return anchor
