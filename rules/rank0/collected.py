"""Lists that a loop fills and that are read after it: gathered right after the loop, on every rank."""

from __future__ import annotations

from dataclasses import dataclass

from ddplint.facts.nodes import Node, text_of, walk
from ddplint.findings import Action
from ddplint.flow.knowledge import Knowledge
from ddplint.rules.base import span_of
from ddplint.rules.rank0.gather import NO_DEVICE, Gathering, unconditional
from ddplint.rules.rank0.loaders import SHARES
from ddplint.rules.rank0.reach import Where, after_with, place_of
from ddplint.rules.rank0.rows import Rows
from ddplint.rules.rank0.seen import Loop, Plan, Use
from ddplint.rules.rank0.sums import begun_before, kind_of
from ddplint.rules.repairs import Refused, listed, place_argument
from ddplint.rules.statements import blocks_of, first_reads, source_of, stored_by, target_names

_BATCH_MEANS = "a mean of batch means weighs a smaller last batch like a full one, so it still depends on the ranks"
_UNORDERED = "the values come rank after rank, and not in the order of the data"


@dataclass(slots=True)
class _List:
    """A list that a loop fills: `tensor` or `array` per batch, `row` per sample or `number` per batch."""

    name: str
    kind: str
    on_cpu: bool = True


class Collected(Gathering):
    """Finds what a loop collects and what has to happen to it."""

    def comprehension(self, use: Use, loop: Loop, where: Where) -> Plan:
        """The gather of a list of numbers that a comprehension over the loader makes."""
        statement, node = where.around[-1][2], loop.node
        single = statement[0] == "assign" and statement[3] == node and [one[0] for one in statement[2]] == ["name"]
        if not single or node[2] != "list" or len(node[4]) != 1 or node[4][0][2]:
            raise Refused("the values come from a comprehension over the loader that is not a list with a name")
        if kind_of(node[3], [], self.knowledge) not in ("int", "number"):
            raise Refused("whether the comprehension over the loader gives numbers is not known")
        name = statement[2][0][2]
        self.gather.fits(self.reach.after(where), source_of(node[4][0][1]))
        self.gather.callers_fit(loop, {name})
        even = self.loaders.take_turns(use)
        plan = Plan([], f"gather `{name}` from all ranks", [*self.loaders.sampling(use), _BATCH_MEANS])
        plan.reasons += [] if even else [SHARES]
        given = self.gather.common(use, loop, []) | {"numbers": name, "even": "yes" if even else ""}
        if given["through"] and not given["even"]:
            raise Refused(NO_DEVICE)
        plan.actions = [Action("gather-collected", span_of(where.module.path, statement[1]), tuple(given.items()))]
        return plan

    # lists that are filled

    def lists(self, loop: Loop, where: Where) -> list[str]:
        """The names of lists that a loop fills and that are read after it."""
        reads = first_reads(self.reach.after(where), set())
        guarded = self.gather.guarded_fills(loop, where)
        found: list[str] = []
        begun = begun_before(where)
        for node in walk(loop.node[4]):
            name = _filled_by(node, self.knowledge)
            sums = node[0] == "aug" and not _empty_list(begun.get(name, ["", 0]))
            if (
                name in reads
                and not sums
                and node not in guarded
                and not self.knowledge.matches("progress_word", name)
                and name not in found
            ):
                found.append(name)
        return found

    def filled(self, use: Use, loop: Loop, where: Where, names: list[str]) -> Plan:
        """The gather of lists right after the loop."""
        rows = self.gather.rows(loop)
        even = self.loaders.take_turns(use)
        made = [self._list(name, loop, where, rows) for name in names]
        plan = Plan([], "", self.loaders.sampling(use))
        self._uses_of(made, loop, where, plan)
        if not even:
            plan.reasons += [SHARES, _UNORDERED]
        anchor = after_with(loop, where)
        tensors = [one for one in made if one.kind in ("tensor", "array")]
        after = self.reach.after(where)
        joined = {one.name: self._joined(one, after) for one in tensors}
        assigned = self._assigned(tensors, joined, where, anchor)
        given = self.gather.common(use, loop, [one.name for one in made if not one.on_cpu]) | _by_kind(made)
        given["even"] = "yes" if even else ""
        if even and any(one.kind != "number" for one in made):
            given["count"] = f"len({self.gather.loader_text(loop)}.dataset)"
        path = where.module.path
        if assigned:
            anchor = assigned[-1]
            renamed = {one.name: statement[2][0][2] for one, statement in zip(tensors, assigned, strict=True)}
            for kind in ("tensors", "arrays", "moved"):
                given[kind] = " ".join(renamed[name] for name in given[kind].split())
        else:
            given["joined"] = ";".join(
                f"{name}={place_argument(span_of(path, call[1]))}" for name, calls in joined.items() for call in calls
            )
        if given["through"] and (not even or any(one.kind not in ("tensor", "number") for one in made)):
            raise Refused(NO_DEVICE)
        plan.actions = [Action("gather-collected", span_of(path, anchor[1]), tuple(given.items()))]
        what = listed([f"`{one.name}`" for one in made])
        order = "in the sampler's order" if self.loaders.shuffled(use) else "in dataset order"
        plan.message = f"gather {what} from all ranks after the loop, {order} and without the padding"
        if not even or any(one.kind == "number" for one in made):
            plan.message = f"gather {what} from all ranks after the loop"
        return plan

    def _list(self, name: str, loop: Loop, where: Where, rows: Rows) -> _List:
        start = begun_before(where).get(name)
        if start is None or not _empty_list(start):
            raise Refused(f"`{name}` does not start empty right before the loop")
        body = loop.node[4]
        fills = [one for one in walk(body) if _filled_by(one, self.knowledge) == name]
        plain = [one[2] if one[0] == "expr" else one for one in unconditional(body)]
        if len(fills) != 1 or fills[0] not in plain:
            raise Refused(f"`{name}` is not filled in one place that every round of the loop comes to")
        varying = self.seen.varying.get(place_of(where), set())
        if any(self.reach.leaves(one, varying) for one in body):
            raise Refused("a rank may leave a round of the loop before the values are collected")
        return self._kind_of_list(name, fills[0], loop, rows)

    def _kind_of_list(self, name: str, fill: Node, loop: Loop, rows: Rows) -> _List:
        value = fill[3][0] if fill[0] == "call" else fill[4]
        extends = fill[0] == "aug" or fill[2][3] == "extend"
        listed_ = value[0] == "call" and value[2][0] == "attr" and value[2][3] == "tolist"
        if extends and listed_ and rows.has(value[2][2]):
            return _List(name, "row")
        if rows.has(value):
            array = rows.is_array(value)
            if extends and not array:
                raise Refused(
                    f"`{name}` holds rows of tensors, of which each would send the storage of its whole batch"
                )
            if loop.recorded and not array and not _detached(value, self.knowledge):
                raise Refused(f"`{name}` may carry a graph, for the loop does not run under `no_grad`")
            return _List(name, "row" if extends else "array" if array else "tensor", rows.on_cpu(value))
        if not extends and kind_of(value, loop.node[4], self.knowledge) in ("int", "number"):
            return _List(name, "number")
        raise Refused(f"whether `{name}` holds one value per sample or per batch is not known")

    def _uses_of(self, made: list[_List], loop: Loop, where: Where, plan: Plan) -> None:
        """Refuse where what is read after the loop would not fit all ranks' values."""
        after = self.reach.after(where)
        filled = {one.name for one in made}
        self.gather.fits(after, source_of(loop.node[3]))
        self.gather.callers_fit(loop, filled)
        reads = first_reads(after, set())
        stored = target_names(loop.node[2]).union(*(stored_by(node) for node in walk(loop.node[4])))
        for name in sorted((stored & reads) - filled):
            raise Refused(f"`{name}` of the loop is read after it, too, and is of this rank's samples alone")
        if any(one.kind == "number" for one in made):
            plan.reasons.append(_BATCH_MEANS)

    def _joined(self, one: _List, after: list[Node]) -> list[Node]:
        """The calls after the loop that make one tensor of a list; refused where it is read otherwise."""
        calls = [
            node
            for node in walk(after)
            if node[0] == "call"
            and self.knowledge.matches("concatenates", text_of(node[2]))
            and len(node[3]) >= 1
            and text_of(node[3][0]) == one.name
            and all(given[0] == "const" and given[2] == 0 for given in [*node[3][1:], *(row[1] for row in node[4])])
        ]
        # once the name is bound to the tensor, it may be read as one in the same block
        later = self._rebound(one.name, calls, after)
        inside = {id(node) for node in walk(later)} | {id(node) for node in walk(calls)}
        reads = [node for node in walk(after) if node[0] == "name" and node[2] == one.name and id(node) not in inside]
        if not calls or reads:
            raise Refused(f"`{one.name}` is read otherwise than through a concatenation of its batches")
        return calls

    def _rebound(self, name: str, calls: list[Node], block: list[Node]) -> list[Node]:
        """The statements from the one on that binds the name of a list to what is made of it."""
        for index, statement in enumerate(block):
            if statement[0] == "assign" and statement[3] in calls and name in stored_by(statement):
                return block[index:]
            for inner in blocks_of(statement):
                found = self._rebound(name, calls, inner)
                if found:
                    return found
        return []

    def _assigned(self, tensors: list[_List], joined: dict[str, list[Node]], where: Where, anchor: Node) -> list[Node]:
        """The statements `x = torch.cat(list)` that follow straight on the loop, one for each list; else none."""
        block, index, _ = next(one for one in where.around if one[2] is anchor)
        found: list[Node] = []
        for number, statement in enumerate(block[index + 1 : index + 1 + len(tensors)]):
            calls = joined[tensors[number].name]
            single = statement[0] == "assign" and len(statement[2]) == 1 and statement[2][0][0] == "name"
            if not single or len(calls) != 1 or statement[3] is not calls[0]:
                return []
            found.append(statement)
        return found if len(found) == len(tensors) else []


def _by_kind(made: list[_List]) -> dict[str, str]:
    """The names of lists by what they hold, as a codemod is told them."""
    kinds = {"tensors": "tensor", "arrays": "array", "rows": "row", "numbers": "number"}
    return {title: " ".join(one.name for one in made if one.kind == kind) for title, kind in kinds.items()}


def _filled_by(node: Node, knowledge: Knowledge) -> str:
    """The name of a list to which a call or `+=` adds; empty for anything else."""
    if node[0] == "aug" and node[3] == "+":
        return text_of(node[2])
    fills = (
        node[0] == "call"
        and node[2][0] == "attr"
        and knowledge.matches("adds_to_list", node[2][3])
        and len(node[3]) == 1
    )
    return text_of(node[2][2]) if fills else ""


def _empty_list(node: Node) -> bool:
    if node[0] == "call":
        return text_of(node[2]) == "list" and not node[3] and not node[4]
    return bool(node[0] == "list" and not node[2])


def _detached(node: Node, knowledge: Knowledge) -> bool:
    while node[0] == "call" and node[2][0] == "attr":
        if knowledge.matches("without_graph", node[2][3]):
            return True
        node = node[2][2]
    return bool(node[0] == "cmp")
