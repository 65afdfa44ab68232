"""Meters that a loop feeds and that are read after it: reduced by their own method, or sum and count from outside."""

from __future__ import annotations

from dataclasses import dataclass

from ddplint.facts.nodes import Node, last_of, text_of, walk
from ddplint.findings import Action
from ddplint.rules.base import span_of
from ddplint.rules.rank0.gather import Gathering
from ddplint.rules.rank0.reach import Where, after_with
from ddplint.rules.rank0.seen import Loop, Plan, Use
from ddplint.rules.rank0.sums import begun_before, kind_of
from ddplint.rules.repairs import Refused, listed
from ddplint.rules.statements import addition, first_reads, source_of


@dataclass(slots=True)
class Meter:
    """An object that adds up: its own method that reduces it, or its sums and what is computed from them."""

    name: str
    method: str
    sums: tuple[str, ...] = ()
    quotients: tuple[tuple[str, str, str], ...] = ()
    # what holds the last value that it was fed
    last: tuple[str, ...] = ()


class Meters(Gathering):
    """Finds the meters of a loop and what has to happen to them."""

    def meters(self, loop: Loop, where: Where) -> list[Meter]:
        """The meters that a loop feeds and that are read after it."""
        reads = first_reads(self.reach.after(where), set())
        found: dict[str, Meter] = {}
        for node in walk(loop.node[4]):
            if node[0] == "call" and node[2][0] == "attr" and self.knowledge.matches("accumulates", node[2][3]):
                name, path = text_of(node[2][2]), loop.scope.module.path
                if name not in reads:
                    continue
                method = self._reducing_method(path, node)
                fed = all(kind_of(one, loop.node[4], self.knowledge) in ("int", "number") for one in node[3])
                made = Meter(name, method) if method else self._adds_up(name, path, node) if fed else None
                if made is not None:
                    found[name] = made
        return list(found.values())

    def plan(self, use: Use, loop: Loop, where: Where, meters: list[Meter]) -> Plan:
        """The reduction of meters right after the loop."""
        begun = begun_before(where)
        for one in meters:
            if begun.get(one.name, [""])[0] != "call":
                raise Refused(f"`{one.name}` is not made right before the loop, so it may hold reduced values already")
        self.gather.fits(self.reach.after(where), source_of(loop.node[3]))
        self.gather.callers_fit(loop, {one.name for one in meters})
        read = {text_of(node) for node in walk(self.reach.after(where)) if node[0] == "attr"}
        for name in [f"{one.name}.{name}" for one in meters for name in one.last]:
            if name in read:
                raise Refused(f"`{name}` is read after the loop, and is of this rank's last batch")
        single = not self.loaders.always_distributed(use)
        own = [one for one in meters if one.method]
        if own and single:
            raise Refused("the program may run without a process group, which the reducing method may not allow")
        span = span_of(where.module.path, after_with(loop, where)[1])
        plan = Plan([], "", self.loaders.sampling(use))
        if own:
            code = "\n".join(f"{one.name}.{one.method}()" for one in own)
            plan.actions.append(Action("insert-after", span, (("code", code),)))
        others = [one for one in meters if not one.method]
        if others:
            plan.actions.append(Action("sum-over-ranks", span, tuple(self._summed(others, loop, read, single).items())))
        plan.message = f"reduce {listed([f'`{one.name}`' for one in meters])} over all ranks after the loop"
        return plan

    def _summed(self, meters: list[Meter], loop: Loop, read: set[str], single: bool) -> dict[str, str]:
        """What a codemod is told of meters whose sums are all-reduced from outside; `read` are those read later."""
        device = self.loaders.device(loop)
        if not device:
            raise Refused("the device on which the ranks' numbers have to be added up is not in view")
        sums = [f"{one.name}.{name}" for one in meters for name in one.sums]
        quotients = [
            f"{one.name}.{name} = {one.name}.{above} / {one.name}.{below}"
            for one in meters
            for name, above, below in one.quotients
        ]
        return {
            "tensors": "",
            "numbers": " ".join(sums),
            "whole": "",
            "integers": " ".join(one for one in sums if one in read and one.endswith("count")),
            "length": "",
            "lengths": "",
            "device": device,
            "single": "yes" if single else "",
            "following": "\n".join(quotients),
        }

    def _adds_up(self, name: str, path: str, call: Node) -> Meter | None:
        """A meter whose class does nothing but add what it is fed; None where it may do anything else."""
        facts = list(self.seen.targets.get((path, call[1]), {}).values())
        if len(facts) != 1 or facts[0].owner is None:
            return None
        given = {row[0] for row in facts[0].parameters[1:]}
        sums: list[str] = []
        quotients: list[tuple[str, str, str]] = []
        last: list[str] = []
        for statement in facts[0].body:
            target, value = addition(statement)
            if target is not None and value is not None and _own(target) and _product(value, given):
                sums.append(target[3])
            elif statement[0] == "assign" and len(statement[2]) == 1 and _own(statement[2][0]):
                quotient = statement[3]
                sides = quotient[3:5] if quotient[0] == "bin" and quotient[2] == "/" else []
                if sides and all(_own(one) and one[3] in sums for one in sides):
                    quotients.append((statement[2][0][3], sides[0][3], sides[1][3]))
                elif quotient[0] == "name" and quotient[2] in given:
                    last.append(statement[2][0][3])
                else:
                    return None
            elif not (statement[0] == "expr" and statement[2][0] == "const"):
                return None
        return Meter(name, "", tuple(sums), tuple(quotients), tuple(last)) if len(sums) > 1 else None

    def _reducing_method(self, path: str, call: Node) -> str:
        """The method of a call's object that reduces its state over all ranks, if its class has one."""
        for facts in self.seen.targets.get((path, call[1]), {}).values():
            for other in facts.module.functions:
                reduces = any(
                    node[0] == "call" and self.knowledge.matches("gathers", last_of(node[2]))
                    for node in walk(other.body)
                )
                named = self.knowledge.matches("gathers", other.name) and len(other.parameters) == 1
                if facts.owner is not None and other.owner == facts.owner and named and reduces:
                    return other.name
        return ""


def _own(node: Node) -> bool:
    """Whether an expression is `self.name`."""
    return bool(node[0] == "attr" and node[2][0] == "name" and node[2][2] == "self")


def _product(node: Node, given: set[str]) -> bool:
    """Whether an expression is a parameter, or a product of such."""
    if node[0] == "bin":
        return node[2] == "*" and _product(node[3], given) and _product(node[4], given)
    return bool(node[0] == "name" and node[2] in given)
