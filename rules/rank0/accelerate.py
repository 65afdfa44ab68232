"""What the loop's numbers are computed from, gathered by accelerate batch by batch."""

from __future__ import annotations

from ddplint.facts.nodes import Node, text_of, walk
from ddplint.findings import Action
from ddplint.flow.values import Made
from ddplint.rules.base import span_of
from ddplint.rules.rank0.reach import Reach, Where, place_of
from ddplint.rules.rank0.rows import Rows
from ddplint.rules.rank0.seen import Loop, Plan
from ddplint.rules.rank0.sums import Sums
from ddplint.rules.repairs import Refused, listed
from ddplint.rules.scopes import home_of
from ddplint.rules.statements import addition, stored_by, target_names


class Accelerated:
    """Finds what of a loop's values has to be gathered."""

    def __init__(self, reach: Reach, sums: Sums) -> None:
        self.reach = reach
        self.sums = sums
        self.seen = reach.seen
        self.knowledge = reach.knowledge
        self.interpreter = reach.interpreter

    def plan(self, loop: Loop, where: Where) -> Plan:
        """`gather_for_metrics` of what the loop's sums and metrics are computed from, before the first of them."""
        body = loop.node[4]
        accelerator = self._accelerator(loop, where)
        feeding = self._feeding(loop, where)
        targets = [target for number in feeding if (target := addition(body[number])[0]) is not None]
        sums = {text_of(target) for target in targets}
        names = self._read_by(feeding, loop, sums)
        for number in range(feeding[0], len(body)):
            if number not in feeding and any(node[0] == "name" and node[2] in names for node in walk([body[number]])):
                raise Refused("the values that have to be gathered are read by other statements, too")
        if self.sums.divisors(loop, where, self.reach.after(where), sums):
            raise Refused("a sum is divided by the number of batches of one process")
        given = ", ".join(names)
        gathered = f"({given})" if len(names) > 1 else given
        code = f"{given} = {accelerator}.gather_for_metrics({gathered})"
        action = Action("insert-before", span_of(where.module.path, body[feeding[0]][1]), (("code", code),))
        return Plan(
            [action],
            f"gather {listed([f'`{one}`' for one in names])} with `gather_for_metrics`, which cuts the padding",
        )

    def _accelerator(self, loop: Loop, where: Where) -> str:
        """Code for the accelerator; refused where batches may not be gathered as they are."""
        accelerator = self.seen.accelerators.get((where.module.path, home_of(loop.scope)[1]))
        if not accelerator:
            raise Refused("no accelerator is in view where the loop over the loader stands")
        for origin in loop.origins:
            loader = self.interpreter.loaders.get(origin)
            if loader is None or loader.argument(6, "collate_fn") is not None or self._samplers_of(loader):
                raise Refused("batches may have another shape on each process, and such cannot be gathered as they are")
        if self.seen.uneven:
            raise Refused(
                "the processes may take other numbers of batches (`even_batches`), and a gather may wait for ever"
            )
        return accelerator

    def _feeding(self, loop: Loop, where: Where) -> list[int]:
        """Which statements of a loop add to sums or feed metrics, by number."""
        body = loop.node[4]
        varying = self.seen.varying.get(place_of(where), set())
        feeding = [number for number, one in enumerate(body) if self._adds(one)]
        if not feeding:
            raise Refused("no sum or metric is fed in the loop itself")
        if any(self.reach.leaves(one, varying) for one in body):
            raise Refused("a process may leave a round of the loop before the place where all processes have to meet")
        for number, one in enumerate(body):
            if number not in feeding and number > feeding[0] and any(self._adds(node) for node in walk([one])):
                raise Refused("sums are added to under a condition")
        return feeding

    def _adds(self, node: Node) -> bool:
        return addition(node)[0] is not None or self._feeds(node)

    def _read_by(self, feeding: list[int], loop: Loop, sums: set[str]) -> list[str]:
        """The names that those statements read of a round; refused where one may not have a row per sample."""
        body, batch = loop.node[4], target_names(loop.node[2])
        inner = batch.union(*(stored_by(node) for node in walk(body)))
        read = [node[2] for number in feeding for node in walk([body[number]]) if node[0] == "name"]
        names = [name for name in dict.fromkeys(read) if name in inner - sums]
        rows = Rows(loop, self.knowledge, True)
        for name in names:
            if name in batch and loop.node[2][0] != "tuple":
                raise Refused(f"`{name}` is a whole batch, of which it is not known what can be gathered")
            if name not in batch and not rows.has(["name", 0, name]):
                raise Refused(f"whether `{name}` has one row per sample, as what is gathered must have, is not known")
        if not names:
            raise Refused("what the sums are computed from is not in view")
        return names

    def _samplers_of(self, loader: Made) -> bool:
        return loader.argument(3, "sampler") is not None or loader.argument(4, "batch_sampler") is not None

    def _feeds(self, node: Node) -> bool:
        call = node[2] if node[0] == "expr" else node
        if call[0] != "call" or call[2][0] != "attr":
            return False
        return any(self.knowledge.matches(one, call[2][3]) for one in ("accumulates", "fills_list"))
