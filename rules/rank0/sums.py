"""Sums and counts that a loop over a loader adds up: all-reduced on every rank right after it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ddplint.facts.nodes import Node, last_of, text_of, walk
from ddplint.findings import Action
from ddplint.flow.knowledge import Knowledge
from ddplint.rules.base import span_of
from ddplint.rules.rank0.loaders import Loaders, device_of_module
from ddplint.rules.rank0.reach import Reach, Where, after_with, place_of
from ddplint.rules.rank0.seen import Loop, Plan, Use
from ddplint.rules.repairs import Refused, listed, place_argument
from ddplint.rules.scopes import body_of
from ddplint.rules.statements import addition, first_reads, names_in, source_of, stored_by, target_names

_PADDING = "exact where the ranks divide the set evenly, else the samples that the sampler repeats count twice"


@dataclass(slots=True)
class _Sum:
    """A name that a loop adds to: `int`, `number` or `tensor`, and whether it began as a tensor."""

    name: str
    kind: str
    began: Node
    made: bool


class Sums:
    """Finds the sums of a loop and what has to happen to them."""

    def __init__(self, reach: Reach, loaders: Loaders) -> None:
        self.reach = reach
        self.loaders = loaders
        self.seen = reach.seen
        self.knowledge = reach.knowledge

    def read_after(self, loop: Loop, where: Where, aside: list[Node], lists: frozenset[str]) -> bool:
        """Whether sums that the loop adds up, some branches of it and lists left aside, are read after it."""
        inside = {id(node) for node in walk(aside)}
        targets = [addition(node)[0] for node in walk(loop.node[4]) if id(node) not in inside]
        names = {text_of(one) for one in targets if one is not None and one[0] == "name"}
        return bool((names - lists) & first_reads(self.reach.after(where), set()))

    def plan(self, use: Use, loop: Loop, where: Where, lists: frozenset[str] = frozenset()) -> Plan:
        """Sums and counts that the loop adds up: all-reduced on every rank right after it; `lists` are seen to."""
        after = self.reach.after(where)
        sums = self._sums(loop, where, after, lists)
        device = self._device(loop, sums)
        single = not self.loaders.always_distributed(use)
        plan = Plan([], "", self.loaders.sampling(use))
        # a tensor that the `with` around the loop made may be gone after it
        outside = all(one.made or one.kind != "tensor" for one in sums)
        anchor = after_with(loop, where) if outside else loop.node
        batches = self.divisors(loop, where, after, {one.name for one in sums})
        if batches:
            plan.reasons.append(
                "a mean of batch means weighs a smaller last batch like a full one, so it still depends on the ranks"
            )
        self._unread_elsewhere(where, loop, sums)
        length = f"len({text_of(source_of(loop.node[3]))})" if batches else ""
        arguments = {
            "tensors": " ".join(one.name for one in sums if one.kind == "tensor"),
            "numbers": " ".join(one.name for one in sums if one.kind != "tensor"),
            "whole": "yes" if not batches and all(one.kind != "number" for one in sums) else "",
            "integers": " ".join(self._integers(sums, after, bool(batches))),
            "length": length,
            "device": device,
            "single": "yes" if single else "",
        }
        path = where.module.path
        arguments["lengths"] = ";".join(place_argument(span_of(path, node[1])) for node in batches)
        plan.actions = [Action("sum-over-ranks", span_of(path, anchor[1]), tuple(arguments.items()))]
        names = [f"`{one.name}`" for one in sums]
        plan.message = f"add up {listed(names)} over all ranks after the loop ({_PADDING})"
        if self.loaders.split_by_node(use):
            plan.message = f"add up {listed(names)} over all ranks after the loop"
        return plan

    def _device(self, loop: Loop, sums: list[_Sum]) -> str:
        """Code for the device on which the ranks' numbers meet."""
        found = self.loaders.device(loop)
        for one in sums:
            if one.kind == "tensor" and one.made and found and not _placed(one.began, self.knowledge):
                raise Refused(f"`{one.name}` is a tensor on the CPU, and NCCL reduces tensors on the GPU only")
        tensors = [one for one in sums if one.kind == "tensor"]
        if tensors:
            return f"{tensors[0].name}.device"
        found = found or device_of_module(body_of(loop.scope))
        if not found:
            raise Refused("the device of the batches, on which the ranks' numbers have to be added up, is not in view")
        return found

    def _sums(self, loop: Loop, where: Where, after: list[Node], lists: frozenset[str]) -> list[_Sum]:
        """The names that the loop adds to and that are read after it; refused where other values of it are read."""
        body = loop.node[4]
        added, stored = self._added(body, after)
        stored |= target_names(loop.node[2])
        reads = first_reads(after, set())
        for name in sorted(stored & reads):
            if name in added or name in self.seen.varying.get(place_of(where), ()):
                raise Refused(
                    f"`{name}` of the loop's last rounds is read after it, and what it has to become is not known"
                )
        self._nothing_collected(body, reads - lists)
        begun = begun_before(where)
        sums = [
            self._sum(name, values, begun.get(name), loop)
            for name, values in added.items()
            if name in reads and name not in lists
        ]
        if not sums:
            raise Refused("no sum that the loop adds up is read after it: predictions would have to be gathered")
        return sums

    def _added(self, body: list[Node], after: list[Node]) -> tuple[dict[str, list[Node]], set[str]]:
        """What statements add to each name, and the names that they bind otherwise."""
        added: dict[str, list[Node]] = defaultdict(list)
        stored: set[str] = set()
        for node in walk(body):
            target, value = addition(node)
            if target is not None and value is not None:
                if target[0] == "sub" and target[2][0] == "name":
                    added[target[2][2]].append(["const", 0, None])
                elif target[0] == "name":
                    added[target[2]].append(value)
                elif (text := text_of(target)) and self._read_after(text, after):
                    raise Refused(f"`{text}` is added to in the loop, and who else reads it is not known")
            else:
                stored |= stored_by(node)
        return added, stored

    def _sum(self, name: str, values: list[Node], start: Node | None, loop: Loop) -> _Sum:
        """A name that the loop adds values to, given what it is set to before."""
        made = start is not None and start[0] != "const"
        zero = start is not None and (_zero_tensor(start, self.knowledge) if made else start[2] == 0)
        if start is None or not zero:
            raise Refused(f"`{name}` does not start from zero right before the loop")
        for value in values:
            self._additive(value, loop)
        kind = "tensor"
        if not made:
            kinds = {kind_of(value, loop.node[4], self.knowledge) for value in values}
            kinds.add("number" if isinstance(start[2], float) else "int")
            if "" in kinds:
                raise Refused(f"whether `{name}` is a tensor or a number is not known")
            kind = "tensor" if "tensor" in kinds else "number" if "number" in kinds else "int"
        if kind == "tensor" and loop.recorded:
            raise Refused(f"`{name}` may carry a graph, for the loop does not run under `no_grad`")
        return _Sum(name, kind, start, made)

    def _nothing_collected(self, body: list[Node], reads: set[str]) -> None:
        for node in walk(body):
            if node[0] == "call" and node[2][0] == "attr":
                base, method = text_of(node[2][2]), node[2][3]
                collects = any(self.knowledge.matches(one, method) for one in ("accumulates", "fills_list"))
                root = base.partition(".")[0]
                if collects and root in reads and not self.knowledge.matches("progress_word", base):
                    raise Refused(
                        f"`{base}` collects values batch by batch: they have to be gathered and put in dataset order, "
                        "and their kinds are not known here"
                    )

    def _additive(self, value: Node, loop: Loop) -> None:
        inner = target_names(loop.node[2]).union(*(stored_by(node) for node in walk(loop.node[4])))
        for node in walk([value]):
            if node[0] == "bin" and node[2] in ("/", "//"):
                names = {one[2] for one in walk([node[4]]) if one[0] == "name"}
                if node[4][0] != "const" and not names & inner:
                    raise Refused("what the loop adds is divided already, by a number that may be this rank's own")

    def _read_after(self, text: str, after: list[Node]) -> bool:
        return any(node[0] == "attr" and text_of(node) == text for node in walk(after)) or text.startswith("self.")

    def divisors(self, loop: Loop, where: Where, after: list[Node], sums: set[str]) -> list[Node]:
        """The `len(loader)` that divide sums; refused where another number than a sum or `len(dataset)` does."""
        source = text_of(source_of(loop.node[3]))
        counted: list[Node] = []
        known = set(sums)
        # names computed from the sums, before and after their division
        for node in walk(after):
            if node[0] == "assign" and names_in(node[3]) & known:
                known |= set().union(*(target_names(target) for target in node[2]))
        for node in walk(after):
            if node[0] == "bin" and node[2] in ("/", "//"):
                left, right = node[3], node[4]
            elif node[0] == "aug" and node[3] in ("/", "//"):
                left, right = node[2], node[4]
            else:
                continue
            if not names_in(left) & known or right[0] == "const" or names_in(right) & known:
                continue
            found = [
                one
                for one in walk([right])
                if one[0] == "call" and one[2][0] == "name" and one[2][2] == "len" and one[3]
            ]
            texts = [text_of(one[3][0]) for one in found]
            others = names_in(right) - set().union(*(names_in(one) for one in found), set())
            if len(found) == 1 and not others and source and texts[0] == source:
                counted += [one for one in found if one not in counted]
            elif not (
                found
                and not others
                and all(text and self.knowledge.matches("dataset_name", text.rpartition(".")[2]) for text in texts)
            ):
                raise Refused(
                    "a sum is divided by a number of which it is not known whether it counts all ranks' samples"
                )
        return counted

    def _integers(self, sums: list[_Sum], after: list[Node], batches: bool) -> list[str]:
        """Whole numbers that come back from a tensor of floats and are read as more than a divisor."""
        if not batches and all(one.kind != "number" for one in sums):
            return []
        divided = {
            id(one) for node in walk(after) if node[0] == "bin" and node[2] == "/" for one in walk([node[3], node[4]])
        }
        loose = {node[2] for node in walk(after) if node[0] == "name" and id(node) not in divided}
        return [one.name for one in sums if one.kind == "int" and one.name in loose]

    def _unread_elsewhere(self, where: Where, loop: Loop, sums: list[_Sum]) -> None:
        """Callers must neither reduce sums again nor divide them by this rank's number of batches."""
        function = loop.scope.function
        if function is None:
            return
        for body in self.reach.callers_without_collectives(function):
            names = {one.name for one in sums}
            returned = [node[2] for node in walk(function.body) if node[0] == "return" and node[2] is not None]
            bare = [
                one
                for one in returned
                for part in (one[2] if one[0] == "tuple" else [one])
                if part[0] == "name" and part[2] in names
            ]
            if bare and any(
                node[0] == "bin" and node[2] in ("/", "//") and "len" in names_in(node[4]) for node in walk(body)
            ):
                raise Refused(
                    f"`{function.name}` returns a sum that its caller divides by a length, which may be this rank's own"
                )


def _zero_tensor(node: Node, knowledge: Knowledge) -> bool:
    """Whether an expression makes a tensor of zeros."""
    while node[0] == "call" and node[2][0] == "attr" and knowledge.matches("casts", node[2][3]):
        node = node[2][2]
    if node[0] != "call":
        return False
    name = text_of(node[2])
    if knowledge.matches("makes_zeros", name):
        return True
    return knowledge.matches("makes_tensor", name) and bool(node[3]) and node[3][0][0] == "const" and node[3][0][2] == 0


def kind_of(node: Node, body: list[Node], knowledge: Knowledge, depth: int = 0) -> str:
    """What an expression in a loop's body gives: `int`, `number`, `tensor`, or empty for not known."""
    kind = node[0]
    if depth > 4:
        return ""
    if kind == "const":
        return "int" if type(node[2]) is int else "number" if isinstance(node[2], float) else ""
    if kind == "name":
        bound = _bound_to(node[2], body)
        return kind_of(bound, body, knowledge, depth + 1) if bound is not None else ""
    if kind == "bin":
        sides = {kind_of(node[3], body, knowledge, depth + 1), kind_of(node[4], body, knowledge, depth + 1)}
        if "" in sides:
            return ""
        if "tensor" in sides:
            return "tensor"
        return "int" if sides == {"int"} and node[2] in ("+", "-", "*", "//") else "number"
    if kind == "sub":
        inner = node[2]
        shape = (inner[0] == "attr" and inner[3] == "shape") or (inner[0] == "call" and last_of(inner[2]) == "size")
        return "int" if shape and node[3][0] == "const" else ""
    return _kind_of_call(node, body, knowledge, depth) if kind == "call" else ""


def _bound_to(name: str, body: list[Node]) -> Node | None:
    """What a name is bound to, if statements bind it once and by itself."""
    assigned = [one for one in walk(body) if one[0] == "assign"]
    bound = [one[3] for one in assigned if any(name in target_names(target) for target in one[2])]
    plain = [one for one in assigned if any(target_names(target) == {name} for target in one[2])]
    return bound[0] if len(bound) == len(plain) == 1 else None


def _kind_of_call(node: Node, body: list[Node], knowledge: Knowledge, depth: int) -> str:
    name = last_of(node[2])
    if node[2][0] == "name":
        return {"len": "int", "int": "int", "float": "number"}.get(name, "")
    if name == "item":
        return "int" if _counts(node[2][2], body, knowledge) else "number"
    if knowledge.matches("counts_elements", name) or (name == "size" and len(node[3]) == 1):
        return "int"
    if any(one[0] in ("name", "attr") and knowledge.matches("array_name", str(one[-1])) for one in walk(body)):
        return ""
    if knowledge.matches("tensor_function", text_of(node[2])) or knowledge.matches("sums_up", name):
        return "tensor"
    return kind_of(node[2][2], body, knowledge, depth + 1) if knowledge.matches("same_kind", name) else ""


def _counts(node: Node, body: list[Node], knowledge: Knowledge) -> bool:
    """Whether a tensor is the number of true elements of a comparison."""
    if node[0] != "call" or node[2][0] != "attr" or node[2][3] != "sum":
        return False
    inner = node[2][2]
    if inner[0] == "name":
        bound = [
            one[3]
            for one in walk(body)
            if one[0] == "assign" and any(target_names(target) == {inner[2]} for target in one[2])
        ]
        inner = bound[0] if len(bound) == 1 else inner
    return inner[0] == "cmp" or (inner[0] == "call" and knowledge.matches("compares", last_of(inner[2])))


def _placed(node: Node, knowledge: Knowledge) -> bool:
    """Whether an expression puts a tensor on a device."""
    while node[0] == "call":
        if any(name == "device" for name, _ in node[4]) or (
            node[2][0] == "attr" and knowledge.matches("moves_to_device", node[2][3])
        ):
            return True
        if node[2][0] != "attr" or node[2][2][0] != "call":
            return False
        node = node[2][2]
    return False


def begun_before(where: Where) -> dict[str, Node]:
    """What names are set to before the loop, within the loop around it."""
    begun: dict[str, Node] = {}
    for block, index, _ in where.around:
        for statement in block[:index]:
            pairs: list[tuple[Node, Node]] = []
            if statement[0] == "assign":
                pairs = [(target, statement[3]) for target in statement[2]]
            elif statement[0] == "ann" and statement[4] is not None:
                pairs = [(statement[2], statement[4])]
            names = set().union(*(stored_by(node) for node in walk([statement])))
            names |= {node[2][2] for node in walk([statement]) if node[0] == "aug" and node[2][0] == "name"}
            for name in names:
                begun.pop(name, None)
            for target, value in pairs:
                if target[0] == "name":
                    begun[target[2]] = value
                elif (
                    target[0] in ("tuple", "list") and value[0] in ("tuple", "list") and len(target[2]) == len(value[2])
                ):
                    begun.update(
                        {one[2]: part for one, part in zip(target[2], value[2], strict=True) if one[0] == "name"}
                    )
        if block[index][0] in ("for", "while") and block[index] is not where.around[-1][2]:
            begun = {}
    return begun
