"""What rank 0 alone does with each batch of a loop: done after the loop, over all ranks' batches in dataset order."""

from __future__ import annotations

from keyword import iskeyword

from ddplint.facts.nodes import Node, walk
from ddplint.findings import Action
from ddplint.rules.base import span_of
from ddplint.rules.rank0.gather import Gathering, bound_by
from ddplint.rules.rank0.reach import Where, after_with, place_of
from ddplint.rules.rank0.rows import Rows
from ddplint.rules.rank0.seen import Loop, Plan, Use
from ddplint.rules.repairs import Refused, listed, place_argument
from ddplint.rules.statements import first_reads, names_in, names_of, spelled, target_names

_MEMORY = "all ranks' predictions are in memory at once, on every rank"

# a name, the expression that it stands for, and where a branch reads that
Item = tuple[str, Node, list[Node]]


class Fed(Gathering):
    """Finds the branches of rank 0 in a loop and what they read of a round."""

    def branches(self, uses: list[Use], loop: Loop, where: Where) -> list[Node]:
        """The branches in a loop in which rank 0 alone uses values of its own."""
        found: dict[int, Node] = {}
        places = [use.node[1] for use in uses if use.guard is not None and use.scope.module is loop.scope.module]
        filled = self.gather.guarded_fills(loop, where)
        for place in [*places, *(one[1] for one in filled)]:
            inside = self.reach.where(loop.scope.module, place)
            held = [one for _, _, one in inside.around] if inside is not None else []
            if loop.node in held:
                inner = [one for one in held[held.index(loop.node) + 1 :] if one[0] == "if"]
                if not inner:
                    raise Refused("rank 0 alone uses values in the loop, and not in a branch of it")
                found[inner[0][1]] = inner[0]
        return list(found.values())

    def plan(self, use: Use, loop: Loop, where: Where, branch: Node) -> Plan:
        """Rank 0's branch in the loop, put after it, where it gets all ranks' batches."""
        self._plain_branch(loop, where, branch)
        rows = self.gather.rows(loop)
        items = self._items(loop, where, branch)
        self._allowed(items, rows, loop, branch)
        plan = Plan([], "", self.loaders.sampling(use))
        if not self.loaders.take_turns(use):
            raise Refused("the ranks may have other numbers of batches, and these have to be merged batch by batch")
        plan.reasons.append(_MEMORY)
        away = [(name, node) for name, node, _ in items if not rows.on_cpu(node)]
        to_cpu = [name for name, node in away if _only_on_cpu(node, branch)]
        anchor, path, loader = after_with(loop, where), where.module.path, self.gather.loader_text(loop)
        given = self.gather.common(use, loop, [name for name, _ in away if name not in to_cpu]) | {
            "names": " ".join(name for name, _, _ in items),
            "arrays": " ".join(name for name, node, _ in items if rows.is_array(node)),
            "entries": ";".join(
                f"{name}={place_argument(span_of(path, one[1]))}" for name, node, every in items for one in every
            ),
            "to_cpu": " ".join(to_cpu),
            "count": f"len({loader}.dataset)",
            "batch": f"{loader}.batch_size",
            "branch": place_argument(span_of(path, branch[1])),
            "following": self._same_branch(where, anchor, branch),
        }
        plan.actions = [Action("gather-fed", span_of(path, anchor[1]), tuple(given.items()))]
        plan.message = (
            f"collect {listed([f'`{name}`' for name, _, _ in items])} on every rank, gather them after the loop, and "
            "do there what rank 0 did in it"
        )
        return plan

    def _allowed(self, items: list[Item], rows: Rows, loop: Loop, branch: Node) -> None:
        """Refuse where what a branch reads cannot be gathered, or what it does must not be done for all ranks."""
        for name, node, _ in items:
            if not rows.has(node):
                raise Refused(
                    f"whether `{name}`, which rank 0's branch reads, has one row per sample is not known, and only "
                    "such values can be put in dataset order"
                )
        for node in walk(branch[3]):
            if node[0] == "call" and any(self.knowledge.matches("model_name", name) for name in names_of(node[2])):
                raise Refused("rank 0 alone calls a model in the branch, and would do so for all ranks' batches")
        if loop.recorded:
            raise Refused("what the loop collects may carry graphs, for it does not run under `no_grad`")

    def _plain_branch(self, loop: Loop, where: Where, branch: Node) -> None:
        body = loop.node[4]
        held = body
        while branch not in held:
            inner = next(
                (one for one in held if one[0] == "with" and any(node is branch for node in walk([one]))), None
            )
            if inner is None:
                raise Refused("the branch of rank 0 stands under another condition, so not every batch may count")
            held = inner[3]
        if branch[4]:
            raise Refused("the branch of rank 0 has an `else`")
        bound = target_names(loop.node[2]).union(*(bound_by(node) for node in walk(body)))
        if names_in(branch[2]) & bound:
            raise Refused("the branch of rank 0 depends on the batch as well")
        if any(node[0] in ("return", "break", "continue", "yield", "await") for node in walk(branch[3])):
            raise Refused("the branch of rank 0 leaves the loop")
        varying = self.seen.varying.get(place_of(where), set())
        if any(self.reach.leaves(one, varying) for one in body):
            raise Refused("a rank may leave a round of the loop before the values are collected")

    def _items(self, loop: Loop, where: Where, branch: Node) -> list[Item]:
        """What a branch reads of the round: names, or entries `batch["image"]` with all places that read them."""
        inside = {id(node) for node in walk([branch])}
        others = [node for node in walk(loop.node[4]) if id(node) not in inside]
        bound = target_names(loop.node[2]).union(*(bound_by(node) for node in others))
        own: set[str] = set().union(*(bound_by(node) for node in walk(branch[3])))
        reads = first_reads(branch[3], set()) & bound
        after = first_reads(self.reach.after(where), set())
        kept = {one[2] for one in others if one[0] == "name"} | after
        lasting = (own & (kept | bound) - self._running(branch)) | (reads & after)
        if lasting:
            raise Refused(f"`{sorted(lasting)[0]}` of rank 0's branch is read outside it, too")
        found: dict[str, Item] = {}
        for name in dict.fromkeys(one[2] for one in walk(branch[3]) if one[0] == "name" and one[2] in reads):
            entries = [one for one in walk(branch[3]) if _names_entry(one) and one[2][2] == name]
            if len(entries) == len([one for one in walk(branch[3]) if one[0] == "name" and one[2] == name]):
                for one in entries:
                    key = one[3][2]
                    taken = key in bound | own | reads
                    item: Item = (f"{name}_{key}" if taken else key, one, [])
                    found.setdefault(f"{name}[{key}]", item)[2].append(one)
            else:
                found[name] = (name, ["name", 0, name], [])
        items = list(found.values())
        if not items or len({name for name, _, _ in items}) < len(items):
            raise Refused("what the branch of rank 0 reads of the batch is not in view")
        return items

    def _running(self, branch: Node) -> set[str]:
        """The names that a branch adds to, which it may do after the loop as well."""
        return set().union(*(target_names(node[2]) for node in walk(branch[3]) if node[0] == "aug"))

    def _same_branch(self, where: Where, anchor: Node, branch: Node) -> str:
        """The span of the first statement of the branch that follows on a statement under the same test, if any."""
        block, index, _ = next(one for one in where.around if one[2] is anchor)
        following = block[index + 1] if index + 1 < len(block) else None
        if following is None or following[0] != "if" or spelled(following[2]) != spelled(branch[2]):
            return ""
        return place_argument(span_of(where.module.path, following[3][0][1]))


def _names_entry(node: Node) -> bool:
    """Whether an expression is an entry of a name, by a key that is a name itself."""
    key = node[3] if node[0] == "sub" and node[2][0] == "name" else ["", 0, None]
    return key[0] == "const" and isinstance(key[2], str) and key[2].isidentifier() and not iskeyword(key[2])


def _only_on_cpu(wanted: Node, branch: Node) -> bool:
    """Whether a branch reads an expression only as `wanted.cpu()` or `wanted.detach().cpu()`."""
    text = spelled(wanted)
    read = [node for node in walk(branch[3]) if spelled(node) == text]
    copied = 0
    for node in walk(branch[3]):
        if node[0] == "call" and node[2][0] == "attr" and node[2][3] == "cpu":
            base = node[2][2]
            if base[0] == "call" and base[2][0] == "attr" and base[2][3] == "detach":
                base = base[2][2]
            copied += spelled(base) == text
    return copied == len(read)
